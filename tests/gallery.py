"""One of each widget, made in moments of made-up data and models that nobody trained, for what all of them owe."""

import numpy as np
import torch
from gusts import contexts
from ladders import ladder, references

from latent_dynamics.acting.controllers import Controller
from latent_dynamics.judging.drift import Windows
from latent_dynamics.judging.references import ExactPhysics, RepeatLastFrame, untrained
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.models import AutoencoderMLP
from latent_dynamics.showing import widgets
from latent_dynamics.world.rendering import draw
from latent_dynamics.world.worlds import CARTPOLE

STATES = np.array([[0.0, 0, 0.01, 0], [0.4, 0.2, 0.1, 0.3]])
QUESTION = {"question": "Which?", "options": {"one": "why one", "two": "why two"}, "right": "two", "evidence": "Two."}


def windows():
    """Two windows of a standing pole, four steps each."""
    states = torch.zeros(2, 5, 4, dtype=torch.float64)
    pixels = torch.from_numpy(draw(states[:, [0, 0, *range(5)]].numpy(), workers=1))
    pushes = torch.ones(2, 6, dtype=torch.int64)
    alive = torch.ones(2, 4, dtype=torch.bool)
    return Windows(pixels, pushes[:, :2], pushes[:, 2:], states, alive, np.arange(2), "intervened")


def duel():
    """Two controllers that decide at random."""
    pair = [untrained(lambda size=size: Controller(torch.randn(9, size))) for size in (4, 8)]
    return widgets.Duel(_eyes(), {"fair": pair}, STATES)


def explorer():
    """A latent space of noise."""
    return widgets.LatentExplorer(
        _eyes(), STATES, np.random.default_rng(0).normal(size=(300, 8)), moved=[0.5] + [0] * 7
    )


def dream():
    """A photograph that the page computes, and beside it exact physics, which only Python can."""
    models = {"still": RepeatLastFrame(), "physics": ExactPhysics()}
    return widgets.Dream(models, STATES[1:], [[1, 0, 1]], opening=4, beside=1)


def crop():
    """Two screens of noise."""
    screens = np.random.default_rng(0).integers(0, 256, (2, 400, 600, 3), dtype=np.uint8)
    return widgets.CropExplorer(screens)


def collapse():
    """Models of two weights and three sigmas, the first of which use their latent."""
    return widgets.Collapse(collapsed(), np.linspace(-1, 1, 4)[:, None] * np.arange(8))


def metric_map(**changed):
    """Six models of three trainings, and three metrics: one is good, one is not, one not all of them have."""
    given = {
        "columns": {
            "good": ("good metric", 1), "bad": ("bad metric", -1), "some": ("some have it", 1), "plan": ("planner", 1),
        },
        "ways": ["plan"],
        "values": {
            "good": [1, 2, 3, 4, 5, 6], "bad": [0.1, 3, np.inf, 20, 0.2, 9], "some": [np.nan, 1, 2, np.nan, 1, 3],
            "plan": [10, 30, 90, 200, 250, 300],
        },
        "training": ["a", "a", "b", "b", "c", "c"], "half": [0, 0, 1, 1, 0, 0],
        "family": ["x", "x", "y", "y", "z", "z"],
    }  # fmt: skip
    return widgets.MetricMap(**given | changed)


def collapsed():
    """Made-up figures of such models."""
    return {
        (weight, sigma): {
            "latent": {"kl": [0.01, 0.44 - 0.28 * weight, 0.03], "swapped": 0.5, "nats": 2.0}, "crps": [sigma] * 10,
            "fan": {"theta": (np.linspace(-sigma, sigma, 5)[:, None] * np.arange(8)).tolist()},
        } for weight in (0.5, 1.5) for sigma in (0.1, 0.2, 0.3)
    }  # fmt: skip


def stepper():
    """Three frames of a standing pole, of which the last surprises."""
    belief = [[0.0, 1.0, 0.0, 1.0]] * 3
    return widgets.Stepper(np.zeros((3, 4)), belief, belief, [[0.0, 0.0]] * 3, [1.0, 1.0, 2.0], [0.0] * 3, CARTPOLE)


def fan():
    """What a model of the shipped set holds possible."""
    return widgets.Fan({"doubter": load_model("state_space")}, *contexts(2), horizon=6, samples=4, real=4)


def plan_tree():
    """What a shipped model plans, from two starts."""
    states = np.zeros((2, 6))
    states[:, 2] = 0.03, -0.05
    return widgets.PlanTree({"position_velocity": load_model("position_velocity")}, states, decisions=4, actions=[1, 0])


def surprise():
    """Its surprise, in a short game."""
    short = {"opening": 24, "gust": (13, "left"), "dark": (16, 20), "samples": 4}
    return widgets.Surprise({"doubter": load_model("state_space")}, *contexts(2), **short)


MAKERS = {
    "Choose": lambda: widgets.Choose(**QUESTION, films=np.random.default_rng(0).random((2, 3, 8, 10))),
    "Collapse": collapse,
    "MetricMap": metric_map,
    "CropExplorer": crop,
    "Dream": dream,
    "Duel": duel,
    "Fan": fan,
    "LadderFigure": lambda: widgets.LadderFigure(ladder(), references()),
    "LatentExplorer": explorer,
    "Ledger": widgets.Ledger,
    "PlanTree": plan_tree,
    "RolloutPlayer": lambda: widgets.RolloutPlayer.of(untrained(AutoencoderMLP), windows()),
    "Sketch": lambda: widgets.Sketch("How high?", np.arange(1, 11), {"free": 0.3 * np.arange(1, 11)}),
    "Stepper": stepper,
    "Surprise": surprise,
    "WhatIf": lambda: widgets.WhatIf(untrained(AutoencoderMLP), STATES),
}


class Noisy(RepeatLastFrame):
    """A photograph that each step makes noisier, by chance."""

    def step(self, belief, action):
        return belief + 0.05 * torch.randn_like(belief)

    def imagine(self, belief, actions, samples=None):
        return torch.stack([belief := self.step(belief, action) for action in actions.unbind(1)], 1)

    def decode(self, states):
        return super().decode(states).clamp(0, 1)


NOISY = {
    "a noisy Dream": lambda: widgets.Dream({"noisy": Noisy()}, STATES[1:], [[1, 0, 1]], opening=4),
    "a noisy RolloutPlayer": lambda: widgets.RolloutPlayer.of(Noisy(), windows()),
    "a noisy WhatIf": lambda: widgets.WhatIf(Noisy(), STATES),
}


def _eyes():
    return untrained(AutoencoderMLP).autoencoder
