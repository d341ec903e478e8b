"""Latent Dynamics: a world model of CartPole from pixels, small enough to read and to take apart.

import latent_dynamics as ld

Each name below is loaded on first use, so that `python -m latent_dynamics --help` need not wait for torch. Our worlds
are known to Gymnasium from the start.
"""

from importlib import import_module
from pathlib import Path

from .world.registration import announce

_WHERE = {
    "CARTPOLE": "world.worlds",
    "World": "world.worlds",
    "View": "world.preprocessing",
    "preprocess": "world.preprocessing",
    "Episodes": "data.episodes",
    "collect": "data.collection",
    "train_on": "models.teaching",
    "load_episodes": "keeping.artifacts",
    "load_model": "keeping.artifacts",
    "model_names": "keeping.artifacts",
}
_ROOMS = {  # a file is called by its short name: ld.drift is judging/drift.py
    "world": (
        "cartpole", "closest_picture", "curtain", "gusty", "policies", "preprocessing", "reader", "rendering", "worlds",
    ),
    "data": ("collection", "episodes"),
    "models": ("training", "world_model"),
    "acting": ("controllers",),
    "keeping": ("artifacts", "recorded", "store"),
    "judging": (
        "belief", "drift", "judging_set", "ladder", "probes", "references", "reliability", "rollout", "statistics",
    ),
    "showing": ("pages", "plotting", "widgets"),
    "workshop": ("bench", "page_bench"),
}
_MODULES = {name: f"{room}.{name}" for room, names in _ROOMS.items() for name in names} | {"models": "models"}
__all__ = [*_WHERE, *_MODULES]
__version__ = "0.1.0"


def __getattr__(name):
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    raise AttributeError(f"latent_dynamics has no {name!r}; it has {', '.join(__all__)}")


def __dir__():
    return sorted(__all__)


def _first_line(path):
    """What a file, or a package's folder, says of itself."""
    with (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).open(encoding="utf8") as file:
        return file.readline().strip().strip('"')


def _map():
    """What `help` shows: the rooms, and in each the short names with the file's own first line."""
    house = Path(__file__).parent
    for room, files in _ROOMS.items():
        yield f"{room}/  {_first_line(house / room)}"
        yield from (f"    ld.{name}: {_first_line(house / room / name)}" for name in files)
        named = [f"ld.{name}" for name, where in _WHERE.items() if where.startswith(f"{room}.")]
        if room in _MODULES:
            named.append(f"ld.{room}, which has all of it")
        yield from [f"    and {', '.join(named)}"] if named else []


__doc__ = "\n".join([__doc__ or "", *_map(), ""])

announce()
