"""What a model scored on each window, kept together with its figures: so that any two can be compared later.

Written into JSON it is short: half precision, in base64. `statistics` makes figures, intervals and comparisons of it.
"""

import base64
from dataclasses import dataclass

import numpy as np

STEPS = (1, 5, 10, 15, 20, 30, 50)  # what is kept of an error's curve
LIMITS = (1, 2)  # degrees: what is kept of survival


@dataclass(frozen=True)
class Scores:
    """What one model, trained from one seed, scored on B windows."""

    theta: dict  # step -> (B,) degrees; inf where no pole could be read, NaN where the truth had ended
    x: dict  # step -> (B,) centimetres, likewise
    when: dict  # limit in degrees -> (B,) first step beyond it, or the last one that was scored
    failed: dict  # limit -> (B,) bool: whether it was beyond
    episode: np.ndarray  # (B,) from which episode
    horizon: int  # steps


def of(judgement):
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
    found = of(judgement)
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
