"""Diagonal Gaussians, and how standard normal noise becomes samples of them and of a choice."""

import math
from typing import NamedTuple

import torch
from torch.nn import functional as F

LEAST = 1e-3  # no standard deviation is smaller


class Gaussian(NamedTuple):
    """N(mean, std^2), each of the last dimension's numbers on its own."""

    mean: torch.Tensor  # (..., D)
    std: torch.Tensor  # (..., D), above 0

    def draw(self, noise):
        """Return mean + std * noise, a sample if `noise` (..., D) is standard normal (Kingma & Welling 2014)."""
        return self.mean + self.std * noise

    def log_prob(self, value):
        """Return ln N(value; mean, std^2), summed over the last dimension: (...) nats."""
        miss = (value - self.mean) / self.std
        return (-miss.square() / 2 - self.std.log() - math.log(2 * math.pi) / 2).sum(-1)


def kl(q, p):
    """Return KL(q || p) of each number of two Gaussians: (..., D) nats, whose sum is that of the whole."""
    apart = ((q.mean - p.mean) / p.std).square()
    ratio = (q.std / p.std).square()
    return (apart + ratio - 1 - ratio.log()) / 2


def positive(raw, least=LEAST):
    """Turn any number into a standard deviation, at least `least`."""
    return F.softplus(raw) + least


def choose(chances, noise):
    """Return which of K alternatives a standard normal number picks: chances (B, K), noise (B,) -> (B,) int64."""
    uniform = torch.special.ndtr(noise)[:, None]
    return (chances.cumsum(1) < uniform * chances.sum(1, keepdim=True)).sum(1).clamp(max=chances.shape[1] - 1)
