"""The two ways to run a world model forward: teacher forcing and free rollout.

Both start after K context steps, and both give N states, the one for step h at index h - 1. In teacher forcing
the model sees every real frame and predicts one step from each. In a free rollout it sees no frame any more.
At step 1 the two are the same thing, and a test holds them to it.
"""

import torch

from ..models.world_model import check_actions, check_frames
from ..world.devices import at_home


def check_window(frames, actions, context):
    """Raise a clear error unless frames (B, K + N + 1, H, W) and actions (B, K + N) leave a horizon N >= 1."""
    check_frames(frames, tuple(frames.shape[2:]) if getattr(frames, "ndim", 0) in (4, 5) else (32, 100))
    check_actions(actions, frames.shape[0], frames.shape[1] - 1)
    if not 0 <= context < actions.shape[1]:
        raise ValueError(
            f"{context} context steps of a window of {actions.shape[1]}: "
            f"choose 0 to {actions.shape[1] - 1}, so that a step is left to predict"
        )


@torch.no_grad()
def teacher_forced(model, frames, actions, context):
    """Predict each frame after the context from the real ones before it: (B, N, D)."""
    check_window(frames, actions, context)
    with at_home(model) as bring:
        frames, actions = bring(frames), bring(actions)
        # (B, N, D): after frames K .. K + N - 1
        beliefs = model.filter(frames[:, :-1], actions[:, :-1])[:, context:]
        lead = beliefs.shape[:2]
        one_step = model.imagine(  # (B N, 1, D)
            beliefs.flatten(0, 1), actions[:, context:].reshape(-1, 1)
        )
    return one_step[:, 0].reshape(*lead, -1)


@torch.no_grad()
def free(model, frames, actions, context, samples=None, generator=None):
    """Predict every frame after the context from the context alone: (B, N, D).

    With `samples`, of a stochastic model, as many futures of each window, drawn from `generator`: (B, samples, N, D).
    """
    check_window(frames, actions, context)
    with at_home(model) as bring:
        frames, actions = bring(frames), bring(actions)
        seen, pushes = frames[:, : context + 1], actions[:, context:]
        belief = model.observe(seen, actions[:, :context])
        if samples is None:
            return model.imagine(belief, pushes)
        return model.imagine(
            belief, pushes, samples=samples, generator=generator
        )
