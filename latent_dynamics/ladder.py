"""The whole ladder, judged by one protocol: each rung over several training seeds, and the experiments of Part II.

Chapters read the figures from what travels with the package; `python -m latent_dynamics train` makes them anew.
"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import numpy as np
import torch
from tqdm import tqdm

from . import controllers, drift, references, shipping, store
from .artifacts import (
    LADDER,
    RECIPES,
    default_seed,
    load_autoencoder,
    load_episodes,
    load_model,
    model_key,
    model_names,
    ship,
)
from .cartpole import growth_rate, sign_theta_and_velocity
from .training import one_thread

SEEDS = 3  # training seeds of each rung and experiment, encoder included
HORIZONS = (1, 3, 5, 10, 20)  # steps dreamt in training, chapter 8
NOISES = (0.1, 0.3, 1.0, 3.0)  # noise in training in units of a step's change, chapter 8

RECIPE = 1  # raise it when what `measure` measures changes
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
    "best": ("best", {}),
    "best, random data": ("best", {"data": "random"}),
    "best, 1 step": ("best", {"horizon": 1}),
    "best, 35 steps": ("best", {"horizon": 35}),
    "best, linear": ("best", {"curved": False}),
    "best, gains of a line": ("best", {"learn_gains": False}),
}


def figures():
    """Return what was measured of rungs, experiments and references.

    {"rungs": {name: {seed: evaluation}}, "experiments": the same, "references": {name: evaluation}}. An evaluation
    is what `drift.evaluate` returns; with "cost" for all but references, and for rungs with "return" (mean, low and
    high of the steps survived by a controller on the belief) and "accuracy" (how often it does what an expert does).
    """
    found = shipping.metrics()
    for kind in ("rungs", "experiments"):
        found[kind] = {name: {int(s): one for s, one in seeds.items()} for name, seeds in found[kind].items()}
    return found


def measure(name, seed, settings=None, games=100):
    """Train, if need be, and judge one rung on the test episodes: an evaluation, as `figures` holds them; kept."""
    settings = settings or {}

    def make():
        model = load_model(name, seed=seed, shipped=False, **settings)
        found = drift.evaluate(model, windows(10 if games else 20)) | {"cost": cost(model)}
        return {}, found | (played(model, seed, games) if games else {})

    key = {"recipe": RECIPE, "model": model_key(name, seed, **settings), "games": games}
    _, found = store.kept(f"figures-{name}-seed{seed}", key, make, "npz")
    found.pop("seconds")
    return found


@cache
def windows(stride=10):
    """Return the windows that the whole ladder is judged on; every `stride` steps of a test episode one begins."""
    return drift.protocols(load_episodes("mixed", "test"), stride=stride)


def played(model, seed, games=100):
    """Clone the expert who knows angle and velocity on a model's belief, and let the clone play."""
    splits = [load_episodes("mixed", split) for split in ("train", "validation")]
    controller, history = controllers.clone_on_belief(model, sign_theta_and_velocity, *splits, seed=seed)
    steps, _ = controllers.belief_returns(model, controller.act, games)
    return {
        "return": [round(value, 1) for value in controllers.mean_interval(steps)],
        "accuracy": round(float(history["validation accuracy"][-1]), 4),
    }


def cost(model, batch=100, steps=50):
    """What a rung costs: parameters (without the shared encoder), seconds of training, steps imagined a second."""
    own = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("autoencoder."))
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
    "best, told other actions": lambda protocol: references.ShuffledActions(load_model("best", shipped=False)),
    "best, untrained": lambda protocol: references.untrained(LADDER["best"]),
}


def train_all(workers=None):
    """Train every rung and seed, judge all of them, and write what travels with the package.

    What the cache folder holds already is not trained again: an interrupted run goes on where it was. A model
    is trained on each core; references are judged first, since they show soonest that something is wrong.
    """
    first = default_seed()
    seeds = range(first, first + SEEDS)
    for seed in seeds:
        load_autoencoder(seed=seed)  # one after the other: they use all cores
    tasks = [("references", name, first) for name in REFERENCES]
    tasks += [("rungs", name, seed) for seed in seeds for name in model_names()]
    tasks += [("experiments", name, seed) for seed in seeds for name in EXPERIMENTS]
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        measured = list(tqdm(pool.map(_measure, tasks), total=len(tasks), desc="ladder", unit=" models"))
    found = {"recipes": RECIPES | {"ladder": RECIPE}, "rungs": {}, "experiments": {}, "references": {}}
    for (kind, name, seed), one in zip(tasks, measured):
        if kind == "references":
            found[kind][name] = one
        else:
            found[kind].setdefault(name, {})[str(seed)] = one
    files = set().union(*(ship(name, first) for name in model_names()))
    shipping.put_metrics(found)
    for old in set(shipping.FOLDER.glob("*.safetensors")) - files:
        old.unlink()
    return found


def _measure(task):
    """Train and judge one model in a process of its own, on one core."""
    torch.set_num_threads(1)
    kind, name, seed = task
    if kind == "references":
        return measure_reference(name)
    if kind == "experiments":
        rung, settings = EXPERIMENTS[name]
        return measure(rung, seed, settings, games=0)
    return measure(name, seed)


def spread(evaluations, figure):
    """Return median, least and greatest of figure(evaluation) over the seeds of one rung; None counts as infinite."""
    values = [figure(one) for one in evaluations.values()]
    values = np.array([np.inf if value is None else value for value in values], dtype=float)
    return float(np.median(values)), float(values.min()), float(values.max())


def table():
    """Return the ladder as text: medians over seeds of what matters most."""
    found, doubling = figures(), np.log(2) / growth_rate()
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
