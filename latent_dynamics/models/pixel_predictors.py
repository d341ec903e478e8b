"""What predicts without a belief: the next frame from the frames so far, and a far frame in one stride.

Frames are spoken of as sums of fixed pictures, so that the squared error of a frame is that of a few numbers. None of
these is a rung of the ladder: they show what the rungs of Part III are for.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..data.episodes import Episodes
from ..world.gusty import GUST_FORCE, GUST_STEPS
from ..world.preprocessing import from_bytes
from ..world.worlds import World
from .eyes import make_eyes, reading, seen
from .latent_world import code_windows
from .training import Budget, Lesson, seeded
from .world_model import WorldModel

LAYERS, LOOK = 2, 6  # of the transformer, and how many frames each layer looks back on, the present one included
CONTEXT = LAYERS * (LOOK - 1) + 2  # frames that it can know of: of the first, how it changed
CHUNK, STRIDE = 24, 4  # frames of a training sequence, and between the starts of two
AHEAD = 15  # steps that a single stride passes over
GLIMPSE = 6  # frames before it that are seen
NEAR = 0.5  # metres from the middle within which the cart is then


class EigenFrames(nn.Module):
    """Frames as a mean picture plus `size` fixed ones, weighted: the pictures along which real frames differ most.

    The pictures are orthonormal. So the squared error of two frames, summed over pixels, is that of their weights, and
    a constant for what no sum of them can draw (principal components: Pearson 1901).
    """

    def __init__(self, size, shape=(32, 100)):
        super().__init__()
        self.size, self.shape = size, shape
        self.register_buffer("middle", torch.zeros(math.prod(shape)))
        self.register_buffer("pictures", torch.zeros(size, math.prod(shape)))

    def see(self, frames):
        """Return the weights of frames: (..., H, W) -> (..., size)."""
        return (frames.flatten(-2) - self.middle) @ self.pictures.T

    def draw(self, code):
        """Return the sums, which may leave [0, 1]: (..., size) -> (..., H, W)."""
        return (self.middle + code @ self.pictures).unflatten(-1, self.shape)

    def decode(self, code):
        """Draw weights: (..., size) -> frames (..., H, W) in [0, 1]."""
        return self.draw(code).clamp(0, 1)

    @torch.no_grad()
    def fit(self, frames):
        """Find the pictures of frames (M, H, W)."""
        flat = frames.flatten(1)
        self.middle.copy_(flat.mean(0))
        with seeded(0):
            self.pictures.copy_(torch.svd_lowrank(flat - self.middle, q=self.size + 12)[2][:, : self.size].T)


class Block(nn.Module):
    """Attend to what came before, then think: a pre-norm transformer block (Vaswani et al. 2017; Xiong et al. 2020).

    How far back something lies is told by a learned number for each head (Raffel et al. 2020).
    """

    def __init__(self, width, heads, look):
        super().__init__()
        self.heads, self.look = heads, look
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.back = nn.Parameter(torch.zeros(heads, look))

    def forward(self, x, there):
        """(B, T, W), and which tokens are there to attend to, (B, T) bool -> (B, T, W)."""
        T = x.shape[1]
        ago = torch.arange(T)[:, None] - torch.arange(T)  # (T, T): how long ago a token was
        open_ = (ago >= 0) & (ago < self.look) & (there[:, None] | (ago == 0))  # (B, T, T)
        lean = self.back[:, ago.clamp(0, self.look - 1)]  # (heads, T, T)
        mask = torch.where(open_[:, None], lean, -torch.inf)
        q, k, v = self.ask(self.norms[0](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.answer(F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2))
        return x + self.think(self.norms[1](x))


class Rolled(WorldModel):
    """A small causal transformer, rolled on its own predictions: the mean of p(o_{t+1} | o_{<=t}, a_{<=t}).

    It is trained by squared error on single steps. There is no state but the past itself: a belief is the last 12
    codes, the push after each (-1, 1, or 0 if none was made yet), and whether there was one: D = 12 (C + 2), with C
    numbers a code. A subclass says what a code is.
    """

    width: int
    budget = Budget(epochs=16, batch_size=32, learning_rate=2e-3, weight_decay=0.1, clip=1.0)

    def __init__(self, sight, heads=2, actions=2):
        super().__init__()
        self.actions, self.size, self.state_size = actions, sight.size, CONTEXT * (sight.size + 2)
        for name, start in (("mean", 0.0), ("spread", 1.0), ("change", 1.0)):
            self.register_buffer(name, torch.full((self.size,), start))
        self.into = nn.Linear(2 * self.size + 2, self.width)
        self.blocks = nn.ModuleList(Block(self.width, heads, LOOK) for _ in range(LAYERS))
        self.out = nn.Sequential(nn.LayerNorm(self.width), nn.Linear(self.width, self.size))

    @property
    def sight(self):
        """What turns frames into codes, and draws them."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its codes are")

    def predict(self, codes, push, there):
        """Return what follows each code: (B, T, C), (B, T) of -1, 0, 1, (B, T) -> (B, T, C)."""
        # (B, T, 1): whether one came before
        before = F.pad(there[:, :-1], (1, 0))[..., None]
        moved = (codes - codes.roll(1, 1)) * before / self.change
        tokens = torch.cat([
            (codes - self.mean) / self.spread, moved, push[..., None], before
        ], -1)  # fmt: skip
        x = self.into(tokens)  # (B, T, W)
        for block in self.blocks:
            x = block(x, there > 0)
        return codes + self.change * self.out(x)

    def see(self, frames):
        return self.sight.see(frames)

    def decode(self, states):
        return self.sight.decode(self._past(states)[..., -1, : self.size])

    def begin(self, code):
        past = code.new_zeros(len(code), CONTEXT, self.size + 2)
        past[:, -1] = self._token(code[:, : self.size])
        return past.flatten(1)

    def update(self, belief, action, code):
        z, whole = reading(code, self.size)
        if not (whole > 0.5).all():  # what a frame hides is as it is dreamt
            z = whole * z + (1 - whole) * self._past(self.step(belief, action))[:, -1, : self.size]
        return self._append(self._pushed(belief, action), z)

    def step(self, belief, action):
        past = self._pushed(belief, action)
        return self._append(past, self.predict(past[..., :-2], past[..., -2], past[..., -1])[:, -1])

    def _past(self, belief):
        """(..., D) -> (..., 12, C + 2)."""
        return belief.unflatten(-1, (CONTEXT, self.size + 2))

    def _pushed(self, belief, action):
        past = self._past(belief).clone()
        past[:, -1, -2] = 2.0 * action - 1
        return past

    def _append(self, past, code):
        return torch.cat([past[:, 1:], self._token(code)[:, None]], 1).flatten(1)

    def _token(self, code):
        return torch.cat([code, 0 * code[:, :1], 0 * code[:, :1] + 1], 1)

    def loss(self, codes, actions, there):
        """Return the squared error of single steps, in units of how much is to be predicted in one.

        codes (B, T + 1, C), actions (B, T), there (B, T): 0 for what fills a window after its episode's end.
        """
        z, whole = reading(codes, self.size)
        push, shown = 2.0 * actions - 1, whole[..., 0]  # (B, T), (B, T + 1)
        told = self.predict(z[:, :-1], push, shown[:, :-1])
        miss = (told - z[:, 1:]).square().sum(-1) / self.change.square().sum()
        counts = there * shown[:, :-1] * shown[:, 1:]
        return {"loss": (miss * counts).sum() / counts.sum().clamp(min=1)}

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: the next code."""
        codes = [seen(self.sight, part) for part in splits]
        z, whole = reading(codes[0], self.size)
        shown, before = whole[:, 0] > 0.5, splits[0].before
        self.mean.copy_(z[shown].mean(0))
        self.spread.copy_(z[shown].std(0))
        self.change.copy_((z[before + 1] - z[before])[shown[before] & shown[before + 1]].std(0))
        cut = (code_windows(part, one, CHUNK, STRIDE, least=CONTEXT) for part, one in zip(splits, codes))
        yield Lesson(self.loss, *cut, self.budget)


class FrameByFrame(Rolled):
    """Rolls pixels: a code is a frame, as the weights of 256 fixed pictures."""

    width = 56

    def __init__(self, **settings):
        pictures = EigenFrames(256)
        super().__init__(pictures, **settings)
        self.pictures = pictures

    @property
    def sight(self):
        return self.pictures

    def lessons(self, *splits):
        self.pictures.fit(torch.from_numpy(from_bytes(splits[0].frames[::3])))
        yield from super().lessons(*splits)


class ReadingByReading(Rolled):
    """Rolls a latent: a code is what the eyes of `position_velocity` read of a frame, two numbers, and their flag."""

    needs_eyes = "balance"
    width = 70  # as many numbers to train as the other has

    def __init__(self, **settings):
        eyes = make_eyes("balance")
        super().__init__(eyes, **settings)
        self.eyes = eyes

    @property
    def sight(self):
        return self.eyes


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
        start = torch.where(siren[:, None], gust_begins(self.world, self.start, chance), self.start)
        actions = torch.randint(0, 2, (len(start), AHEAD), generator=chance)
        future = self.world.simulate(start, actions, chance)
        wind = (self.world.entry(future, "gust") / GUST_FORCE).float()
        return actions, siren.float(), wind, self.world.draw(future[:, -1].numpy())


def gust_begins(world, states, chance):
    """Have a gust begin in each state (..., S), from a side that a coin chooses."""
    side = torch.rand(states.shape[:-1], generator=chance, dtype=torch.float64) < 0.5
    air = {"gust": torch.where(side, -GUST_FORCE, GUST_FORCE), "left": torch.full(side.shape, float(GUST_STEPS))}
    states = states.clone()
    for name, value in air.items():
        states[..., world.state_names.index(name)] = value.to(states.dtype)
    return states
