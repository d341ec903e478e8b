"""A small causal transformer that predicts the next code from those so far: of frames, or of what eyes read of them.

No rung of the ladder: it shows what a state is good for.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ..world.preprocessing import from_bytes
from .eigen_frames import EigenFrames
from .eyes import make_eyes, reading, seen
from .latent_world import code_windows
from .training import Budget, Lesson
from .world_model import WorldModel

LAYERS, LOOK = 2, 6  # of the transformer, and how many frames each layer looks back on, the present one included
CONTEXT = LAYERS * (LOOK - 1) + 2  # frames that it can know of: of the first, how it changed
CHUNK, STRIDE = 24, 4  # frames of a training sequence, and between the starts of two


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
