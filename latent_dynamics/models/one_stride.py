"""The frame some steps on, predicted in one stride, and the situations in the gusty world from which that is learned.

No rung of the ladder: it shows what a squared error draws where the world may go one way or the other.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..data.episodes import Episodes
from ..world.air import gust_begins
from ..world.gusty import GUST_FORCE
from ..world.preprocessing import from_bytes
from ..world.worlds import World
from .eigen_frames import EigenFrames
from .eyes import make_eyes, reading
from .training import Budget, Lesson

AHEAD = 15  # steps that a single stride passes over
GLIMPSE = 6  # frames before it that are seen
NEAR = 0.5  # metres from the middle within which the cart is then


class OneStride(nn.Module):
    """The frame some steps on, in one stride, as the weights of 64 pictures: trained by their squared error.

    It sees what the eyes read of the last 6 frames, the pushes in between and those to come. Of gusts to come it may be
    told nothing; that one begins right now, but not from which side, as by a siren; or how every step will blow. It
    learns what the gusty world makes of recorded situations, so it should answer with the mean of all that may come.
    """

    needs_eyes = "balance"
    budget = Budget(epochs=20, batch_size=128, learning_rate=3e-3)

    def __init__(self, narrow=16, hidden=192):
        super().__init__()
        self.eyes, self.pictures = make_eyes("balance"), EigenFrames(64)
        for name, start in (("mean", 0.0), ("spread", 1.0)):
            self.register_buffer(name, torch.full((self.pictures.size,), start))
        inputs = 2 * GLIMPSE + (GLIMPSE - 1) + 2 * AHEAD + 2
        self.net = nn.Sequential(
            nn.Linear(inputs, narrow),
            nn.Linear(narrow, hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, self.pictures.size),
        )  # fmt: skip

    def forward(self, q, before, actions, siren, wind, told):
        """Return the weights (B, 64) of the frame to come.

        q (B, 6, 2): what was read; before (B, 5), actions (B, N); siren (B,): 1 where one sounds; wind (B, N): in units
        of a push; told (B,): 1 where the wind is told, 0 where it is hidden from the network.
        """
        heard = torch.stack([siren, told], 1)
        pushes = torch.cat([2.0 * before - 1, 2.0 * actions - 1], 1)
        moved = 10 * torch.diff(q, dim=1).flatten(1)
        inputs = [q[:, -1], moved, pushes, told[:, None] * wind, heard]
        return self.mean + self.spread * self.net(torch.cat(inputs, 1))

    def loss(self, q, before, actions, siren, wind, target):
        """Return the squared error in units of the frames' variance; every other time, by a coin, the wind is told."""
        told = (torch.rand(len(q)) < 0.5).float()
        miss = self(q, before, actions, siren, wind, told) - target
        return {"loss": miss.square().sum(1).mean() / self.spread.square().sum()}

    def read(self, frames):
        """Return what the eyes say of frames: (..., H, W) -> (..., 2)."""
        return reading(self.eyes.see(frames), 2)[0]

    def lessons(self, *splits):
        """Yield what is learned from Episodes of the gusty world: situations, and of each one of its futures."""
        cut = [Situations.of(part, count, seed) for seed, (part, count) in enumerate(zip(splits, (10_000, 1_000)))]
        ends = [one.happen(seed) for seed, one in enumerate(cut)]
        shown = [torch.from_numpy(from_bytes(drawn)) for *_, drawn in ends]
        self.pictures.fit(shown[0][::2])
        targets = [self.pictures.see(frames) for frames in shown]
        self.mean.copy_(targets[0].mean(0))
        self.spread.copy_(targets[0].std(0))
        data = [(self.read(one.frames), one.before, *told, to) for one, (*told, _), to in zip(cut, ends, targets)]
        yield Lesson(self.loss, *data, self.budget)


@dataclass(frozen=True)
class Situations:
    """M moments of the gusty world, the cart near the middle: what was seen, what was done, and the truth."""

    pixels: torch.Tensor  # (M, 6, H, W) uint8
    before: torch.Tensor  # (M, 5) int64
    start: torch.Tensor  # (M, S) float64: the truth in the last frame
    episode: np.ndarray  # (M,)
    world: World

    @classmethod
    def of(cls, episodes: Episodes, count, seed=0):
        """Draw at most `count` of them from Episodes."""
        frame, step, episode = episodes.window_starts(GLIMPSE - 1)
        start, world = torch.from_numpy(episodes.states[frame + GLIMPSE - 1]), episodes.world
        fit = (world.entry(start, "x").abs() < NEAR) & ~world.fallen(start)
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(fit))[:count]
        pixels = episodes.frames[frame[rows, None] + np.arange(GLIMPSE)]
        before = episodes.actions[step[rows, None] + np.arange(GLIMPSE - 1)]
        return cls(*map(torch.from_numpy, (pixels, before)), start[rows], episode[rows], world)

    @property
    def frames(self):
        """What is seen: (M, 6, H, W) float32 in [0, 1]."""
        return torch.from_numpy(from_bytes(self.pixels))

    def happen(self, seed=0):
        """Let the world run from each under coin tosses, half of the times with a siren.

        Returns actions (M, N), siren (M,), wind (M, N) in units of a push, and the last frames (M, H, W) uint8.
        """
        chance = torch.Generator().manual_seed(seed)
        siren = torch.rand(len(self.start), generator=chance) < 0.5
        begun = gust_begins(self.world, self.start, coin(chance, len(siren)))
        start = torch.where(siren[:, None], begun, self.start)
        actions = torch.randint(0, 2, (len(start), AHEAD), generator=chance)
        future = self.world.simulate(start, actions, chance)
        wind = (self.world.entry(future, "gust") / GUST_FORCE).float()
        return actions, siren.float(), wind, self.world.draw(future[:, -1].numpy())


def coin(chance, *shape):
    """Toss coins: bool tensors of this shape, from a generator."""
    return torch.rand(shape, generator=chance, dtype=torch.float64) < 0.5
