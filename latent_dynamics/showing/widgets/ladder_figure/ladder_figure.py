"""The ladder's figure: what every rung is worth, step by step, over all of its training seeds.

One table of numbers cannot be looked at, and one curve cannot say what a rung costs. So the reader chooses: which
figure, which actions, which rungs; and reads off any step what all of them are worth there.
"""

from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import traitlets as t
from matplotlib.figure import Figure

from latent_dynamics.world.worlds import CARTPOLE

from ...page.base import BookWidget, still_figure, within
from ...page.bundle import bundle, styles

PROTOCOLS = {"intervened": "coin tosses", "replayed": "recorded actions"}
TOLD = (1, 5, 10, 15, 20, 30, 50)  # the steps of tables, and of the marks on the lines
GUIDES = (1, 2)  # degrees that the book measures against; also in ladder_figure.js

# The looks of rungs, as in ladder_figure.css and .js, in the light. They take turns: marks are first all filled, then
# all hollow, so that no two of fourteen rungs share one; colours and dashes have turns of other lengths.
COLOURS = ("#d55e00", "#0072b2", "#00795a", "#a03c8c", "#806500", "#2488b8", "#b3254a", "#5b4fb3", "#7a5230", "#1b1f24")
MARKS = "osD^v*P"
DASHES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
GREY_DASHES = ((0, (1, 2)), (0, (5, 3)), (0, (8, 2, 1, 2)), (0, (2, 5)), (0, (11, 3)), (0, (5, 2, 1, 2, 1, 2)))


@dataclass(frozen=True)
class Metric:
    """What can be chosen: a curve over the steps, or one number a rung."""

    label: str
    axis: str  # what the axis measures
    unit: str = ""
    curve: bool = True
    log: bool = False
    low_is_good: bool = True
    missing: str = "none"  # what None means: the worst there is for a curve, the best for a number of steps
    ends: tuple = ("Lowest", "highest")  # what the best and the worst rung are called
    judged_by: bool = True  # whether the protocol matters
    whole: bool = False  # told without decimals
    span: tuple = ()  # the ends of the axis where they mean something

    @property
    def beyond(self):
        """The number that stands for a missing one when rungs are compared."""
        return np.inf if self.low_is_good or not self.curve else -np.inf


_ANGLE = dict(unit="\u00b0", log=True, missing="no pole", ends=("Closest to the truth", "furthest"))
_NEVER = "(never: most dreams end before)"
_STEPS = dict(curve=False, low_is_good=False, missing="never", ends=("Longest", "shortest"), whole=True)
_COST = dict(curve=False, log=True, judged_by=False, whole=True)
METRICS = {
    "theta": Metric("Angle error of the dream", "median |angle error|, degrees", **_ANGLE),
    "x": Metric(
        "Cart error of the dream", "median |position error|, centimetres", " cm", log=True, missing="no cart",
        ends=("Closest to the truth", "furthest"),
    ),
    "skill": Metric(
        "Skill of the dream", "1 \u2212 error / error of a pole that always stands", low_is_good=False,
        missing="no pole", ends=("Most skilled", "least"), span=(-1, 1),
    ),
    "pole_there": Metric(
        "Frames with a readable pole", "share of dreamt frames, %", " %", low_is_good=False, ends=("Most", "fewest"),
        whole=True, span=(0, 100),
    ),
    "pixels": Metric("Pixel error of the dream", "RMS error on the pixels that move", log=True),
    "teacher_forced": Metric("Angle error one step ahead", "median |angle error| one step on, degrees", **_ANGLE),
    "steps_1": Metric("Steps to 1 degree", f"median first step beyond 1 degree {_NEVER}", **_STEPS),
    "steps_2": Metric("Steps to 2 degrees", f"median first step beyond 2 degrees {_NEVER}", **_STEPS),
    "return": Metric(
        "Return of a controller", "mean return, 500 at most", curve=False, low_is_good=False, judged_by=False,
        ends=("Highest", "lowest"), whole=True, span=(0, 500),
    ),
    "parameters": Metric("Parameters", "trained numbers", **_COST | {"ends": ("Fewest", "most")}),
    "seconds": Metric("Training time", "seconds of training", " s", **_COST | {"ends": ("Shortest", "longest")}),
    "steps_per_second": Metric(
        "Speed of dreaming", "steps imagined a second",
        **_COST | {"low_is_good": False, "ends": ("Fastest", "slowest")},
    ),
}  # fmt: skip


class LadderFigure(BookWidget):
    """Choose a metric, a protocol and rungs; see the median over training seeds and the range from least to most.

    `rungs` maps each rung, in the ladder's order, to {training seed: evaluation}; `references` maps names to
    evaluations; `names` maps rungs to what the legend calls them. An evaluation has for each protocol ("replayed",
    "intervened") the curves theta, x, skill, pole_there, pixels and teacher_forced (N,), None where there is nothing
    to read, and the numbers steps_1 and steps_2, None where more than half of the dreams never get there; "return",
    [mean, low, high] or None; and "cost", {parameters, seconds, steps_per_second}. What is left out is not offered.
    An evaluation may also have intervals [low, high] over episodes, "theta_interval" beside "theta" and so on, each a
    number or a curve; for steps_1 and steps_2 they are called interval_1 and interval_2. `doubling` is the number of
    steps in which physics doubles an error. `metric` (of METRICS), `protocol`, `shown` (rungs), `step` (from 1; a
    protocol with fewer steps shows its last) and `reader` can be read and set; `of_readers` shows what several readers
    of angles make of the same dreams. Raises ValueError for what it cannot show.
    """

    _esm = bundle("widgets/ladder_figure/ladder_figure.js")
    _css = styles("page/common.css", "widgets/ladder_figure/ladder_figure.css")

    rungs = t.List(help="[rung, what the legend calls it], simplest first").tag(sync=True)
    references = t.List(t.Unicode()).tag(sync=True)
    metrics = t.List(help="[metric, its words] of those that some rung has by both protocols").tag(sync=True)
    protocols = t.List(help="[protocol, its words, number of steps, the steps of the table]").tag(sync=True)
    readers = t.List(t.Unicode(), help="whose tables there are to choose from").tag(sync=True)
    values = t.Dict(help="{reader: {protocol: {metric: {name: [median, least, most] over seeds}}}}").tag(sync=True)
    dots = t.Dict(help="{reader: {protocol: {metric: {name: the number of each seed}}}}").tag(sync=True)
    intervals = t.Dict(help="{reader: {protocol: {metric: {name: [low, high] of the median seed}}}}").tag(sync=True)
    axes = t.Dict(help="{protocol: {metric: numbers on its axis, the first and the last at its ends}}").tag(sync=True)
    doubling = t.Float(help="steps in which physics doubles an error").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    metric = t.Unicode().tag(sync=True)
    protocol = t.Unicode().tag(sync=True)
    shown = t.List(t.Unicode(), help="the rungs that are drawn").tag(sync=True)
    step = t.Int(help="the step whose values are told, from 1").tag(sync=True)
    reader = t.Unicode(help="who reads the angles off the dreamt frames").tag(sync=True)

    def __init__(
        self, rungs, references=None, names=None, title="", metric="theta", protocol="intervened", shown=None,
        step=None, doubling=None,
    ):  # fmt: skip
        tables = rungs if isinstance(rungs, _Tables) else _Tables({"": (rungs, references)})
        ladders = {reader: _Ladder(*table, names) for reader, table in tables.items()}
        first = next(iter(ladders.values()))
        wanted = {"metric": metric, "protocol": protocol, "shown": first.rungs if shown is None else list(shown)}
        traits = {
            "rungs": [[rung, first.names[rung]] for rung in first.rungs],
            "references": [name for name in first.evaluations if name not in first.rungs],
            "metrics": [[key, asdict(METRICS[key])] for key in first.metrics],
            "protocols": [[name, words, *first.steps(name)] for name, words in PROTOCOLS.items()],
            "readers": list(ladders),
            "values": _by_reader(ladders, _Ladder.all_spreads),
            "dots": _by_reader(ladders, _Ladder.all_dots),
            "intervals": _by_reader(ladders, _Ladder.all_intervals),
            "axes": {name: _all_axes(ladders.values(), name) for name in PROTOCOLS},
            "doubling": doubling_steps() if doubling is None else _checked_doubling(doubling),
            "title": title,
        }
        wanted |= {
            "step": min(15, max(first.horizon.values())) if step is None else step,
            "reader": next(iter(ladders)),
        }
        super().__init__(repr((traits, wanted)).encode(), **traits, **wanted)

    @classmethod
    def of_readers(cls, tables, **settings):
        """Show {reader: (rungs, references)}, with a switch between the readers, who all judge the same rungs."""
        if not tables:
            raise ValueError("tables is empty; expected {reader: (rungs, references)} with one reader at least.")
        names = {reader: [list(part or {}) for part in table] for reader, table in tables.items()}
        first = next(iter(names))
        for reader, found in names.items():
            if found != names[first]:
                raise ValueError(
                    f"{reader!r} judges {found}; expected those of {first!r}: {names[first]}, in this order."
                )
        return cls(_Tables(tables), **settings)

    @t.validate("metric", "protocol", "reader")
    def _check_choice(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        offered = self.readers if name == "reader" else [known for known, *_ in getattr(self, f"{name}s")]
        if value not in offered:
            raise ValueError(f"{name} is {value!r}; expected one of {', '.join(offered)}.")
        return value

    @t.validate("shown")
    def _check_shown(self, proposal):
        rungs = [rung for rung, _ in self.rungs]
        strange = [rung for rung in proposal["value"] if rung not in rungs]
        if strange:
            raise ValueError(f"shown names {strange[0]!r}, which is not a rung; expected some of {', '.join(rungs)}.")
        return [rung for rung in rungs if rung in proposal["value"]]

    @t.validate("step")
    def _check_step(self, proposal):
        return within(proposal, 1, max(horizon for _, _, horizon, _ in self.protocols))

    @property
    def horizon(self):
        """How many steps the chosen protocol has."""
        return next(horizon for name, _, horizon, _ in self.protocols if name == self.protocol)

    def spread(self, name):
        """Return [median, least, most] over seeds of what is shown: at the chosen step, or the number; else None."""
        found = self.chosen(self.values).get(name)
        if found is None or not METRICS[self.metric].curve:
            return found
        return [heights[min(self.step, self.horizon) - 1] for heights in found]

    def chosen(self, table):
        """Return the part of `values`, `dots` or `intervals` that is shown: {name: its numbers}."""
        return table[self.reader][self.protocol].get(self.metric, {})

    def still(self):
        """Return the chosen figure with its legend, for pages without JavaScript."""
        metric = METRICS[self.metric]
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axis = figure.subplots()
        (_draw_curves if metric.curve else _draw_rows)(axis, self)
        axis.spines[["top", "right"]].set_visible(False)
        if self.title:
            figure.suptitle(self.title, fontsize=11)
        return still_figure(figure, self._story())

    def _story(self):
        metric, legend = METRICS[self.metric], dict(self.rungs)
        names = [name for name in [*self.shown, *self.references] if self.spread(name)]
        found = [f"{legend.get(name, name)} {told(metric, self.spread(name))}" for name in names]
        by = f" under {PROTOCOLS[self.protocol]}" if metric.judged_by else ""
        at = f" at step {min(self.step, self.horizon)} of {self.horizon}" if metric.curve else ""
        read = f", read {self.reader}" if self.reader else ""
        return (
            f"{metric.label} ({metric.axis}){by}{at}{read}, median and range over training seeds: {'; '.join(found)}."
        )


class _Tables(dict):
    """{reader: (rungs, references)}, to be told from {rung: {seed: evaluation}}."""


def _by_reader(ladders, part):
    return {reader: {name: part(ladder, name) for name in PROTOCOLS} for reader, ladder in ladders.items()}


def _all_axes(ladders, protocol):
    """Numbers for each metric's axis: it holds all rungs and readers, so that it stays when others are chosen."""
    ladders = list(ladders)
    return {key: _axis(key, ladders, protocol) for key in ladders[0].metrics}


def _axis(key, ladders, protocol):
    metric, found = METRICS[key], []
    for ladder in ladders:
        for part in (ladder.all_spreads(protocol), ladder.all_intervals(protocol)):
            found += [number for spread in part.get(key, {}).values() for number in _flat(spread)]
    known = [number for number in found if number is not None] or [1]
    if metric.log:
        return _log_ticks([number for number in known if number > 0] or [1])
    low, high = (0, ladders[0].horizon[protocol]) if key.startswith("steps_") else metric.span or (0, max(known))
    return _ticks(low if min(known) < 0 else 0, high)


class _Ladder:
    """The evaluations of all rungs and references, checked, and what is told of them."""

    def __init__(self, rungs, references, names):
        self.names = _checked_names(rungs, references or {}, names or {})
        self.rungs = list(rungs)
        evaluations = {rung: list(_checked_seeds(rung, seeds).values()) for rung, seeds in rungs.items()}
        self.evaluations = evaluations | {name: [evaluation] for name, evaluation in (references or {}).items()}
        for name, found in self.evaluations.items():
            for evaluation in found:
                _check_evaluation(name, evaluation, PROTOCOLS if name in self.rungs else ())
        self.horizon = {protocol: self._length(protocol) for protocol in PROTOCOLS}
        self.metrics = [key for key in METRICS if self._has(key)]

    def _length(self, protocol):
        """The number of steps that all curves of a protocol have; a ValueError where they differ."""
        N = None
        for name, found in self.evaluations.items():
            for part in (evaluation.get(protocol) or {} for evaluation in found):
                for key in (key for key, metric in METRICS.items() if metric.curve and part.get(key) is not None):
                    N = N or len(part[key])
                    if len(part[key]) != N:
                        raise ValueError(
                            f"{name!r} has {len(part[key])} steps of {key} ({protocol}); expected {N} as in the curves "
                            "before it: evaluate every rung and reference with one horizon."
                        )
        if not N:
            raise ValueError(f"no rung has a curve of the {protocol} protocol; expected at least theta (N,).")
        return N

    def steps(self, protocol):
        """The number of steps of a protocol, and those that are told in tables."""
        return self.horizon[protocol], [n for n in TOLD if n <= self.horizon[protocol]]

    def _has(self, key):
        return all(any(self.seeds(rung, protocol, key) for rung in self.rungs) for protocol in PROTOCOLS)

    def seeds(self, name, protocol, key):
        """What each seed has of a metric: floats or arrays (N,), infinite where it is missing."""
        found = [_look_up(evaluation, protocol, key) for evaluation in self.evaluations[name]]
        return [_finite_or(METRICS[key].beyond, value, name, key) for value in found if value is not None]

    def spread(self, name, protocol, key):
        """[median, least, most] over seeds, each a number or a list (N,), None where it is missing; or None."""
        seeds = self.seeds(name, protocol, key)
        if not seeds:
            return None
        return [_plain(part) for part in (np.median(seeds, 0), np.min(seeds, 0), np.max(seeds, 0))]

    def all_spreads(self, protocol):
        found = {key: {name: self.spread(name, protocol, key) for name in self.evaluations} for key in self.metrics}
        return {key: {name: part for name, part in parts.items() if part} for key, parts in found.items()}

    def all_dots(self, protocol):
        numbers = [key for key in self.metrics if not METRICS[key].curve]
        found = {key: {name: _plain(self.seeds(name, protocol, key)) for name in self.evaluations} for key in numbers}
        return {key: {name: part for name, part in parts.items() if part} for key, parts in found.items()}

    def all_intervals(self, protocol):
        """[low, high] over episodes of the median seed, where evaluations give them: {metric: {name: ...}}."""
        found = {key: {name: self._interval(name, protocol, key) for name in self.evaluations} for key in self.metrics}
        found = {key: {name: part for name, part in parts.items() if part} for key, parts in found.items()}
        return {key: parts for key, parts in found.items() if parts}

    def _interval(self, name, protocol, key):
        given = [_look_up_interval(evaluation, protocol, key) for evaluation in self.evaluations[name]]
        ends = list(zip(*(pair for pair in given if pair is not None), strict=True))
        return [
            _plain(np.median([_finite_or(METRICS[key].beyond, end, name, key) for end in side], 0)) for side in ends
        ]


def _flat(numbers):
    return [part for number in numbers for part in (_flat(number) if isinstance(number, list) else [number])]


def _ticks(low, high):
    """Round numbers from `low` to `high` or a little beyond, some five steps apart."""
    power = 10.0 ** np.floor(np.log10((high - low) / 4))
    apart = next(size for size in (power, 2 * power, 5 * power, 10 * power) if size >= (high - low) / 5.01)
    return [float(f"{n * apart:.6g}") for n in range(int(np.floor(low / apart)), int(np.ceil(high / apart - 1e-9)) + 1)]


def _log_ticks(known):
    """1, 2, 5, 10 ... around the numbers of `known` that are above a 3000th of the largest; decades if many."""
    high = max(known)
    low = max(min(known), high / 3000)
    steps = (1, 2, 5) if high / low < 1000 else (1,)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 2)
    marks = [float(f"{m}e{power}") for power in powers for m in steps]
    first = max(i for i, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    last = next(i for i, mark in enumerate(marks) if mark >= high * (1 - 1e-9) and i > first)
    return marks[first : last + 1]


def _look_up(evaluation, protocol, key):
    """One seed's curve or number; None where the evaluation has none."""
    if key == "return":
        return (evaluation.get("return") or [None])[0]
    if not METRICS[key].judged_by:
        return (evaluation.get("cost") or {}).get(key)
    part = evaluation.get(protocol) or {}
    if key.startswith("steps_") and key in part:
        return np.inf if part[key] is None else part[key]  # more than half never get there
    return part.get(key)


def _look_up_interval(evaluation, protocol, key):
    """One seed's [low, high] over episodes; None where the evaluation has none."""
    if key == "return":
        return (evaluation.get("return") or [None])[1:] or None
    name = key.replace("steps_", "interval_") if key.startswith("steps_") else f"{key}_interval"
    return (evaluation.get(protocol) or {}).get(name)


def _finite_or(beyond, value, name, key):
    try:
        number = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{key} of {name!r} is {value!r}; expected numbers, and None where one is missing.") from None
    if number.ndim != METRICS[key].curve:
        expected = "one number for each step" if METRICS[key].curve else "one number"
        raise ValueError(f"{key} of {name!r} has shape {number.shape}; expected {expected}.")
    number = np.where(np.isfinite(number), number, beyond)
    return 100 * number if key == "pole_there" else number


def _plain(numbers):
    """Numbers as JSON: no more digits than are told, and None for the infinite."""
    if np.ndim(numbers):
        return [_plain(number) for number in numbers]
    number = float(numbers)
    if not np.isfinite(number):
        return None
    return round(number, 1 if abs(number) >= 10 else 4 if abs(number) >= 0.1 else 5)


def _checked_names(rungs, references, names):
    if not rungs:
        raise ValueError("rungs is empty; expected {rung: {training seed: evaluation}}, simplest rung first.")
    twice = set(rungs) & set(references)
    if twice:
        raise ValueError(f"{sorted(twice)[0]!r} is a rung and a reference; expected different names: rename one.")
    unknown = set(names) - set(rungs)
    if unknown:
        raise ValueError(f"names has {sorted(unknown)[0]!r}, which is no rung; expected some of {', '.join(rungs)}.")
    return {rung: str(names.get(rung, rung)) for rung in rungs} | {name: name for name in references}


def _checked_seeds(rung, seeds):
    if not isinstance(seeds, dict) or not seeds:
        raise ValueError(f"rung {rung!r} has no seeds; expected {{training seed: evaluation}} with one at least.")
    if set(seeds) & {*PROTOCOLS, "cost"}:
        raise ValueError(f"rung {rung!r} is one evaluation; expected one for each seed: write {{0: evaluation}}.")
    return seeds


def _check_evaluation(name, evaluation, protocols):
    if not isinstance(evaluation, dict):
        raise ValueError(f"an evaluation of {name!r} is a {type(evaluation).__name__}; expected a dict.")
    for protocol in protocols:
        if not evaluation.get(protocol):
            raise ValueError(f"an evaluation of {name!r} has no {protocol!r} part; judge it by both protocols.")


def _checked_doubling(doubling):
    if not doubling > 0:
        raise ValueError(f"doubling is {doubling}; expected a number of steps above 0, or None: then physics tells it.")
    return float(doubling)


def doubling_steps():
    """Return in how many steps the physics of the upright pole doubles an error: about 9.1."""
    return round(float(np.log(2)) / CARTPOLE.growth_rate(), 3)


def told(metric, spread):
    """Say a [median, least, most] as text: '3.41\u00b0 (3.02\u20133.90)'."""
    known = [value for value in spread if value is not None]
    size = max(map(abs, known), default=0)
    digits = (size < 1000) if metric.whole else 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    middle, low, high = (_number(metric, value, int(digits)) for value in spread)
    unit = metric.unit if spread[0] is not None else ""
    joint = " to " if None in spread or min(known) < 0 else "\u2013"
    return middle + unit + (f" ({low}{joint}{high})" if low != high else "")


def _number(metric, value, digits):
    if value is None:
        return metric.missing
    exact = Decimal(str(value)).quantize(Decimal(10) ** -digits, ROUND_HALF_UP)  # as browsers round
    return f"{exact:,}".removesuffix(".0" if metric.whole else " ").replace("-", "\u2212")


def ladder_table(rungs, references=None, names=None):
    """Return header and rows for `pages.table`: one row a rung, then one a reference; arguments as of LadderFigure.

    A cell is the median over training seeds, and in brackets the range.
    """
    ladder = _Ladder(rungs, references, names)
    steps = [n for n in (5, 10, 15, 20) if n <= ladder.horizon["intervened"]]
    header = [
        "rung", *(f"angle error at step {n}, coin tosses" for n in steps), "steps to 2 degrees, recorded actions",
        "the same in doubling times", f"pole readable at step {steps[-1]}, coin tosses" if steps else "pole readable",
        "return of a controller", "parameters", "training, seconds", "steps imagined a second",
    ]  # fmt: skip
    return header, [_table_row(ladder, name, steps) for name in ladder.evaluations]


def _table_row(ladder, name, steps):
    def cell(key, step=None, protocol="intervened", scale=1):
        found = ladder.spread(name, protocol, key)
        if found is None:
            return "\u2013"
        if step is not None:
            found = [heights[step - 1] for heights in found]
        return told(METRICS[key], [value if value is None else value * scale for value in found])

    survived = [evaluation.get("replayed") or {} for evaluation in ladder.evaluations[name]]
    censored = [part["censored_2"] for part in survived if part.get("censored_2") is not None]
    share = f", {100 * np.median(censored):.0f} % censored" if censored else ""
    reach = cell("steps_2", protocol="replayed")
    return [
        ladder.names[name], *(cell("theta", step) for step in steps), reach + (share if reach != "\u2013" else ""),
        cell("steps_2", protocol="replayed", scale=1 / doubling_steps()),
        cell("pole_there", steps[-1]) if steps else "\u2013",
        *(cell(key) for key in ("return", "parameters", "seconds", "steps_per_second")),
    ]  # fmt: skip


def _looks(figure, name):
    """How matplotlib draws a rung or a reference."""
    if name in figure.references:
        dash = GREY_DASHES[figure.references.index(name) % len(GREY_DASHES)]
        return {"color": "#6b747e", "linestyle": dash, "linewidth": 1.2}
    i = [rung for rung, _ in figure.rungs].index(name)
    hollow = {"markerfacecolor": "white"} if i // len(MARKS) % 2 else {}
    look = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)], "marker": MARKS[i % len(MARKS)]}
    return look | {"linewidth": 1.8, "markersize": 5} | hollow


def _draw_curves(axis, figure):
    metric, legend = METRICS[figure.metric], dict(figure.rungs)
    steps = np.arange(1, figure.horizon + 1)
    marked = [n - 1 for n in TOLD if n <= figure.horizon]
    found, intervals = figure.chosen(figure.values), figure.chosen(figure.intervals)
    for name in (name for name in [*figure.references, *figure.shown] if name in found):
        middle, low, high = np.array(found[name], dtype=float)
        look = _looks(figure, name)
        axis.plot(steps, middle, label=legend.get(name, name), markevery=marked, **look)
        axis.fill_between(steps, low, high, color=look["color"], alpha=0.12, linewidth=0)
        for end in intervals.get(name, []):
            axis.plot(steps, np.array(end, dtype=float), color=look["color"], linewidth=0.6, alpha=0.6)
    for guide in GUIDES if metric.unit == "\u00b0" else []:
        axis.axhline(guide, color="#57606a", linestyle=":", linewidth=1)
    axis.axvline(min(figure.step, figure.horizon), color="#57606a", linewidth=1)
    if metric.log:
        axis.set_yscale("log")
    ticks = figure.axes[figure.protocol][figure.metric]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_yticks([], minor=True)
    axis.set(ylim=(ticks[0], ticks[-1]), xlim=(1, figure.horizon), xticks=[n + 1 for n in marked])
    axis.set(xlabel=f"steps dreamt, {PROTOCOLS[figure.protocol]}", ylabel=metric.axis)
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _draw_rows(axis, figure):
    metric, legend = METRICS[figure.metric], dict(figure.rungs)
    found, seeds, intervals = map(figure.chosen, (figure.values, figure.dots, figure.intervals))
    names = [name for name in [*figure.shown, *figure.references] if name in found]
    for row, name in enumerate(names):
        look = _looks(figure, name) | {"linestyle": ""}
        known = [number for number in seeds[name] if number is not None]
        axis.plot(known, [row] * len(known), **{"marker": "o", "markersize": 5} | look)
        ends = [number for number in intervals.get(name, []) if number is not None]
        axis.plot(ends, [row + 0.3] * len(ends), color=look["color"], linewidth=1)
        if found[name][0] is not None:
            axis.plot(found[name][0], row, "|", color=look["color"], markersize=16, markeredgewidth=2)
        if len(known) < len(seeds[name]):
            axis.text(1, row, f"{metric.missing} \u2192", transform=axis.get_yaxis_transform(), va="center", fontsize=8)
    if metric.log:
        axis.set_xscale("log")
    ticks = figure.axes[figure.protocol][figure.metric]
    axis.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.set_xlim(ticks[0], ticks[-1])
    axis.set(yticks=range(len(names)), yticklabels=[legend.get(name, name) for name in names], xlabel=metric.axis)
    axis.set_ylim(len(names) - 0.5, -0.5)
