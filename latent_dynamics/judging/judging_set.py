"""The one set of windows on which everything that is compared is judged, cut from episodes that nobody trains on.

A fifth of the data set is some forty episodes: too few to tell two good models apart, since windows of one episode are
not independent. So there are episodes for judging alone, collected with seeds of their own.
"""

from functools import cache

import numpy as np
import torch

from ..data.collection import collect
from ..data.episodes import Episodes
from ..keeping import artifacts, store
from ..keeping.fingerprint import source_of
from ..world.gusty import GUSTY
from ..world.worlds import CARTPOLE
from . import belief, drift

EPISODES = {"test": 120, "validation": 60}
SEEDS = {"test": 2_000_003, "validation": 1_000_003}  # no training seed comes near
STEPS = 110  # of an episode, collected for each one: it has some eighty
BRANCHES = ("pixels", "actions_before", "actions", "start", "theta", "episode")  # of Futures
PARTS = ("pixels", "actions_before", "actions", "states", "alive", "episode")  # of Windows
STRIDE = 30  # steps between the starts of two windows of an episode


def key(split, world=CARTPOLE):
    """Return all that a judging set depends on: a JSON-able dict."""
    drawn = {"policy": "mixed", "episodes": EPISODES[split], "seed": SEEDS[split], "stride": STRIDE}
    return drawn | artifacts.world_key(world) | {"source": source_of(collect)}


def collected(split, world=CARTPOLE):
    """Load the episodes of noisy experts that judge, collected on first use: "validation" tunes and chooses, "test"
    judges once. world: where they are played. Returns Episodes. Raises ValueError for another name of a split.
    """
    if split not in EPISODES:
        raise ValueError(f"no judging set called {split!r}; there are {', '.join(EPISODES)}")

    def play():
        return collect("mixed", STEPS * EPISODES[split], SEEDS[split], world=world)[: EPISODES[split]].arrays(), {}

    name = f"judging-{split}" if world is CARTPOLE else f"judging-{world.name}-{split}"
    return Episodes.from_arrays(store.kept(name, key(split, world), play, "npz")[0])


@cache
def futures(split="test", world=GUSTY):
    """Return the windows that judge beliefs, each with many true futures, as `belief` cuts them: Futures."""

    def cut():
        cuts = belief.cut_futures(collected(split, world), stride=STRIDE)
        return {part: np.asarray(getattr(cuts, part)) for part in BRANCHES}, {}

    cutting = key(split, world) | {"cut by": source_of(belief)}
    arrays, _ = store.kept(f"judging-futures-{world.name}-{split}", cutting, cut, "npz")
    *tensors, episode = (arrays[part] for part in BRANCHES)
    return belief.Futures(*map(torch.from_numpy, tensors), episode, world)


@cache
def windows(split="test"):
    """Return the windows of both protocols, {"replayed": Windows, "intervened": Windows}, as `drift` cuts them."""

    def cut():
        cuts = drift.protocols(collected(split), stride=STRIDE)
        parts = ((name, part) for name in cuts for part in PARTS)
        return {f"{name}/{part}": np.asarray(getattr(cuts[name], part)) for name, part in parts}, {}

    cutting = key(split) | {"cut by": source_of(drift)}
    arrays, _ = store.kept(f"judging-windows-{split}", cutting, cut, "npz")
    found = {}
    for name in ("replayed", "intervened"):
        *tensors, episode = (arrays[f"{name}/{part}"] for part in PARTS)
        found[name] = drift.Windows(*map(torch.from_numpy, tensors), episode, name)
    return found
