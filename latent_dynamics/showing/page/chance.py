"""Chance that comes the same in the package and on every page: numbers are not drawn one after another, but looked up.

The other half is chance.js.
"""

import numpy as np
import torch

from latent_dynamics.world.air import gust_begins
from latent_dynamics.world.gusty import GUST_CHANCE


def uniform(seed, numbers):
    """Return the numbers of a stream that stand at these places, between 0 and 1: (...) int -> (...) float64.

    A hash: Wellons' lowbias32, twice.
    """
    with np.errstate(over="ignore"):
        x = np.asarray(numbers).astype(np.uint32) * np.uint32(0x9E3779B1)
        x = x ^ (np.uint32(seed + 1) * np.uint32(0x85EBCA6B))
        for _ in range(2):
            x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
            x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
            x = x ^ (x >> np.uint32(16))
    return (x + 0.5) / 2**32


def normals(seed, first, *shape):
    """Return standard normal numbers of a stream, from place `first` on: (*shape) float32 (Box & Muller)."""
    places = first + np.arange(np.prod(shape, dtype=int)).reshape(shape)
    size = np.sqrt(-2 * np.log(uniform(seed, 2 * places)))
    return (size * np.cos(2 * np.pi * uniform(seed, 2 * places + 1))).astype(np.float32)


def dice(seed, step, count=1):
    """Return the two numbers by which each of `count` futures decides whether a gust begins before a step, and to which
    side: (count,), (count,). The page's worlds draw the same.
    """
    places = 2 * (step * count + np.arange(count))
    return tuple(torch.from_numpy(uniform(seed, places + k)) for k in (0, 1))


def blown(world, states, begins, side):
    """Return states (B, S) in whose next step gusts begin as the gusty world lets them, by these numbers (B,) each.

    A world without gusts is left as it is.
    """
    if not {"gust", "left"} <= set(world.state_names):
        return states
    new = (world.entry(states, "left") == 0) & (begins < GUST_CHANCE)
    return torch.where(new[:, None], gust_begins(world, states, side < 0.5), states)
