"""The fan of futures' Python side: what it refuses, that its futures are the package's own, what it says of itself."""

import re

import numpy as np
import pytest
import torch
from awake import awake
from gusts import contexts
from traitlets import TraitError

from latent_dynamics.data.episodes import Episodes
from latent_dynamics.judging.references import untrained
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.models import PositionVelocity, StateSpace
from latent_dynamics.showing.page.chance import blown
from latent_dynamics.showing.widgets.fan.fan import Fan, telling_starts
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.worlds import CARTPOLE


@pytest.fixture(scope="module")
def model():
    return load_model("state_space")


def fan(model, **changed):
    """Six steps from three starts, with some arguments replaced."""
    states, actions = contexts(3)
    settings = {"models": {"one": model}, "states": states, "actions": actions, "horizon": 6, "samples": 5, "real": 40}
    return Fan(**settings | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": {}}, "no model to doubt"),
        ({"models": {"blunt": untrained(PositionVelocity)}}, "'blunt' cannot be asked in a page for scatter"),
        ({"models": {"raw": awake(untrained(StateSpace))}}, "'raw' cannot .* scatter, sample_step, pose; "),
        ({"horizon": 1}, "a horizon of 1 steps and 40 real futures"),
        ({"samples": 1}, "1 samples"),
        ({"real": 0}, "0 real futures"),
        ({"world": CARTPOLE, "states": contexts(3)[0][..., :4]}, "no gusts blow in the world 'cartpole'"),
        ({"states": contexts(3)[0][..., :4]}, r"expected \(B, K \+ 1, 6\)"),
        ({"labels": ["one"]}, "1 labels for 3 starts"),
        ({"pushes": [0, 1]}, r"pushes is \[0, 1\]; expected 6 pushes, each 0"),
        ({"pushes": []}, "expected 6 pushes"),
        ({"compared": [2] * 6}, "each 0 .left. or 1 .right."),
        ({"step": 7}, "horizon is 7; expected a whole number from 1 to 6"),
    ],
)
def test_bad_input_is_named(model, changed, message):
    with pytest.raises(ValueError, match=message):
        fan(model, **changed)


@pytest.mark.parametrize(("trait", "value"), [("model", 1), ("start", 3), ("horizon", 0), ("gust_step", 7)])
def test_refuses_what_is_not_there(model, trait, value):
    widget = fan(model)
    with pytest.raises(ValueError, match=f"{trait} is {value}; expected"):
        setattr(widget, trait, value)
    with pytest.raises(TraitError, match="'chance', 'none', 'left', 'right'"):
        widget.gusts = "up"


def test_real_futures_are_the_worlds_and_begin_with_what_blows(model):
    """Without chance there is one, which `simulate` gives; with it, as many gusts begin as should."""
    widget = fan(model, gusts="none", start=1)
    truth = widget.futures()["truth"]
    start = torch.tensor(widget.starts[1]["states"][-1:])
    pushes = torch.tensor([widget.pushes])
    calm = torch.rad2deg(GUSTY.simulate(start, pushes)[0, :, 2]).numpy()
    assert np.allclose(truth[:, 1:], calm, atol=1e-9) and np.ptp(truth, axis=0).max() < 1e-9
    widget.gusts = "chance"
    different = np.abs(widget.futures()["truth"] - truth).max(1) > 1e-9
    assert 0 < different.mean() < 0.6
    blew, still = (fan(model, gusts=name, gust_step=2).futures()["truth"][0] for name in ("right", "none"))
    assert np.allclose(blew[:3], still[:3], atol=1e-9) and blew[-1] < still[-1], "pushed right, a pole leans left"


def test_gusts_begin_only_where_the_air_is_calm():
    states = torch.zeros(4, 6, dtype=torch.float64)
    states[2:, 4], states[2:, 5] = 10.0, 1.0
    begins, side = torch.tensor([0.0, 0.5, 0.0, 0.5]), torch.tensor([0.1, 0.1, 0.1, 0.9])
    assert blown(GUSTY, states, begins, side)[:, 4:].tolist() == [[-10, 3], [0, 0], [10, 1], [10, 1]]
    assert not states[:2].any(), "what it was given is as it was"
    assert blown(CARTPOLE, states[:, :4], begins, side) is not None
    assert torch.equal(blown(CARTPOLE, states[:, :4], begins, side), states[:, :4])


def test_the_same_seed_draws_the_same_and_another_one_others(model):
    one, two, other = (fan(model, seed=seed).futures() for seed in (0, 0, 10))
    for who in ("dream", "truth"):
        assert np.array_equal(one[who], two[who]) and not np.array_equal(one[who], other[who])
    assert one["dream"].shape == (5, 7) and one["truth"].shape == (40, 7)


def test_what_it_is_worth_is_what_the_judge_says(model):
    widget = fan(model)
    futures, worth = widget.futures(), widget.worth()
    dream, truth = (torch.from_numpy(futures[who][:, -1]) for who in ("dream", "truth"))
    apart = (dream[:, None] - dream).abs().sum() / (5 * 4)
    assert worth["crps"][-1] == pytest.approx(float((dream[:, None] - truth).abs().mean() - apart / 2))
    low, high = np.quantile(futures["dream"], [0.05, 0.95], axis=0)
    inside = ((futures["truth"] >= low) & (futures["truth"] <= high)).mean(0)
    assert np.allclose(worth["cover_90"], inside)


def test_plans_are_offered_for_each_start_and_the_experts_suits_it(model):
    widget = fan(model)
    for start, plans in zip(widget.starts, widget.plans, strict=True):
        pushes = dict(plans)["an expert's, were the air calm"]
        state = torch.tensor(start["states"][-1], dtype=torch.float64)
        for push in pushes:
            assert push == int(GUSTY.expert(state))
            state = GUSTY.step(state, torch.tensor(push))
    assert widget.pushes == [1, 0, 1, 0, 1, 0] and widget.compared == [0, 1, 0, 1, 0, 1]


def recorded(*gusts):
    """Episodes of 21 upright states each, in which a gust to the right began at these steps; None is calm air."""
    states = np.zeros((len(gusts), 21, 6))
    for number, began in enumerate(gusts):
        for n in range(3 if began is not None else 0):
            if began + n < 21:
                states[number, began + n, 4:] = 10.0, 2 - n
    E = len(gusts)
    return Episodes(
        frames=np.zeros((21 * E, 32, 100), np.uint8), states=states.reshape(-1, 6), actions=np.zeros(20 * E, np.int64),
        rewards=np.ones(20 * E), terminated=np.zeros(20 * E, bool), truncated=np.zeros(20 * E, bool),
        lengths=np.full(E, 20), world=GUSTY,
    )  # fmt: skip


def test_telling_starts_are_the_first_of_their_kind():
    episodes = recorded(15, 17, None, 20, None, 17)
    assert telling_starts(episodes) == [
        (2, "calm air"), (1, "a gust that has shown"), (3, "a gust that nobody can have seen"),
    ]  # fmt: skip
    assert telling_starts(recorded(None)) == [(0, "calm air")]
    with pytest.raises(ValueError, match="no episode has a start of any kind"):
        telling_starts(recorded(15))


def test_of_takes_them_where_none_are_named(model):
    widget = Fan.of({"one": model}, recorded(17, None), horizon=4, samples=3, real=2)
    assert widget.labels == ["calm air", "a gust that has shown"]
    assert widget.starts[1]["states"][-4:-1] == [[0, 0, 0, 0, 10, 2], [0, 0, 0, 0, 10, 1], [0, 0, 0, 0, 10, 0]]


def test_still_picture_has_its_story_in_words(model):
    widget = fan(model, step=5)
    alt = re.search(r'alt="([^"]*)"', widget.still().data)[1].replace("−", "-")
    low, high = np.quantile(widget.futures()["dream"][:, 5], [0.05, 0.95])
    assert f"At step 5 nine tenths of the imagined ones lie between {low:.1f} and {high:.1f} degrees" in alt
    assert f"the CRPS is {widget.worth()['crps'][5]:.2f} degrees" in alt
