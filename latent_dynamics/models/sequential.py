"""What the rungs with a latent at each step share: prior, posterior, and the ELBO that trains them."""

from dataclasses import replace

import torch
from torch import nn

from .elbo import unroll
from .gaussian import Gaussian, kl, positive
from .goes_on import goes_on_lesson
from .on_readings import OnReadings, sequences
from .training import Budget, Lesson

CHUNK = 50  # steps of a training sequence
STRIDE = 4  # between the starts of two of them
SMALL = 0.1  # networks speak of changes, which are about a tenth of a reading's spread


class SequentialLatent(OnReadings):
    """A latent z_t and a memory at each step. A subclass defines first, advance, prior, posterior, emission, remember.

    A state is (reading, memory, mean, std): the two numbers to draw, what is remembered, and the Gaussian of z_t; in an
    imagined sample its std is 0. D = 2 + M + 2 Z. An observation is (reading, whole), as eyes see a frame.
    latent: Z; sigma: the reading's standard deviation, learned if None. What the KL costs in training: beta: its
    weight; warm_up: share of training in which that grows from 0; free_bits: nats a step that cost nothing, of each
    step, or, with free_on_average, of a batch's average; balance: share of its gradient that moves the prior, the rest
    moves the posterior (Hafner et al. 2021), None: both in full. epochs: passes over the data, if not as many as usual.
    """

    budget = Budget(epochs=10, batch_size=64, learning_rate=3e-3, clip=10.0)

    def __init__(
        self, latent, memory, beta=1.0, warm_up=0.0, free_bits=0.0, free_on_average=False, balance=None, sigma=None,
        epochs=None, actions=2,
    ):  # fmt: skip
        super().__init__(actions)
        self.budget = replace(self.budget, epochs=epochs or self.budget.epochs)
        self.latent, self.memory, self.state_size = latent, memory, 2 + memory + 2 * latent
        self.scatter_noise, self.step_noise = latent, latent + 2
        self.beta, self.warm_up, self.balance = beta, warm_up, balance
        self.free_bits, self.free_on_average = free_bits, free_on_average
        self.log_sigma = nn.Parameter(torch.full((2,), sigma or 0.05).log(), sigma is None)

    # What the ELBO needs

    @property
    def sigma(self):
        """The standard deviation of a reading about its emission: (2,), in units of the readings' spread."""
        return self.log_sigma.exp().clamp(min=1e-3)

    def fit(self, memory, z, seen):
        """Return ln p(o_t | z_t), (...) nats; none for a frame that hides something."""
        shown = Gaussian(self.emission(memory, z), self.sigma)
        return shown.log_prob(seen[..., :2]) * seen[..., 2]

    # The interface

    def begin(self, code):
        return self._believe(self.first(len(code)), self.observed(code))

    def update(self, belief, action, code):
        _, memory, z, _ = self.split(belief)
        return self._believe(self.advance(memory, z, action), self.observed(code))

    def step(self, belief, action):
        _, memory, z, _ = self.split(belief)
        memory = self.advance(memory, z, action)
        return self._arrive(memory, self.prior(memory).mean)

    def sample_step(self, belief, action, noise):
        _, memory, z, _ = self.split(belief)
        memory = self.advance(memory, z, action)
        return self._arrive(memory, self.prior(memory).draw(noise[:, : self.latent]), noise[:, self.latent :])

    def scatter(self, belief, noise):
        shown, memory, mean, std = self.split(belief)
        return torch.cat([shown, memory, mean + std * noise, 0 * std], 1)

    def surprise(self, frames, actions):
        """Return KL(q_t || p_t) after each step, nats: (B, K + 1, H, W), (B, K) -> (B, K)."""
        seen = self.observed(self.see(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]))
        terms = unroll(self, seen, actions, seen.new_zeros(*seen.shape[:2], self.latent))  # along the mean of q
        return terms.kl.sum(-1)[:, 1:]

    def split(self, belief):
        """Take a belief apart: (B, D) -> reading (B, 2), memory (B, M), mean (B, Z), std (B, Z)."""
        return belief.split([2, self.memory, self.latent, self.latent], -1)

    def _believe(self, memory, seen):
        q = self.posterior(memory, self.prior(memory), seen)
        shown, memory = self.emission(memory, q.mean), self.remember(memory, q.mean, seen)
        return torch.cat([shown, memory, q.mean, q.std], -1)

    def _arrive(self, memory, z, noise=None):
        shown = self.emission(memory, z)
        # what a memory that needs a frame is given
        fed = shown if noise is None else shown + self.sigma * noise
        memory = self.remember(
            memory, z, torch.cat([fed, 0 * fed[:, :1] + 1], 1)
        )
        return torch.cat([shown, memory, z, 0 * z], 1)

    # Learning

    def loss(self, codes, actions, there, progress=None):
        """Return what training minimises, in nats a step: codes (B, T + 1, C), actions (B, T), there (B, T)."""
        seen = self.observed(codes)
        terms = unroll(self, seen, actions, torch.randn(*seen.shape[:2], self.latent))
        there = torch.cat([torch.ones_like(there[:, :1]), there], 1)  # the first frame always is
        fit, divergence = (average(one, there) for one in (terms.fit, terms.kl.sum(-1)))
        grown = 1.0 if progress is None or not self.warm_up else min(1.0, progress.share / self.warm_up)
        return {"loss": -fit + self.beta * grown * self.price(terms, there), "fit": fit, "KL": divergence}

    def price(self, terms, there):
        """Return what the KL of a batch costs before it is weighed: nats a step."""
        if self.balance is None:
            each = terms.kl.sum(-1)
        else:
            q, p = terms.posterior, terms.prior
            to_prior, to_posterior = (
                kl(still(q), p).sum(-1), kl(q, still(p)).sum(-1)
            )  # fmt: skip
            each = self.balance * to_prior + (1 - self.balance) * to_posterior
        if self.free_on_average:
            return average(each, there).clamp(min=self.free_bits)
        return average(
            each.clamp(min=self.free_bits) if self.free_bits else each, there
        )

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: the ELBO, and whether it goes on."""
        codes = self.looked(splits)
        yield Lesson(self.loss, *sequences(splits, codes, CHUNK, STRIDE, least=20), self.budget, "ELBO")
        yield goes_on_lesson(self, splits, codes)


def average(each, there):
    """Return the mean of `each` (B, T) over the steps that are there (B, T)."""
    return (each * there).sum() / there.sum()


def still(gaussian):
    """Return a Gaussian that no gradient moves."""
    return Gaussian(gaussian.mean.detach(), gaussian.std.detach())


class Corrector(nn.Module):
    """The posterior as a corrected prior: mean + gain * (what was read - what was expected), and a std of its own."""

    def __init__(self, memory, latent, hidden=64):
        super().__init__()
        self.latent = latent
        self.net = nn.Sequential(nn.Linear(memory + 2 + latent, hidden), nn.Tanh(), nn.Linear(hidden, 4 * latent))

    def forward(self, memory, p, surprise, whole):
        """(B, M), prior p, surprise (B, 2), whole (B, 1) -> Gaussian; the prior itself where nothing was seen."""
        # a filter that believes any surprise may run away
        bounded = surprise.clamp(-4, 4)
        told = self.net(torch.cat([memory, bounded / SMALL, p.std], 1))
        gain, shift, raw = told.split(
            [2 * self.latent, self.latent, self.latent], 1
        )
        moved = (
            (gain.unflatten(1, (-1, 2)) * bounded[:, None]).sum(-1)
            + SMALL * shift
        )
        return Gaussian(
            p.mean + whole * moved,
            whole * positive(raw - 3) + (1 - whole) * p.std,
        )
