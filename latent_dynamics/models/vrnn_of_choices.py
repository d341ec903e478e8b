"""A memory beside a latent of choices: z_t picks one of eight, several times over, and is no point in a space."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from .elbo import unroll
from .gaussian import choose
from .sequential import average
from .vrnn import VRNN

CLASSES = 8  # among which each choice is made


class Choices(NamedTuple):
    """What to choose with which chance, several times, each on its own; stands where a VRNN has a Gaussian."""

    mean: torch.Tensor  # (..., Z): chances, those of one choice after those of another; each choice's add up to 1
    std: torch.Tensor  # (..., Z): standard deviation of whether one is picked

    @classmethod
    def of(cls, raw):
        """Make chances of any numbers (..., Z)."""
        chances = F.softmax(raw.unflatten(-1, (-1, CLASSES)), -1).flatten(-2)
        return cls(chances, (chances * (1 - chances)).clamp(min=1e-8).sqrt())

    def draw(self, noise):
        """Return a one where a class is picked, noughts elsewhere: (B, Z), by the first number of each choice's noise.

        Gradients pass as if chances themselves had been returned (Bengio et al. 2013).
        """
        each = self.mean.detach().unflatten(-1, (-1, CLASSES))
        dice = noise.unflatten(-1, (-1, CLASSES))[..., 0]
        picked = choose(each.flatten(0, 1), dice.flatten())
        hot = F.one_hot(picked, CLASSES).to(each.dtype)
        hot = hot.reshape(self.mean.shape)
        return hot + self.mean - self.mean.detach()


def kl_of_choices(q, p):
    """Return KL(q || p) of each choice: (..., Z / CLASSES) nats."""
    apart = q.mean * (q.mean.clamp(min=1e-8).log() - p.mean.clamp(min=1e-8).log())
    return apart.unflatten(-1, (-1, CLASSES)).sum(-1)


class VRNNOfChoices(VRNN):
    """`VRNN`, but z_t is `choices` times one of eight: Hafner et al. (2021).

    A belief carries chances where that of `VRNN` has means; D is as there, with Z = 8 * choices.
    """

    def __init__(self, choices=4, hidden=64, sigma=None, epochs=None, actions=2):
        super().__init__(CLASSES * choices, hidden=hidden, sigma=sigma, epochs=epochs, actions=actions)
        self.expects = nn.Sequential(nn.Linear(self.wide, hidden), nn.Tanh(), nn.Linear(hidden, self.latent))
        self.infers = nn.Sequential(nn.Linear(self.wide + 3, hidden), nn.Tanh(), nn.Linear(hidden, self.latent))

    def prior(self, memory):
        return Choices.of(self.expects(memory[:, : self.wide]))

    def posterior(self, memory, p, seen):
        h, before, _, begun = self.parts(memory)
        told, whole = (seen[:, :2] - before) / self.scale(begun), seen[:, 2:]
        q = Choices.of(self.infers(torch.cat([h, told.clamp(-20, 20), begun], 1)))
        return Choices(*(whole * one + (1 - whole) * other for one, other in zip(q, p)))

    def scatter(self, belief, noise):
        shown, memory, chances, std = self.split(belief)
        return torch.cat([shown, memory, Choices(chances, std).draw(noise), 0 * std], 1)

    def walk(self, seen, actions, noise):
        """Return the `Terms` of the ELBO, as `unroll` does, with the KL of each choice: (B, T, choices)."""
        terms = unroll(self, seen, actions, noise)
        return terms._replace(kl=kl_of_choices(terms.posterior, terms.prior))

    def loss(self, codes, actions, there, progress=None):
        seen = self.observed(codes)
        terms = self.walk(seen, actions, torch.randn(*seen.shape[:2], self.latent))
        there = torch.cat([torch.ones_like(there[:, :1]), there], 1)  # the first frame always is
        fit, divergence = (average(one, there) for one in (terms.fit, terms.kl.sum(-1)))
        return {"loss": divergence - fit, "fit": fit, "KL": divergence}

    def surprise(self, frames, actions):
        before, seen = self.filter(frames, actions)[:, :-1], self.see(frames[:, 1:].flatten(0, 1))
        _, memory, z, _ = self.split(before.flatten(0, 1))
        memory = self.advance(memory, z, actions.flatten())
        p = self.prior(memory)
        q = self.posterior(memory, p, self.observed(seen))
        return kl_of_choices(q, p).sum(-1).unflatten(0, actions.shape)
