"""Rung five: a memory. The belief is the last latent, its change, and what a recurrent cell made of the past."""

import torch
from torch import nn
from torch.nn import functional as F

from .eyes import reading
from .latent_world import LatentWorld
from .training import Budget


class Recurrent(LatentWorld):
    """A GRU (Cho et al. 2014) that filters while it sees, and dreams when it does not.

    D = 2 latent_size + memory, (z, dz, h). h' = GRU(z, dz, a, h), and the next latent is z plus a change that is read
    off h', z, dz and a. While it sees, the real latent takes the prediction's place, and the memory goes on as it is.
    """

    budget = Budget(epochs=20, batch_size=256, learning_rate=5e-3)
    skips = True

    def __init__(self, latent_size=8, memory=64, hidden=64, context=10, horizon=10, **settings):
        super().__init__(latent_size, context=context, horizon=horizon, **settings)
        latent_size = self.latent_size
        self.state_size = 2 * latent_size + memory
        self.cell = nn.GRUCell(2 * latent_size + self.actions, memory)
        self.net = nn.Sequential(
            nn.Linear(memory + 2 * latent_size + self.actions, hidden), nn.ReLU(), nn.Linear(hidden, latent_size)
        )

    def miss(self, dreamt, z):
        """Return Huber's loss: errors beyond a step's change, which late steps make, do not drown the others."""
        return F.huber_loss(
            dreamt / self.change_spread,
            z / self.change_spread,
            reduction="none",
        )

    def remember(self, belief, action):
        """Return what the networks see of belief and push, (B, 2 latent_size + actions), and the next memory."""
        z, change, memory = belief.split(
            [self.latent_size, self.latent_size, self.cell.hidden_size], -1
        )
        seen = torch.cat([
            self.scaled(z),
            change / self.change_spread,
            F.one_hot(action, self.actions).to(z.dtype),
        ], -1)
        return seen, self.cell(seen, memory)

    def begin(self, code):
        z, _ = reading(code, self.latent_size)
        return torch.cat([z, 0 * z, 0 * z[:, :1].expand(-1, self.cell.hidden_size)], -1)

    def update(self, belief, action, code):
        _, memory = self.remember(belief, action)
        z = self.latent(belief, action, code)
        return torch.cat([z, z - belief[:, : self.latent_size], memory], -1)

    def step(self, belief, action):
        seen, memory = self.remember(belief, action)
        change = self.net(torch.cat([memory, seen], -1)) * self.change_spread
        return torch.cat(
            [belief[:, : self.latent_size] + change, change, memory], -1
        )
