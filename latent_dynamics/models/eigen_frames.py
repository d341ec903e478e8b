"""Frames as sums of fixed pictures, so that the squared error of a frame is that of a few numbers."""

import math

import torch
from torch import nn

from .training import seeded


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
