"""How one searches for a good plan of n decisions, each for one of two pushes, by asking what plans are worth.

Each search is handed `worth`, which maps plans (B, P, n) of 0 and 1 to what they are worth (B, P), the more the better;
and `chances` (B, n), what it believed before of pushing right at each decision. It returns what it believes now.
"""

import torch

from .held_pushes import plans as every_plan

LEAST = 0.05  # chance that a decision is still tried the other way


def exhaustive(worth, chances, generator=None):
    """Try every plan; plans vote for each decision, by e to what they are worth. It needs no luck and no start."""
    every = every_plan(chances.shape[1], 1)  # (2^n, n)
    every = every.expand(len(chances), -1, -1)
    share = torch.softmax(worth(every), 1)
    return (share[..., None] * every).sum(1)


def shooting(worth, chances, generator=None, count=64):
    """Try `count` plans at random, and take the best; the first of them where several are as good."""
    tried = _drawn(torch.full_like(chances, 0.5), count, generator)
    best = worth(tried).argmax(1)
    return tried[torch.arange(len(tried)), best].to(chances.dtype)


def cross_entropy(
    worth, chances, generator=None,
    count=32, rounds=2, elites=3, inertia=0.3, returns_best=False,
):  # fmt: skip
    """Draw plans from chances, move these to the mean of the best plans, and again (Rubinstein 1999, for coins).

    returns_best: whether it returns the best plan of the last round, instead of the chances.
    """
    for _ in range(rounds):
        tried = _drawn(chances.clamp(LEAST, 1 - LEAST), count, generator)
        best = worth(tried).topk(elites, 1).indices  # (B, elites)
        rows = torch.arange(len(tried))[:, None]
        elite = tried[rows, best].to(chances.dtype)  # (B, elites, n)
        chances = inertia * chances + (1 - inertia) * elite.mean(1)
    return elite[:, 0] if returns_best else chances


def mppi(
    worth, chances, generator=None, count=64, noise=1.0, temperature=1.0
):
    """Disturb a plan of forces in [-1, 1] by Gaussian noise; average the disturbed, by e to worth / temperature.

    A push is the sign of a force: Williams et al. (2017), on a world that takes no other.
    """
    force = 2 * chances - 1
    dice = torch.randn(
        len(force), count, force.shape[1], generator=generator
    )
    tried = force[:, None] + noise * dice
    pushes = (tried > 0).long()
    share = torch.softmax(worth(pushes) / temperature, 1)
    mean = (share[..., None] * tried).sum(1)
    return (mean.clamp(-1, 1) + 1) / 2


SEARCHES = {"exhaustive": exhaustive, "shooting": shooting, "cross entropy": cross_entropy, "mppi": mppi}


def _drawn(chances, count, generator):
    """Draw plans of 0 and 1: (B, n) -> (B, count, n)."""
    dice = torch.rand(len(chances), count, chances.shape[1], generator=generator)
    return (dice < chances[:, None]).long()
