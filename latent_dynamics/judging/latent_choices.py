"""Whether a model uses a latent of choices: as `latent_use`, with the KL that choices have."""

import torch

from ..models.eyes import seen
from ..models.latent_world import code_windows
from ..models.training import evaluating, seeded
from . import measuring_belief
from .drift import plain
from .latent_use import READ
from .latent_use import latent_use as as_gaussian


@torch.no_grad()
def measured(model, futures, episodes):
    """Judge a belief as `measuring_belief.measured` does, whatever its latent is made of.

    Of a latent of choices "kl" has a figure for each choice, and "moved" for each class of each.
    """
    found = measuring_belief.measured(model, futures, episodes)
    return found | likely(model, episodes) if hasattr(model, "walk") else found


@torch.no_grad()
def likely(model, episodes):
    """Measure the ELBO of a step in nats, and how a VRNNOfChoices uses its latent, as `latent_use` says it."""
    codes, actions, there = code_windows(episodes, seen(model.eyes, episodes), READ, stride=READ, least=15)
    with seeded(0), evaluating(model):
        observed = model.observed(codes)
        terms = model.walk(observed, actions, torch.randn(*observed.shape[:2], model.latent))
    kl, fit = ((one[:, 1:] * there[..., None]).sum((0, 1)) / there.sum() for one in (terms.kl, terms.fit[..., None]))
    nats = plain(float(fit.sum() - kl.sum()))
    return {"nats": nats, "latent": as_gaussian(model, episodes) | {"nats": nats, "kl": plain(kl.tolist())}}
