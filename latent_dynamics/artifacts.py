"""Data sets and trained models by name: made on first use in front of the reader, and kept.

What is kept depends on its settings, its seed, the data it was trained on and a recipe number. Whoever changes the
code that makes an artifact raises its number here; a test notices when that was forgotten.
"""

import difflib
import hashlib
import os
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from . import store
from .collection import collect, draw
from .episodes import SPLITS, Episodes
from .models import Autoencoder, AutoencoderMLP
from .preprocessing import COLOUR, DEFAULT, RAW, from_bytes
from .training import Budget, seeded, train

RECIPES = {"episodes": 1, "frames": 1, "autoencoder": 2, "autoencoder_mlp": 1}  # raise a number when its code changes
STEPS = {"random": 8_000, "mixed": 20_000}  # transitions of each data set
VIEWS = {"raw": RAW, "cropped": COLOUR, "cropped gray": DEFAULT}
LADDER = {"autoencoder_mlp": AutoencoderMLP}  # simplest rung first


@dataclass(frozen=True)
class AutoencoderSettings:
    """What an autoencoder is trained on, and how."""

    data: str = "mixed"  # data set whose training episodes it sees
    view: str = "cropped gray"  # what it sees of the screen: a name in VIEWS
    architecture: str = "patches"  # a name in models.autoencoder.ARCHITECTURES
    latent_size: int = 8  # numbers in z
    frames: int | None = None  # train on the first so many frames only; None is all
    budget: Budget = Budget(epochs=16, batch_size=64, learning_rate=5e-3)


COMPARISON = AutoencoderSettings(frames=8_000, budget=Budget(epochs=5, batch_size=64, learning_rate=5e-3))
LATENT_BUDGET = Budget(epochs=20, batch_size=128, learning_rate=3e-3)  # for models of frozen latents


def default_seed():
    """The seed where none is named: 0, or what LATENT_DYNAMICS_SEED says, to train everything anew."""
    return int(os.environ.get("LATENT_DYNAMICS_SEED", "0"))


def _choose(name, names, what):
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=2, cutoff=0.4) or list(names)
        raise ValueError(f"no {what} called {name!r}; did you mean {' or '.join(map(repr, near))}?")
    return name


def model_names():
    """Return the names of the ladder's models, simplest rung first."""
    return list(LADDER)


# Data


def _episodes_key(name, seed):
    return {"recipe": RECIPES["episodes"], "policy": name, "steps": STEPS[name], "seed": seed}


def load_episodes(name="mixed", split=None, seed=None):
    """Load the data set "random" or "mixed", whole or one split of it; collected on first use.

    split: "train", "validation", "test" or None. Returns Episodes. Raises ValueError for an unknown name.
    """
    _choose(name, STEPS, "data set")
    if split is not None:
        _choose(split, SPLITS, "split")
    seed = default_seed() if seed is None else seed

    def make():
        return collect(name, STEPS[name], seed).arrays(), {}

    arrays, _ = store.kept(f"{name}-seed{seed}", _episodes_key(name, seed), make, "npz")
    episodes = Episodes.from_arrays(arrays)
    return episodes if split is None else episodes.split(split)


def frames_of(episodes, view="cropped gray", first=None):
    """Return an Episodes' frames, or the first so many, as a model of this view sees them: (F, *view.shape) float32."""
    _choose(view, VIEWS, "view")
    recorded = VIEWS[view] == DEFAULT
    return torch.from_numpy(from_bytes(episodes.frames[:first] if recorded else _drawn(episodes.states[:first], view)))


def _drawn(states, view):
    """Draw states (F, 4) as another view than the recorded one; kept, since drawing takes as long as training."""
    name = f"frames-{view.replace(' ', '_')}"
    digest = hashlib.sha256(np.ascontiguousarray(states)).hexdigest()
    key = {"recipe": RECIPES["frames"], "view": asdict(VIEWS[view]), "states": digest}
    arrays, _ = store.kept(name, key, lambda: ({"frames": draw(states, VIEWS[view])}, {}), "npz")
    return arrays["frames"]


# Autoencoders


def _autoencoder_key(settings, seed):
    data = _episodes_key(settings.data, default_seed())
    return {"recipe": RECIPES["autoencoder"], "settings": asdict(settings), "seed": seed, "data": data}


def load_autoencoder(settings=None, seed=None, **changes):
    """Load a trained autoencoder and its history; trained on first use.

    settings: AutoencoderSettings (the main one by default), with `changes` applied, as in
    `load_autoencoder(COMPARISON, latent_size=2)`. Returns (Autoencoder, dict of (epochs,) arrays, seconds).
    """
    settings = replace(settings or AutoencoderSettings(), **changes)
    _choose(settings.data, STEPS, "data set")
    _choose(settings.view, VIEWS, "view")
    seed = default_seed() if seed is None else seed
    with seeded(seed):
        model = Autoencoder(settings.latent_size, VIEWS[settings.view].shape, settings.architecture)
    kind = "autoencoder" if settings.frames is None else "short_autoencoder"
    view = settings.view.replace(" ", "_")
    name = f"{kind}-{settings.data}-{view}-{settings.architecture}-z{settings.latent_size}-seed{seed}"

    def make():
        fit, held_out = (
            frames_of(load_episodes(settings.data, split), settings.view, first)
            for split, first in (("train", settings.frames), ("validation", 2000))
        )
        model.fit_mean(fit)
        return _arrays(model, train(model, model.loss, (fit,), (held_out,), settings.budget, seed, name))

    arrays, meta = store.kept(name, _autoencoder_key(settings, seed), make, "safetensors")
    return _restore(model, arrays), _history(arrays), meta["seconds"]


# World models


def load_model(name="autoencoder_mlp", seed=None, data="mixed", encoder_seed=None, **settings):
    """Load a trained world model of the ladder; trained on first use with a progress bar, then kept.

    seed: of its training; data: "mixed" or "random"; encoder_seed: of its autoencoder (default: `seed`);
    settings: keyword arguments of the model's class, as in `load_model("autoencoder_mlp", predict_change=False)`.
    Returns a WorldModel in evaluation mode, with `history` and `seconds`. Raises ValueError for an unknown name.
    """
    _choose(name, LADDER, "model")
    _choose(data, STEPS, "data set")
    seed = default_seed() if seed is None else seed
    encoder_seed = seed if encoder_seed is None else encoder_seed
    eyes = AutoencoderSettings(data=data, latent_size=settings.get("latent_size", 8))
    with seeded(seed):
        model = LADDER[name](**settings)
    key = {
        "recipe": RECIPES[name], "settings": settings, "budget": asdict(LATENT_BUDGET), "seed": seed,
        "autoencoder": _autoencoder_key(eyes, encoder_seed),
    }  # fmt: skip
    label = f"{name}-{data}-seed{seed}"

    def make():
        autoencoder, _, _ = load_autoencoder(eyes, encoder_seed)
        model.autoencoder.load_state_dict(autoencoder.state_dict())
        fit, held_out = (latent_transitions(autoencoder, load_episodes(data, s)) for s in ("train", "validation"))
        model.fit_latents(fit[0], fit[2])
        model.autoencoder.requires_grad_(False)  # it has been trained; only what works on latents is trained now
        return _arrays(model, train(model, model.latent_loss, fit, held_out, LATENT_BUDGET, seed, label))

    arrays, meta = store.kept(label, key, make, "safetensors")
    model = _restore(model, arrays)
    model.history, model.seconds = _history(arrays), meta["seconds"]
    return model


@torch.no_grad()
def latent_transitions(autoencoder, episodes):
    """Encode every frame once: (z, a, z', terminated) as tensors, a row a step of the episodes."""
    z = torch.cat([autoencoder.encode(part) for part in frames_of(episodes).split(2048)])
    before = torch.from_numpy(episodes.before)
    terminated = torch.from_numpy(episodes.terminated).float()
    return z[before], torch.from_numpy(episodes.actions), z[before + 1], terminated


def _arrays(model, history):
    weights = {f"weights/{name}": tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    return weights | {f"history/{name}": values for name, values in history.items()}, {}


def _restore(model, arrays):
    weights = {n.removeprefix("weights/"): torch.from_numpy(a) for n, a in arrays.items() if n.startswith("weights/")}
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


def _history(arrays):
    return {n.removeprefix("history/"): a for n, a in arrays.items() if n.startswith("history/")}
