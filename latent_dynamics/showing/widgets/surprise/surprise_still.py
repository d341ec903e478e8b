"""The live surprise's still picture: surprise, and the angle that is believed, for pages without scripts."""

import numpy as np
from matplotlib.figure import Figure

from ...page.base import still_figure

BLUE, ORANGE, INK, GREY = "#0072b2", "#d55e00", "#1b1f24", "#57606a"


def surprise_still(played, opening, title):
    """Return HTML of what `Surprise.played` found in its opening."""
    when, side = opening["gust"]
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.bar(np.arange(1, len(played["surprise"]) + 1), played["surprise"], color=BLUE, width=0.7)
    above.set(ylabel="surprise, nats")
    low, high = np.quantile(played["thetas"], [0.05, 0.95], axis=1)
    steps = np.arange(len(low))
    below.fill_between(steps, low, high, color=ORANGE, alpha=0.3, label="90 % of the samples")
    below.plot(steps, played["theta_true"], color=INK, label="reality")
    below.plot(steps, played["thetas"].mean(1), "--", color=ORANGE, label="belief")
    below.set(xlabel="step", ylabel="pole angle, degrees")
    dark = np.flatnonzero(~played["seen"])
    for axis in (above, below):
        if len(dark):
            axis.axvspan(dark[0] - 0.5, dark[-1] + 0.5, color=GREY, alpha=0.2, linewidth=0, label="nothing seen")
        axis.axvline(when, color=INK, linestyle=":", label=f"a gust to the {_side(side)} begins")
        axis.spines[["top", "right"]].set_visible(False)
    below.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    figure.suptitle(title, fontsize=11)
    return still_figure(figure, _alt_text(played, opening, dark))


def _side(side):
    return "left" if side < 0 else "right"


def _alt_text(played, opening, dark):
    """Say in words what the picture shows."""
    (when, side), surprise = opening["gust"], played["surprise"]
    usual = np.median(surprise[played["seen"][1:]])
    peak = when + 1 + int(np.argmax(surprise[when : when + 5]))  # surprise[n - 1] is that of step n
    spread = played["thetas"].std(1, ddof=1)
    parts = [
        f"Bars of a model's surprise over {len(surprise)} steps, usually {usual:.1f} nats. A gust to the {_side(side)} "
        f"begins at step {when}; the largest surprise of the five steps after it is {surprise[peak - 1]:.1f} nats, at "
        f"step {peak}."
    ]
    if len(dark) and 0 < dark[0] and dark[-1] + 1 < len(spread):
        first, last = dark[0], dark[-1]
        parts.append(
            f"From step {first} to {last} nothing is seen, and the spread of the believed pole angle goes from "
            f"{spread[first - 1]:.1f} to {spread[last]:.1f} degrees; with the next picture to {spread[last + 1]:.1f}."
        )
    return " ".join(parts)
