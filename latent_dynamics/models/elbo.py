"""The sequential ELBO: what every model with a latent at each step is trained by, and what is proved about it.

log p(o_{1:T} | a) >= sum_t E_q[ln p(o_t | z_t)] - E_q[KL(q_t || p_t)]
"""

from typing import NamedTuple

import torch

from .gaussian import Gaussian, kl


class Terms(NamedTuple):
    """What the ELBO is made of, at each step; nats."""

    fit: torch.Tensor  # (B, T): ln p(o_t | z_t)
    kl: torch.Tensor  # (B, T, Z): KL(q_t || p_t), of each number of the latent
    prior: Gaussian  # (B, T, Z): p_t
    posterior: Gaussian  # (B, T, Z): q_t
    latents: torch.Tensor  # (B, T, Z): z_t, drawn from the posterior
    memories: torch.Tensor  # (B, T, M): m_t

    def elbo(self, there, weight=1.0):
        """Return the ELBO of each sequence (B,) in nats; steps where `there` (B, T) is 0 count nothing."""
        return ((self.fit - weight * self.kl.sum(-1)) * there).sum(1)


def unroll(model, seen, actions, noise):
    """Walk along sequences with the posterior, and return the Terms of their ELBO.

    seen (B, T, E): what is known of each observation; for a filter the observation itself. actions (B, T - 1); noise
    (B, T, Z): standard normal, from which each z_t is drawn.
    A model gives, of its memory m and its latent z, and for any leading dimensions,
      first(B) -> m_1                advance(m, z, a) -> the next m    remember(m, z, seen) -> m, when z is known
      prior(m) -> p_t                posterior(m, p, seen) -> q_t      fit(m, z, seen) -> ln p(o_t | z_t)
    """
    memories, priors, posteriors, latents = [], [], [], []
    memory = model.first(len(seen))
    for t in range(seen.shape[1]):
        p = model.prior(memory)
        q = model.posterior(memory, p, seen[:, t])
        z = q.draw(noise[:, t])
        for found, one in zip((memories, priors, posteriors, latents), (memory, p, q, z)):
            found.append(one)
        if t < actions.shape[1]:
            memory = model.advance(model.remember(memory, z, seen[:, t]), z, actions[:, t])
    memories, latents = torch.stack(memories, 1), torch.stack(latents, 1)
    p, q = (Gaussian(*(torch.stack(part, 1) for part in zip(*walked))) for walked in (priors, posteriors))
    return Terms(model.fit(memories, latents, seen), kl(q, p), p, q, latents, memories)
