"""A latent state-space model: z_t alone carries everything, as in the classical model, but all of it is learned.

p(z_1); p(z_t | z_{t-1}, a_{t-1}); p(o_t | z_t). The first two numbers of z are where the pen draws.
"""

import torch
from torch import nn

from .gaussian import Gaussian, positive
from .sequential import SMALL, Corrector, SequentialLatent
from .training import Budget


class StateSpace(SequentialLatent):
    """z' ~ N(z + f(z, a), s(z, a)^2): Krishnan et al. (2015). There is no memory but z.

    What is carried from step to step is (z, push, begun), M = Z + actions: what the next prior is made of.
    """

    budget = Budget(epochs=16, batch_size=64, learning_rate=3e-3, clip=10.0)

    def __init__(self, latent=6, hidden=64, **settings):
        actions = settings.get("actions", 2)
        super().__init__(latent, latent + actions, **settings)
        self.move = nn.Sequential(nn.Linear(latent + actions, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent))
        self.correct = Corrector(latent + actions, latent, hidden)

    def first(self, count):
        return torch.zeros(count, self.memory)

    def advance(self, memory, z, action):
        push = self.push(action)
        return torch.cat([z, push, 0 * push[:, :1] + 1], 1)

    def prior(self, memory):
        change, raw = self.move(memory).chunk(2, 1)
        begun = memory[:, -1:]
        z, std = memory[:, : self.latent], positive(raw - 3)
        return Gaussian(z + SMALL * change, begun * std + (1 - begun))  # at first anything may be

    def posterior(self, memory, p, seen):
        return self.correct(memory, p, seen[:, :2] - p.mean[:, :2], seen[:, 2:])

    def emission(self, memory, z):
        return z[..., :2]

    def remember(self, memory, z, seen):
        return memory
