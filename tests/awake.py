"""Untrained models that are neither blind nor still, and frames of chosen scenes: for tests of what depends on what."""

import numpy as np
import torch

from latent_dynamics.models import BalanceEyes
from latent_dynamics.models.training import seeded
from latent_dynamics.world.rendering import draw


def frames_at(x, theta):
    """Draw poles at rest: (M,), (M,) -> (M, H, W)."""
    states = np.zeros((len(x), 4))
    states[:, 0], states[:, 2] = x, theta
    return torch.from_numpy(draw(states, workers=1) / np.float32(255))


def awake(model):
    """Give random values to weights that begin at zero, and to balance eyes the plane of a few real frames."""
    with torch.no_grad(), seeded(0):
        for part in (*model.parameters(), *model.buffers()):
            if part.is_floating_point() and not part.any():
                part.normal_(0, 0.1)
        for part in model.modules():
            if isinstance(part, BalanceEyes):
                states = np.random.default_rng(0).uniform(-1, 1, (100, 4)) * [1.5, 0, 0.2, 0]
                part.fit(torch.from_numpy(draw(states, workers=1)) / 255)
    return model
