"""The tree of plans' Python side: what it says is dreamt is what the planner dreams, and bad input is named."""

import re

import numpy as np
import pytest
import torch

from latent_dynamics.acting.held_pushes import plans
from latent_dynamics.acting.planning import Planner
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.showing.widgets.plan_tree.plan_tree import PlanTree
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.reader import degrees, read

LEANING = np.array([[0.1, 0.0, 0.06, 0.2, 0.0, 0.0]])


@pytest.fixture(scope="module")
def models():
    return {name: load_model(name) for name in ("position_velocity", "rssm")}


def test_it_dreams_what_the_planner_dreams_and_votes_as_it_does(models):
    for number, (name, model) in enumerate(models.items()):
        tree = PlanTree(models, LEANING, decisions=5, held=4)
        tree.model = number
        said = tree.tree()
        assert said["plans"].shape == (32, 20) and said["theta"].shape == (32, 20) and said["survival"].shape == (32,)
        frame = torch.from_numpy(GUSTY.draw(LEANING, workers=1)).float() / 255
        chances = Planner(model, decisions=5, held=4).plan(model.begin(model.see(frame)))
        assert said["right"] == pytest.approx(float(chances[0, 0]), abs=0.02), name
        assert said["right"] > 0.5, "a pole that falls to the right is caught to the right"


def test_angles_are_those_that_the_reader_finds_in_what_is_drawn(models):
    tree, model = PlanTree(models, LEANING, decisions=3, held=3), models["position_velocity"]
    frame = torch.from_numpy(GUSTY.draw(LEANING, workers=1)).float() / 255
    with torch.no_grad():
        dreams = model.imagine(model.begin(model.see(frame)).expand(8, -1), plans(3, 3))
        seen = read(model.decode(dreams))
    near = seen.valid & (seen.theta.abs() < np.radians(10))
    off = np.abs(tree.tree()["theta"] - degrees(seen.theta).numpy())[near.numpy()]
    assert len(off) > 20 and np.median(off) < 0.3


def test_gusts_and_pushes_so_far_are_played(models):
    tree = PlanTree(models, 0 * LEANING, actions=[1, 0, 1, 0, 1])
    calm = tree.tree()["state"]
    tree.gusts = [[2, -1]]
    assert tree.tree()["state"][3] != calm[3] and tree.tree()["state"][4] == 0, "it has blown over"
    tree.step = 2
    assert tree.tree()["state"][4] == -10
    tree.actions, tree.step = [], 0
    assert np.array_equal(tree.tree()["state"], np.zeros(6))


@pytest.mark.parametrize(
    ("models", "settings", "message"),
    [
        ({}, {}, "no model to plan with"),
        ({"one": lambda: load_model("multi_step")}, {}, "the model 'one' cannot plan in a page"),
        ({"one": lambda: load_model("position_velocity")}, {"decisions": 9}, "expected a whole number from 1 to 6"),
        ({"one": lambda: load_model("position_velocity")}, {"actions": [2]}, "each 0 .left. or 1 .right."),
    ],
)
def test_bad_input_is_named(models, settings, message):
    with pytest.raises(ValueError, match=message):
        PlanTree({name: make() for name, make in models.items()}, LEANING, **settings)


def test_still_picture_has_its_story_in_words(models):
    words = re.search(r'alt="([^"]*)"', PlanTree(models, LEANING).still().data)[1]
    assert "along 64 imagined plans of 30 steps" in words and "for a push to the right" in words
