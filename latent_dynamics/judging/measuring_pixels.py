"""What is measured of a model taught straight from pixels: what it draws, and whether its prior foresees anything."""

import base64
import zlib

import numpy as np
import torch
from torch import nn

from ..models.eyes import seen
from ..models.latent_world import code_windows
from ..models.training import Budget, evaluating, seeded, train
from ..world.reader import read
from .drift import plain
from .latent_use import latent_use

STEPS = (1, 5, 10)  # of a dream, that are looked at
WATCHED, SETTLED = 24, 8  # steps of a window, and those of them in which a memory settles
SHOWN = 3  # windows of which pictures are kept
FORESIGHT = Budget(epochs=30, batch_size=64, learning_rate=3e-3, clip=10.0)


class Foresight(nn.Module):
    """A memory of its own, which is told latents and pushes, and has nothing to do but to foresee the next latent."""

    def __init__(self, z, memory=128):
        super().__init__()
        self.register_buffer("mean", z.mean((0, 1)))
        self.register_buffer("spread", z.std((0, 1)))
        size = z.shape[-1]
        self.memory = nn.GRU(2 * size + 1, memory, batch_first=True)
        self.says = nn.Sequential(nn.Linear(memory, memory), nn.Tanh(), nn.Linear(memory, size))

    def forward(self, z, actions):
        """Return what follows each latent: (B, T + 1, Z), (B, T) -> (B, T, Z)."""
        x = (z - self.mean) / self.spread
        change = torch.cat([0 * x[:, :1], x[:, 1:] - x[:, :-1]], 1)[:, :-1]
        told = torch.cat([x[:, :-1], 10 * change, (2.0 * actions - 1)[..., None]], -1)
        return z[:, :-1] + 0.1 * self.spread * self.says(self.memory(told)[0])

    def loss(self, z, actions):
        """The squared error of settled steps, in units of each number's spread."""
        return {"loss": 100 * ((self(z, actions) - z[:, 1:]) / self.spread)[:, SETTLED:].square().mean()}


def measured(model, futures, splits, seed):
    """Measure a model of the class RSSMFromPixels.

    futures: belief.Futures; splits: Episodes for training and for testing. Returns "sigma" of a pixel; "nats" a frame
    and "kl" of it, on test; "legible", the shares of frames in which the reader finds a pole: "seen", drawn again right
    after they were seen, "path" and "sample" at each of STEPS; by how much the next latent is missed, in the mean:
    "prior", by the model's own, "still", by the one before, "foreseen", by a Foresight; and "film", pictures of a few
    windows (see `pictures`).
    """
    with evaluating(model), torch.no_grad():
        use = latent_use(model, splits[1])
        belief = model.observe(futures.frames, futures.actions_before)
        with seeded(seed):
            dreams = {
                "path": model.imagine(belief, futures.actions)[:, None],
                "sample": model.imagine(belief, futures.actions, samples=4),
            }
        legible = {"seen": [_legible(model, belief)]}
        legible |= {name: [_legible(model, one[:, :, n - 1]) for n in STEPS] for name, one in dreams.items()}
        walks = [_walked(model, part) for part in splits]
    with seeded(seed):
        foresight = Foresight(walks[0][0])
    train(foresight, foresight.loss, walks[0][:2], walks[1][:2], FORESIGHT, seed, "foresight", bar=False)
    z, actions, priors = walks[1]
    with torch.no_grad():
        guesses = {"prior": priors, "still": z[:, :-1], "foreseen": foresight(z, actions)}
    missed = {name: plain(float(_size((guess - z[:, 1:])[:, SETTLED:]))) for name, guess in guesses.items()}
    kept = [torch.cat([belief[:, None], one[:, 0]], 1)[:SHOWN] for one in dreams.values()]
    return missed | {
        "sigma": plain(float(model.sigma.detach())), "nats": use["nats"], "kl": use["kl"], "legible": legible,
        "film": [_text(model.decode(states[:, [0, *STEPS]])) for states in kept],
    }  # fmt: skip


def pictures(film):
    """Return what `measured` kept of the mean path, or of a sample: (windows, 1 + STEPS, H, W) in [0, 1].

    The first is what was seen, drawn again.
    """
    flat = np.frombuffer(zlib.decompress(base64.b64decode(film)), np.uint8)
    return flat.reshape(SHOWN, 1 + len(STEPS), 32, 100) / 255


def _text(frames):
    return base64.b64encode(zlib.compress((255 * frames.detach()).round().byte().numpy().tobytes(), 9)).decode()


def _legible(model, states):
    return plain(float(read(model.decode(states)).valid.double().mean()))


def _size(vectors):
    return vectors.square().sum(-1).sqrt().mean()


def _walked(model, episodes):
    """Filter windows of Episodes: posterior means (B, T + 1, Z), actions (B, T) and prior means (B, T, Z)."""
    codes, actions, _ = code_windows(episodes, seen(model.eyes, episodes), WATCHED, stride=WATCHED)
    belief, found, priors = model.begin(codes[:, 0]), [], []
    for t in range(WATCHED):
        found.append(model.split(belief)[2])
        _, memory, z, _ = model.split(belief)
        priors.append(model.prior(model.advance(memory, z, actions[:, t])).mean)
        belief = model.update(belief, actions[:, t], codes[:, t + 1])
    return torch.stack([*found, model.split(belief)[2]], 1), actions, torch.stack(priors, 1)
