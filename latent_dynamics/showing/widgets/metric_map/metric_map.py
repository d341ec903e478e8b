"""Every model a dot: which metric tells how well one acts from it? The reader chooses axes, and composes a metric."""

import numpy as np
import traitlets as t
from matplotlib.figure import Figure

from ...page.base import BookWidget, still_figure
from ...page.bundle import bundle, styles

COMPOSED = "composed"  # the axis of the reader's own metric
PICKS = 3  # metrics that can be put together
LOST = 1e9  # stands for infinite: no pole could be read
MARKS = "osD^v*P"


class MetricMap(BookWidget):
    """Models as dots over two axes that can be chosen, and a metric composed of up to three, scored on a held-out half.

    columns: {name: (words, 1 if more is better and -1 if less is)}, metrics first, then the `ways` to act, as many as
    are named there; values: {name: (M,)}, inf where nothing could be read, NaN where a metric does not apply; training,
    half and family: (M,) each: of which training a model is (its name), 0 for models that a metric is composed on and 1
    for those that score it, and what its dot looks like. `across` and `up` (names of columns, or "composed"), `picks`
    (three names of metrics, or "") and `marked` (a training's name, or "") can be read and set. Raises ValueError for
    what it cannot show.
    """

    _esm = bundle("widgets/metric_map/metric_map.js")
    _css = styles("page/common.css", "widgets/metric_map/metric_map.css")

    title = t.Unicode().tag(sync=True)
    columns = t.List(help="[name, words, sign]; ways to act last").tag(sync=True)
    ways = t.Int(help="how many of the columns, from behind, are ways to act").tag(sync=True)
    values = t.Dict(help="{name: [number of each model, or null]}; LOST for infinite").tag(sync=True)
    training = t.List(t.Unicode()).tag(sync=True)
    half = t.List(t.Int()).tag(sync=True)
    family = t.List(t.Unicode()).tag(sync=True)
    across = t.Unicode().tag(sync=True)
    up = t.Unicode().tag(sync=True)
    picks = t.List(t.Unicode(), help="metrics that are put together; empty words for none").tag(sync=True)
    marked = t.Unicode(help="the training whose dots are joined").tag(sync=True)

    def __init__(
        self, columns, ways, values, training, half, family, title="", across=None, up=None, picks=(), marked="",
    ):  # fmt: skip
        names, count = list(columns), len(training)
        wrong = [name for name in names if len(values.get(name, ())) != count]
        if wrong or {len(half), len(family)} != {count} or count == 0:
            raise ValueError(
                f"{count} trainings, {len(half)} halves, {len(family)} families, and columns of another length or "
                f"missing: {', '.join(wrong) or 'none'}; expected one of each for every model"
            )
        if not 0 < len(ways) < len(names) or list(ways) != names[-len(ways) :]:
            raise ValueError(f"ways to act are {list(ways)}; expected the last of the columns {names}")
        if len(set(family)) > len(MARKS):
            raise ValueError(f"{len(set(family))} families; there are marks for {len(MARKS)}")
        traits = {
            "title": title, "columns": [[name, *columns[name]] for name in names], "ways": len(ways),
            "values": {name: _plain(values[name]) for name in names}, "training": list(training),
            "half": [int(one) for one in half], "family": list(family),
        }  # fmt: skip
        wanted = {
            "across": across or names[0], "up": up or ways[0], "marked": marked,
            "picks": [*picks, *[""] * (PICKS - len(picks))],
        }  # fmt: skip
        super().__init__(repr((traits, wanted)).encode(), **traits, **wanted)

    @t.validate("across", "up")
    def _check_axis(self, proposal):
        offered = [name for name, *_ in self.columns] + [COMPOSED]
        if proposal["value"] not in offered:
            raise ValueError(f"{proposal['trait'].name} is {proposal['value']!r}; expected one of {', '.join(offered)}")
        return proposal["value"]

    @t.validate("picks")
    def _check_picks(self, proposal):
        offered = ["", *(name for name, *_ in self.columns[: -self.ways])]
        if len(proposal["value"]) != PICKS or set(proposal["value"]) - set(offered):
            raise ValueError(f"picks are {proposal['value']}; expected {PICKS} of {', '.join(map(repr, offered))}")
        return proposal["value"]

    @t.validate("marked")
    def _check_marked(self, proposal):
        if proposal["value"] not in ("", *self.training):
            known = ", ".join(sorted(set(self.training)))
            raise ValueError(f"marked is {proposal['value']!r}; expected one of {known}")
        return proposal["value"]

    def still(self):
        """Return what it opens with as a figure, for pages without JavaScript."""
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axis, words = figure.subplots(), {name: words for name, words, _ in self.columns}
        x, y = (np.array([np.nan if v in (None, LOST) else v for v in self.values[n]]) for n in (self.across, self.up))
        for mark, name in zip(MARKS, dict.fromkeys(self.family)):
            rows = np.array([one == name for one in self.family])
            axis.plot(x[rows], y[rows], mark, markersize=4, markerfacecolor="none", label=name)
        if np.nanmin(x) > 0 and np.nanmax(x) > 20 * np.nanmin(x):
            axis.set_xscale("log")
        axis.set(xlabel=words[self.across], ylabel=words[self.up])
        axis.legend(fontsize=7)
        return still_figure(figure, f"{len(x)} models: {words[self.up]} against {words[self.across]}.")


def _plain(values):
    """Numbers as JSON can hold them: None for what does not apply, LOST for infinite."""
    return [None if np.isnan(v) else LOST if np.isinf(v) else float(v) for v in np.asarray(values, dtype=float)]
