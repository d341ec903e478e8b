"""What the rungs that doubt share: they live on what the eyes of `position_velocity` read, and draw with their pen.

A reading is two numbers a frame, and whether all is in the picture. Every imagined future is a picture again.
"""

import torch
from torch.nn import functional as F

from .eyes import make_eyes, reading, seen
from .goes_on import goes_on_net
from .latent_world import code_windows
from .world_model import WorldModel, check_actions, check_horizon


class OnReadings(WorldModel):
    """A world model whose state begins with a reading (2), and which imagines one of many futures at a time.

    A subclass defines `begin`, `update` and `step`; and, from standard normal noise, `scatter`, one of the states that
    a belief holds possible, and `sample_step`, one of those that a push may lead to. `scatter_noise` and `step_noise`
    say of how many numbers.
    """

    stochastic = True
    needs_eyes = "balance"
    scatter_noise = step_noise = 0

    def __init__(self, actions=2):
        super().__init__()
        self.eyes, self.actions = make_eyes("balance"), actions
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))
        self.goes_on = goes_on_net(2)

    def push(self, action):
        """Return an action as the networks see it: (B,) -> (B, actions - 1), -1 or 1 for two of them."""
        which = F.one_hot(action, self.actions).to(self.mean.dtype)
        return which[:, 1:] - which[:, :1]

    def see(self, frames):
        return self.eyes.see(frames)

    def observed(self, code):
        """Return codes (..., C) in units of the readings' spread, and whether all was seen: (..., 3).

        What hides something may read as anything, so it reads as nothing here.
        """
        q, whole = reading(code, 2)
        return torch.cat([torch.where(whole > 0.5, (q - self.mean) / self.spread, 0.0), whole], -1)

    def scatter(self, belief, noise):
        """Return one of the states that a belief holds possible: (B, D), (B, scatter_noise) -> (B, D)."""
        raise NotImplementedError(f"{type(self).__name__} does not define scatter(belief, noise)")

    def sample_step(self, belief, action, noise):
        """Return one of the states that a push may lead to: (B, D), (B,), (B, step_noise) -> (B, D)."""
        raise NotImplementedError(f"{type(self).__name__} does not define sample_step(belief, action, noise)")

    def imagine(self, belief, actions, samples=None, generator=None):
        """Return the mean path (B, N, D), or as many sampled futures, (B, samples, N, D), drawn from `generator`."""
        check_actions(actions, belief.shape[0], among=self.actions)
        check_horizon(actions)
        if samples is None:
            return super().imagine(belief, actions)
        if samples < 1:
            raise ValueError(f"{samples} samples; ask for at least 1, or leave it out for the mean path")

        def noise(size):
            return torch.randn(len(belief) * samples, size, generator=generator, device=generator and generator.device)

        state, states = self.scatter(belief.repeat_interleave(samples, 0), noise(self.scatter_noise)), []
        for action in actions.repeat_interleave(samples, 0).unbind(1):
            state = self.sample_step(state, action, noise(self.step_noise))
            states.append(state)
        return torch.stack(states, 1).unflatten(0, (-1, samples))

    def decode(self, states):
        return self.eyes.decode(self.mean + self.spread * states[..., :2])

    def goes_on_logit(self, states):
        """Return how surely the episode goes on, as a logit: (..., D) -> (...)."""
        return self.goes_on(states[..., :2])[..., 0]

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(self.goes_on_logit(states))

    def looked(self, splits):
        """Look at every frame of Episodes for training and for validation, and learn how readings are spread: codes."""
        codes = [seen(self.eyes, part) for part in splits]
        q, whole = reading(codes[0], 2)
        self.mean.copy_(q[whole[:, 0] > 0.5].mean(0))
        self.spread.copy_(q[whole[:, 0] > 0.5].std(0))
        return codes


def sequences(splits, codes, steps, stride, least):
    """Cut both splits into sequences of so many steps, `stride` apart, with at least so many of the episode."""
    return [code_windows(part, one, steps, stride, least=least) for part, one in zip(splits, codes, strict=True)]
