"""What is measured of one model: drift by both protocols and both readers, games, how well it knows the end, cost.

It is handed a model and what to judge it on, and knows nothing of where they come from: all that the figures depend on
is in its arguments, and in the source that this file leads to.
"""

import time

import torch

from ..acting import controllers
from ..models.training import one_thread
from ..world import closest_picture
from . import drift
from .reliability import reliability


def measured(model, windows):
    """Judge a model by windows of both protocols: what `drift.evaluate` returns, dreams alone, with "cost"."""
    return drift.evaluate(model, windows, teacher_forced=False, pixels=False) | {"cost": cost(model)}


def measured_whole(model, windows, splits, ends, seed, games=100):
    """Measure all that the ladder tells of a rung.

    windows: of both protocols; splits: Episodes for training and for validation, from which a controller is cloned;
    ends: Episodes on which `outcome` is judged. Returns what `drift.evaluate` does, "cost", "return" and "accuracy" of
    the controller (see `played`), and "ends" (see `believed_ends`).
    """
    found = drift.evaluate(model, windows) | {"cost": cost(model)} | played(model, splits, seed, games)
    return found | {"ends": believed_ends(model, ends)}


def seen_by_other_eyes(model, windows):
    """Judge a model by the reader of closest pictures: what `drift.evaluate` returns, without pixels."""
    return drift.evaluate(model, windows, teacher_forced=False, reader=closest_picture.read, pixels=False)


def played(model, splits, seed, games=100):
    """Clone the expert who knows angle and velocity on a model's belief, and let the clone play from pixels.

    Returns "return", [mean, low, high] of the steps survived in so many games, and "accuracy", how often the clone does
    what the expert would on validation frames.
    """
    world = splits[0].world
    controller, history = controllers.clone_on_belief(model, world.expert, *splits, seed=seed)
    steps, _ = controllers.belief_returns(model, controller.act, games, world=world)
    return {
        "return": [round(value, 1) for value in controllers.mean_interval(steps)],
        "accuracy": round(float(history["validation accuracy"][-1]), 4),
    }


def believed_ends(model, episodes):
    """Return the reliability of a model's `outcome`, in numbers that JSON can hold: see `reliability.Reliability`."""
    return {name: drift.plain(values) for name, values in vars(reliability(model, episodes)).items()}


def cost(model, batch=100, steps=50):
    """What a model costs: its own parameters (eyes are shared), seconds of training, steps imagined a second."""
    own = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("eyes."))
    seen = torch.ones(batch, 2, *model.frame_shape)
    actions = torch.zeros(batch, steps, dtype=torch.int64)
    with torch.no_grad(), one_thread():
        belief = model.observe(seen, actions[:, :1])
        model.imagine(belief, actions)  # warm
        begun = time.process_time()  # of this process alone: another model may be trained beside it
        for _ in range(3):
            model.imagine(belief, actions)
    rate = 3 * batch * steps / (time.process_time() - begun)
    return {
        "parameters": own,
        "seconds": getattr(model, "seconds", None),
        "steps_per_second": int(float(f"{rate:.2g}")),
    }
