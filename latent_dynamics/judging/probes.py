"""Probes: small readers that ask what a latent holds (Alain & Bengio 2016).

A probe is fitted on training episodes and judged on others. It is never part of a world model: it only tells
us whether the true state can be read off z, by a straight line (ridge) or by a small network.
"""

import torch
from torch import nn

from ..models.training import Budget, one_thread, seeded, train

PROBE_BUDGET = Budget(epochs=25, batch_size=256, learning_rate=1e-2)


class Probe(nn.Module):
    """Maps latents (..., D) to targets (..., S), both standardised by the training data inside."""

    def __init__(self, body, inputs, targets):
        super().__init__()
        self.body = body
        for name, data in (("input", inputs), ("target", targets)):
            self.register_buffer(f"{name}_mean", data.mean(0))
            self.register_buffer(f"{name}_spread", data.std(0).clamp(min=1e-8))

    def scaled(self, inputs):
        return (inputs - self.input_mean) / self.input_spread

    def forward(self, inputs):
        return self.body(self.scaled(inputs)) * self.target_spread + self.target_mean

    def loss(self, inputs, targets):
        """The squared error, each target in units of its spread."""
        return {"loss": ((self(inputs) - targets) / self.target_spread).square().mean()}


def linear_probe(inputs, targets, ridge=1e-3):
    """Fit targets (M, S) as a straight line of inputs (M, D), by ridge regression. Returns a Probe."""
    inputs, targets = _checked(inputs, targets)
    body = nn.Linear(inputs.shape[1], targets.shape[1])
    probe = Probe(body, inputs, targets)
    x, y = (
        probe.scaled(inputs).double(),
        ((targets - probe.target_mean) / probe.target_spread).double(),
    )
    square = (
        x.T @ x / len(x)
        + ridge * torch.eye(x.shape[1], dtype=torch.float64)
    )
    with torch.no_grad():
        body.weight.copy_(torch.linalg.solve(square, x.T @ y / len(x)).T)
        body.bias.zero_()
    return probe.eval().requires_grad_(False)


def mlp_probe(inputs, targets, seed=0, hidden=128, budget=PROBE_BUDGET, standardised=True):
    """Fit targets (M, S) by a small network of inputs (M, D). Returns a Probe.

    standardised: whether inputs are read in units of their spread; if not, what hardly varies can hardly be read.
    """
    inputs, targets = _checked(inputs, targets)
    with seeded(seed):
        body = nn.Sequential(
            nn.Linear(inputs.shape[1], hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, targets.shape[1]),
        )  # fmt: skip
    probe = Probe(body, inputs, targets)
    if not standardised:
        probe.input_mean.zero_()
        probe.input_spread.fill_(1)
    with one_thread():
        train(probe, probe.loss, (inputs, targets), (inputs[:1000], targets[:1000]), budget, seed, "probe", bar=False)
    return probe.eval().requires_grad_(False)


def r_squared(predicted, truth):
    """Return the share of each target's variance that is explained, (M, S), (M, S) -> (S,): 1 all, 0 none."""
    truth = torch.as_tensor(truth)
    return 1 - (predicted - truth).square().mean(0) / truth.var(0, unbiased=False)


def pca(frames, size):
    """Return the principal components of frames (M, H, W), as a function from frames (..., H, W) to (..., size)."""
    flat = frames.flatten(1)
    mean = flat.mean(0)
    with seeded(0):  # the method draws a random sketch
        _, _, directions = torch.pca_lowrank(flat - mean, q=size + 8, center=False, niter=4)
    return lambda new: (new.flatten(-2) - mean) @ directions[:, :size]


def _checked(inputs, targets):
    inputs, targets = (torch.as_tensor(data, dtype=torch.float32) for data in (inputs, targets))
    if len(inputs) != len(targets) or len(inputs) == 0:
        raise ValueError(f"{len(inputs)} inputs and {len(targets)} targets; a probe needs as many of each, and some")
    return inputs, targets
