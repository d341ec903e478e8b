"""The fan of futures' still picture: imagined and real angles over the steps, for pages without scripts."""

import numpy as np
from matplotlib.figure import Figure

from ...page.base import still_figure

ORANGE, INK, PURPLE = "#d55e00", "#1b1f24", "#a45bc8"


def fan_still(futures, ghost, worth, step, title):
    """Return HTML of a fan: futures {"dream" (S, N + 1), "truth" (F, N + 1)} degrees; ghost (S, N + 1) or None."""
    dream, truth = futures["dream"], futures["truth"]
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axis, steps = figure.subplots(), np.arange(dream.shape[1])
    for share, alpha in ((0.9, 0.2), (0.5, 0.35)):
        low, high = np.quantile(dream, [(1 - share) / 2, (1 + share) / 2], axis=0)
        axis.fill_between(steps, low, high, color=ORANGE, alpha=alpha, linewidth=0, label=f"imagined, {share:.0%}")
    lines = axis.plot(steps, truth.T, "--", color=INK, linewidth=0.8, alpha=0.7)
    lines[0].set_label("real futures")
    if ghost is not None:
        axis.plot(steps, np.median(ghost, 0), "-.", color=PURPLE, label="middle of the fan kept to compare")
    axis.axvline(step, color="#57606a", linewidth=1)
    axis.set(xlabel="steps after the last picture", ylabel="pole angle, degrees")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9, loc="upper left")
    figure.suptitle(title, fontsize=11)
    return still_figure(figure, _alt_text(dream, worth, step))


def _alt_text(dream, worth, step):
    """Say in words what the picture shows."""
    low, high = np.quantile(dream[:, step], [0.05, 0.95])
    return (
        f"Pole angles over {dream.shape[1] - 1} steps that {len(dream)} imagined futures and the real ones take. At "
        f"step {step} nine tenths of the imagined ones lie between {low:.1f} and {high:.1f} degrees, and "
        f"{worth['cover_90'][step]:.0%} of the real ones within that; the CRPS is {worth['crps'][step]:.2f} degrees."
    ).replace("-", "\u2212")
