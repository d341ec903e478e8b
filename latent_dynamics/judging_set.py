"""The one set of windows on which everything that is compared is judged, cut from episodes that nobody trains on.

A fifth of the data set is some forty episodes: too few to tell two good models apart, since windows of one episode are
not independent. So there are episodes for judging alone, collected with seeds of their own.
"""

from functools import cache

from . import drift
from .collection import collect_episodes

EPISODES = {"test": 120, "validation": 60}
SEEDS = {"test": 2_000_003, "validation": 1_000_003}  # no training seed comes near
STRIDE = 20  # steps between the starts of two windows of an episode


def collected(split, workers=None):
    """Play the episodes of noisy experts that judge: "validation" tunes and chooses, "test" judges once. Episodes."""
    if split not in EPISODES:
        raise ValueError(f"no judging set called {split!r}; there are {', '.join(EPISODES)}")
    return collect_episodes("mixed", EPISODES[split], SEEDS[split], workers)


@cache
def windows(split="test"):
    """Return the windows of both protocols, as `drift.protocols` cuts them; drawn once in a process."""
    return drift.protocols(collected(split), stride=STRIDE)
