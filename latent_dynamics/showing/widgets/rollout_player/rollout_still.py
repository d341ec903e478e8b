"""The rollout player's still picture: film strips over the error curve, for pages without JavaScript."""

from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from ...page.base import still_figure

FILMS = ("what happened", "teacher forcing", "free rollout")
COLOURS = ("#1b1f24", "#0072b2", "#d55e00")  # as in common.css, in the light


def rollout_still(films, thetas, title, name="", others=None):
    """Return HTML of the strips of `films` (3, N, H, W) and the errors of `thetas` (3, N), in degrees.

    `name` is the model's; `others`, {name: thetas (3, N)}, are models whose free rollouts it is compared with.
    """
    N = films.shape[1]
    columns = np.unique(np.linspace(0, N - 1, min(N, 5)).round().astype(int))
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    strip, curve = figure.subfigures(2, 1, height_ratios=[1, 1.1])
    _draw_strip(strip, films, columns)
    errors = np.abs(thetas[1:] - thetas[0])  # (2, N)
    others = {other: np.abs(angles[2] - angles[0]) for other, angles in (others or {}).items()}  # (N,) each
    _draw_curve(curve.subplots(), errors, name, others)
    if title:
        figure.suptitle(title, fontsize=11)
    return still_figure(figure, _alt_text(columns + 1, errors, name, others))


def _draw_strip(part, films, columns):
    axes = part.subplots(3, len(columns), squeeze=False)
    for row, (film, name, colour) in enumerate(zip(films, FILMS, COLOURS)):
        for axis, n in zip(axes[row], columns):
            axis.imshow(film[n], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_color("#d4d9e0")
            if row == 0:
                axis.set_title(f"step {n + 1}", fontsize=9)
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, color=colour)


def _draw_curve(axis, errors, name, others):
    steps = np.arange(1, errors.shape[1] + 1)
    labels = FILMS[1], f"{FILMS[2]}: {name}" if others else FILMS[2]
    for (other, error), line in zip(others.items(), cycle(("-", "-.", (0, (7, 2))))):
        axis.plot(steps, error, line, color="#57606a", label=f"{FILMS[2]}: {other}", linewidth=1.2)
    for error, label, colour, line in zip(errors, labels, COLOURS[1:], ("--", "-")):
        axis.plot(steps, error, line, color=colour, label=label, linewidth=2)
        lost = steps[np.isnan(error)]
        top = axis.get_xaxis_transform()  # crosses along the upper edge: no pole to read
        axis.plot(lost, np.ones(len(lost)), "x", color=colour, markersize=4, transform=top, clip_on=False)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.axhline(2, color="#57606a", linestyle=":", linewidth=1, label="2 degrees")
    axis.set(xlabel="steps since the last frame it was shown", ylabel="pole-angle error, degrees", ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if others else {}
    axis.legend(frameon=False, fontsize=9, **beside)


def _alt_text(steps, errors, name, others):
    """Say in words what the picture shows."""
    whose = f" of {name}" if name else ""
    compared = [f"The free rollout of {other} {_fate(error)}." for other, error in others.items()]
    return " ".join([
        f"Film strips at steps {', '.join(map(str, steps))}: true frames, teacher-forced predictions and the "
        f"free rollout{whose}. Below, the error of the pole angle over {errors.shape[1]} steps: teacher forcing ends "
        f"{_degrees(errors[0, -1])}; the free rollout {_fate(errors[1])}.", *compared,
    ])  # fmt: skip


def _fate(error):
    """How a free rollout's error (N,) in degrees goes on and ends."""
    beyond = np.flatnonzero(~(error <= 2))
    fate = (
        f"leaves the truth by more than 2 degrees at step {beyond[0] + 1}" if len(beyond) else "stays within 2 degrees"
    )
    return f"{fate} and ends {_degrees(error[-1])}"


def _degrees(error):
    return "with no pole to read" if np.isnan(error) else f"{error:.1f} degrees off the truth"
