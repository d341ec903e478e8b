"""Which way of judging a model tells in advance how well one can act from it: rank correlations over a table of models.

A row of the table is a model: a setting, a training seed, a point of its training; its columns are metrics and returns.
Models of one training are relatives. So intervals draw whole trainings, and the half on which a metric is chosen
shares no setting with the half that scores it.
"""

import csv
from pathlib import Path

import numpy as np

from .measuring_study import HORIZONS, spearman

_AHEAD = {h: f"{h} step{'s' * (h > 1)} ahead" for h in HORIZONS}
METRICS = {  # column: (words, 1 if more is better and -1 if less is)
    **{f"intervened_{h}": (f"angle error, pushed by coins, {words}", -1) for h, words in _AHEAD.items()},
    "intervened_steps_2": ("steps to 2 degrees, pushed by coins", 1),
    "intervened_teacher_forced": ("angle error, teacher forced, pushed by coins", -1),
    **{f"replayed_{h}": (f"angle error, recorded actions, {words}", -1) for h, words in _AHEAD.items()},
    "replayed_steps_2": ("steps to 2 degrees, recorded actions", 1),
    "replayed_teacher_forced": ("angle error, teacher forced, recorded actions", -1),
    **{f"crps_{h}": (f"CRPS of the angle, {words}", -1) for h, words in _AHEAD.items()},
    "x_20": ("cart error, 20 steps ahead", -1),
    **{f"pixels_{h}": (f"pixel error, {words}", -1) for h, words in _AHEAD.items()},
    **{f"latent_{h}": (f"latent error, {words}", -1) for h, words in _AHEAD.items()},
    "loss": ("validation loss", -1),
    "kl": ("KL, nats a step", -1),
    "ends_score": ("log score of the end", -1),
    "ends_auc": ("AUC of the end", 1),
    "ends_ratio": ("calibration of the ends' number", -1),
    "survival_brier": ("Brier score of survival, 20 steps", -1),
    "ranks": ("rank correlation of plans", 1),
    "regret": ("share of fatal plans liked best", -1),
    "probe_x": ("probe: x missed", -1),
    "probe_x_dot": ("probe: velocity missed", -1),
    "probe_theta": ("probe: angle missed", -1),
    "probe_theta_dot": ("probe: angular velocity missed", -1),
    "observed_rank": ("observability of the end: rank", 1),
    "observed_size": ("observability of the end: size", 1),
}
WAYS = {"plan": "planner", "actor": "actor trained in dreams", "clone": "clone of the expert"}
ABOUT = ("setting", "rung", "data", "seed")  # columns that say which model it is


def rows(figures, settings):
    """Return the table as a list of {column: value}, of {setting: {seed: {column: [at each point]}}} and `SETTINGS`."""
    found = []
    for name, seeds in figures.items():
        rung, _, data, _ = settings[name]
        for seed, columns in seeds.items():
            about = dict(zip(ABOUT, (name, rung, data, int(seed))))
            found += [about | dict(zip(columns, row)) for row in zip(*columns.values(), strict=True)]
    return found


def column(table, name):
    """Return one column as numbers, so turned that more is better: (M,); inf and NaN stay."""
    return METRICS.get(name, ("", 1))[1] * np.array([row[name] for row in table], dtype=float)


def trainings(table):
    """Return which training each row belongs to: (M,) whole numbers from 0."""
    _, which = np.unique([f"{row['setting']}/{row['seed']}" for row in table], return_inverse=True)
    return which


def halves(table):
    """Return 0 for rows on which a metric may be chosen and 1 for those that score it, by setting: (M,)."""
    order = {name: n for n, name in enumerate(dict.fromkeys(row["setting"] for row in table))}
    return np.array([order[row["setting"]] % 2 for row in table])


def agreement(metric, returns):
    """Spearman's correlation of a metric (M,) with returns (M,), over the models that have both."""
    both = ~(np.isnan(metric) | np.isnan(returns))
    if both.sum() < 2:
        return np.nan
    return spearman(metric[both], returns[both])


def over_trainings(figure, group, draws=300, level=0.95):
    """Return a figure(rows) and its bootstrap interval over trainings, group (M,): (value, low, high)."""
    rng, names = np.random.default_rng(0), np.unique(group)
    members = [np.flatnonzero(group == name) for name in names]
    drawn = []
    for _ in range(draws):
        some = rng.integers(len(names), size=len(names))
        drawn.append(figure(np.concatenate([members[n] for n in some])))
    tail = (1 - level) / 2
    ends = np.nanquantile(drawn, [tail, 1 - tail])
    return figure(slice(None)), *ends


def interval(metric, returns, group):
    """Return the correlation of a metric with returns, and its interval over trainings: (rho, low, high)."""
    return over_trainings(lambda rows: agreement(metric[rows], returns[rows]), group)


def apart(one, other, returns, group):
    """Return by how much the correlation of `one` metric exceeds that of an `other`, and the interval of that."""

    def gap(rows):
        return agreement(one[rows], returns[rows]) - agreement(other[rows], returns[rows])

    return over_trainings(gap, group)


def within(metric, returns, group):
    """Return the correlation within each training, among its points: one number each, NaN where nothing changes."""
    return np.array([agreement(metric[group == one], returns[group == one]) for one in np.unique(group)])


def ranked(metric):
    """Return ranks from 0, the worst, to 1: (M,); models without the metric, or with an infinite error, come last."""
    values = np.nan_to_num(metric, nan=-np.inf)
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[which] / max(len(values) - 1, 1)


def composed(table, names):
    """Return the mean of the metrics' ranks among all models: (M,)."""
    return np.mean([ranked(column(table, name)) for name in names], 0)


def chosen(table, way, most=3, least=0.01):
    """Choose metrics greedily on the first half: each the one that raises the correlation of their mean rank most.

    Returns their names, at most `most`, until another would gain less than `least`.
    """
    half = halves(table)
    here = [row for row, one in zip(table, half) if one == 0]
    returns, names, best = column(here, way), [], -1.0
    whole = [
        name for name in METRICS
        if not np.isnan(column(here, name)).any()
    ]  # fmt: skip
    while len(names) < most:
        scores = {
            name: agreement(composed(here, [*names, name]), returns)
            for name in whole if name not in names
        }  # fmt: skip
        winner = max(scores, key=scores.get)
        if scores[winner] < best + least:
            break
        names, best = [*names, winner], scores[winner]
    return names


def reliability(table, way):
    """Return how well half of each model's games foretells the other half: Spearman's correlation over models.

    No metric can be expected to foretell games much better than games do.
    """
    whole, half = column(table, way), column(table, f"{way}_half")
    return agreement(half, 2 * whole - half)


def write_csv(table, path):
    """Write the table as CSV, a model a row; returns the file. What does not apply is left empty, infinite is inf."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(name for row in table for name in row))
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({name: "" if value != value else value for name, value in row.items()})
    return path
