"""The one interface that every world model answers to.

Whatever judges, draws, plans or plays uses these five methods and nothing else, so that one protocol judges
all models, and a reader's own model drops in. Beliefs and states are plain tensors of D numbers; a model says
in its docstring what it packs into them.
"""

import torch
from torch import nn


class WorldModel(nn.Module):
    """A model that filters what it sees into a belief, and imagines what it does not see.

    A subclass sets `state_size` (D) and `frame_shape` (H, W), and defines `filter`, `imagine` and `decode`; or `decode`
    and the four functions of a single step, `see`, `begin`, `update` and `step`, of which `filter` and `imagine` are
    made here. A model that has them can be sent to a page, which then needs no Python to dream with it. A model that
    looks through eyes which are trained on their own (models/eyes.py) says which in `needs_eyes`, and keeps such in
    `eyes`.
    """

    state_size: int
    actions: int = 2  # of its world
    needs_eyes: str | None = None  # "autoencoder", "balance", or its own way of seeing
    frame_shape: tuple = (32, 100)

    def filter(self, frames, actions):
        """Return the belief after each frame: (B, K + 1, H, W) in [0, 1], (B, K) int64 -> (B, K + 1, D)."""
        check_frames(frames, self.frame_shape)
        check_actions(actions, frames.shape[0], frames.shape[1] - 1, self.actions)
        codes = self.see(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])  # (B, K + 1, C)
        beliefs = [self.begin(codes[:, 0])]
        for action, code in zip(actions.unbind(1), codes[:, 1:].unbind(1), strict=True):
            beliefs.append(self.update(beliefs[-1], action, code))
        return torch.stack(beliefs, 1)

    def observe(self, frames, actions):
        """Return the belief after the last frame: (B, D)."""
        return self.filter(frames, actions)[:, -1]

    def imagine(self, belief, actions, samples=None):
        """Return the N states that actions lead to, unseen: (B, D), (B, N) int64 -> (B, N, D)."""
        refuse_samples(self, samples)
        check_actions(actions, belief.shape[0], among=self.actions)
        check_horizon(actions)
        states = []
        for action in actions.unbind(1):
            belief = self.step(belief, action)
            states.append(belief)
        return torch.stack(states, 1)

    def see(self, frames):
        """Return what single frames say: (B, H, W) -> codes (B, C)."""
        raise NotImplementedError(f"{type(self).__name__} defines neither filter(frames, actions) nor see(frames)")

    def begin(self, code):
        """Return the belief after a first frame: (B, C) -> (B, D)."""
        raise NotImplementedError(f"{type(self).__name__} defines neither filter(frames, actions) nor begin(code)")

    def update(self, belief, action, code):
        """Return the belief after a push and the frame that followed: (B, D), (B,), (B, C) -> (B, D)."""
        raise NotImplementedError(f"{type(self).__name__} defines neither filter(...) nor update(belief, action, code)")

    def step(self, belief, action):
        """Return the belief after a push, with closed eyes: (B, D), (B,) int64 -> (B, D)."""
        raise NotImplementedError(f"{type(self).__name__} defines neither imagine(...) nor step(belief, action)")

    def decode(self, states):
        """Draw states: (..., D) -> frames (..., H, W) in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} does not define decode(states)")

    def outcome(self, states):
        """Return expected reward (...) and the probability (...) that the episode goes on.

        CartPole pays 1 for every step, the last one too, so its reward is a constant that no model need learn.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define outcome(states)")


def check_frames(frames, shape=(32, 100)):
    """Raise a clear error unless frames are (B, K + 1, *shape) floats in [0, 1], without NaN."""
    if not torch.is_tensor(frames) or not frames.is_floating_point():
        kind = frames.dtype if hasattr(frames, "dtype") else type(frames).__name__
        raise TypeError(f"frames are {kind}; a model reads float tensors in [0, 1]: ld.preprocess makes them")
    if frames.ndim != 2 + len(shape) or frames.shape[2:] != tuple(shape):
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"frames have shape {tuple(frames.shape)}; expected (B, K + 1, {wanted})")
    if frames.shape[1] == 0 or frames.shape[0] == 0:
        raise ValueError(f"frames have shape {tuple(frames.shape)}: there is nothing to see; give at least one frame")
    if torch.isnan(frames).any():
        raise ValueError("frames hold NaN; look for a division by zero in what made them")
    if frames.min() < -1e-4 or frames.max() > 1 + 1e-4:
        raise ValueError(
            f"frames range over [{frames.min():.3g}, {frames.max():.3g}]; expected [0, 1]: divide bytes by 255"
        )


def check_actions(actions, batch, steps=None, among=2):
    """Raise a clear error unless actions are (batch, steps) int64, each from 0 to among - 1."""
    if not torch.is_tensor(actions) or actions.dtype != torch.int64:
        kind = actions.dtype if hasattr(actions, "dtype") else type(actions).__name__
        raise TypeError(f"actions are {kind}; expected an int64 tensor of whole numbers from 0 to {among - 1}")
    if actions.ndim != 2 or actions.shape[0] != batch or (steps is not None and actions.shape[1] != steps):
        wanted = f"({batch}, {'N' if steps is None else steps})"
        raise ValueError(f"actions have shape {tuple(actions.shape)}; expected {wanted}: one action between two frames")
    if actions.numel() and not ((actions >= 0) & (actions < among)).all():
        found = f"{int(actions.min())}..{int(actions.max())}"
        raise ValueError(f"actions range over {found}; the world knows 0..{among - 1}")


def check_horizon(actions):
    """Raise a clear error unless there is at least one action to imagine with."""
    if actions.shape[1] == 0:
        raise ValueError("a horizon of 0 steps: give at least one action to imagine with")


def refuse_samples(model, samples):
    """Raise a clear error when a deterministic model is asked for samples."""
    if samples is not None:
        raise ValueError(
            f"{type(model).__name__} is deterministic: it has one future, not {samples}; leave samples out"
        )
