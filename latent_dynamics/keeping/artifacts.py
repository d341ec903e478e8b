"""Data sets and trained models by name: made on first use in front of the reader, and kept.

What is kept depends on its settings, its seed, the data it was trained on and the source that makes it; all of it is
in its key. Eyes that rungs share are an artifact of their own: a rung's file names the very eyes that it was trained
with, and never meets others.
"""

import difflib
import hashlib
import inspect
import os
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from ..data.collection import collect, draw
from ..data.episodes import SPLITS, Episodes
from ..models import Autoencoder, AutoencoderMLP, MultiStep, NoiseRobust, PositionVelocity, Recurrent, TwoFrame
from ..models.teaching import teach, teach_autoencoder
from ..models.training import Budget, seeded
from ..world.preprocessing import COLOUR, DEFAULT, RAW, from_bytes
from . import store
from .fingerprint import source_of

EYES = "autoencoder."  # what the weights of shared eyes are called in a rung
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
    made_by = {"splits": dict(SPLITS), "source": source_of(collect)}
    return {"policy": name, "steps": STEPS[name], "seed": seed} | made_by


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
    key = {"view": asdict(VIEWS[view]), "states": digest, "source": source_of(draw)}
    arrays, _ = store.kept(name, key, lambda: ({"frames": draw(states, VIEWS[view])}, {}), "npz")
    return arrays["frames"]


# Autoencoders


def examples(settings):
    """Return the frames that an autoencoder of these settings is trained on, and those it is validated on."""
    parts = (("train", settings.frames), ("validation", 2000))
    return [frames_of(load_episodes(settings.data, split), settings.view, first) for split, first in parts]


def load_autoencoder(settings=None, seed=None, shipped=False, **changes):
    """Load a trained autoencoder and its history; trained on first use.

    settings: AutoencoderSettings (the main one by default), with `changes` applied, as in
    `load_autoencoder(COMPARISON, latent_size=2)`; shipped: whether the one that travels with the package will do.
    Returns (Autoencoder, dict of (epochs,) arrays, seconds).
    """
    settings = replace(settings or AutoencoderSettings(), **changes)
    _choose(settings.data, STEPS, "data set")
    _choose(settings.view, VIEWS, "view")
    seed = default_seed() if seed is None else seed
    with seeded(seed):
        model = Autoencoder(settings.latent_size, VIEWS[settings.view].shape, settings.architecture)
    name, key = _autoencoder_key(settings, seed)

    def make():
        return _arrays(model, teach_autoencoder(model, *examples(settings), settings.budget, seed, name)), {}

    arrays, meta = store.kept(name, key, make, "safetensors", shipped)
    return _restore(model, _part(arrays, "weights/")), _part(arrays, "history/"), meta["seconds"]


def _autoencoder_key(settings, seed):
    """The name of an autoencoder's file, and all that it depends on."""
    kind = "autoencoder" if settings.frames is None else "short_autoencoder"
    view = settings.view.replace(" ", "_")
    name = f"{kind}-{settings.data}-{view}-{settings.architecture}-z{settings.latent_size}-seed{seed}"
    source = source_of(Autoencoder, teach_autoencoder, Episodes)
    data = _episodes_key(settings.data, default_seed())
    seen = asdict(VIEWS[settings.view])
    return name, {"settings": asdict(settings), "sees": seen, "seed": seed, "data": data, "source": source}


# World models


def load_model(name="autoencoder_mlp", seed=None, data="mixed", encoder_seed=None, shipped=True, **settings):
    """Load a trained world model of the ladder: from the user's cache, else the shipped one, else trained now and kept.

    seed: of its training; data: "mixed" or "random"; encoder_seed: of its autoencoder (default: `seed`);
    shipped: whether the weights that travel with the package will do where the cache has none; settings: keyword
    arguments of the model's class, as in `load_model("multi_step", horizon=5)`. Returns a WorldModel in evaluation
    mode, with `history` and `seconds`. Raises ValueError for an unknown name.
    """
    model, key, eyes = _untrained(name, seed, data, encoder_seed, settings)
    label = _label(name, key)

    def make():
        seen = load_autoencoder(*eyes)[0].state_dict() if eyes else None
        history = teach(model, load_episodes(data), key["seed"], label, seen)
        own = {part: array for part, array in _arrays(model, history).items() if not part.startswith(f"weights/{EYES}")}
        return own, {"eyes": store.checksum({part: it.numpy() for part, it in seen.items()})} if eyes else {}

    arrays, meta = store.kept(label, key, make, "safetensors", shipped, lambda meta: not eyes or _seen(eyes, meta))
    weights = _part(arrays, "weights/")
    if eyes:
        weights |= {EYES + part: array for part, array in _part(_seen(eyes, meta)[0], "weights/").items()}
    model = _restore(model, weights)
    model.history, model.seconds = _part(arrays, "history/"), meta["seconds"]
    return model


def _label(name, key):
    return f"{name}-{key['data']['policy']}-seed{key['seed']}"


def _seen(eyes, meta):
    """The very eyes that a rung was trained with, as the store has them, kept or shipped; None if they are gone."""
    for arrays, about in store.copies(*_autoencoder_key(*eyes), "safetensors"):
        if store.checksum(_part(arrays, "weights/")) == meta["eyes"]:
            return arrays, about


def _untrained(name, seed, data, encoder_seed, settings):
    """The model before training, the key of all that it will depend on, and its eyes: (settings, seed) or None."""
    _choose(name, LADDER, "model")
    _choose(data, STEPS, "data set")
    seed = default_seed() if seed is None else seed
    usual = _usual(LADDER[name])
    settings = {what: value for what, value in settings.items() if what not in usual or value != usual[what]}
    with seeded(seed):
        model = LADDER[name](**settings)
    source = source_of(LADDER[name], teach, Episodes)
    key = {"settings": settings, "seed": seed, "data": _episodes_key(data, default_seed()), "source": source}
    if not hasattr(model, "autoencoder"):
        return model, key, None
    eyes = AutoencoderSettings(data=data, latent_size=settings.get("latent_size", 8))
    eyes_seed = seed if encoder_seed is None else encoder_seed
    return model, key | {"eyes": _autoencoder_key(eyes, eyes_seed)[1]}, (eyes, eyes_seed)


def _usual(kind):
    """The settings of a model's class where none are given, its parents' among them: {name: value}."""
    found = {}
    for one in reversed(kind.__mro__):
        parameters = inspect.signature(one.__init__).parameters if "__init__" in vars(one) else {}
        found |= {name: parameter.default for name, parameter in parameters.items()}
    return found


def model_key(name, seed=None, data="mixed", encoder_seed=None, **settings):
    """Return all that the training of `load_model` with these arguments depends on: a JSON-able dict."""
    return _untrained(name, seed, data, encoder_seed, settings)[1]


def ship(name, seed):
    """Write a rung's weights and its eyes to what travels with the package, unless it has them; returns their files.

    Both are trained first, if they are not kept.
    """
    _, key, eyes = _untrained(name, seed, "mixed", None, {})
    rung = _label(name, key), key, "safetensors"
    seen = (*_autoencoder_key(*eyes), "safetensors") if eyes else None
    if not is_shipped(name, seed):
        load_model(name, seed, shipped=False)
        arrays, meta = store.find(*rung)
        if eyes:
            kept, about = _seen(eyes, meta)
            store.ship(*seen, kept, about)
            halved = {part: store.halved(array) for part, array in _part(kept, "weights/").items()}
            meta["eyes"] = store.checksum(halved)  # those that travel with it, and no others
        store.ship(*rung, arrays, meta)
    return {store.path_of(*one, store.SHIPPED) for one in (rung, seen) if one}


def is_shipped(name, seed=0):
    """Whether a rung's weights, of today's settings, data and source, travel with the package, and its eyes with it."""
    _, key, eyes = _untrained(name, seed, "mixed", None, {})
    return bool(store.shipped(_label(name, key), key, "safetensors", lambda meta: not eyes or _seen(eyes, meta)))


def _arrays(model, history):
    weights = {f"weights/{name}": tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    return weights | {f"history/{name}": values for name, values in history.items()}


def _part(arrays, of):
    """What a file holds under "weights/" or "history/", without that."""
    return {name.removeprefix(of): array for name, array in arrays.items() if name.startswith(of)}


def _restore(model, weights):
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})  # widens what is half
    return model.eval().requires_grad_(False)
