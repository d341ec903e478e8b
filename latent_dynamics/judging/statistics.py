"""How sure a figure is, and whether two models differ: bootstrap over episodes and training seeds, Holm's correction.

Windows of one episode are not independent, so whole episodes are drawn anew (Efron & Tibshirani 1993); and a model is
trained from several seeds, so these are too. Two models that were judged on the same windows are compared window by
window: the same draw of episodes for both. A page that makes many comparisons corrects for them.

A model's figures are kept together with what each window scored (`packed`), so that any two can be compared later.
"""

import base64
import math
from dataclasses import dataclass
from functools import partial

import numpy as np

STEPS = (1, 5, 10, 15, 20, 30, 50)  # what is kept of an error's curve
LIMITS = (1, 2)  # degrees: what is kept of survival
Z = 1.959964  # the normal distribution's 97.5th percentile


@dataclass(frozen=True)
class Scores:
    """What one model, trained from one seed, scored on B windows."""

    theta: dict  # step -> (B,) degrees; inf where no pole could be read, NaN where the truth had ended
    x: dict  # step -> (B,) centimetres, likewise
    when: dict  # limit in degrees -> (B,) first step beyond it, or the last one that was scored
    failed: dict  # limit -> (B,) bool: whether it was beyond
    episode: np.ndarray  # (B,) from which episode
    horizon: int  # steps


def scores(judgement):
    """Return what a drift.Judgement says of each window: Scores."""
    horizon = judgement.alive.shape[1]
    kept = [step for step in STEPS if step <= horizon]
    survived = {limit: judgement.first_beyond(limit) for limit in LIMITS}
    return Scores(
        theta={step: judgement.theta_error[:, step - 1] for step in kept},
        x={step: judgement.x_error[:, step - 1] for step in kept},
        when={limit: when for limit, (when, _) in survived.items()},
        failed={limit: failed for limit, (_, failed) in survived.items()},
        episode=judgement.episode, horizon=horizon,
    )  # fmt: skip


def packed(judgement):
    """Return the Scores of a judgement as JSON can hold them, short: errors in half precision, in base64."""
    found = scores(judgement)
    text = {"horizon": found.horizon, "episode": _text(found.episode, np.uint16)}
    for name, kind in (("theta", np.float16), ("x", np.float16), ("when", np.uint16), ("failed", np.uint8)):
        text[name] = {str(key): _text(values, kind) for key, values in getattr(found, name).items()}
    return text


def unpacked(text):
    """Rebuild the Scores that `packed` wrote."""
    fields = {"horizon": text["horizon"], "episode": _array(text["episode"], np.uint16).astype(int)}
    for name, kind, wanted in (("theta", "f2", float), ("x", "f2", float), ("when", "u2", int), ("failed", "u1", bool)):
        fields[name] = {int(key): _array(values, kind).astype(wanted) for key, values in text[name].items()}
    return Scores(**fields)


def _text(values, kind):
    with np.errstate(over="ignore"):  # what is too large for half precision is as good as lost
        return base64.b64encode(np.asarray(values).astype(np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def _array(text, kind):
    return np.frombuffer(base64.b64decode(text), np.dtype(kind).newbyteorder("<"))


# Figures: functions of Scores and of how often each episode was drawn, (draws, B) -> (draws,).


def error_at(step, quantity="theta"):
    """The figure "median error at a step": degrees, or centimetres for "x", over windows whose truth is up."""
    return partial(_error_at, step=step, quantity=quantity)


def _error_at(found, counts, step, quantity):
    errors = getattr(found, quantity)[step]
    up = ~np.isnan(errors)
    order = np.argsort(errors[up])
    below = counts[:, up][:, order].cumsum(1)  # (draws, windows): how many are at most so far off
    middle = (below >= np.maximum(below[:, -1:] / 2, 0.5)).argmax(1)
    return np.where(below[:, -1] > 0, errors[up][order][middle], np.nan)


def steps_to(limit=2):
    """The figure "median first step beyond a limit in degrees"; where fewer than half fail, a step past the horizon."""
    return partial(_steps_to, limit=limit)


def _steps_to(found, counts, limit):
    when, failed = found.when[limit], found.failed[limit]
    times, counts = np.unique(when[failed]), counts.astype(np.float32)
    at_risk = counts @ (when[:, None] >= times).astype(np.float32)  # (draws, times)
    fails = counts @ (failed[:, None] & (when[:, None] == times)).astype(np.float32)
    left = (1 - fails / np.maximum(at_risk, 1)).cumprod(1)  # Kaplan & Meier's share of survivors
    halved = left <= 0.5 + 1e-6
    first = times[halved.argmax(1)] if len(times) else found.horizon + 1
    return np.where(halved.any(1), first, found.horizon + 1.0)


# Intervals and comparisons


def interval(seeds, figure, draws=2000, level=0.95, rng_seed=0):
    """Return a figure of one model and its interval over episodes and training seeds: (value, low, high).

    seeds: Scores of each training seed, on the same windows; the value is the mean of their figures.
    """
    value, drawn = _bootstrap([seeds], figure, draws, rng_seed)[0]
    return (value, *_quantiles(drawn, level))


def compare(one, other, figure, draws=2000, level=0.95, rng_seed=0):
    """Return how much a figure of `one` model is above that of `other`: (difference, low, high, p).

    one, other: Scores of each of their training seeds, all on the same windows; the seeds of the two need not be as
    many. p is the two-sided chance of such a difference were there none; correct it with `holm`. Raises ValueError
    where the windows are not the same.
    """
    (value, drawn), (beside, drawn_beside) = _bootstrap([one, other], figure, draws, rng_seed)
    apart = drawn - drawn_beside
    apart = apart[np.isfinite(apart)]
    if not np.isfinite(value - beside) or len(apart) < draws / 2:
        return value - beside, math.nan, math.nan, 1.0  # of two that read no pole none is better
    p = 2 * (1 + min((apart <= 0).sum(), (apart >= 0).sum())) / (1 + len(apart))
    return (value - beside, *_quantiles(apart, level), float(min(1.0, p)))


def holm(ps):
    """Correct the p of all comparisons of a page (Holm 1979): each (n,) grows; below 0.05 it counts as a difference."""
    ps = np.asarray(ps, dtype=float)
    order = np.argsort(ps)
    grown = np.maximum.accumulate(ps[order] * np.arange(len(ps), 0, -1))
    corrected = np.empty_like(ps)
    corrected[order] = np.minimum(grown, 1)
    return corrected


def _bootstrap(models, figure, draws, rng_seed):
    """Draw episodes, the same for all models, and training seeds, each model's own: [(value, (draws,)), ...]."""
    episode = models[0][0].episode
    if any(not np.array_equal(found.episode, episode) for seeds in models for found in seeds):
        raise ValueError("these models were judged on different windows; judge both on one set, then compare them")
    rng = np.random.default_rng(rng_seed)
    names, row = np.unique(episode, return_inverse=True)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)[:, row]  # (draws, B)
    freedom = sum(len(seeds) for seeds in models) - len(models)
    found = []
    for seeds in models:
        each = np.stack([figure(one, counts) for one in seeds])  # (seeds, draws)
        value = float(np.mean([figure(one, np.ones((1, len(row))))[0] for one in seeds]))
        mean = each.mean(0)
        if len(seeds) > 1:
            chosen = rng.integers(len(seeds), size=(len(seeds), draws))
            with np.errstate(invalid="ignore"):  # inf less inf, where no pole was read
                by_seed = np.take_along_axis(each, chosen, 0).mean(0) - mean
            mean = mean + _widening(len(seeds), freedom) * by_seed
        found.append((value, mean))
    return found


def _widening(seeds, freedom):
    """By how much a bootstrap of so few seeds is too narrow: their spread is underestimated, and known badly.

    The first factor makes the variance unbiased, the second is Student's quantile over the normal one (Abramowitz &
    Stegun 1964, 26.7.5).
    """
    student = Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)
    student += (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / (384 * freedom**3)
    return math.sqrt(seeds / (seeds - 1)) * student / Z


def _quantiles(drawn, level):
    tail = (1 - level) / 2
    return tuple(float(q) for q in np.quantile(drawn, [tail, 1 - tail], method="nearest"))
