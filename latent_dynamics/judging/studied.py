"""Hundreds of world models to compare: rungs, settings and seeds, each caught at several points of its training.

All are small and learn from few episodes, so that there are many; and some of them are bad on purpose, since a metric
shows what it is worth where there is something to tell apart.
"""

import torch

from ..models import RSSM, AutoencoderMLP, MultiStep, NoiseRobust, PositionVelocity, Recurrent, TwoFrame
from ..models.eyes import seen
from ..models.goes_on import goes_on_lesson
from ..models.training import average, one_thread, seeded, train
from ..models.world_model import refuse_samples
from .references import ExactPhysics

POINTS = (0.02, 0.06, 0.2, 0.5, 1.0)  # shares of its training after which a model is looked at
EPISODES = {"train": 80, "validation": 40}  # that it learns from, and by which it is read
NOISES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0)  # of the control, in units of a step's change
SETTINGS = {  # name: (class, settings, data set, share of its training episodes)
    "autoencoder_mlp": (AutoencoderMLP, {}, "mixed", 1),
    "autoencoder_mlp, random data": (AutoencoderMLP, {}, "random", 1),
    "two_frame": (TwoFrame, {}, "mixed", 1),
    "two_frame, balance eyes": (TwoFrame, {"eyes": "balance"}, "mixed", 1),
    "two_frame, few episodes": (TwoFrame, {}, "mixed", 1 / 4),
    "multi_step": (MultiStep, {}, "mixed", 1),
    "multi_step, one frame": (MultiStep, {"sees_change": False}, "mixed", 1),
    "multi_step, balance eyes": (MultiStep, {"eyes": "balance"}, "mixed", 1),
    "multi_step, random data": (MultiStep, {}, "random", 1),
    "noise_robust": (NoiseRobust, {}, "mixed", 1),
    "noise_robust, noise 3": (NoiseRobust, {"noise": 3.0}, "mixed", 1),
    "recurrent, balance eyes": (Recurrent, {"eyes": "balance", "memory": 16}, "mixed", 1),
    "position_velocity": (PositionVelocity, {}, "mixed", 1),
    "position_velocity, 1 step": (PositionVelocity, {"horizon": 1}, "mixed", 1),
    "position_velocity, no filter": (PositionVelocity, {"filters": False}, "mixed", 1),
    "position_velocity, linear": (PositionVelocity, {"curved": False}, "mixed", 1),
    "position_velocity on z": (PositionVelocity, {"eyes": "autoencoder"}, "mixed", 1),
    "position_velocity, random data": (PositionVelocity, {}, "random", 1),
    "position_velocity, few episodes": (PositionVelocity, {}, "mixed", 1 / 8),
    "rssm": (RSSM, {}, "mixed", 1),
}  # fmt: skip


def studied(name, seed, splits, eyes):
    """Yield the model of one of the SETTINGS at each of its POINTS: (share of its training, model, terms of its loss).

    splits: Episodes for training and for validation; eyes: {kind: trained eyes}. The terms, {name: value}, are those of
    the validation episodes. At each point the model learns anew whether the episode goes on. It is the same object each
    time: look at it before asking for the next.
    """
    kind, settings, _, share = SETTINGS[name]
    train_on, held_out = splits
    train_on = train_on[: max(1, round(share * len(train_on)))]
    with seeded(seed):
        model = kind(**settings)
    model.eyes.load_state_dict(eyes[model.needs_eyes].state_dict())
    model.eyes.requires_grad_(False)
    codes = [seen(model.eyes, part) for part in (train_on, held_out)]
    dreams = next(iter(model.lessons(train_on, held_out)))
    kept = _snapshots(model, dreams, seed, name)
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


class NoisyPhysics(ExactPhysics):
    """Exact physics whose dreams are disturbed at each step: the control, of which it is known what is worse.

    noise: its spread, in units of `change` (S,), how much a step changes each of the state's numbers. Told the true
    state, as `planning_references.ToldTheState` is: what it loses, the noise has lost.
    """

    sees_the_truth = True

    def __init__(self, noise, change):
        super().__init__()
        self.spread = noise * torch.as_tensor(change, dtype=torch.float64)

    def step(self, belief, action):
        return self.imagine(belief, action[:, None])[:, 0].float()

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        chance, state, states = torch.Generator().manual_seed(0), belief.double(), []
        for action in actions.unbind(1):
            dice = torch.randn(state.shape, generator=chance, dtype=torch.float64)
            state = self.world.simulate(state, action[:, None])[:, 0] + self.spread * dice
            states.append(state)
        return torch.stack(states, 1)
