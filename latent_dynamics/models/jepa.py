"""Prediction without reconstruction: latents that are trained only to predict latents, and what keeps them alive.

No pixel is in the loss. So the best latent would be one that never moves, unless something forbids it; each thing that
may is a setting, and can be switched off alone. LeCun (2022), Assran et al. (2023).
"""

import copy
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from .eyes import make_eyes, reading, seen
from .goes_on import goes_on_lesson, goes_on_net
from .latent_world import code_windows
from .training import Budget, Lesson
from .world_model import WorldModel

BAND = 4  # rows of a frame that are averaged before the encoder looks
SHORT = 0.1  # a step's change of z is shown to the networks in units of this, and predicted in them
LOOK = 7  # latents in a row, from which a push in their midst is told
STRIDE = 5  # steps between the starts of two windows of an episode
PREDICTION = Budget(epochs=52, batch_size=64, learning_rate=3e-3)
VIEW = Budget(epochs=10, batch_size=128, learning_rate=1e-2)


class JEPA(WorldModel):
    """A joint-embedding predictive architecture: an encoder and a predictor with a memory, which learn from each other.

    D = 2 latent_size + memory, (z, dz, h): the last frame's latent, its change and a GRU's memory, as in Recurrent.
    context, horizon: steps seen and steps dreamt in training. What keeps z from collapsing, each 0 or False where it is
    left out: variance, the weight of a hinge at a spread of 1 in each number of z, and covariance, that of squared
    covariances (Bardes et al. 2022); moving, the share of the targets' encoder, a moving average of the encoder, that
    stays in a step, and stop_gradient, whether no gradient goes through the targets (Grill et al. 2020); inverse, the
    weight of telling a push from the latents about it (Pathak et al. 2017). shift: by how many columns the frames of a
    window are moved at most while it learns, all alike, and half of the windows mirrored, pushes too (Laskin et al.
    2020); 0: as they are. longer: how many times as long as usual it learns, 0 for a control that keeps its first
    weights; actions: how many its world has, of which the last is the mirror image of the first.
    What draws is trained afterwards, for whoever looks: a net turns z into the two numbers of trained eyes' pen.
    """

    needs_eyes = "balance"  # for their pen alone: this model sees by itself

    def __init__(
        self, latent_size=8, memory=64, hidden=64, context=4, horizon=8, variance=1.0, covariance=1.0, moving=0.99,
        stop_gradient=True, inverse=20.0, shift=12, longer=1, actions=2,
    ):  # fmt: skip
        super().__init__()
        if min(latent_size, horizon) < 1 or context + horizon < LOOK or longer not in range(1000):
            raise ValueError(
                f"latent_size {latent_size}, horizon {horizon}, context {context}, longer {longer}; expected at least "
                f"1, at least 1, with the horizon at least {LOOK} steps, and a whole number from 0"
            )
        if not 0 <= moving < 1 or min(variance, covariance, inverse) < 0 or shift not in range(self.frame_shape[1]):
            raise ValueError(
                f"moving {moving}, variance {variance}, covariance {covariance}, inverse {inverse}, shift {shift}; "
                "expected a share from 0 to below 1, weights of at least 0, and fewer columns than a frame has"
            )
        self.latent_size, self.context, self.horizon, self.actions = latent_size, context, horizon, actions
        self.variance, self.covariance, self.inverse = variance, covariance, inverse
        self.moving, self.stop_gradient, self.shift, self.longer = moving, stop_gradient, shift, longer
        self.state_size = 2 * latent_size + memory
        height, width = self.frame_shape
        self.encoder = nn.Sequential(
            nn.Linear(height // BAND * width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, latent_size),
        )  # fmt: skip
        shown = 2 * latent_size + actions
        self.cell = nn.GRUCell(shown, memory)
        self.predictor = nn.Sequential(nn.Linear(memory + shown, hidden), nn.ReLU(), nn.Linear(hidden, latent_size))
        self.teller = nn.Sequential(nn.Linear(LOOK * latent_size, hidden), nn.ReLU(), nn.Linear(hidden, actions))
        self.eyes = make_eyes(self.needs_eyes)
        self.viewer = nn.Sequential(nn.Linear(latent_size, 64), nn.GELU(), nn.Linear(64, self.eyes.size))
        self.goes_on = goes_on_net(latent_size)
        self.register_buffer("mean_frame", torch.zeros(self.frame_shape))
        for name, start in (("mean", 0.0), ("spread", 1.0), ("first_spread", 1.0)):
            self.register_buffer(name, torch.full((latent_size,), start))

    def see(self, frames):
        return self.encoder((banded(frames) - banded(self.mean_frame)).flatten(-2))

    def split(self, belief):
        """Take a belief apart: (B, D) -> z, its change (B, latent_size) each, memory (B, memory)."""
        return belief.split([self.latent_size, self.latent_size, self.cell.hidden_size], 1)

    def remember(self, belief, action):
        """Return what the networks see of belief and push, (B, 2 latent_size + actions), and the next memory."""
        z, change, memory = self.split(belief)
        shown = torch.cat([
            z, change / SHORT, F.one_hot(action, self.actions).to(z.dtype)
        ], 1)  # fmt: skip
        return shown, self.cell(shown, memory)

    def begin(self, code):
        return torch.cat([code, 0 * code, 0 * code[:, :1].expand(-1, self.cell.hidden_size)], 1)

    def update(self, belief, action, code):
        _, memory = self.remember(belief, action)
        return torch.cat([code, code - belief[:, : self.latent_size], memory], 1)

    def step(self, belief, action):
        shown, memory = self.remember(belief, action)
        change = SHORT * self.predictor(torch.cat([memory, shown], 1))
        z = belief[:, : self.latent_size] + change
        return torch.cat([z, change, memory], 1)

    def scaled(self, states):
        """Return z of states (..., D) in units of its spread over the training frames: (..., latent_size)."""
        return (states[..., : self.latent_size] - self.mean) / self.spread

    def decode(self, states):
        return self.eyes.decode(self.viewer(self.scaled(states)))

    def goes_on_logit(self, states):
        """Return how surely the episode goes on, as a logit: (..., D) -> (...)."""
        return self.goes_on(self.scaled(states))[..., 0]

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(self.goes_on_logit(states))

    def dreams(self, z, actions):
        """See `context` steps of z (B, T + 1, latent_size), dream the others: (B, T - context, latent_size)."""
        belief, dreamt = self.begin(z[:, 0]), []
        for t in range(self.context):
            belief = self.update(belief, actions[:, t], z[:, t + 1])
        for t in range(self.context, actions.shape[1]):
            belief = self.step(belief, actions[:, t])
            dreamt.append(belief[:, : self.latent_size])
        return torch.stack(dreamt, 1)

    def missed(self, z, target, actions, there):
        """The squared error of dreamt latents against the targets, (B, T + 1, latent_size) both: a number.

        There (B, T) is 0 for what only fills a window after the episode's end, and that counts nothing.
        """
        if self.stop_gradient:
            target = target.detach()
        error = self.dreams(z, actions) - target[:, self.context + 1 :]
        counts = there[:, self.context :]
        missed = error.square().mean(2) * counts  # (B, T - context)
        return missed.sum() / counts.sum().clamp(min=1)

    def spreads(self, z):
        """Return the spread of each number of z (B, T + 1, latent_size), and what they have in common: a number."""
        z = z.flatten(0, 1)
        centred = z - z.mean(0)
        covariance = centred.T @ centred / len(z)  # (latent_size, latent_size)
        variances = covariance.diagonal()
        common = (covariance - torch.diag(variances)).square().sum()
        return (variances + 1e-12).sqrt(), common / self.latent_size

    def told(self, z, actions):
        """The cross-entropy, in nats, of telling each push from LOOK latents in a row: z (B, T + 1, latent_size)."""
        rows = z.unfold(1, LOOK, 1).flatten(2)  # (B, T + 2 - LOOK, LOOK Z)
        first = LOOK // 2 - 1  # a push shows two frames later
        pushes = actions[:, first : first + rows.shape[1]]
        guess = self.teller(rows).flatten(0, 1)
        return F.cross_entropy(guess, pushes.flatten())

    def loss(self, z, target, actions, there):
        """All that is asked of z; no pixel. Shapes as in `missed`."""
        missed = self.missed(z, target, actions, there)
        spread, common = self.spreads(z)
        told = self.told(z, actions)
        loss = (
            missed
            + self.variance * F.relu(1 - spread).mean()
            + self.covariance * common
            + self.inverse * told
        )
        terms = {"missed": missed, "told": told, "spread": spread.mean()}
        return {"loss": loss} | terms

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and validation: prediction, a view, whether it goes on."""
        frames = torch.cat([torch.from_numpy(part.frames) for part in splits])  # (F, H, W), bytes
        numbers = torch.arange(len(frames)).split([len(part.frames) for part in splits])
        self.mean_frame.copy_(frames[numbers[0]].float().mean(0) / 255)
        self.first_spread.copy_(seen(self, splits[0]).std(0))
        if self.longer:
            bands = torch.cat([banded(part.float() / 255) for part in frames.split(2048)])
            yield self.prediction(bands, splits, numbers)
        codes = [seen(self, part) for part in splits]  # from here on no gradient reaches the encoder
        self.mean.copy_(codes[0].mean(0))
        self.spread.copy_(codes[0].std(0).clamp(min=1e-8))
        yield self.viewing(codes, splits)
        yield goes_on_lesson(self, splits, codes)

    def prediction(self, bands, splits, numbers):
        """Return the lesson in which encoder and predictor learn; bands: of all frames, (F, H / 4, W)."""
        target = copy.deepcopy(self.encoder).requires_grad_(False) if self.moving else self.encoder
        mean = banded(self.mean_frame)

        def loss(at, actions, there):  # at: (B, T + 1), numbers of frames
            shown = bands[at]
            if self.training and self.shift:
                shown, actions = moved_and_mirrored(shown, actions, self.shift, self.actions)
            shown = (shown - mean).flatten(-2)
            return self.loss(self.encoder(shown), target(shown), actions, there)

        @torch.no_grad()
        def follow():
            for slow, fast in zip(target.parameters(), self.encoder.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.moving)

        steps = self.context + self.horizon
        parts = zip(splits, numbers, strict=True)
        cut = (code_windows(part, at, steps, STRIDE, self.context + 1) for part, at in parts)
        budget = replace(PREDICTION, epochs=self.longer * PREDICTION.epochs)
        return Lesson(loss, *cut, budget, "prediction", follow if self.moving else None)

    def viewing(self, codes, splits):
        """Return the lesson in which z is translated for the pen, from codes (F, latent_size) that stay as they are."""

        def loss(code, place):
            return {"loss": F.mse_loss(self.viewer(self.scaled(code)), place)}

        data = []
        for code, part in zip(codes, splits, strict=True):
            place, whole = reading(seen(self.eyes, part), self.eyes.size)
            data.append((code[whole[:, 0] > 0.5], place[whole[:, 0] > 0.5]))
        return Lesson(loss, *data, VIEW, "view")


def banded(frames):
    """Return what the encoder sees of frames, the mean of every four rows: (..., H, W) -> (..., H / 4, W)."""
    return frames.unflatten(-2, (-1, BAND)).mean(-2)


def moved_and_mirrored(shown, actions, most, count):
    """Move each window of pictures (B, T + 1, rows, W) by up to `most` columns, and mirror half of them.

    What comes in at the edge repeats it. In a mirror a push (B, T), one of `count`, is the opposite one.
    """
    by = torch.randint(-most, most + 1, (len(shown), 1))
    columns = (torch.arange(shown.shape[-1]) + by).clamp(0, shown.shape[-1] - 1)  # (B, W)
    moved = shown.gather(-1, columns[:, None, None].expand_as(shown))
    mirror = torch.rand(len(shown)) < 0.5
    pictures = torch.where(mirror[:, None, None, None], moved.flip(-1), moved)
    return pictures, torch.where(mirror[:, None], count - 1 - actions, actions)
