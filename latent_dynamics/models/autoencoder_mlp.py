"""Rung one, the text's model: a frame becomes z, and an MLP moves z one step.

No memory and no noise: the belief is the latent of the last frame alone, whatever came before it.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .eyes import make_eyes, seen
from .goes_on import goes_on_lesson, goes_on_net
from .training import Budget, Lesson
from .world_model import WorldModel

LATENT_BUDGET = Budget(epochs=20, batch_size=128, learning_rate=3e-3)


class LatentMLP(nn.Module):
    """M: (z, a) -> z'. The action enters one-hot; the network predicts the change, in units of its spread.

    predict_change=False predicts z' itself, to show why one does not.
    """

    def __init__(self, latent_size=8, hidden=128, predict_change=True, actions=2):
        super().__init__()
        self.predict_change, self.actions = predict_change, actions
        self.net = nn.Sequential(
            nn.Linear(latent_size + actions, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, latent_size),
        )  # fmt: skip
        for name, start in (("mean", 0.0), ("spread", 1.0), ("change_spread", 1.0)):
            self.register_buffer(name, torch.full((latent_size,), start))

    def fit_scale(self, z, z_next):
        """Remember mean and spread of training latents (M, D), and the spread of their changes."""
        self.mean.copy_(z.mean(0))
        self.spread.copy_(z.std(0))
        self.change_spread.copy_((z_next - z).std(0) if self.predict_change else z.std(0))

    def forward(self, z, action):
        """Return the next latent: (B, D), (B,) int64 -> (B, D)."""
        one_hot = F.one_hot(action, self.actions).to(z.dtype)  # (B, actions)
        out = (  # (B, D)
            self.net(torch.cat([(z - self.mean) / self.spread, one_hot], -1))
            * self.change_spread
        )
        return z + out if self.predict_change else self.mean + out

    def loss(self, z, action, z_next):
        """The squared error of the prediction, in units of the change's spread, averaged over the latent."""
        return {
            "loss": (
                (self(z, action) - z_next) / self.change_spread
            ).square().mean()
        }


class AutoencoderMLP(WorldModel):
    """Encoder, decoder and LatentMLP as one world model. A state is z: D = latent_size numbers."""

    needs_eyes = "autoencoder"

    def __init__(
        self, latent_size=8, hidden=128, predict_change=True, actions=2,
        shape=(32, 100),
    ):
        super().__init__()
        self.state_size, self.actions = latent_size, actions
        self.frame_shape = shape
        self.eyes = make_eyes(self.needs_eyes, latent_size, shape)
        self.dynamics = LatentMLP(latent_size, hidden, predict_change, actions)
        self.goes_on = goes_on_net(latent_size)

    @property
    def autoencoder(self):
        """The eyes, by the name that chapters call them by."""
        return self.eyes

    def see(self, frames):
        return self.eyes.see(frames)

    def begin(self, code):
        return code

    def update(self, belief, action, code):
        return code  # each belief from its own frame alone

    def step(self, belief, action):
        return self.dynamics(belief, action)

    def decode(self, states):
        return self.eyes.decode(states)

    def goes_on_logit(self, states):
        """Return how surely the episode goes on, as a logit: (..., D) -> (...)."""
        return self.goes_on((states - self.dynamics.mean) / self.dynamics.spread)[..., 0]

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(self.goes_on_logit(states))

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: transitions, and whether it goes on."""
        codes = [seen(self.eyes, part) for part in splits]
        data = [transitions(part, z) for part, z in zip(splits, codes)]
        self.dynamics.fit_scale(data[0][0], data[0][2])
        yield Lesson(self.dynamics.loss, *data, LATENT_BUDGET)
        yield goes_on_lesson(self, splits, codes)


def transitions(episodes, z):
    """Return (z, a, z') as tensors, a row a step of the episodes, from the latents of all their frames (F, D)."""
    before = torch.from_numpy(episodes.before)
    return z[before], torch.from_numpy(episodes.actions), z[before + 1]


def latent_transitions(autoencoder, episodes):
    """Encode every frame once: (z, a, z', terminated) as tensors, a row a step of the episodes."""
    return *transitions(episodes, seen(autoencoder, episodes)), torch.from_numpy(episodes.terminated).float()
