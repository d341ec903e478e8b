"""The whole ladder, judged by one protocol: each rung over several training seeds, and the experiments of Part II.

Chapters read the figures from what travels with the package; `python -m latent_dynamics train` makes them anew.
"""

import time
from functools import cache

import joblib
import numpy as np
import torch
from tqdm import tqdm

from ..acting import controllers
from ..keeping import recorded
from ..keeping.artifacts import (
    LADDER,
    default_seed,
    is_shipped,
    load_autoencoder,
    load_episodes,
    load_model,
    model_key,
    model_names,
    ship,
)
from ..keeping.fingerprint import source_of
from ..models.training import one_thread
from ..world.worlds import CARTPOLE
from . import drift, references

SEEDS = 3  # training seeds of each rung and experiment, encoder included
HORIZONS = (1, 3, 5, 10, 20)  # steps dreamt in training, chapter 8
NOISES = (0.1, 0.3, 1.0, 3.0)  # noise in training in units of a step's change, chapter 8
GAMES = {"rungs": 100, "experiments": 0}  # that a controller on the belief plays
STRIDE = {"rungs": 10, "experiments": 20}  # of the windows that they are judged on
# Judged from every other start, under coin tosses of their own: compare them with each other only. The rungs that
# they vary are among them.
EXPERIMENTS = {f"two frames, {n} steps": ("multi_step", {"horizon": n}) for n in HORIZONS}
EXPERIMENTS |= {"two frames, 1 steps": ("two_frame", {}), "two frames, 5 steps": ("multi_step", {})}  # rungs themselves
EXPERIMENTS |= {f"one frame, {n} steps": ("multi_step", {"horizon": n, "sees_change": False}) for n in (1, 5, 20)}
EXPERIMENTS |= {f"noise {n}": ("noise_robust", {"noise": n}) for n in NOISES} | {"noise 0.3": ("noise_robust", {})}
EXPERIMENTS |= {
    "noise 0.3 and 5 steps": ("multi_step", {"noise": 0.3}),
    "1 hidden layer, 5 steps": ("multi_step", {"layers": 1}),
    "4 hidden layers, 5 steps": ("multi_step", {"layers": 4}),
    "1 step, 3 times as long": ("two_frame", {"longer": 3}),
    "5 steps, 3 times as long": ("multi_step", {"longer": 3}),
    "memory": ("recurrent", {}),
    "memory, short windows": ("recurrent", {"context": 5, "horizon": 10}),
    "memory, short windows, random data": ("recurrent", {"context": 5, "horizon": 10, "data": "random"}),
    "position_velocity": ("position_velocity", {}),
    "position_velocity, random data": ("position_velocity", {"data": "random"}),
    "position_velocity, 1 step": ("position_velocity", {"horizon": 1}),
    "position_velocity, 35 steps": ("position_velocity", {"horizon": 35}),
    "position_velocity, linear": ("position_velocity", {"curved": False}),
    "position_velocity, gains of a line": ("position_velocity", {"learn_gains": False}),
}


def figures():
    """Return what was measured of rungs, experiments and references.

    {"rungs": {name: {seed: evaluation}}, "experiments": the same, "references": {name: evaluation}}. An evaluation
    is what `drift.evaluate` returns; with "cost" for all but references, and for rungs with "return" (mean, low and
    high of the steps survived by a controller on the belief) and "accuracy" (how often it does what an expert does).
    """
    found = recorded.figures()
    return {
        "rungs": {name: found["rungs"][name] for name in model_names()},
        "experiments": {name: found["experiments"][name] for name in EXPERIMENTS},
        "references": {name: next(iter(found["references"][name].values())) for name in REFERENCES},
    }


def tasks():
    """Return what is trained and judged, as (kind, name, seed): references first, they show soonest what is wrong."""
    first = default_seed()
    seeds = range(first, first + SEEDS)
    every = [("references", name, first) for name in REFERENCES]
    every += [("rungs", name, seed) for seed in seeds for name in model_names()]
    return every + [("experiments", name, seed) for seed in seeds for name in EXPERIMENTS]


def fingerprint(kind, name, seed):
    """Return all that the figures of a task depend on: settings, data, the model, and the source that measures them."""
    judge = {"source": source_of(drift, references, controllers), "data": model_key("position_velocity")["data"]}
    if kind == "references":
        return judge | {"model": model_key("position_velocity", seed) if name.startswith("position_velocity") else name}
    rung, settings = EXPERIMENTS[name] if kind == "experiments" else (name, {})
    return judge | {"model": model_key(rung, seed, **settings), "games": GAMES[kind], "stride": STRIDE[kind]}


def stale():
    """Return a sentence for each shipped model and figure that is missing or out of date; nothing if all of it fits."""
    missing = [name for name in model_names() if not is_shipped(name)]
    unfit = [f"weights of {name}: none are shipped of today's settings, data and source" for name in missing]
    return unfit + recorded.stale({task: fingerprint(*task) for task in tasks()})


def measure(kind, name, seed):
    """Train, if need be, and judge one model on the test episodes: an evaluation, as `figures` holds them."""
    rung, settings = EXPERIMENTS[name] if kind == "experiments" else (name, {})
    model = load_model(rung, seed=seed, shipped=False, **settings)
    found = drift.evaluate(model, None, windows=windows(STRIDE[kind])) | {"cost": cost(model)}
    return found | (played(model, seed, GAMES[kind]) if GAMES[kind] else {})


@cache
def windows(stride=10):
    """Return the windows that the whole ladder is judged on; every `stride` steps of a test episode one begins."""
    return drift.protocols(load_episodes("mixed", "test"), stride=stride)


def played(model, seed, games=100):
    """Clone the expert who knows angle and velocity on a model's belief, and let the clone play."""
    splits = [load_episodes("mixed", split) for split in ("train", "validation")]
    controller, history = controllers.clone_on_belief(model, CARTPOLE.expert, *splits, seed=seed)
    steps, _ = controllers.belief_returns(model, controller.act, games)
    return {
        "return": [round(value, 1) for value in controllers.mean_interval(steps)],
        "accuracy": round(float(history["validation accuracy"][-1]), 4),
    }


def cost(model, batch=100, steps=50):
    """What a rung costs: parameters (without the shared eyes), seconds of training, steps imagined a second."""
    own = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("eyes."))
    seen = torch.ones(batch, 2, *model.frame_shape)
    actions = torch.zeros(batch, steps, dtype=torch.int64)
    with torch.no_grad(), one_thread():
        belief = model.observe(seen, actions[:, :1])
        model.imagine(belief, actions)  # warm
        begun = time.perf_counter()
        for _ in range(3):
            model.imagine(belief, actions)
    rate = 3 * batch * steps / (time.perf_counter() - begun)
    seconds = getattr(model, "seconds", None)
    return {"parameters": own, "seconds": seconds, "steps_per_second": int(float(f"{rate:.2g}"))}


def measure_reference(name):
    """Judge one of REFERENCES on the same windows, as `measure` judges a rung; teacher forcing says nothing here."""
    cuts = windows().items()
    judged = (drift.evaluate(REFERENCES[name](p), {p: cut}, teacher_forced=False) for p, cut in cuts)
    return {protocol: figures for found in judged for protocol, figures in found.items()}


def _actions_only(protocol):
    """The guesser from actions, fitted to training windows of the protocol that it will be judged by."""
    others = drift.protocols(load_episodes("mixed", "train"), stride=12, seed=1)  # other coins than it is judged by
    return references.ActionsOnly(others[protocol])


REFERENCES = {  # what a curve is compared with: protocol -> model
    "exact physics": lambda protocol: references.ExactPhysics(),
    "exact physics, particles": lambda protocol: references.ParticlePhysics(),
    "repeat the last frame": lambda protocol: references.RepeatLastFrame(),
    "constant upright": lambda protocol: references.ConstantUpright(),
    "actions only": _actions_only,
    "position_velocity, told other actions": lambda protocol: references.ShuffledActions(
        load_model("position_velocity", shipped=False)
    ),
    "position_velocity, untrained": lambda protocol: references.untrained(LADDER["position_velocity"]),
}


def train_all(workers=None):
    """Train every rung and seed, judge all of them, and write what travels with the package.

    Each model's weights and figures are written as soon as it is finished, and none whose figures are there is trained
    again: a run that was cut off goes on where it was. A model is trained on each core.
    """
    due = [task for task in tasks() if recorded.recorded(*task, fingerprint(*task)) is None]
    for seed in sorted({seed for _, _, seed in due}):
        load_autoencoder(seed=seed)  # one after the other: they use all cores
    with joblib.parallel_config("loky", n_jobs=workers or joblib.cpu_count(), inner_max_num_threads=1):
        judged = joblib.Parallel(return_as="generator_unordered")(joblib.delayed(_measured)(task) for task in due)
    for task, found in tqdm(judged, total=len(due), desc="ladder", unit=" models"):
        recorded.put_figures(*task, found, fingerprint(*task))
    files = set().union(*(ship(name, default_seed()) for name in model_names()))
    recorded.forget(tasks(), files)


def _measured(task):
    """Judge one model in a process of its own, on one core."""
    torch.set_num_threads(1)
    kind, name, seed = task
    if kind == "rungs" and seed == default_seed():
        ship(name, seed)
    return task, measure_reference(name) if kind == "references" else measure(kind, name, seed)


def spread(evaluations, figure):
    """Return median, least and greatest of figure(evaluation) over the seeds of one rung; None counts as infinite."""
    values = [figure(one) for one in evaluations.values()]
    values = np.array([np.inf if value is None else value for value in values], dtype=float)
    return float(np.median(values)), float(values.min()), float(values.max())


def table():
    """Return the ladder as text: medians over seeds of what matters most."""
    found, doubling = figures(), np.log(2) / CARTPOLE.growth_rate()
    rows = [("", "pole error pushed by a coin, deg at step", "replayed:", "in", "return of a", "trained", "seconds to")]
    rows += [("", "    5     10     15     20", "steps to 2", "doublings", "controller", "numbers", "train")]
    for name, seeds in (found["rungs"] | {name: {0: one} for name, one in found["references"].items()}).items():
        errors = [spread(seeds, lambda one, h=h: one["intervened"]["theta"][h - 1])[0] for h in (5, 10, 15, 20)]
        steps = spread(seeds, lambda one: one["replayed"]["steps_2"])[0]
        last = ["", "", ""]
        if name in found["rungs"]:
            last[0] = f"{spread(seeds, lambda one: one['return'][0])[0]:.0f}"
            last[1:] = (f"{spread(seeds, lambda one, c=c: one['cost'][c])[0]:.0f}" for c in ("parameters", "seconds"))
        rows.append((name, "".join(f"{e:7.2f}" for e in errors), f"{steps:.0f}", f"{steps / doubling:.1f}", *last))
    return "\n".join(
        f"{name:24}{errors:44}{steps:>11}{doublings:>11}{played:>13}{size:>10}{seconds:>12}"
        for name, errors, steps, doublings, played, size, seconds in rows
    )
