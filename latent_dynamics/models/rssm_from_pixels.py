"""A recurrent state-space model straight from pixels: encoder, latent and decoder learned at once, by one ELBO.

No rung of the ladder: it shows what goes wrong where nobody has first found out what a frame says.
"""

import math

import torch
from torch import nn

from ..world.preprocessing import from_bytes
from .eigen_frames import EigenFrames
from .eyes import seen
from .gaussian import Gaussian, positive
from .goes_on import goes_on_net
from .rssm import RSSM

PICTURES = 128  # fixed pictures of which a frame is a sum


class Sums(EigenFrames):
    """Frames as sums of fixed pictures, and what no sum of them can draw: so the likelihood is that of all pixels."""

    def see(self, frames):
        """Return weights and the squared length of the rest: (..., H, W) -> (..., size + 1)."""
        code = super().see(frames)
        missed = (frames - self.draw(code)).square().sum((-2, -1))
        return torch.cat([code, missed[..., None]], -1)

    def decode(self, code):
        return super().decode(code[..., : self.size])


class RSSMFromPixels(RSSM):
    """`RSSM`, but o_t is a frame: its pixels are independent Gaussians about what is drawn, with one learned sigma.

    A state is (128 weights to draw, memory, mean, std): D = 128 + M + 2 Z, with M and Z as in `RSSM`.
    """

    needs_eyes = None

    def __init__(self, latent=8, memory=64, hidden=128, beta=1.0, epochs=8, actions=2):
        super().__init__(latent, memory, 64, beta=beta, epochs=epochs, actions=actions)
        self.eyes, self.goes_on = Sums(PICTURES), goes_on_net(PICTURES)
        self.state_size += PICTURES - 2
        self.register_buffer("spread", torch.ones(PICTURES))
        self.log_sigma = nn.Parameter(torch.tensor(0.1).log())
        self.encode = nn.Sequential(
            nn.Linear(PICTURES + self.memory, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent)
        )
        self.draws = nn.Sequential(
            nn.Linear(memory + latent, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(),
            nn.Linear(hidden, PICTURES),
        )  # fmt: skip
        del self.correct

    def looked(self, splits):
        every = max(1, len(splits[0].frames) // 4000)
        self.eyes.fit(torch.from_numpy(from_bytes(splits[0].frames[::every])))
        codes = [seen(self.eyes, part) for part in splits]
        self.spread.copy_(codes[0][:, :PICTURES].std(0).clamp(min=1e-3))
        return codes

    def observed(self, code):
        return code

    def posterior(self, memory, p, seen):
        change, raw = self.encode(torch.cat([memory, seen[:, :PICTURES] / self.spread], 1)).chunk(2, 1)
        begun = memory[:, -1:]
        return Gaussian(begun * p.mean + change, positive(raw - 3))

    def prior(self, memory):
        change, raw = self.move(memory).chunk(2, 1)
        z, begun = memory[:, self.wide : -1], memory[:, -1:]
        return Gaussian(z + change, begun * positive(raw - 3) + (1 - begun))

    def emission(self, memory, z):
        return self.spread * self.draws(torch.cat([memory[..., : self.wide], z], -1))

    def fit(self, memory, z, seen):
        """Return ln p of all pixels of a frame: (...) nats."""
        missed = (self.emission(memory, z) - seen[..., :PICTURES]).square().sum(-1) + seen[..., PICTURES]
        pixels = math.prod(self.frame_shape)
        return -missed / (2 * self.sigma**2) - pixels * (self.sigma.log() + math.log(2 * math.pi) / 2)

    def split(self, belief):
        """Take a belief apart: (B, D) -> weights to draw (B, 128), memory (B, M), mean (B, Z), std (B, Z)."""
        return belief.split([PICTURES, self.memory, self.latent, self.latent], -1)

    def decode(self, states):
        return self.eyes.decode(states[..., :PICTURES])

    def goes_on_logit(self, states):
        return self.goes_on(states[..., :PICTURES] / self.spread)[..., 0]

    def _arrive(self, memory, z, noise=None):
        return torch.cat([self.emission(memory, z), memory, z, 0 * z], 1)
