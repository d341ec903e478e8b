"""A question whose answer is a curve: draw the one you expect, then see the one that was measured over it.

Whoever has drawn a curve has made up their mind about its start, its shape and its end, and can be wrong about each.
"""

import base64
import html
import io

import numpy as np
import traitlets as t
from matplotlib.figure import Figure

from ...page.bundle import bundle, styles
from ..question.question import STYLES, Question, folded_answer, paragraph, picture

SHAPES = ("flat", "falls", "straight", "levels off", "bends up")
ENDS = ("too low", "too high")
AGREES = "right shape"
HANDLES = 6
GIVEN = [("#0072b2", "--")]  # colours and lines as in sketch.css, in the light
MEASURED = [("#d55e00", "-"), ("#1b1f24", ":"), ("#57606a", "-.")]


class Sketch(Question):
    """Ask for a curve; once the reader has committed to one, show the measured curves over it and compare.

    `x` (N,) rises. `curves` maps names to measured values (N,) in `unit`, the one to be drawn first and others for
    comparison; `given` maps names to values (N,) that are shown from the start. What is not finite is left out, and
    `gap` says why. `start` is the height at which the drawing begins, `top` the height of the axis. `lessons` maps
    mistakes to explanations: a shape that was drawn but not measured ("flat", "falls", "straight", "levels off",
    "bends up"), or an end that was "too low" or "too high". "right shape" goes to whoever drew the
    measured shape, and says where it comes from. `drawn` (one height for each x, or empty) and `committed` can be
    read and set. Raises ValueError for curves or lessons that cannot be shown.
    """

    _esm = bundle("widgets/sketch/sketch.js")
    _css = styles(*STYLES, "widgets/sketch/sketch.css")

    x = t.List(t.Float()).tag(sync=True)
    curves = t.List(help="[name, heights] of each measured curve; null where there is none").tag(sync=True)
    given = t.List(help="[name, heights] of each curve shown from the start").tag(sync=True)
    x_label = t.Unicode().tag(sync=True)
    y_label = t.Unicode().tag(sync=True)
    unit = t.Unicode().tag(sync=True)
    gap = t.Unicode(help="why a measured curve may end early").tag(sync=True)
    top = t.Float(help="height of the axis").tag(sync=True)
    start = t.Float(help="height at which the drawing begins").tag(sync=True)
    lessons = t.Dict(help="explanations of typical mistakes").tag(sync=True)
    handles = t.List(t.Int(), help="which x carry a handle for the keyboard").tag(sync=True)
    drawn = t.List(t.Float(), help="the reader's curve, one height for each x; empty before").tag(sync=True)

    def __init__(
        self, question, x, curves, given=None, x_label="step", y_label="error", unit="degrees", top=None, start=None,
        lessons=None, evidence="", gap="",
    ):  # fmt: skip
        x = np.asarray(x, dtype=float)
        if x.ndim != 1 or len(x) < HANDLES or not (np.diff(x) > 0).all():
            raise ValueError(f"x has shape {x.shape}; expected at least {HANDLES} numbers that rise.")
        if not curves:
            raise ValueError("curves is empty; expected a mapping whose first entry is the measured curve to be drawn.")
        if len(curves) > len(MEASURED) or len(given or {}) > len(GIVEN):
            raise ValueError(
                f"{len(curves)} curves are too many; expected {len(MEASURED)}, and {len(GIVEN)} given, at most."
            )
        lessons = _checked_lessons(lessons or {})
        curves, given = (_checked_curves(part, len(x)) for part in (curves, given or {}))
        known = [height for _, heights in curves + given for height in heights if height is not None]
        if any(heights[0] is None for _, heights in curves + given) or min(known) < 0:
            raise ValueError("a curve begins with no finite height, or has a negative one; expected errors, from 0 up.")
        top = _round_up(1.35 * max(known)) if top is None else float(top)
        if top < max(known):
            raise ValueError(f"top is {top}; expected at least {max(known):.3g}, the highest of the curves.")
        start = curves[0][1][0] if start is None else float(start)
        words = dict(question=question, x_label=x_label, y_label=y_label, unit=unit, gap=gap, evidence=evidence)
        super().__init__(
            repr((words, x.tolist(), curves, given, top, start, lessons)).encode(),
            x=x.tolist(),
            curves=curves,
            given=given,
            top=top,
            start=start,
            lessons=lessons,
            handles=np.unique(np.linspace(0, len(x) - 1, HANDLES).round().astype(int)).tolist(),
            **words,
        )

    @t.validate("drawn")
    def _check_drawn(self, proposal):
        drawn = proposal["value"]
        if drawn and (len(drawn) != len(self.x) or not all(0 <= height <= self.top for height in drawn)):
            raise ValueError(
                f"drawn has {len(drawn)} heights; expected {len(self.x)}, each from 0 to {self.top:g}, or none."
            )
        return drawn

    @t.validate("committed")
    def _check_committed(self, proposal):
        if proposal["value"] and not self.drawn:
            raise ValueError("nothing to commit to: set drawn to a curve first.")
        return proposal["value"]

    @t.observe("drawn")
    def _open_again(self, change):
        if not change["new"]:
            self.committed = False

    def still(self):
        """Return the empty axes and, folded away, the measured curves, for pages without JavaScript."""
        axes = f"{self.y_label} in {self.unit} against {self.x_label}. "
        lessons = "".join(f"<li>{html.escape(f'{kind}: {text}')}</li>" for kind, text in self.lessons.items())
        asked = f"<p><strong>{html.escape(self.question)}</strong></p>" + picture(
            _draw(self, self.given), axes + self._in_words(self.given)
        )
        both = picture(_draw(self, self.curves, self.given), axes + self._in_words(self.curves + self.given))
        told = paragraph(self._in_words(self.curves)) + paragraph(self.evidence)
        return folded_answer(asked, both + told + (f"<ul>{lessons}</ul>" if lessons else ""))

    def _in_words(self, curves):
        told = []
        for name, heights in curves:
            last = max(i for i, height in enumerate(heights) if height is not None)
            told.append(f"{name}: from {heights[0]:.1f} at {self.x[0]:g} to {heights[last]:.1f} at {self.x[last]:g}.")
            told += [self.gap] if last < len(self.x) - 1 else []
        return " ".join(told)


def _draw(sketch, *groups):
    """Draw groups of curves into the sketch's axes: a base64 PNG."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axis = figure.subplots()
    for group, looks in zip(groups[::-1], (GIVEN, MEASURED)):
        for (name, heights), (colour, line) in zip(group, looks):
            axis.plot(sketch.x, np.array(heights, dtype=float), line, color=colour, label=name)
    axis.set_title(f"{sketch.y_label}, {sketch.unit}", loc="left", fontsize=10)
    axis.set_xlabel(sketch.x_label, loc="right", fontsize=10)
    axis.set(ylim=(0, sketch.top), xticks=[sketch.x[i] for i in sketch.handles])
    axis.tick_params(labelsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.lines:
        axis.legend(frameon=False, fontsize=9)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    return base64.b64encode(png.getvalue()).decode()


def _checked_curves(curves, N):
    """Curves as [name, heights], None where a height is not finite; or a ValueError."""
    checked = []
    for name, heights in curves.items():
        heights = np.asarray(heights, dtype=float)
        if heights.shape != (N,):
            raise ValueError(f"the curve {name!r} has shape {heights.shape}; expected ({N},): one height for each x.")
        checked.append([name, [float(height) if np.isfinite(height) else None for height in heights]])
    return checked


def _checked_lessons(lessons):
    kinds = (*SHAPES, *ENDS, AGREES)
    unknown = set(lessons) - set(kinds)
    if unknown:
        raise ValueError(f"no lesson is called {sorted(unknown)[0]!r}; expected some of {', '.join(kinds)}.")
    return dict(lessons)


def _round_up(height):
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(max(height, 1e-9)))
    return float(next(m * power for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if m * power >= height * (1 - 1e-9)))
