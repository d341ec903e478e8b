"""What a belief is worth: a fan of imagined futures against the many that the true world really has.

In a world with chance in it no single future is right. So the simulator is put back into a window's true state, driven
by coin tosses, and let run many times; a model that has seen the same frames draws as many futures as it likes; and the
two sets of angles are compared, step by step. A pole that has fallen stays where it fell: at twelve degrees.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..data.episodes import Episodes
from ..models.training import evaluating, seeded
from ..world.cartpole import THETA_LIMIT, X_LIMIT, random_actions
from ..world.devices import at_home, made_on
from ..world.preprocessing import from_bytes
from ..world.reader import degrees, read
from ..world.worlds import CARTPOLE, World
from . import drift

LIMIT = float(np.degrees(THETA_LIMIT))  # degrees at which an episode ends
STEPS = (1, 5, 10, 15, 20)  # that tables show


@dataclass(frozen=True)
class Futures:
    """B windows: K context steps that were seen, N pushes, and F things that may come of them."""

    pixels: torch.Tensor  # (B, K + 1, H, W) uint8: what models see
    actions_before: torch.Tensor  # (B, K) int64
    actions: torch.Tensor  # (B, N) int64: coin tosses
    start: torch.Tensor  # (B, S) float64: the truth at the end of the context, hidden causes included
    theta: torch.Tensor  # (B, F, N) degrees: true futures, held at the limit from where they fall
    episode: np.ndarray  # (B,) from which episode
    world: World = CARTPOLE

    @property
    def frames(self):
        """What models see: (B, K + 1, H, W) float32 in [0, 1]."""
        return torch.from_numpy(from_bytes(self.pixels))

    def __len__(self):
        return len(self.episode)

    def __getitem__(self, rows):
        rows = drift.as_rows(rows)
        return replace(self, **{name: value[rows] for name, value in vars(self).items() if name != "world"})


def cut_futures(episodes: Episodes, context=10, horizon=20, stride=30, count=16, seed=0):
    """Cut windows from episodes, and let the world run `count` times from the end of each: Futures.

    Windows from which a cart may leave the picture are left out. Raises ValueError for episodes that are too short, and
    for fewer than one future.
    """
    if count < 1 or horizon < 1:
        raise ValueError(f"{count} futures of {horizon} steps; ask for at least 1 of at least 1")
    frame, step, episode = episodes.window_starts(context + 1, stride)
    world, chance = episodes.world, torch.Generator().manual_seed(seed)
    coins = random_actions((len(frame), horizon), np.random.default_rng(seed), world.actions)
    actions, start = torch.from_numpy(coins), torch.from_numpy(episodes.states[frame + context])
    states = world.simulate(start.repeat_interleave(count, 0), actions.repeat_interleave(count, 0), chance)
    states = states.unflatten(0, (-1, count))  # (B, F, N, S)
    stays = world.entry(states, "x").abs().amax((1, 2)) < X_LIMIT - 0.2  # the cart whole in the picture
    rows = np.flatnonzero(stays & ~world.fallen(start))
    return Futures(
        pixels=torch.from_numpy(episodes.frames[frame[:, None] + np.arange(context + 1)]),
        actions_before=torch.from_numpy(episodes.actions[step[:, None] + np.arange(context)]),
        actions=actions, start=start, theta=held(degrees(world.entry(states, "theta"))), episode=episode, world=world,
    )[rows]  # fmt: skip


def held(theta, limit=LIMIT):
    """Hold angles (..., N) in degrees where they first pass the limit: a fallen pole stays fallen."""
    fallen = theta.abs() >= limit
    first = torch.gather(theta, -1, fallen.int().argmax(-1, keepdim=True)).sign() * limit  # (..., 1)
    return torch.where(fallen.cummax(-1).values, first, theta)


@torch.no_grad()
@made_on("cpu")
def fan(model, futures, samples=64, batch=32, reader=read, seed=0):
    """Draw `samples` futures of each window from a stochastic model, and read them: (B, samples, N) degrees.

    Held where they fall, as the true ones are; NaN where no pole can be read. A model without chance has one future,
    drawn again and again.
    """
    generator, found = drift.generator_of(model, seed), []
    with seeded(seed), evaluating(model), at_home(model) as bring:
        for rows in np.array_split(np.arange(len(futures)), -(-len(futures) // batch)):
            part = futures[rows]
            told = getattr(model, "sees_the_truth", False)
            actions = bring(part.actions)
            belief = part.start if told else model.observe(bring(part.frames), bring(part.actions_before))
            if getattr(model, "stochastic", False):
                states = model.imagine(belief, actions, samples=samples, generator=generator)
            else:
                states = model.imagine(belief, actions)[:, None]
            with made_on("cpu"):
                seen = reader(drift.drawn(model, states))
            theta = torch.where(seen.valid, degrees(seen.theta).double(), torch.nan)
            found.append(held(theta).expand(-1, samples, -1))
    return torch.cat(found)


def crps(fans, theta):
    """Return the continuous ranked probability score of fans (B, S, N) against futures (B, F, N): (B, N) degrees.

    Mean distance from sample to future, less half the mean distance between two samples (Gneiting & Raftery 2007, in
    the unbiased form of Ferro 2014). For one sample it is the absolute error. A sample without a pole in it is as wrong
    as can be.
    """
    lost = 2 * LIMIT
    off = (fans[:, :, None] - theta[:, None]).abs().nan_to_num(lost).mean((1, 2))
    ordered, samples = fans.nan_to_num(LIMIT).sort(1).values, fans.shape[1]
    if samples == 1:
        return off
    rank = 2 * torch.arange(samples, dtype=fans.dtype)[:, None] - samples + 1
    between = 2 * (rank * ordered).sum(1) / (samples * (samples - 1))
    return off - between / 2


def coverage(fans, theta, level=0.9):
    """Return the share of futures (B, F, N) that lie in the fans' central bands of this level: (B, N)."""
    low, high = fans.nanquantile((1 - level) / 2, 1), fans.nanquantile((1 + level) / 2, 1)
    return ((theta >= low[:, None]) & (theta <= high[:, None])).double().mean(1)


def area_under_curve(score, happened):
    """Return how well a score tells what happened: the chance that it is higher where it did than where it did not.

    score (M,), happened (M,) bool. Half for a coin; Mann & Whitney's statistic (1947). NaN if it always or never did.
    """
    score, happened = np.asarray(score, float), np.asarray(happened, bool)
    if happened.all() or not happened.any():
        return float("nan")
    _, which, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]  # those that tie share their rank
    n = happened.sum()
    return float((ranks[happened].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))
