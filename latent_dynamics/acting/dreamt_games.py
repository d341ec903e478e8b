"""An actor, and the games that it plays in a dream: nobody looks at the world, and nobody scores but the model.

A dreamt game is worth the steps that the model expects it to last: the sum over t of p_1 p_2 ... p_t, where p_t is the
chance that the episode goes on (`outcome`).
"""

import torch
from torch import nn

from ..models.stepwise import stepwise
from .controllers import beliefs_of

LIKELY = 1e-6  # no step is believed to be deadlier
NEVER = 1e9  # spread of a number that an actor shall not heed


class Actor(nn.Module):
    """Pushes right where weight . (belief, standardised) + bias > 0: Ha and Schmidhuber's controller (2018).

    beliefs (M, D): among which it will act; dreamt (M, D): what is dreamt next of each, if it learns in dreams. Its
    weights begin at 0.
    """

    def __init__(self, beliefs, dreamt=None):
        super().__init__()
        self.register_buffer("mean", beliefs.mean(0))
        # what hardly changes is no reason to push
        spread = beliefs.std(0).clamp(min=0.01)
        if dreamt is not None:
            # nor what says nothing in a dream, such as a doubt
            silent = dreamt.std(0) < 1e-6
            spread = torch.where(silent, NEVER, spread)
        self.register_buffer("spread", spread)
        self.weight = nn.Parameter(torch.zeros(beliefs.shape[1]))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, beliefs):
        """Return how surely one should push right, as a logit: (..., D) -> (...)."""
        return self.standardised(beliefs) @ self.weight + self.bias

    def standardised(self, beliefs):
        """Return beliefs (..., D) in units of their spread, none of them farther out than 5."""
        return ((beliefs - self.mean) / self.spread).clamp(-5, 5)

    @torch.no_grad()
    def act(self, beliefs):
        """Return the push: (B, D) -> (B,) int64."""
        return (self(beliefs) > 0).long()


@torch.no_grad()
def where_dreams_begin(model, episodes, within=None):
    """Return beliefs after frames of recorded episodes, from which dreams can begin: (M, D).

    within: of each episode's first so many frames; None: of all but those at which they had ended.
    """
    begins = torch.zeros(len(episodes.frames), dtype=torch.bool)
    for frame, length in zip(episodes.first_frames, episodes.lengths, strict=True):
        begins[frame : frame + min(length, within or length)] = True
    return beliefs_of(model, episodes)[begins].float()


class Known:
    """Where a model has been: a box, between the extremes of each number of real beliefs (M, D), and a little more."""

    def __init__(self, beliefs, margin=0.1):
        low, high = beliefs.min(0).values, beliefs.max(0).values
        room = margin * (high - low) + 1e-3
        self.low, self.high = low - room, high + room

    def holds(self, states):
        """Say of each state whether it lies in the box: (B, D) -> (B,) bool."""
        return ((states > self.low) & (states < self.high)).all(1)


def dreamt_return(
    model, policy, beliefs, steps,
    temperature=0.0, generator=None, known=None,
):  # fmt: skip
    """Return how many of so many steps a model expects a player of its dreams to survive: (B,).

    policy: maps states (B, D) to pushes, int64 (B,); or, to be learned through, float (B,) from 0, left, to 1; beliefs
    (B, D): where the dreams begin; temperature: of the noise of models that doubt, 0 for their mean path, 1 as they
    believe; known: Known, if a dream is to be over outside (after Kidambi et al. 2020).
    """
    model, tau = stepwise(model, ("step",)), temperature

    def noise(size):
        return tau * torch.randn(len(beliefs), size, generator=generator)

    states = beliefs
    if tau:
        states = model.scatter(states, noise(model.scatter_noise))
    lives = total = torch.zeros(len(beliefs))
    for _ in range(steps):
        pushes = policy(states)
        dice = noise(model.step_noise) if tau else None
        states = _moved(model, states, pushes, dice)
        goes_on = model.outcome(states)[1].clamp(min=LIKELY)
        if known:
            goes_on = torch.where(known.holds(states), goes_on, LIKELY)
        lives = lives + goes_on.log()
        total = total + lives.exp()
    return total


def _moved(model, states, pushes, dice):
    """Where pushes lead; of a push between both, the mean of where both lead."""

    def led(which):
        if dice is None:
            return model.step(states, which)
        return model.sample_step(states, which, dice)

    if not pushes.is_floating_point():
        return led(pushes)
    left = led(torch.zeros_like(pushes, dtype=torch.int64))
    right = led(torch.ones_like(pushes, dtype=torch.int64))
    return left + pushes[:, None] * (right - left)
