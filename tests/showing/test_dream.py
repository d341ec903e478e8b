"""The live dream's Python side: what it refuses, what it opens with, what it says of itself."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from gusts import contexts
from traitlets import TraitError

from latent_dynamics.judging.references import ExactPhysics, RepeatLastFrame
from latent_dynamics.showing.widgets import Dream
from latent_dynamics.showing.widgets.dream.dream import opening
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.worlds import CARTPOLE

STATE, PUSHES = [0.1, 0.0, 0.02, 0.0], [1, 0, 1]


def dream(**changed):
    """A dream in which nothing moves, with some arguments replaced."""
    return Dream(**{"models": {"still": RepeatLastFrame()}, "states": [STATE], "actions": [PUSHES], **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": {}}, "no model to dream with"),
        ({"states": [STATE[:3]]}, r"expected \(B, 4\)"),
        ({"actions": [PUSHES, PUSHES]}, r"expected \(1, K\)"),
        ({"actions": [[0, 2]]}, "0 .left. or 1"),
        ({"labels": ["one", "two"]}, "2 labels for 1 starts"),
    ],
)
def test_bad_input_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        dream(**changed)


@pytest.mark.parametrize(
    ("trait", "value", "least"), [("model", 1, 0), ("start", -1, 0), ("beside", 1, -1), ("beside", -2, -1)]
)
def test_refuses_what_is_not_there(trait, value, least):
    with pytest.raises(ValueError, match=f"{trait} is {value}; expected a whole number from {least} to 0"):
        setattr(dream(), trait, value)


def test_a_second_dream_and_the_outline_are_chosen_at_first_or_later():
    alone = dream()
    assert (alone.beside, alone.outline) == (-1, "truth")
    both = dream(models={"still": RepeatLastFrame(), "too": RepeatLastFrame()}, beside=1, outline="physics")
    assert (both.beside, both.outline) == (1, "physics")
    both.beside, both.outline = -1, "none"
    with pytest.raises(TraitError, match="'truth', 'physics', 'none'"):
        both.outline = "dream"


def test_a_model_that_the_page_cannot_compute_stays_with_the_kernel():
    both = dream(models={"still": RepeatLastFrame(), "physics": ExactPhysics()})
    assert [page.in_kernel for page in both.page_models] == [False, True]
    assert "does not define see" in both.page_models[1].why_in_kernel


def test_the_opening_is_driven_by_the_expert_until_the_dream_has_no_pole():
    real, dreamt, angle, seen = opening(RepeatLastFrame(), {"state": STATE, "actions": PUSHES}, steps=12)
    assert len(real) == len(dreamt) == len(angle) == len(seen) == 13
    assert torch.equal(dreamt[0], dreamt[-1])
    assert float(abs(seen[0] - angle[0])) < 0.6  # the reader's error on a real frame
    assert float(abs(angle).max()) < 12

    class Blank(RepeatLastFrame):
        def decode(self, states):
            return torch.ones(*states.shape[:-1], 32, 100)

    assert len(opening(Blank(), {"state": STATE, "actions": PUSHES}, steps=12)[0]) == 2


def test_still_picture_has_its_story_in_words():
    alt = re.search(r'alt="([^"]*)"', dream(opening=12).still().data)[1]
    assert "what a model dreams after 3 pushes" in alt
    assert re.search(r"apart|no pole", alt)


def test_starts_come_from_recorded_episodes():
    from latent_dynamics.data.collection import collect

    episodes = collect("mixed", 400, seed=3)
    number = int(np.argmax(episodes.lengths))
    start = Dream.of({"still": RepeatLastFrame()}, episodes, [number], first=2, context=4, opening=0).starts[0]
    first, first_step = episodes.first_frames[number], episodes.first_steps[number]
    assert start["state"] == episodes.states[first + 2].tolist()
    assert start["actions"] == episodes.actions[first_step + 2 : first_step + 6].tolist()
    with pytest.raises(ValueError, match="end before step 510; take longer ones, or start earlier"):
        Dream.of({"still": RepeatLastFrame()}, episodes, [number], first=500)


def test_a_world_with_a_hidden_wind_is_dreamt_in():
    """Its states have five entries, the wind last; the page is told, and the still picture goes the windy way."""

    def step(states, actions, generator=None):
        moved = CARTPOLE.step(states[..., :4], actions)
        return torch.cat([moved + states[..., 4:] * torch.tensor([0, 0.1, 0, 0]), states[..., 4:]], -1)

    windy = replace(
        CARTPOLE, name="windy", step=step, fallen=lambda states: CARTPOLE.fallen(states[..., :4]), hidden=("wind",),
        state_names=(*CARTPOLE.state_names, "wind"), page={"wind": 4},
    )  # fmt: skip
    calm, blown = (dream(world=windy, states=[[*STATE, wind]], opening=3) for wind in (0.0, 1.0))
    assert blown.world == {"wind": 4} and len(blown.starts[0]["state"]) == 5
    assert calm.still().data != blown.still().data
    with pytest.raises(ValueError, match=r"expected \(B, 5\)"):
        dream(world=windy)


def test_in_a_gusty_world_the_opening_meets_the_gusts_of_the_page():
    states, actions = contexts(1)
    calm, gusty = (
        opening(RepeatLastFrame(), {"state": states[0, 0], "actions": actions[0]}, 30, world)
        for world in (replace(GUSTY, state_names=(*CARTPOLE.state_names, "blew", "rest")), GUSTY)
    )
    assert len(gusty[2]) > 15 and torch.equal(calm[2][:10], gusty[2][:10])
    assert float(abs(calm[2][: len(gusty[2])] - gusty[2][: len(calm[2])]).max()) > 0.5
