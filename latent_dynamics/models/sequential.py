"""What the rungs with a latent at each step share: prior, posterior, the ELBO that trains them, and fans of futures.

They live on what the eyes of `position_velocity` read, two numbers a frame, and draw with their pen.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .elbo import unroll
from .eyes import make_eyes, reading, seen
from .gaussian import Gaussian, positive
from .goes_on import goes_on_lesson, goes_on_net
from .latent_world import code_windows
from .training import Budget, Lesson
from .world_model import WorldModel, check_actions, check_horizon

CHUNK = 50  # steps of a training sequence
STRIDE = 4  # between the starts of two of them
SMALL = 0.1  # networks speak of changes, which are about a tenth of a reading's spread


class SequentialLatent(WorldModel):
    """A latent z_t and a memory at each step. A subclass defines first, advance, prior, posterior, emission, remember.

    A state is (reading, memory, mean, std): the two numbers to draw, what is remembered, and the Gaussian of z_t; in an
    imagined sample its std is 0. D = 2 + M + 2 Z. An observation is (reading, whole), as eyes see a frame.
    latent: Z; beta: weight of the KL in training; warm_up: share of training in which it grows from 0; free_bits: nats
    of KL a step that cost nothing; sigma: the reading's standard deviation, learned if None.
    """

    stochastic = True
    needs_eyes = "balance"
    budget = Budget(epochs=10, batch_size=64, learning_rate=3e-3, clip=10.0)

    def __init__(self, latent, memory, beta=1.0, warm_up=0.0, free_bits=0.0, sigma=None, actions=2):
        super().__init__()
        self.eyes, self.actions, self.latent, self.memory = make_eyes("balance"), actions, latent, memory
        self.beta, self.warm_up, self.free_bits = beta, warm_up, free_bits
        self.state_size = 2 + memory + 2 * latent
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))
        self.log_sigma = nn.Parameter(torch.full((2,), sigma or 0.05).log(), sigma is None)
        self.goes_on = goes_on_net(2)

    # What the ELBO needs

    @property
    def sigma(self):
        """The standard deviation of a reading about its emission: (2,), in units of the readings' spread."""
        return self.log_sigma.exp().clamp(min=1e-3)

    def fit(self, memory, z, seen):
        """Return ln p(o_t | z_t), (...) nats; none for a frame that hides something."""
        shown = Gaussian(self.emission(memory, z), self.sigma)
        return shown.log_prob(seen[..., :2]) * seen[..., 2]

    def push(self, action):
        """Return an action as the networks see it: (B,) -> (B, actions - 1), -1 or 1 for two of them."""
        which = F.one_hot(action, self.actions).to(self.mean.dtype)
        return which[:, 1:] - which[:, :1]

    # The interface

    def see(self, frames):
        return self.eyes.see(frames)

    def observed(self, code):
        """Return codes (..., C) in units of the readings' spread: (..., 3)."""
        q, whole = reading(code, 2)
        return torch.cat([(q - self.mean) / self.spread, whole], -1)

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
        """Return one of the states that a push may lead to: noise (B, Z + 2) standard normal -> (B, D)."""
        _, memory, mean, std = self.split(belief)
        memory = self.advance(memory, mean, action)
        return self._arrive(memory, self.prior(memory).draw(noise[:, : self.latent]), noise[:, self.latent :])

    def scatter(self, belief, noise):
        """Return one of the states that a belief holds possible: noise (B, Z) standard normal -> (B, D)."""
        reading_, memory, mean, std = self.split(belief)
        return torch.cat([reading_, memory, mean + std * noise, 0 * std], 1)

    def imagine(self, belief, actions, samples=None, generator=None):
        """Return the mean path (B, N, D), or as many sampled futures, (B, samples, N, D), drawn from `generator`."""
        check_actions(actions, belief.shape[0], among=self.actions)
        check_horizon(actions)
        if samples is None:
            return super().imagine(belief, actions)
        check_samples(samples)

        def noise(size):
            return torch.randn(len(belief) * samples, size, generator=generator, device=generator and generator.device)

        state, states = self.scatter(belief.repeat_interleave(samples, 0), noise(self.latent)), []
        for action in actions.repeat_interleave(samples, 0).unbind(1):
            state = self.sample_step(state, action, noise(self.latent + 2))
            states.append(state)
        return torch.stack(states, 1).unflatten(0, (-1, samples))

    def surprise(self, frames, actions):
        """Return KL(q_t || p_t) after each step, nats: (B, K + 1, H, W), (B, K) -> (B, K)."""
        seen = self.observed(self.see(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]))
        terms = unroll(self, seen, actions, seen.new_zeros(*seen.shape[:2], self.latent))  # along the mean of q
        return terms.kl.sum(-1)[:, 1:]

    def decode(self, states):
        return self.eyes.decode(self.mean + self.spread * states[..., :2])

    def goes_on_logit(self, states):
        """Return how surely the episode goes on, as a logit: (..., D) -> (...)."""
        return self.goes_on(states[..., :2])[..., 0]

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(self.goes_on_logit(states))

    def split(self, belief):
        """Take a belief apart: (B, D) -> reading (B, 2), memory (B, M), mean (B, Z), std (B, Z)."""
        return belief.split([2, self.memory, self.latent, self.latent], -1)

    def _believe(self, memory, seen):
        q = self.posterior(memory, self.prior(memory), seen)
        shown, memory = self.emission(memory, q.mean), self.remember(memory, q.mean, seen)
        return torch.cat([shown, memory, q.mean, q.std], -1)

    def _arrive(self, memory, z, noise=None):
        shown = self.emission(memory, z)
        fed = shown if noise is None else shown + self.sigma * noise  # what a memory that needs a frame is given
        memory = self.remember(memory, z, torch.cat([fed, 0 * fed[:, :1] + 1], 1))
        return torch.cat([shown, memory, z, 0 * z], 1)

    # Learning

    def loss(self, codes, actions, there, progress=None):
        """Return what training minimises, in nats a step: codes (B, T + 1, C), actions (B, T), there (B, T)."""
        seen = self.observed(codes)
        noise = torch.randn(*seen.shape[:2], self.latent)
        terms = unroll(self, seen, actions, noise)
        there = torch.cat([torch.ones_like(there[:, :1]), there], 1)  # the first frame always is
        grown = 1.0 if progress is None or not self.warm_up else min(1.0, progress.share / self.warm_up)
        divergence = terms.kl.sum(-1)
        cost = divergence.clamp(min=self.free_bits) if self.free_bits else divergence
        count = there.sum()
        fit = (terms.fit * there).sum() / count
        return {
            "loss": -fit + self.beta * grown * (cost * there).sum() / count,
            "fit": fit, "KL": (divergence * there).sum() / count,
        }  # fmt: skip

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: the ELBO, and whether it goes on."""
        codes = [seen(self.eyes, part) for part in splits]
        q, whole = reading(codes[0], 2)
        self.mean.copy_(q[whole[:, 0] > 0.5].mean(0))
        self.spread.copy_(q[whole[:, 0] > 0.5].std(0))
        cut = (code_windows(part, one, CHUNK, STRIDE, least=20) for part, one in zip(splits, codes))
        yield Lesson(self.loss, *cut, self.budget, "ELBO")
        yield goes_on_lesson(self, splits, codes)


def check_samples(samples):
    """Raise a clear error unless at least one sample is asked for."""
    if samples < 1:
        raise ValueError(f"{samples} samples; ask for at least 1, or leave it out for the mean path")


class Corrector(nn.Module):
    """The posterior as a corrected prior: mean + gain * (what was read - what was expected), and a std of its own."""

    def __init__(self, memory, latent, hidden=64):
        super().__init__()
        self.latent = latent
        self.net = nn.Sequential(
            nn.Linear(memory + 2 + latent, hidden), nn.Tanh(), nn.Linear(hidden, 4 * latent)
        )

    def forward(self, memory, p, surprise, whole):
        """(B, M), prior p, surprise (B, 2), whole (B, 1) -> Gaussian; the prior itself where nothing was seen."""
        told = self.net(torch.cat([memory, surprise.clamp(-4, 4) / SMALL, p.std], 1))
        gain, shift, raw = told.split([2 * self.latent, self.latent, self.latent], 1)
        bounded = surprise.clamp(-4, 4)  # a filter that believes any surprise may run away
        moved = (gain.unflatten(1, (-1, 2)) * bounded[:, None]).sum(-1) + SMALL * shift
        return Gaussian(p.mean + whole * moved, whole * positive(raw - 3) + (1 - whole) * p.std)
