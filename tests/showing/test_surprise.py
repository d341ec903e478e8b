"""Live surprise's Python side: what it refuses, what it opens with, what it says of itself."""

import re

import numpy as np
import pytest
import torch
from awake import awake
from gusts import contexts

from latent_dynamics.data.episodes import Episodes
from latent_dynamics.judging.references import untrained
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.models import RSSM, PositionVelocity, StateSpace
from latent_dynamics.models.gaussian import kl
from latent_dynamics.showing.page.uncertain import Poses, extra_functions, scattered, surprise_step
from latent_dynamics.showing.widgets.start_states import recorded_contexts
from latent_dynamics.showing.widgets.surprise.surprise import Surprise, calm_episodes
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import read
from latent_dynamics.world.worlds import CARTPOLE


@pytest.fixture(scope="module")
def model():
    return load_model("state_space")


def surprise(model, **changed):
    """One of two starts, opened for 24 steps, with some arguments replaced."""
    states, actions = contexts(2)
    settings = {"models": {"one": model}, "states": states, "actions": actions, "opening": 24, "gust": (13, "left")}
    return Surprise(**settings | {"dark": (16, 22), "samples": 4} | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": {}}, "no model to doubt"),
        ({"models": {"blunt": untrained(PositionVelocity)}}, "'blunt' cannot be asked in a page for surprise, scatter"),
        ({"states": np.zeros((2, 6))}, r"shape \(2, 6\); expected \(B, K \+ 1, 6\)"),
        ({"states": np.ones((2, 11, 6))}, r"states \[0, 1\] have fallen already"),
        ({"actions": np.zeros((2, 4))}, r"actions have shape \(2, 4\); expected \(2, 10\)"),
        ({"actions": np.full((2, 10), 2)}, r"range over 2..2; the world knows 0..1"),
        ({"labels": ["one"]}, "1 labels for 2 starts"),
        ({"world": CARTPOLE, "states": contexts(2)[0][..., :4]}, "no gusts blow in the world 'cartpole'"),
        ({"gust": (13, "up")}, "a gust to the 'up'"),
        ({"gust": (10, "left")}, "a gust at step 10; expected one after the context of 10, up to step 24"),
        ({"dark": (9, 12)}, "covered at steps 9 to 11"),
        ({"samples": 1}, "1 samples; at least 2"),
    ],
)
def test_bad_input_is_named(model, changed, message):
    with pytest.raises(ValueError, match=message):
        surprise(model, **changed)


@pytest.mark.parametrize(("trait", "value", "last"), [("model", 1, 0), ("start", 2, 1), ("start", -1, 1)])
def test_refuses_what_is_not_there(model, trait, value, last):
    widget = surprise(model)
    with pytest.raises(ValueError, match=f"{trait} is {value}; expected a whole number from 0 to {last}"):
        setattr(widget, trait, value)
    assert getattr(widget, trait) == 0


def test_the_opening_is_an_experts_game_with_one_gust_and_a_dark_spell(model):
    played = surprise(model).played()
    states, actions = contexts(2)
    assert np.array_equal(played["states"][:11], states[0]) and np.array_equal(played["actions"][:10], actions[0])
    for n in range(11, 24):
        assert played["actions"][n] == int(GUSTY.expert(torch.from_numpy(played["states"][n])))
    gust, left = played["states"][11:, 4], played["states"][11:, 5]
    assert gust.tolist() == [0, 0, -10, -10, -10] + [0] * 9 and left.tolist() == [0, 0, 2, 1, 0] + [0] * 9
    assert np.flatnonzero(~played["seen"]).tolist() == list(range(16, 22))
    assert played["thetas"].shape == (25, 4) and len(played["surprise"]) == 24
    assert (played["surprise"][15:21] == 0).all(), "where nothing is seen nothing surprises"
    assert (np.delete(played["surprise"], range(15, 21)) > 0).all()


@torch.no_grad()
@pytest.mark.parametrize("kind", [StateSpace, RSSM])
def test_a_steps_surprise_is_the_models_own(kind):
    model = awake(untrained(kind))
    states, actions = contexts(2)
    frames = torch.from_numpy(from_bytes(GUSTY.draw(states.reshape(-1, 6), workers=1))).unflatten(0, (2, 11))
    frames[1, 5] = 1.0  # a covered camera
    actions, whole = torch.from_numpy(actions), model.surprise(frames, torch.from_numpy(actions))
    beliefs = model.filter(frames, actions)
    for t in range(10):
        each = surprise_step(model, beliefs[:, t], actions[:, t], model.see(frames[:, t + 1]))
        assert each.shape == (2, model.latent)
        assert torch.allclose(each.sum(1), whole[:, t], atol=1e-4)
    assert whole[1, 4] == 0 and kl(*[model.prior(torch.zeros(1, model.memory))] * 2).sum() == 0


@torch.no_grad()
@pytest.mark.parametrize("kind", [StateSpace, RSSM])
def test_a_sample_of_a_belief_is_drawn_where_its_own_latent_is(kind):
    model = awake(untrained(kind))
    states, actions = contexts(2)
    frames = torch.from_numpy(from_bytes(GUSTY.draw(states.reshape(-1, 6), workers=1))).unflatten(0, (2, 11))
    belief = model.observe(frames, torch.from_numpy(actions))
    noise = torch.randn(2, model.latent, generator=torch.Generator().manual_seed(0))
    sample = scattered(model, belief, noise)
    _, memory, z, _ = model.split(sample)
    assert torch.allclose(sample[:, :2], model.emission(memory, z), atol=1e-5)
    assert torch.equal(sample[:, 2:], model.scatter(belief, noise)[:, 2:])
    assert torch.allclose(scattered(model, belief, 0 * noise)[:, :2], belief[:, :2], atol=1e-5)


@torch.no_grad()
def test_poses_are_what_the_reader_finds_in_the_pens_drawings():
    model = load_model("rssm")
    pose, states = Poses(model), torch.zeros(400, model.state_size)
    rng = torch.Generator().manual_seed(0)
    states[:, :2] = (2 * torch.rand(400, 2, generator=rng) - 1) * torch.tensor([2.0, 2.5])
    seen = read(model.decode(states))
    off = (pose(states) - torch.stack([seen.x, seen.theta], -1))[seen.valid]
    assert seen.valid.float().mean() > 0.9
    assert float(off[:, 0].abs().max()) < 0.01 and float(torch.rad2deg(off[:, 1].square().mean().sqrt())) < 0.15
    assert torch.rad2deg(pose.error[1]) < 0.15


def test_a_model_without_doubt_brings_nothing_more_to_a_page():
    model = awake(untrained(PositionVelocity))
    with torch.no_grad():
        code = model.see(torch.ones(1, 32, 100))
        assert extra_functions(model, model.begin(code), torch.ones(1, dtype=torch.int64), code) == {}


@pytest.fixture(scope="module")
def episodes():
    """Three games of an expert, of which the first and the last are calm."""
    states, actions = contexts(3, steps=20, seed=1)
    return Episodes(
        frames=np.zeros((63, 32, 100), np.uint8), states=states.reshape(-1, 6), actions=actions.ravel(),
        rewards=np.ones(60), terminated=np.zeros(60, bool), truncated=np.zeros(60, bool), lengths=np.full(3, 20),
        world=GUSTY,
    )  # fmt: skip


def test_starts_come_from_recorded_episodes(model, episodes):
    number = 1
    script = {"opening": 12, "gust": (6, "right"), "dark": (8, 10)}
    widget = Surprise.of({"one": model}, episodes, [number], first=2, context=4, **script)
    frame, step = episodes.first_frames[number] + 2, episodes.first_steps[number] + 2
    assert np.array_equal(widget.starts[0]["states"], episodes.states[frame : frame + 5])
    assert widget.starts[0]["actions"] == episodes.actions[step : step + 4].tolist()
    for numbers, message in (([], "expected at least one"), ([len(episodes)], "expected at least one number from 0")):
        with pytest.raises(ValueError, match=message):
            recorded_contexts(episodes, numbers)
    with pytest.raises(ValueError, match=rf"\[{number}\] end before step 1010"):
        recorded_contexts(episodes, [number], first=1000)


def test_without_numbers_calm_and_upright_starts_are_chosen(model, episodes):
    numbers = calm_episodes(episodes, 2, first=2, context=18)
    assert numbers == [0, 2], "in the other one a gust blows"
    for number in calm_episodes(episodes, 3, first=2, context=5):
        states = episodes.states[episodes.first_frames[number] + 2 :][:6]
        assert not states[:, 4].any() and abs(np.degrees(states[-1, 2])) < 3
    widget = Surprise.of({"one": model}, episodes, first=2, context=5, opening=12, gust=(6, "right"), dark=(8, 10))
    assert widget.starts[0]["states"][0] == episodes.states[2].tolist()
    with pytest.raises(ValueError, match="no episode is calm for 900 steps"):
        calm_episodes(episodes, 2, context=900)


def test_still_picture_has_its_story_in_words(model):
    widget = surprise(model)
    alt = re.search(r'alt="([^"]*)"', widget.still().data)[1]
    played = widget.played()
    usual = np.median(played["surprise"][played["seen"][1:]])
    assert f"usually {usual:.1f} nats. A gust to the left begins at step 13" in alt
    spread = played["thetas"].std(1, ddof=1)
    grown = f"goes from {spread[15]:.1f} to {spread[21]:.1f} degrees"
    assert f"From step 16 to 21 nothing is seen, and the spread of the believed pole angle {grown}" in alt
