"""Whether a model uses its latent: what a posterior says beyond its prior, number by number, and what that is good for.

A latent that has collapsed says nothing: its posterior is its prior, whatever is read (Bowman et al. 2016).
"""

import torch

from ..models.elbo import unroll
from ..models.eyes import seen
from ..models.latent_world import code_windows
from ..models.sequential import average
from ..models.training import evaluating, seeded
from .drift import plain
from .probes import linear_probe, r_squared

READ = 35  # steps of the windows on which it is measured


@torch.no_grad()
def latent_use(model, episodes):
    """Measure how a SequentialLatent uses z on windows of Episodes; their first frame counts nothing.

    Returns "nats", the ELBO of a step; "kl", nats a step of each number of z; "moved", the standard deviation of its
    posterior mean less its prior mean, in units of the prior's; "swapped", the nats a step by which the fit is worse
    with the latents of another window; and "speed", the share of the pole's angular velocity's variance that a straight
    line reads off the posterior means, fitted on one half of the windows and judged on the other.
    """
    codes, actions, there = code_windows(episodes, seen(model.eyes, episodes), READ, stride=READ, least=15)
    with seeded(0), evaluating(model):
        observed = model.observed(codes)
        terms = unroll(model, observed, actions, torch.randn(*observed.shape[:2], model.latent))
        swapped = model.fit(terms.memories, terms.latents.roll(1, 0), observed)
    q, p = terms.posterior, terms.prior
    each = terms.kl[:, 1:], ((q.mean - p.mean) / p.std)[:, 1:].square()
    kl, moved = ((one * there[..., None]).sum((0, 1)) / there.sum() for one in each)
    fit, lost = (float(average(one[:, 1:], there)) for one in (terms.fit, terms.fit - swapped))
    return {
        "nats": plain(fit - float(kl.sum())), "kl": plain(kl.tolist()), "moved": plain(moved.sqrt().tolist()),
        "swapped": plain(lost), "speed": plain(_speed(q.mean, episodes)),
    }  # fmt: skip


def _speed(means, episodes):
    """How much of the angular velocity at each window's tenth step a straight line reads off z: posterior means."""
    frame, _, _ = episodes.window_starts(15, READ)
    truth = episodes.world.entry(torch.from_numpy(episodes.states[frame + 10]), "theta_dot")[:, None].float()
    z, half = means[:, 10], len(truth) // 2
    if not z.shape[1]:
        return 0.0
    probe = linear_probe(z[:half], truth[:half])
    return float(r_squared(probe(z[half:]), truth[half:])[0])
