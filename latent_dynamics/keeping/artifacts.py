"""Data sets and trained models by name: made on first use in front of the reader, and kept.

What is kept depends on its settings, its seed, the data it was trained on and the source that makes it; all of it is
in its key. Eyes that rungs share are an artifact of their own: a rung's file names the very eyes that it was trained
with, and never meets others.
"""

import difflib
import hashlib
import inspect
import os
from collections import ChainMap
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from ..data.collection import collect
from ..data.episodes import SPLITS, Episodes
from ..models import (
    JEPA,
    MDNRNN,
    RSSM,
    VRNN,
    Autoencoder,
    AutoencoderMLP,
    BalanceEyes,
    MultiStep,
    NoiseRobust,
    PositionVelocity,
    Recurrent,
    StateSpace,
    TwoFrame,
    UnseenCauses,
)
from ..models.one_stride import OneStride
from ..models.rolled import FrameByFrame, ReadingByReading
from ..models.rssm_from_pixels import RSSMFromPixels
from ..models.teaching import PICTURES, teach, teach_autoencoder
from ..models.training import Budget, seeded
from ..models.vrnn_of_choices import VRNNOfChoices
from ..world.devices import made_on
from ..world.gusty import GUSTY
from ..world.preprocessing import COLOUR, DEFAULT, RAW, from_bytes
from ..world.rendering import draw
from ..world.worlds import CARTPOLE, World
from . import store
from .fingerprint import source_of

EYES = "eyes."  # what the weights of shared eyes are called in a rung
VIEWS = {"raw": RAW, "cropped": COLOUR, "cropped gray": DEFAULT}
LADDER = {  # simplest rung first
    "autoencoder_mlp": AutoencoderMLP,
    "two_frame": TwoFrame,
    "multi_step": MultiStep,
    "noise_robust": NoiseRobust,
    "recurrent": Recurrent,
    "position_velocity": PositionVelocity,
}
UNCERTAIN = {  # rungs whose future is a fan
    "state_space": StateSpace,
    "vrnn": VRNN,
    "rssm": RSSM,
    "mdn_rnn": MDNRNN,
    "unseen_causes": UnseenCauses,
}
PREDICTORS = {  # no rungs: what predicts frames, and one beside it; chapter 10
    "frame_by_frame": FrameByFrame,
    "reading_by_reading": ReadingByReading,
    "one_stride": OneStride,
}
WITHOUT_PICTURES = {"jepa": JEPA}  # rungs in whose loss there is no pixel
MODELS = ChainMap(WITHOUT_PICTURES, PREDICTORS, UNCERTAIN, LADDER)  # what stands last on the ladder comes first
VARIATIONS = {  # of rungs; trained where a table asks for them, and never shipped
    "vrnn_of_choices": VRNNOfChoices,
    "rssm_from_pixels": RSSMFromPixels,
}
KNOWN = ChainMap(VARIATIONS, MODELS)


@dataclass(frozen=True)
class DataSet:
    """Who plays, how long, and in which world."""

    policy: str  # a name in world.policies.POLICIES
    steps: int  # transitions
    world: World = CARTPOLE


DATA_SETS = {
    "random": DataSet("random", 8_000),
    "mixed": DataSet("mixed", 20_000),
    "gusty": DataSet("mixed", 80_000, GUSTY),
    "gusty_coins": DataSet("random", 80_000, GUSTY),  # pushes that answer to nothing
}


@dataclass(frozen=True)
class AutoencoderSettings:
    """What an autoencoder is trained on, and how."""

    data: str = "mixed"  # data set whose training episodes it sees
    view: str = "cropped gray"  # what it sees of the screen: a name in VIEWS
    architecture: str = "patches"  # a name in models.autoencoder.ARCHITECTURES
    latent_size: int = 8  # numbers in z
    frames: int | None = None  # train on the first so many frames only; None is all
    budget: Budget = PICTURES


COMPARISON = AutoencoderSettings(frames=8_000, budget=Budget(epochs=5, batch_size=64, learning_rate=5e-3))


def default_seed():
    """The seed where none is named: 0, or what LATENT_DYNAMICS_SEED says, to train everything anew."""
    return int(os.environ.get("LATENT_DYNAMICS_SEED", "0"))


def _choose(name, names, what):
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=2, cutoff=0.4) or list(names)
        raise ValueError(f"no {what} called {name!r}; did you mean {' or '.join(map(repr, near))}?")
    return name


def model_names(uncertain=False):
    """Return the names of the ladder's models, simplest rung first; or of those that imagine many futures."""
    return list(UNCERTAIN if uncertain else LADDER)


def usual_data(name):
    """Return the data set that a rung is trained on where none is named: gusts are there for those that can doubt."""
    return "gusty" if name in {*UNCERTAIN, *VARIATIONS, "one_stride"} else "mixed"


# Data


def world_key(world):
    """Return what episodes depend on that are played in a world other than CartPole, which `collect` plays anyway."""
    made_of = world.reset, world.step, world.fallen, world.draw, world.expert
    return {} if world is CARTPOLE else {"world": world.name, "world's source": source_of(*made_of)}


def _episodes_key(name, seed):
    asked, seed = DATA_SETS[name], default_seed() if seed is None else seed
    made_by = {"splits": dict(SPLITS), "source": source_of(collect)}
    if asked.world is not CARTPOLE:
        made_by |= {"name": name} | world_key(asked.world)
    return {"policy": asked.policy, "steps": asked.steps, "seed": seed} | made_by


def load_episodes(name="mixed", split=None, seed=None):
    """Load a data set by its name in DATA_SETS, whole or one split of it; collected on first use.

    split: "train", "validation", "test" or None. Returns Episodes. Raises ValueError for an unknown name.
    """
    _choose(name, DATA_SETS, "data set")
    if split is not None:
        _choose(split, SPLITS, "split")
    seed = default_seed() if seed is None else seed

    def make():
        asked = DATA_SETS[name]
        return collect(asked.policy, asked.steps, seed, world=asked.world).arrays(), {}

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


def examples(settings, data_seed=None):
    """Return the frames that an autoencoder of these settings is trained on, and those it is validated on."""
    parts = (("train", settings.frames), ("validation", 2000))
    return [frames_of(load_episodes(settings.data, split, data_seed), settings.view, first) for split, first in parts]


def load_autoencoder(settings=None, seed=None, shipped=True, data_seed=None, **changes):
    """Load a trained autoencoder and its history: kept, else the one that travels with the package, else trained now.

    settings: AutoencoderSettings (the main one by default), with `changes` applied, as in
    `load_autoencoder(COMPARISON, latent_size=2)`; shipped: whether the one that travels with the package will do;
    data_seed: of the data set, where it is another than usual.
    Returns (Autoencoder, dict of (epochs,) arrays, seconds).
    """
    settings = replace(settings or AutoencoderSettings(), **changes)
    _choose(settings.data, DATA_SETS, "data set")
    _choose(settings.view, VIEWS, "view")
    seed = default_seed() if seed is None else seed
    with seeded(seed):
        model = Autoencoder(settings.latent_size, VIEWS[settings.view].shape, settings.architecture)
    name, key = _autoencoder_key(settings, seed, data_seed)

    def make():
        frames = examples(settings, data_seed)
        return _arrays(model, teach_autoencoder(model, *frames, settings.budget, seed, name)), {}

    arrays, meta = store.kept(name, key, make, "safetensors", shipped)
    return _restore(model, _part(arrays, "weights/")), _part(arrays, "history/"), meta["seconds"]


def _autoencoder_key(settings, seed, data_seed=None):
    """The name of an autoencoder's file, and all that it depends on."""
    kind = "autoencoder" if settings.frames is None else "short_autoencoder"
    view = settings.view.replace(" ", "_")
    name = f"{kind}-{settings.data}-{view}-{settings.architecture}-z{settings.latent_size}-seed{seed}"
    source = source_of(Autoencoder, teach_autoencoder, Episodes)
    data = _episodes_key(settings.data, data_seed)
    seen = asdict(VIEWS[settings.view])
    return name, {"settings": asdict(settings), "sees": seen, "seed": seed, "data": data, "source": source}


# The eyes of world models


@dataclass(frozen=True)
class _Eyes:
    """Eyes that a model needs: the name of their file, all that they depend on, and what trains them if need be."""

    name: str
    key: dict
    load: Callable

    @classmethod
    def of(cls, kind, data, seed, latent_size, data_seed):
        if kind == "balance":
            return cls(*_balance_key(data, seed, data_seed), lambda: load_balance_eyes(data, seed, data_seed))
        settings = AutoencoderSettings(data=data, latent_size=latent_size)
        key = _autoencoder_key(settings, seed, data_seed)
        return cls(*key, lambda: load_autoencoder(settings, seed, False, data_seed)[0])

    def copies(self):
        """Yield (arrays, meta) of what the store has of them, kept and shipped."""
        return store.copies(self.name, self.key, "safetensors")


def load_balance_eyes(data="mixed", seed=None, data_seed=None, shipped=False):
    """Load the eyes that read two positions by the balance of ink, and their pen; trained on first use."""
    seed = default_seed() if seed is None else seed
    with seeded(seed):
        eyes = BalanceEyes()
    name, key = _balance_key(data, seed, data_seed)

    def make():
        return _arrays(eyes, teach(eyes, load_episodes(data, seed=data_seed), seed, name)), {}

    return _restore(eyes, _part(store.kept(name, key, make, "safetensors", shipped)[0], "weights/"))


def _balance_key(data, seed, data_seed=None):
    """The name of the balance eyes' file, and all that they depend on."""
    key = {"seed": seed, "data": _episodes_key(data, data_seed), "source": source_of(BalanceEyes, teach, Episodes)}
    return f"balance_eyes-{data}-seed{seed}", key


# World models


def load_model(
    name="autoencoder_mlp", seed=None, data=None, encoder_seed=None, shipped=True, data_seed=None, **settings
):
    """Load a trained world model of the ladder: from the user's cache, else the shipped one, else trained now and kept.

    seed: of its training; data: "mixed", "random" or "gusty" (default: see `usual_data`); encoder_seed: of its eyes
    (default: `seed`); shipped: whether the weights that travel with the package will do where the cache has none;
    data_seed: of the data set, where it is another than usual; settings: keyword arguments of the model's class, as in
    `load_model("multi_step", horizon=5)`.
    Returns a WorldModel in evaluation mode, with `history` and `seconds`. Raises ValueError for an unknown name.
    """
    data = data or usual_data(_choose(name, KNOWN, "model"))
    model, key, eyes = _untrained(name, seed, data, encoder_seed, data_seed, settings)
    label = _label(name, key)

    def make():
        seen = eyes.load().state_dict() if eyes else None
        history = teach(model, load_episodes(data, seed=data_seed), key["seed"], label, seen)
        own = _arrays(model, history)
        if eyes:  # which have a file of their own
            own = {part: array for part, array in own.items() if not part.startswith(f"weights/{EYES}")}
        return own, {"eyes": store.checksum({part: it.numpy() for part, it in seen.items()})} if eyes else {}

    arrays, meta = store.kept(label, key, make, "safetensors", shipped, lambda meta: not eyes or _seen(eyes, meta))
    weights = _part(arrays, "weights/")
    if eyes:
        weights |= {EYES + part: array for part, array in _part(_seen(eyes, meta)[0], "weights/").items()}
    model = _restore(model, weights)
    model.history, model.seconds = _part(arrays, "history/"), meta["seconds"]
    return model


def _label(name, key):
    data = key["data"]
    return f"{name}-{data.get('name', data['policy'])}-seed{key['seed']}"


def _seen(eyes, meta):
    """The very eyes that a rung was trained with, as the store has them, kept or shipped; None if they are gone."""
    for arrays, about in eyes.copies():
        if store.checksum(_part(arrays, "weights/")) == meta["eyes"]:
            return arrays, about


def _untrained(name, seed, data, encoder_seed, data_seed, settings):
    """The model before training, the key of all that it will depend on, and the eyes that it needs, or None."""
    data = data or usual_data(_choose(name, KNOWN, "model"))
    _choose(data, DATA_SETS, "data set")
    seed = default_seed() if seed is None else seed
    usual = _usual(KNOWN[name])
    settings = {what: value for what, value in settings.items() if what not in usual or value != usual[what]}
    with seeded(seed), made_on("cpu"):
        model = KNOWN[name](**settings)
    source = source_of(KNOWN[name], teach, Episodes)
    key = {"settings": settings, "seed": seed, "data": _episodes_key(data, data_seed), "source": source}
    if model.needs_eyes is None:
        return model, key, None
    eyes_seed = seed if encoder_seed is None else encoder_seed
    pictures = "mixed" if data.startswith("gusty") else data  # no gust is in a picture: the eyes may be of calm air
    eyes = _Eyes.of(model.needs_eyes, pictures, eyes_seed, model.eyes.size, data_seed)
    return model, key | {"eyes": eyes.key}, eyes


def _usual(kind):
    """The settings of a model's class where none are given, its parents' among them: {name: value}."""
    found = {}
    for one in reversed(kind.__mro__):
        parameters = inspect.signature(one.__init__).parameters if "__init__" in vars(one) else {}
        found |= {name: parameter.default for name, parameter in parameters.items()}
    return found


def model_key(name, seed=None, data=None, encoder_seed=None, data_seed=None, **settings):
    """Return all that the training of `load_model` with these arguments depends on: a JSON-able dict."""
    return _untrained(name, seed, data, encoder_seed, data_seed, settings)[1]


def seed_key(data, seed):
    """Return what a data set of a seed and both kinds of eyes of that seed depend on: a JSON-able list."""
    eyes = _autoencoder_key(AutoencoderSettings(), seed, seed), _balance_key("mixed", seed, seed)
    return [_episodes_key(data, seed), *(key for _, key in eyes)]


def ship(name, seed):
    """Write a rung's weights and its eyes to what travels with the package, unless it has them; returns their files.

    Both are trained first, if they are not kept.
    """
    _, key, eyes = _untrained(name, seed, None, None, None, {})
    rung = _label(name, key), key, "safetensors"
    seen = (eyes.name, eyes.key, "safetensors") if eyes else None
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
    _, key, eyes = _untrained(name, seed, None, None, None, {})
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
