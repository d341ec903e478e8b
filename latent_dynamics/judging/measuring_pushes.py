"""What a model with a latent at each step believes that a push does, held to the simulator; and the terms of its ELBO.

A model that has learned from a player who saw more than it does may take the player's pushes for news of what it can't
see. Then it believes something else of a push than a push does. It shows where it is least sure: after a single frame.
"""

import torch

from ..models.eyes import seen
from ..models.latent_world import code_windows
from ..models.sequential import CHUNK
from ..models.training import average, evaluating, seeded
from ..world.cartpole import X_LIMIT
from ..world.reader import degrees, read
from .drift import plain

CONTEXT, STRIDE, AHEAD = 10, 20, 5  # steps seen before; between two windows; for which a push is held
SEEN = (1, CONTEXT + 1)  # frames


def measured(model, episodes):
    """Return {"pushes": what `pushed` finds, "fit" and "KL": nats a step} of a model on Episodes."""
    found = {name: plain(values.numpy()) for name, values in pushed(model, episodes).items()}
    return {"pushes": found} | terms(model, episodes)


@torch.no_grad()
def pushed(model, episodes):
    """Return what comes of holding a push to the right, less a push to the left: degrees, for each window (M,).

    {"truth 2", "truth 5": two and five steps on, in the simulator, where no new gust begins; "1 frame 2", "11 frames
    2" and so on: as the model believes after so many frames, NaN where it shows no pole; "episode"}. All start from the
    same states. Two steps on, only the first push counts: it first changes a speed, then a place.
    """
    world = episodes.world
    frames, actions, states = map(torch.from_numpy, episodes.windows(CONTEXT, stride=STRIDE))
    episode = torch.from_numpy(episodes.window_starts(CONTEXT, STRIDE)[2])
    both = torch.tensor([0, 1]).repeat_interleave(AHEAD).unflatten(0, (2, AHEAD))  # (2, AHEAD)
    start = states[:, -1]

    def answers(step):
        """Put both pushes to something (M, AHEAD) -> degrees (M, AHEAD); return their difference."""
        left, right = (step(push.expand(len(start), -1)) for push in both)
        return right - left

    truth = answers(lambda pushes: degrees(world.entry(world.simulate(start, pushes), "theta")))
    stays = (world.entry(start, "x").abs() < X_LIMIT - 0.4) & ~world.fallen(start)
    found = {f"truth {step}": truth[:, step - 1] for step in (2, AHEAD)}
    with evaluating(model):
        for count in SEEN:
            belief = model.observe(frames[:, -count:], actions[:, CONTEXT + 1 - count :])

            def dreamt(pushes, belief=belief):
                shown = read(model.decode(model.imagine(belief, pushes)))
                return torch.where(shown.valid, degrees(shown.theta).double(), torch.nan)

            answer = answers(dreamt)
            name = f"{count} frame{'s' * (count > 1)}"
            found |= {f"{name} {step}": answer[:, step - 1] for step in (2, AHEAD)}
    return {name: values[stays] for name, values in (found | {"episode": episode}).items()}


@torch.no_grad()
def terms(model, episodes):
    """Return the two terms of the ELBO, "fit" and "KL", nats a step, on windows as in training."""
    windows = code_windows(episodes, seen(model.eyes, episodes), CHUNK, stride=CHUNK, least=20)
    with seeded(0), evaluating(model):
        found = average(model.loss, windows)
    return {name: float(found[name]) for name in ("fit", "KL")}
