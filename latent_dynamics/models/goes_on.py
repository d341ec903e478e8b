"""Whether the episode goes on: what every rung learns last, from each transition once.

It learns from what the filter believes when a step has been seen, which is where every dream begins. Learned from
windows instead, an interior step would stand up to thirty times for each end, and ends would be believed in far too
rarely.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .training import Budget, Lesson

ENDS = Budget(epochs=40, batch_size=128, learning_rate=1e-2)


def goes_on_net(size):
    """Make what tells from `size` numbers whether the episode goes on: a logit."""
    return nn.Sequential(nn.Linear(size, 32), nn.ReLU(), nn.Linear(32, 1))


def goes_on_lesson(model, splits, codes):
    """Return the lesson in which `model.goes_on_logit` is learned, when all else has been.

    splits: Episodes for training and for validation; codes: what the model sees in each, (F, C).
    """

    def loss(states, terminated):
        return {"loss": F.binary_cross_entropy_with_logits(model.goes_on_logit(states), 1 - terminated)}

    return Lesson(loss, *(arrivals(model, *part) for part in zip(splits, codes, strict=True)), ENDS, "goes on")


@torch.no_grad()
def arrivals(model, episodes, codes):
    """Return what is believed after each step of the episodes, (M, D), and whether the episode ended there, (M,)."""
    beliefs = filtered(model, episodes, codes)[episodes.before + 1]
    return beliefs, torch.from_numpy(episodes.terminated).float()


@torch.no_grad()
def filtered(model, episodes, codes):
    """Return what the model believes after each frame of whole episodes: codes (F, C) -> (F, D)."""
    frame, step = episodes.first_frames, episodes.first_steps
    first = model.begin(codes[frame])  # (E, D)
    beliefs = first.new_empty(len(codes), first.shape[1])
    beliefs[frame] = first
    actions = torch.from_numpy(episodes.actions)
    for t in range(episodes.lengths.max()):
        going = episodes.lengths > t
        now, pushed = frame[going] + t, actions[step[going] + t]
        beliefs[now + 1] = model.update(beliefs[now], pushed, codes[now + 1])
    return beliefs
