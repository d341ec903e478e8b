"""The live dream's still picture: two film strips over the two angles, for pages without JavaScript."""

import numpy as np
from matplotlib.figure import Figure

from ...page.base import still_figure
from ..rollout_player.rollout_still import COLOURS

NAMES = ("reality", "dream")


def dream_still(real, dreamt, theta_real, theta_dreamt, context, title):
    """Return HTML: frames (N + 1, H, W) of reality and dream, their angles (N + 1,) in degrees, NaN for no pole."""
    films, angles = (real.numpy(), dreamt.numpy()), (theta_real.numpy(), theta_dreamt.numpy())
    steps = np.unique(np.linspace(0, len(films[0]) - 1, 5).round().astype(int))
    figure = Figure(figsize=(8, 4), layout="constrained")
    strip, curve = figure.subfigures(2, 1, height_ratios=[1, 1.5])
    axes = strip.subplots(2, len(steps), squeeze=False)
    for row, film, name, colour in zip(axes, films, NAMES, (COLOURS[0], COLOURS[2]), strict=True):
        for axis, n in zip(row, steps, strict=True):
            axis.imshow(film[n], cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
            axis.set(xticks=[], yticks=[])
            if name == "reality":
                axis.set_title(f"step {n}", fontsize=9)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, color=colour)
    axis = curve.subplots()
    for angle, name, colour, line in zip(angles, NAMES, (COLOURS[0], COLOURS[2]), ("-", "--"), strict=True):
        axis.plot(angle, line, color=colour, label=name, linewidth=2)
    axis.set(xlabel="steps since the model's eyes were closed", ylabel="pole angle, degrees")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return still_figure(figure, _alt_text(steps, angles, context))


def _alt_text(steps, angles, context):
    """Say in words what the picture shows."""
    apart = abs(angles[1] - angles[0])
    beyond = np.flatnonzero(~(apart <= 2))
    fate = f"more than 2 degrees apart from step {beyond[0]}" if len(beyond) else "never more than 2 degrees apart"
    end = "shows no pole that can be read" if np.isnan(angles[1][-1]) else f"shows {angles[1][-1]:.1f} degrees"
    return (
        f"Film strips at steps {', '.join(map(str, steps))} of the real cart and pole, and of what a model dreams "
        f"after {context} pushes that it saw. Below, the two pole angles: {fate}. At the last step the dream {end}, "
        f"reality {angles[0][-1]:.1f} degrees."
    )
