"""What is measured of a belief: its fan of futures, its surprise, how likely it finds what it reads, and its cost."""

import torch

from ..models.eyes import seen
from ..models.latent_world import code_windows
from ..models.sequential import SequentialLatent
from ..models.training import average, evaluating, seeded
from ..world.gusty import GUST_STEPS
from . import belief
from .drift import plain
from .latent_use import READ, latent_use
from .measuring import cost

SAMPLES = 64  # of each window's future
WATCHED, SETTLED = 30, 10  # steps watched for gusts, and those of them in which a belief settles
RECENT = 4  # steps that count as just now


def measured(model, futures, episodes):
    """Judge a belief: "crps" (degrees), "cover_50" and "cover_90" (shares) at each step, "cost", and one fan to show.

    futures: belief.Futures; episodes: those that they were cut from, on which are measured "surprise", the area under
    the curve for "a gust began in the last four steps", "nats" a step, of what its eyes read, and "latent", how it uses
    its latent. A model without a way to be surprised, a likelihood or a latent has None there.
    """
    fans = belief.fan(model, futures, SAMPLES)
    found = {"crps": belief.crps(fans, futures.theta)} | {
        f"cover_{level}": belief.coverage(fans, futures.theta, level / 100) for level in (50, 90)
    }
    by_window = {str(step): plain(found["crps"][:, step - 1].numpy()) for step in belief.STEPS}
    by_window |= {"episode": futures.episode.tolist()}
    one = int(futures.theta[:, :, 9].std(1).argmax())  # the window whose futures differ most
    return {name: plain(values.nanmean(0).numpy()) for name, values in found.items()} | {
        "surprise": plain(surprised(model, episodes)), **likely(model, episodes),
        "cost": cost(model) if hasattr(model, "seconds") else None, "windows": by_window,
        "fan": {"window": one, "theta": plain(fans[one, :24].numpy().round(2))},
    }  # fmt: skip


@torch.no_grad()
def surprised(model, episodes):
    """Return how well a model's surprise tells that a gust began just now: an area under the curve, or NaN."""
    if not hasattr(model, "surprise"):
        return float("nan")
    frames, actions, states = map(torch.from_numpy, episodes.windows(WATCHED, stride=WATCHED))
    with evaluating(model):
        score = model.surprise(frames, actions)[:, SETTLED:]
    return belief.area_under_curve(score.flatten(), just_now(episodes.world, states)[:, SETTLED:].flatten())


def just_now(world, states, recent=RECENT):
    """Say after each step whether a gust began in the last `recent` ones: states (B, K + 1, S) -> (B, K) bool."""
    begins = (world.entry(states, "gust") != 0) & (world.entry(states, "left") == GUST_STEPS - 1)
    return torch.stack([begins[:, max(1, k - recent + 1) : k + 1].any(1) for k in range(1, states.shape[1])], 1)


def likely(model, episodes):
    """Measure "nats", ln p or its bound of what a model's eyes read in a step of Episodes, and "latent", how it uses z.

    None for a model without a likelihood, or without a latent.
    """
    if isinstance(model, SequentialLatent):
        use = latent_use(model, episodes)
        return {"nats": use["nats"], "latent": use}
    if not getattr(model, "stochastic", False) or not hasattr(model, "loss"):
        return {"nats": None, "latent": None}
    windows = code_windows(episodes, seen(model.eyes, episodes), READ, stride=READ, least=15)
    with torch.no_grad(), seeded(0), evaluating(model):
        return {"nats": plain(-float(average(model.loss, windows)["loss"])), "latent": None}
