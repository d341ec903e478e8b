"""Rung two: a latent that holds two consecutive frames, so that it can hold velocities."""

import torch
from torch import nn
from torch.nn import functional as F

from .eyes import reading
from .latent_world import LatentWorld


class TwoFrame(LatentWorld):
    """The latent of the last frame, and how it changed since the frame before: D = 2 latent_size, (z, dz).

    The first belief has seen one frame only, and takes it twice: dz = 0. With sees_change=False the network is not
    shown dz: the same model on one frame, to compare with. layers: hidden layers of the network.
    """

    def __init__(self, latent_size=8, hidden=128, layers=2, sees_change=True, **settings):
        super().__init__(latent_size, **settings)
        latent_size = self.latent_size
        if layers < 1:
            raise ValueError(f"{layers} hidden layers; the network needs at least 1")
        self.state_size, self.sees_change = 2 * latent_size, sees_change
        sizes = [2 * latent_size + self.actions] + layers * [hidden]
        self.net = nn.Sequential(
            *(part for size in zip(sizes, sizes[1:]) for part in (nn.Linear(*size), nn.ReLU())),
            nn.Linear(hidden, latent_size),
        )

    def begin(self, code):
        z, _ = reading(code, self.latent_size)
        return torch.cat([z, 0 * z], -1)

    def update(self, belief, action, code):
        z = self.latent(belief, action, code)
        return torch.cat([z, z - belief[:, : self.latent_size]], -1)

    def step(self, belief, action):
        z, change = belief.split(self.latent_size, -1)  # (B, latent_size) each
        pushed = F.one_hot(action, self.actions).to(z.dtype)
        inputs = [
            self.scaled(z),
            self.sees_change * change / self.change_spread,
            pushed,
        ]
        change = self.net(torch.cat(inputs, -1)) * self.change_spread
        return torch.cat([z + change, change], -1)
