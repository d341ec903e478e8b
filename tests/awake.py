"""Untrained models that are neither blind nor still: for tests of what depends on what."""

import torch

from latent_dynamics.models.training import seeded


def awake(model):
    """Give random values to weights that begin at zero, which training would otherwise have to do first."""
    with torch.no_grad(), seeded(0):
        for part in (*model.parameters(), *model.buffers()):
            if part.is_floating_point() and not part.any():
                part.normal_(0, 0.1)
    return model
