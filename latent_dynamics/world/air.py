"""What blows, as an entry of a state: for whoever decides himself when a gust begins."""

import torch

from .gusty import GUST_FORCE, GUST_STEPS


def with_air(world, states, gust, left):
    """Return states (..., S) in which `gust` newtons blow on the way to the next, and `left` steps of it are to come.

    gust, left: (...), or numbers. Where nothing is left, nothing blows.
    """
    states = states.clone()
    for name, value in {"gust": gust, "left": left}.items():
        states[..., world.state_names.index(name)] = torch.as_tensor(value, dtype=states.dtype)
    return states


def gust_begins(world, states, to_left):
    """Return states (..., S) from which a gust begins, to the left where `to_left` (...) says so."""
    return with_air(world, states, torch.where(to_left, -GUST_FORCE, GUST_FORCE), GUST_STEPS)
