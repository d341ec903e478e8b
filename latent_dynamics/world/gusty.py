"""CartPole where gusts blow that nobody sees: the first world here with chance in it.

Now and then, in a calm step, a gust begins: as strong as a push, to either side, for three steps. No picture shows it;
only what cart and pole do afterwards betrays it.
"""

import torch

from . import cartpole
from .worlds import World, register

GUST_CHANCE = 0.04  # that one begins, in a calm step
GUST_STEPS = 3  # for which it blows
GUST_FORCE = cartpole.FORCE  # newtons, to the left or to the right
WIDE = (1.0, 0.5, 0.1, 0.3)  # how far from a pole at rest in the middle an episode may begin


def reset(n, generator):
    """Return n states in which episodes begin, in calm air but on the move: (n, 6) float64, evenly within +-WIDE."""
    wide = torch.tensor(WIDE, dtype=torch.float64)
    here = wide * (2 * torch.rand(n, 4, dtype=torch.float64, generator=generator) - 1)
    return torch.cat([here, torch.zeros(n, 2, dtype=torch.float64)], -1)


def step(states, actions, generator=None):
    """Move states (..., 6) by one step: CartPole's, with the gust added to the push.

    The last two entries are the gust that blew on the way here, in newtons, and for how many steps it will go on. A
    new one begins by chance, from `generator`; without a generator none begins, and one that blows ends as it would.
    """
    here, air = states.double().split([4, 2], -1)
    gust, left = blow(*air.unbind(-1), generator)
    return torch.cat([cartpole.step(here, actions, wind=gust), gust[..., None], left[..., None]], -1)


def blow(gust, left, generator=None):
    """Return the gust of the next step, in newtons, and how many steps of it are left after that: (...), (...)."""
    gust = torch.where(left > 0, gust, 0.0)
    if generator is not None:
        begins, side = torch.rand(2, *gust.shape, dtype=torch.float64, generator=generator)
        begins = (left == 0) & (begins < GUST_CHANCE)
        gust = torch.where(begins, torch.where(side < 0.5, -GUST_FORCE, GUST_FORCE), gust)
        left = torch.where(begins, GUST_STEPS, left)
    return gust, (left - 1).clamp(min=0)


GUSTY = register(World(
    "gusty", reset, step, cartpole.fallen, state_names=(*cartpole.STATE_NAMES, "gust", "left"), hidden=("gust", "left"),
    environment="LatentDynamics/GustyCartPole-v0", page={"gusts": True},
))  # fmt: skip
