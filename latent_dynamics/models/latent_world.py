"""What the rungs of Part II share: they live on the latents of the trained autoencoder, and learn on its windows.

The eyes are trained once and then left alone, so that what a rung gains or loses comes from the one thing it changes.
"""

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from .autoencoder import Autoencoder, encoded
from .training import Budget, Lesson
from .world_model import WorldModel


class LatentWorld(WorldModel):
    """A world model whose state begins with z, `latent_size` numbers. A subclass defines begin, update and step.

    context: steps that it sees in training before it dreams; horizon: steps that it dreams there, each from its own
    last state; noise: spread of what is added to the latents it sees in training, in units of their change in a step;
    longer: how many times as long as usual it is trained.
    """

    budget = Budget(epochs=20, batch_size=128, learning_rate=3e-3)

    def __init__(self, latent_size=8, context=1, horizon=1, noise=0.0, longer=1):
        super().__init__()
        if context < 0 or horizon < 1 or noise < 0 or longer not in range(1, 1000):
            raise ValueError(
                f"context {context}, horizon {horizon}, noise {noise}, longer {longer}; expected at least 0, at least "
                "1, at least 0, and a whole number from 1"
            )
        self.latent_size, self.context, self.horizon, self.noise = latent_size, context, horizon, noise
        self.budget = replace(self.budget, epochs=longer * self.budget.epochs)
        self.autoencoder = Autoencoder(latent_size)
        self.goes_on = nn.Sequential(nn.Linear(latent_size, 32), nn.ReLU(), nn.Linear(32, 1))
        for name, start in (("mean", 0.0), ("spread", 1.0), ("change_spread", 1.0)):
            self.register_buffer(name, torch.full((latent_size,), start))

    def scaled(self, z):
        """Return latents (..., latent_size) in units of their spread over the training frames."""
        return (z - self.mean) / self.spread

    def see(self, frames):
        return self.autoencoder.encode(frames)

    def decode(self, states):
        return self.autoencoder.decode(states[..., : self.latent_size])

    def outcome(self, states):
        chance = torch.sigmoid(self.goes_on(self.scaled(states[..., : self.latent_size])))[..., 0]
        return torch.ones(states.shape[:-1]), chance

    def loss(self, z, actions, terminated):
        """The squared error of dreamt latents, in units of their change in a step; and whether the episode goes on.

        z (B, T + 1, latent_size), actions (B, T), terminated (B, T) in {0, 1}: the first `context` steps are seen, the
        other T - context are dreamt.
        """
        seen = z
        if self.training and self.noise:
            seen = z + self.noise * self.change_spread * torch.randn_like(z)
        belief = self.begin(seen[:, 0])
        for t in range(self.context):
            belief = self.update(belief, actions[:, t], seen[:, t + 1])
        errors = []
        for t in range(self.context, actions.shape[1]):
            belief = self.step(belief, actions[:, t])
            errors.append(((belief[:, : self.latent_size] - z[:, t + 1]) / self.change_spread).square().mean())
        dream = torch.stack(errors).mean()
        goes_on = F.binary_cross_entropy_with_logits(self.goes_on(self.scaled(z[:, 1:]))[..., 0], 1 - terminated)
        return {"loss": dream + goes_on, "dream": dream, "goes on": goes_on}

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: here a single lesson, on windows."""
        codes = [encoded(self.autoencoder, part) for part in splits]
        changes = codes[0][splits[0].before + 1] - codes[0][splits[0].before]
        self.mean.copy_(codes[0].mean(0))
        self.spread.copy_(codes[0].std(0))
        self.change_spread.copy_(changes.std(0))
        steps = self.context + self.horizon
        yield Lesson(self.loss, *(code_windows(part, z, steps) for part, z in zip(splits, codes)), self.budget)


def code_windows(episodes, codes, steps, stride=1):
    """Cut windows out of the episodes: codes (M, steps + 1, C), actions (M, steps), terminated (M, steps)."""
    frame, step, _ = episodes.window_starts(steps, stride)
    at = torch.from_numpy(step[:, None]) + torch.arange(steps)
    frames = torch.from_numpy(frame[:, None]) + torch.arange(steps + 1)
    terminated = torch.from_numpy(episodes.terminated)[at].float()
    return codes[frames], torch.from_numpy(episodes.actions)[at], terminated
