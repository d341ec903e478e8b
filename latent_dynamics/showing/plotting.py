"""What a reader looks at: film strips and curves in one style, with colours that the colour-blind can tell apart."""

import matplotlib.pyplot as plt
import numpy as np

# Okabe & Ito's palette, by the role that a curve plays anywhere in the book.
COLOURS = {
    "truth": "#000000", "teacher": "#0072B2", "free": "#D55E00", "physics": "#009E73", "repeat": "#CC79A7",
    "upright": "#999999", "other": "#E69F00", "sky": "#56B4E9",
}  # fmt: skip
CYCLE = [COLOURS[name] for name in ("teacher", "free", "physics", "repeat", "other", "sky", "truth")]
STYLES = ["-", "--", "-.", ":"]


def style():
    """Set the book's figure style: letters large enough for a phone, no frame, thin grid."""
    plt.rcParams.update({
        "figure.figsize": (6.4, 3.8), "figure.dpi": 110, "savefig.dpi": 110, "figure.constrained_layout.use": True,
        "font.size": 12, "axes.titlesize": 12, "axes.labelsize": 12, "legend.fontsize": 10, "legend.frameon": False,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
        "lines.linewidth": 2, "axes.prop_cycle": plt.cycler(color=CYCLE), "image.interpolation": "nearest",
        "figure.facecolor": "white", "svg.hashsalt": "latent dynamics",
    })  # fmt: skip


def film_strip(rows, titles=None, columns=6):
    """Show frames as film: {label: (N, H, W) or (N, H, W, 3)} in [0, 1], a column of them for each label."""
    labels = list(rows)
    count = min(columns, max(len(frames) for frames in rows.values()))
    fig, axes = plt.subplots(
        count, len(labels), figsize=(6.4, 1.5 * count / len(labels) + 0.55), squeeze=False, sharex=True, sharey=True
    )
    for column, label in enumerate(labels):
        for row in range(count):
            ax = axes[row, column]
            ax.set_xticks([]), ax.set_yticks([]), ax.grid(False)
            for spine in ax.spines.values():
                spine.set_visible(True), spine.set_color("#bbbbbb")
            if row < len(rows[label]):
                ax.imshow(np.clip(rows[label][row], 0, 1), cmap="gray", vmin=0, vmax=1, aspect="auto")
            if row == 0:
                ax.set_title(label, fontsize=10)
            if titles is not None and column == 0 and row < len(titles):
                ax.set_ylabel(titles[row], rotation=0, ha="right", va="center", fontsize=10)
    return fig


def spread(ax, x, runs, label, colour, style="-", middle=np.nanmedian):
    """Draw several seeds' curves (S, N): the middle one thick, the range between least and most as a band."""
    runs = np.asarray(runs, dtype=float)
    ax.plot(x, middle(runs, axis=0), style, color=colour, label=label)
    if len(runs) > 1:
        ax.fill_between(x, np.nanmin(runs, 0), np.nanmax(runs, 0), color=colour, alpha=0.18, linewidth=0)


def error_axes(ax, horizon, label="median |angle error| (degrees)", top=None):
    """Label axes of error over imagined steps, with the line of 2 degrees that the book measures against."""
    ax.axhline(2, color="#666666", linewidth=1, linestyle=":")
    ax.set(xlabel="step after the last frame seen", ylabel=label, xlim=(1, horizon), ylim=(0, top))
    ax.xaxis.get_major_locator().set_params(integer=True)
