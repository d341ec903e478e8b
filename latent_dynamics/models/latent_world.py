"""What the rungs of Part II share: they live on what trained eyes see, and learn on windows of it.

The eyes are trained once and then left alone, so that what a rung gains or loses comes from the one thing it changes.
"""

from dataclasses import replace

import numpy as np
import torch

from .eyes import make_eyes, reading, seen
from .goes_on import goes_on_lesson, goes_on_net
from .training import Budget, Lesson
from .world_model import WorldModel


class LatentWorld(WorldModel):
    """A world model whose state begins with z, `latent_size` numbers. A subclass defines begin, update and step.

    eyes: what z is, "autoencoder" or the two positions of "balance"; context: steps that it sees in training before it
    dreams; horizon: steps that it dreams there, each from its own last state; noise: spread of what is added to the
    latents it sees in training, in units of their change in a step; longer: how many times as long as usual it is
    trained; actions: how many its world has; shape: of the frames that it sees.
    """

    budget = Budget(epochs=20, batch_size=128, learning_rate=3e-3)
    skips = False  # whether training leaves out the first frames of some windows, so that it has seen 5 or more

    def __init__(
        self, latent_size=8, context=1, horizon=1, noise=0.0, longer=1, eyes="autoencoder", actions=2, shape=(32, 100)
    ):
        super().__init__()
        if context < 0 or horizon < 1 or noise < 0 or longer not in range(1, 1000):
            raise ValueError(
                f"context {context}, horizon {horizon}, noise {noise}, longer {longer}; expected at least 0, at least "
                "1, at least 0, and a whole number from 1"
            )
        self.actions, self.needs_eyes, self.frame_shape = actions, eyes, shape
        self.eyes = make_eyes(eyes, latent_size, shape)
        self.latent_size, self.context, self.horizon, self.noise = self.eyes.size, context, horizon, noise
        self.budget = replace(self.budget, epochs=longer * self.budget.epochs)
        self.goes_on = goes_on_net(self.latent_size)
        for name, start in (("mean", 0.0), ("spread", 1.0), ("change_spread", 1.0)):
            self.register_buffer(name, torch.full((self.latent_size,), start))

    @property
    def autoencoder(self):
        """The eyes, by the name that chapters call them by."""
        return self.eyes

    def scaled(self, z):
        """Return latents (..., latent_size) in units of their spread over the training frames."""
        return (z - self.mean) / self.spread

    def see(self, frames):
        return self.eyes.see(frames)

    def latent(self, belief, action, code):
        """Return z as a frame shows it, (B, latent_size); where eyes say that it hides something, as it is dreamt."""
        if code.shape[-1] == self.latent_size:
            return code
        z, whole = reading(code, self.latent_size)
        return whole * z + (1 - whole) * self.step(belief, action)[..., : self.latent_size]

    def decode(self, states):
        return self.eyes.decode(states[..., : self.latent_size])

    def goes_on_logit(self, states):
        """Return how surely the episode goes on, as a logit: (..., D) -> (...)."""
        return self.goes_on(self.scaled(states[..., : self.latent_size]))[..., 0]

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(self.goes_on_logit(states))

    def miss(self, dreamt, z):
        """Return what it costs to dream z wrong: the squared error in units of a step's change, (B, latent_size)."""
        return ((dreamt - z) / self.change_spread).square()

    def loss(self, codes, actions, there):
        """What dreamt latents miss, averaged over the latent, the steps of the dream and the windows.

        codes (B, T + 1, C), actions (B, T): the first `context` steps are seen, the other T - context are dreamt. There
        (B, T) is 1 for a step of the episode, and 0 for what only fills the window after its end; that counts nothing.
        """
        z, whole = reading(codes, self.latent_size)
        shown = codes
        if self.training and self.noise:
            noised = z + self.noise * self.change_spread * torch.randn_like(z)
            shown = torch.cat([noised, codes[..., self.latent_size :]], -1)
        first = (
            int(torch.randint(0, max(0, self.context - 5) + 1, ()))
            if self.training and self.skips
            else 0
        )
        belief = self.begin(shown[:, first])
        for t in range(first, self.context):
            belief = self.update(belief, actions[:, t], shown[:, t + 1])
        errors = []
        for t in range(self.context, actions.shape[1]):
            belief = self.step(belief, actions[:, t])
            errors.append(
                self.miss(belief[:, : self.latent_size], z[:, t + 1]).mean(1)
            )
        # (B, T - context)
        counts = (there * whole[:, 1:, 0])[:, self.context :]
        return {
            "loss": (torch.stack(errors, 1) * counts).sum()
            / counts.sum().clamp(min=1)
        }

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: dreams, and whether it goes on."""
        codes = [seen(self.eyes, part) for part in splits]
        z, whole = reading(codes[0], self.latent_size)
        shown, before = whole[:, 0] > 0.5, splits[0].before
        self.mean.copy_(z[shown].mean(0))
        self.spread.copy_(z[shown].std(0))
        self.change_spread.copy_((z[before + 1] - z[before])[shown[before] & shown[before + 1]].std(0))
        steps = self.context + self.horizon
        cut = (code_windows(part, one, steps, least=self.context + 1) for part, one in zip(splits, codes))
        yield Lesson(self.loss, *cut, self.budget)
        yield goes_on_lesson(self, splits, codes)


def code_windows(episodes, codes, steps, stride=1, least=None):
    """Cut windows out of the episodes: codes (M, steps + 1, C), actions (M, steps), there (M, steps).

    A window begins wherever `least` steps are left, by default all of them. What an episode has not, after its end, is
    filled with its last frame, and `there` is 0: so that short episodes teach too.
    """
    frame, step, episode = episodes.window_starts(min(least or steps, steps), stride)
    left = (episodes.first_steps + episodes.lengths)[episode] - step  # steps from the window's start
    at = np.minimum(np.arange(steps + 1), left[:, None])  # (M, steps + 1): stay on the last frame
    taken = np.minimum(np.arange(steps), left[:, None] - 1)
    there = torch.from_numpy(np.arange(steps) < left[:, None]).float()
    return codes[frame[:, None] + at], torch.from_numpy(episodes.actions)[step[:, None] + taken], there
