"""When a model says "this push ends the episode, one chance in ten": does it, one time in ten?

A planner lives on these chances. Each transition of an episode is asked once: from the belief after all frames before
it, what is the chance that the push which was really made ends the episode? Then it is seen what came of it.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..models.training import evaluating
from ..world.preprocessing import from_bytes

EDGES = (0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1)  # of the predicted chance of an end: ends are rare


@dataclass(frozen=True)
class Reliability:
    """What was predicted and what happened, in bins of the predicted chance of an end; NaN in a bin without any."""

    predicted: np.ndarray  # (bins,) mean chance of an end that the model saw
    observed: np.ndarray  # (bins,) share of these transitions that ended the episode
    low: np.ndarray  # (bins,) 95 % interval of this share, over episodes
    high: np.ndarray  # (bins,)
    count: np.ndarray  # (bins,) transitions
    ends: tuple  # how many ends were to be expected by the model, and how many there were


def reliability(model, episodes, edges=EDGES, draws=1000, seed=0):
    """Return the reliability curve of a model's `outcome` over all transitions of some episodes: Reliability."""
    chance = 1 - torch.cat([proceeds(model, episodes[[e]]) for e in range(len(episodes))]).numpy()  # (steps,)
    ended, episode = episodes.terminated.astype(float), np.repeat(np.arange(len(episodes)), episodes.lengths)
    which = np.clip(np.searchsorted(edges, chance, side="right") - 1, 0, len(edges) - 2)
    sums = np.zeros((3, len(episodes), len(edges) - 1))  # of each episode and bin: transitions, chances, ends
    for total, amount in zip(sums, (np.ones_like(chance), chance, ended)):
        np.add.at(total, (episode, which), amount)
    drawn = np.random.default_rng(seed).multinomial(len(episodes), [1 / len(episodes)] * len(episodes), draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        count, predicted, observed = sums.sum(1)
        shares = (drawn @ sums[2]) / (drawn @ sums[0])  # (draws, bins)
        shares = np.where(np.isnan(shares), observed / count, shares)  # a draw that has none of a bin
        low, high = np.quantile(shares, [0.025, 0.975], axis=0)
        return Reliability(
            predicted=predicted / count, observed=observed / count, low=low, high=high, count=count.astype(int),
            ends=(float(chance.sum()), int(ended.sum())),
        )  # fmt: skip


@torch.no_grad()
def proceeds(model, episode):
    """Return the chance, by the model, that each push of one episode lets it go on: (T,)."""
    frames, actions = torch.from_numpy(from_bytes(episode.frames)), torch.from_numpy(episode.actions)
    with evaluating(model):
        beliefs = model.filter(frames[None, :-1], actions[None, :-1])[0]  # (T, D): before each push
        _, go_on = model.outcome(model.imagine(beliefs, actions[:, None])[:, 0])
    return go_on.reshape(-1).double()
