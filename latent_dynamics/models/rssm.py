"""The recurrent state-space model: a deterministic path that remembers, and a stochastic one that can be uncertain."""

import torch
from torch import nn

from .gaussian import Gaussian, positive
from .sequential import SMALL, Corrector, SequentialLatent


class RSSM(SequentialLatent):
    """h_t = GRU(h_{t-1}, z_{t-1}, a_{t-1}); z_t ~ p(z_t | h_t); o_t ~ p(o_t | h_t, z_t): Hafner et al. (2019).

    What is carried is (h, z before, begun), M = memory + Z + 1.
    """

    def __init__(self, latent=6, memory=64, hidden=64, **settings):
        super().__init__(latent, memory + latent + 1, **settings)
        self.wide = memory
        self.cell = nn.GRUCell(2 * latent + self.actions - 1, memory)
        self.move = nn.Sequential(nn.Linear(self.memory, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent))
        self.correct = Corrector(self.memory, latent, hidden)
        self.draws = nn.Sequential(nn.Linear(memory + latent, hidden), nn.Tanh(), nn.Linear(hidden, 2))

    def first(self, count):
        return torch.zeros(count, self.memory)

    def advance(self, memory, z, action):
        h, before, begun = memory.split([self.wide, self.latent, 1], 1)
        h = self.cell(
            torch.cat([z, begun * (z - before) / SMALL, self.push(action)], 1),
            h,
        )
        return torch.cat([h, z, 0 * begun + 1], 1)

    def prior(self, memory):
        change, raw = self.move(memory).chunk(2, 1)
        z, begun = memory[:, self.wide : -1], memory[:, -1:]
        return Gaussian(
            z + SMALL * change, begun * positive(raw - 3) + (1 - begun)
        )

    def posterior(self, memory, p, seen):
        return self.correct(
            memory, p, seen[:, :2] - self.emission(memory, p.mean), seen[:, 2:]
        )

    def emission(self, memory, z):
        return z[..., :2] + SMALL * self.draws(
            torch.cat([memory[..., : self.wide], z], -1)
        )

    def remember(self, memory, z, seen):
        return memory
