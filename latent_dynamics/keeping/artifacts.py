"""Data sets and trained models by name: made on first use in front of the reader, and kept.

What is kept depends on its settings, its seed, the data it was trained on and a recipe number. Whoever changes the
code that makes an artifact raises its number here; a test notices when that was forgotten.
"""

import difflib
import hashlib
import inspect
import os
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from ..data.collection import collect
from ..data.episodes import SPLITS, Episodes
from ..models import (
    Autoencoder,
    AutoencoderMLP,
    BalanceEyes,
    MultiStep,
    NoiseRobust,
    PositionVelocity,
    Recurrent,
    TwoFrame,
)
from ..models.training import Budget, seeded, train
from ..world.preprocessing import COLOUR, DEFAULT, RAW, from_bytes
from ..world.rendering import draw
from . import shipping, store

RECIPES = {  # raise a number when its code changes
    "episodes": 1, "frames": 1, "autoencoder": 3, "autoencoder_mlp": 3, "two_frame": 2, "multi_step": 2,
    "noise_robust": 2, "recurrent": 2, "best": 3, "balance_eyes": 1,
}  # fmt: skip
STEPS = {"random": 8_000, "mixed": 20_000}  # transitions of each data set
VIEWS = {"raw": RAW, "cropped": COLOUR, "cropped gray": DEFAULT}
LADDER = {  # simplest rung first
    "autoencoder_mlp": AutoencoderMLP,
    "two_frame": TwoFrame,
    "multi_step": MultiStep,
    "noise_robust": NoiseRobust,
    "recurrent": Recurrent,
    "best": PositionVelocity,
}


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
    return torch.from_numpy(from_bytes(episodes.frames[:first] if recorded else drawn(episodes.states[:first], view)))


def drawn(states, view):
    """Draw states (F, 4) as another view than the recorded one, once, since it takes long: (F, *view.shape) uint8."""
    name = f"frames-{view.replace(' ', '_')}"
    digest = hashlib.sha256(np.ascontiguousarray(states)).hexdigest()
    key = {"recipe": RECIPES["frames"], "view": asdict(VIEWS[view]), "states": digest}
    arrays, _ = store.kept(name, key, lambda: ({"frames": draw(states, VIEWS[view])}, {}), "npz")
    return arrays["frames"]


# Autoencoders


def examples(settings):
    """Return the frames that an autoencoder of these settings is trained on, and those it is validated on."""
    parts = (("train", settings.frames), ("validation", 2000))
    return [frames_of(load_episodes(settings.data, split), settings.view, first) for split, first in parts]


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
        fit, held_out = examples(settings)
        model.fit_mean(fit)
        return _arrays(model, train(model, model.loss, (fit,), (held_out,), settings.budget, seed, name))

    arrays, meta = store.kept(name, _autoencoder_key(settings, seed), make, "safetensors")
    return _restore(model, arrays), _history(arrays), meta["seconds"]


# The eyes of world models


def load_balance_eyes(data="mixed", seed=None):
    """Load the eyes that read two positions by the balance of ink, and their pen; trained on first use."""
    seed = default_seed() if seed is None else seed
    with seeded(seed):
        eyes = BalanceEyes()
    label = f"balance_eyes-{data}-seed{seed}"

    def make():
        return _arrays(eyes, _learned(eyes, _splits(data), seed, label))

    arrays, _ = store.kept(label, _balance_key(data, seed), make, "safetensors")
    return _restore(eyes, arrays)


def _balance_key(data, seed):
    return {"recipe": RECIPES["balance_eyes"], "seed": seed, "data": _episodes_key(data, default_seed())}


def _eyes(kind, data, seed, latent_size):
    """Of the eyes that a model needs: all that their training depends on, and a function that loads them."""
    if kind == "balance":
        return _balance_key(data, seed), lambda: load_balance_eyes(data, seed)
    settings = AutoencoderSettings(data=data, latent_size=latent_size)
    return _autoencoder_key(settings, seed), lambda: load_autoencoder(settings, seed)[0]


# World models


def load_model(name="autoencoder_mlp", seed=None, data="mixed", encoder_seed=None, shipped=True, **settings):
    """Load a trained world model of the ladder: from the user's cache, else the shipped one, else trained now and kept.

    seed: of its training; data: "mixed" or "random"; encoder_seed: of its autoencoder (default: `seed`);
    shipped: whether the weights that travel with the package will do where the cache has none; settings: keyword
    arguments of the model's class, as in `load_model("multi_step", horizon=5)`. Returns a WorldModel in evaluation
    mode, with `history` and `seconds`. Raises ValueError for an unknown name.
    """
    model, key, eyes = _untrained(name, seed, data, encoder_seed, settings)
    label = f"{name}-{data}-seed{key['seed']}"
    found = store.find(label, key, "safetensors") or (shipped and shipping.find(name, key))
    arrays, meta = found or store.kept(label, key, lambda: _taught(model, key, eyes, label), "safetensors")
    model = _restore(model, arrays)
    model.history, model.seconds = _history(arrays), meta["seconds"]
    return model


def _untrained(name, seed, data, encoder_seed, settings):
    """The model before training, the key of all that it will depend on, and what loads its eyes, if it needs any."""
    _choose(name, LADDER, "model")
    _choose(data, STEPS, "data set")
    seed = default_seed() if seed is None else seed
    usual = _usual(LADDER[name])
    settings = {what: value for what, value in settings.items() if what not in usual or value != usual[what]}
    with seeded(seed):
        model = LADDER[name](**settings)
    key = {"recipe": RECIPES[name], "settings": settings, "seed": seed, "data": _episodes_key(data, default_seed())}
    if model.needs_eyes is None:
        return model, key, None
    eyes_seed = seed if encoder_seed is None else encoder_seed
    eyes_key, load = _eyes(model.needs_eyes, data, eyes_seed, model.eyes.size)
    return model, key | {"eyes": eyes_key}, load


def _usual(kind):
    """The settings of a model's class where none are given, its parents' among them: {name: value}."""
    found = {}
    for one in reversed(kind.__mro__):
        parameters = inspect.signature(one.__init__).parameters if "__init__" in vars(one) else {}
        found |= {name: parameter.default for name, parameter in parameters.items()}
    return found


def _taught(model, key, load_eyes, label):
    """Train a model; where it needs eyes, these have been trained before, and stay as they are."""
    if load_eyes:
        model.eyes.load_state_dict(load_eyes().state_dict())
        model.eyes.requires_grad_(False)
    return _arrays(model, _learned(model, _splits(key["data"]["policy"]), key["seed"], label))


def _splits(data):
    return [load_episodes(data, split) for split in ("train", "validation")]


def _learned(model, splits, seed, label):
    """Train a model lesson by lesson; returns its history."""
    history = {}
    for lesson in model.lessons(*splits):
        said = f"{label}: {lesson.name}" if lesson.name else label
        curves = train(
            model, lesson.loss, lesson.data, lesson.validation, lesson.budget, seed, said, after_step=lesson.after_step
        )
        history |= {f"{lesson.name} {name}".strip(): curve for name, curve in curves.items()}
    return history


def model_key(name, seed=None, data="mixed", encoder_seed=None, **settings):
    """Return all that the training of `load_model` with these arguments depends on: a JSON-able dict."""
    return _untrained(name, seed, data, encoder_seed, settings)[1]


def ship(name, seed):
    """Write the trained weights of a rung to what travels with the package; returns the set of their files."""
    load_model(name, seed, shipped=False)
    key = model_key(name, seed)
    arrays, meta = store.find(f"{name}-mixed-seed{seed}", key, "safetensors")
    return shipping.put(name, key, arrays, meta["seconds"])


def _arrays(model, history):
    weights = {f"weights/{name}": tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    return weights | {f"history/{name}": values for name, values in history.items()}, {}


def _restore(model, arrays):
    weights = {n.removeprefix("weights/"): torch.from_numpy(a) for n, a in arrays.items() if n.startswith("weights/")}
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


def _history(arrays):
    return {n.removeprefix("history/"): a for n, a in arrays.items() if n.startswith("history/")}
