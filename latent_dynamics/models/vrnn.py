"""The variational recurrent network: a memory of what was read and drawn, and a latent at each step beside it."""

import torch
from torch import nn

from .gaussian import Gaussian, positive
from .sequential import SMALL, SequentialLatent


class VRNN(SequentialLatent):
    """z_t ~ p(z_t | h_{t-1}); o_t ~ p(o_t | h_{t-1}, z_t); h_t = GRU(h_{t-1}, (o_t, z_t, a_t)): Chung et al. (2015).

    Actions are added. What is carried is (h, reading before, its change, begun), M = memory + 5. The memory is fed
    what was read, so a dream has to feed it what it drew.
    latent 0: a memory alone; decoder_remembers: whether the emission is told h, as published.
    """

    def __init__(self, latent=6, memory=64, hidden=64, decoder_remembers=True, **settings):
        super().__init__(latent, memory + 5, **settings)
        self.wide, self.decoder_remembers = memory, decoder_remembers
        self.cell = nn.GRUCell(4 + latent + self.actions - 1, memory)
        self.expects = nn.Sequential(nn.Linear(memory, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent))
        self.infers = nn.Sequential(nn.Linear(memory + 3, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent))
        self.draws = nn.Sequential(nn.Linear(memory + latent, hidden), nn.Tanh(), nn.Linear(hidden, 2))

    def parts(self, memory):
        """Take a memory apart: h (..., wide), reading before (..., 2), its change (..., 2), begun (..., 1)."""
        return memory.split([self.wide, 2, 2, 1], -1)

    def first(self, count):
        return torch.zeros(count, self.memory)

    def advance(self, memory, z, action):
        h, shown, change, begun = self.parts(memory)
        h = self.cell(
            torch.cat([shown, change / SMALL, z, self.push(action)], 1), h
        )
        return torch.cat([h, shown, change, 0 * begun + 1], 1)

    def prior(self, memory):
        mean, raw = self.expects(memory[:, : self.wide]).chunk(2, 1)
        return Gaussian(mean, positive(raw))

    def posterior(self, memory, p, seen):
        h, before, _, begun = self.parts(memory)
        told, whole = (seen[:, :2] - before) / self.scale(begun), seen[:, 2:]
        mean, raw = self.infers(
            torch.cat([h, told.clamp(-20, 20), begun], 1)
        ).chunk(2, 1)
        return Gaussian(
            whole * mean + (1 - whole) * p.mean,
            whole * positive(raw) + (1 - whole) * p.std,
        )

    def emission(self, memory, z):
        h, before, _, begun = self.parts(memory)
        h = h if self.decoder_remembers else 0 * h
        return before + self.scale(begun) * self.draws(torch.cat([h, z], -1))

    def remember(self, memory, z, seen):
        h, before, _, begun = self.parts(memory)
        whole = seen[:, 2:]
        shown = whole * seen[:, :2] + (1 - whole) * self.emission(memory, z)
        return torch.cat([h, shown, begun * (shown - before), begun], 1)

    @staticmethod
    def scale(begun):
        """How far a reading may be from the one before: anywhere at first, then a step's change."""
        return begun * SMALL + (1 - begun)
