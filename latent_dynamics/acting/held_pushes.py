"""The plainest planner: dream every plan of a few held pushes, and begin the one that looks best.

It is handed a model and a function that scores what the model draws, and knows of neither what they are.
"""

import itertools

import torch

from ..world.reader import degrees, read

LOST = 45.0  # degrees that count for a frame in which no pole can be read


def plans(decisions, hold):
    """Return every plan of so many decisions, each held for `hold` steps: (2^decisions, decisions * hold) int64."""
    if decisions < 1 or hold < 1:
        raise ValueError(f"{decisions} decisions held {hold} steps; expected at least 1 of each")
    every = torch.tensor(list(itertools.product((0, 1), repeat=decisions)))
    return every.repeat_interleave(hold, 1)


def lean(frames):
    """Say how bad frames (..., H, W) are: the pole's lean as any frame shows it, (...) degrees."""
    seen = read(frames)
    return torch.where(seen.valid, degrees(seen.theta).abs(), LOST)


@torch.no_grad()
def best_push(model, belief, pushes, cost=lean, every=4):
    """Return the first push of the plan whose dream costs least: belief (B, D), pushes (P, N) -> (B,) int64.

    One frame in `every` steps of a dream is drawn, and scored by `cost`; N is a multiple of it.
    """
    count = len(pushes)
    dreams = model.imagine(  # (B P, N, D)
        belief.repeat_interleave(count, 0), pushes.repeat(len(belief), 1)
    )
    paid = cost(model.decode(dreams[:, every - 1 :: every])).mean(1)
    paid = paid.unflatten(0, (-1, count))  # (B, P)
    return pushes[paid.argmin(1), 0]
