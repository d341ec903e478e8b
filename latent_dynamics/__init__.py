"""Latent Dynamics: a world model of CartPole from pixels, small enough to read and to take apart.

The names below are loaded on first use, so that `python -m latent_dynamics --help` need not wait for torch.
"""

from importlib import import_module

_WHERE = {
    "preprocess": "preprocessing",
    "load_episodes": "artifacts",
    "load_model": "artifacts",
    "model_names": "artifacts",
}
_MODULES = (
    "artifacts", "bench", "cartpole", "collection", "controllers", "drift", "episodes", "models",
    "ladder", "plotting", "preprocessing", "probes", "reader", "references", "rollout", "store", "training",
    "widgets", "world_model",
)  # fmt: skip
__all__ = [*_WHERE, *_MODULES]
__version__ = "0.1.0"


def __getattr__(name):
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"latent_dynamics has no {name!r}; it has {', '.join(__all__)}")


def __dir__():
    return sorted(__all__)
