"""Hundreds of world models to compare: rungs, settings and seeds, each caught at several points of its training.

All are small and learn from few episodes, so that there are many; and some of them are bad on purpose, since a metric
shows what it is worth where there is something to tell apart.
"""

import torch

from ..models.eyes import seen
from ..models.goes_on import goes_on_lesson
from ..models.training import average, one_thread, seeded, train

POINTS = (0.02, 0.06, 0.2, 0.5, 1.0)  # shares of its training after which a model is looked at
EPISODES = {"train": 80, "validation": 40}  # that it learns from, and by which it is read
SETTINGS = {  # name: (rung, settings, data set, share of its training episodes)
    "autoencoder_mlp": ("autoencoder_mlp", {}, "mixed", 1),
    "autoencoder_mlp, random data": ("autoencoder_mlp", {}, "random", 1),
    "two_frame": ("two_frame", {}, "mixed", 1),
    "two_frame, balance eyes": ("two_frame", {"eyes": "balance"}, "mixed", 1),
    "two_frame, few episodes": ("two_frame", {}, "mixed", 1 / 4),
    "multi_step": ("multi_step", {}, "mixed", 1),
    "multi_step, one frame": ("multi_step", {"sees_change": False}, "mixed", 1),
    "multi_step, balance eyes": ("multi_step", {"eyes": "balance"}, "mixed", 1),
    "multi_step, random data": ("multi_step", {}, "random", 1),
    "noise_robust": ("noise_robust", {}, "mixed", 1),
    "noise_robust, noise 3": ("noise_robust", {"noise": 3.0}, "mixed", 1),
    "recurrent, balance eyes": ("recurrent", {"eyes": "balance", "memory": 16}, "mixed", 1),
    "position_velocity": ("position_velocity", {}, "mixed", 1),
    "position_velocity, 1 step": ("position_velocity", {"horizon": 1}, "mixed", 1),
    "position_velocity, no filter": ("position_velocity", {"filters": False}, "mixed", 1),
    "position_velocity, linear": ("position_velocity", {"curved": False}, "mixed", 1),
    "position_velocity on z": ("position_velocity", {"eyes": "autoencoder"}, "mixed", 1),
    "position_velocity, random data": ("position_velocity", {}, "random", 1),
    "position_velocity, few episodes": ("position_velocity", {}, "mixed", 1 / 8),
    "rssm": ("rssm", {}, "mixed", 1),
}  # fmt: skip


def studied(model, splits, seed, share, label):
    """Teach a model, and yield it at each of its POINTS: (share of its training, model, terms of its loss).

    splits: Episodes for training and for validation; share: of the training episodes that it sees; its eyes are trained
    already. The terms, {name: value}, are those of the validation episodes. At each point the model learns anew whether
    the episode goes on. It is the same object each time: look at it before asking for the next.
    """
    train_on, held_out = splits
    train_on = train_on[: max(1, round(share * len(train_on)))]
    codes = [seen(model.eyes, part) for part in (train_on, held_out)]
    dreams = next(iter(model.lessons(train_on, held_out)))
    kept = _snapshots(model, dreams, seed, label)
    for point, weights in kept.items():
        model.load_state_dict(weights)
        model.eval()
        with torch.no_grad(), seeded(seed), one_thread():
            terms = average(dreams.loss, dreams.validation)
        ends = goes_on_lesson(model, (train_on, held_out), codes)
        with one_thread():
            train(
                model, ends.loss, ends.data, ends.validation,
                ends.budget, seed, "goes on", bar=False,
            )  # fmt: skip
        yield point, model, terms


def _snapshots(model, lesson, seed, label):
    """Teach a model one lesson, and keep its weights at each of its POINTS: {share: state dict}."""
    steps = lesson.budget.epochs * -(-len(lesson.data[0]) // lesson.budget.batch_size)
    due, kept, done = {max(1, round(point * steps)): point for point in POINTS}, {}, 0

    def keep():
        nonlocal done
        done += 1
        if lesson.after_step:
            lesson.after_step()
        if done in due:
            kept[due[done]] = {name: values.clone() for name, values in model.state_dict().items()}

    with one_thread():
        train(
            model, lesson.loss, lesson.data, lesson.validation, lesson.budget, seed, label, bar=False, after_step=keep
        )
    return kept
