"""Any world model, driven frame by frame, whether or not it defines the functions of a single step."""

import math

import torch

from .world_model import WorldModel

STEPS = ("see", "begin", "update", "step")


def defines(model, name):
    """Say whether a model has a method of its own of this name."""
    return getattr(type(model), name, None) not in (None, getattr(WorldModel, name, None))


def stepwise(model, functions=STEPS):
    """Return the model itself if it defines these functions of a single step, else a wrapper that does."""
    return model if all(defines(model, name) for name in functions) else OneStepAtATime(model)


class OneStepAtATime(WorldModel):
    """Any world model, driven frame by frame: what it has not seen since it last looked, it is shown as it dreamt it.

    A belief is (the model's own D numbers, then for each of the last K + 1 frames its pixels, the push that led to it
    and whether there was one).
    """

    def __init__(self, model, remember=11):
        super().__init__()
        self.model, self.remember, self.frame_shape = model, remember, model.frame_shape
        self.row = math.prod(self.frame_shape) + 2
        self.state_size = model.state_size + remember * self.row

    def see(self, frames):
        return frames.flatten(1)

    def begin(self, code):
        rows = torch.zeros(len(code), self.remember, self.row)
        rows[:, -1] = self._row(code, torch.zeros(len(code)))
        return self._belief(rows)

    def update(self, belief, action, code):
        rows = self._rows(belief)
        return self._belief(torch.cat([rows[:, 1:], self._row(code, action)[:, None]], 1))

    def step(self, belief, action):
        state = self.model.imagine(belief[:, : self.model.state_size], action[:, None])[:, 0]
        rows = torch.cat(
            [self._rows(belief)[:, 1:], self._row(self.model.decode(state).flatten(1), action)[:, None]], 1
        )
        return torch.cat([state.float(), rows.flatten(1)], 1)

    def decode(self, states):
        return self.model.decode(states[..., : self.model.state_size])

    @staticmethod
    def _row(code, action):
        return torch.cat([code.float(), action.float()[:, None], torch.ones(len(code), 1)], 1)

    def _rows(self, belief):
        return belief[:, self.model.state_size :].unflatten(1, (self.remember, self.row))

    def _belief(self, rows):
        seen = int(rows[0, :, -1].sum())  # all of a batch are equally long
        frames = rows[:, -seen:, :-2].unflatten(2, self.frame_shape)
        state = self.model.observe(frames, rows[:, -seen + 1 :, -2].long() if seen > 1 else rows[:, :0, -2].long())
        return torch.cat([state.float(), rows.flatten(1)], 1)
