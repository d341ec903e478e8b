"""Real games by Gymnasium's own step and render, and the command that plays them."""

import numpy as np
import pytest
from PIL import Image

from latent_dynamics.acting.planning import Planner, planned_returns
from latent_dynamics.acting.real_games import Dreamer, Planning, Sighted, make, play
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.workshop.commands import main
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.worlds import CARTPOLE

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model():
    return load_model("position_velocity")


def test_a_planner_keeps_a_real_pole_up_and_a_coin_does_not(model):
    environment, seen = make(CARTPOLE), []
    planner = Planning(model, Planner(model))
    assert play(planner, environment, seed=1, limit=120, watch=lambda picture, _: seen.append(picture.shape)) == 120
    assert set(seen) == {(400, 600, 3)} and len(seen) == 120
    assert planner.planned().shape == (32, 100) and 0.5 < planner.planned().mean() < 1
    coin = np.random.default_rng(0)
    assert play(Sighted(lambda state: coin.integers(2)), environment, seed=1) < 100


def test_it_does_as_well_as_in_our_own_physics(model):
    planner, environment = Planner(model, decisions=3, held=4), make(CARTPOLE)
    real = np.mean([play(Planning(model, planner), environment, seed, 150) for seed in range(4)])
    ours = planned_returns(planner, 20, limit=150).mean()
    assert abs(real - ours) < 25


def test_a_sighted_player_is_shown_the_whole_state_and_a_dreamer_none():
    sizes = []
    play(Sighted(lambda state: sizes.append(len(state)) or 0), make(GUSTY), seed=0)
    play(Sighted(lambda state: sizes.append(len(state)) or 0), make(CARTPOLE), seed=0)
    assert set(sizes) == {4, 6}
    blind = Dreamer(load_model("position_velocity"), lambda belief: 0)
    assert play(blind, make(CARTPOLE), seed=0) < 15, "one way alone"


def test_the_command_prints_each_return_the_mean_and_its_interval_and_writes_a_film(capsys, tmp_path):
    film = tmp_path / "film.gif"
    told = ["play", "position_velocity", "--act", "expert", "--world", "cartpole", "--games", "2", "--seed", "7"]
    assert main([*told, "--film", str(film)]) == 0
    said = capsys.readouterr().out
    assert "mean return 500.0 of 2 games in cartpole, 95 % interval 500.0 to 500.0" in said
    assert said.count("game ") >= 2 and Image.open(film).n_frames > 100


def test_an_actor_of_its_dreams_keeps_a_real_pole_up(capsys):
    assert main(["play", "position_velocity", "--act", "actor", "--games", "2", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert "mean return 500.0 of 2 games in cartpole" in said


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["nosuch"], "no model called 'nosuch'"),
        (["rssm", "--games", "0"], "asked for 0 games; ask for at least 1"),
        (["rssm", "--film", "no/such/folder/film.gif"], "no film can be written to no/such/folder/film.gif"),
        (["rssm", "--film", "film.mp4"], "expected a name that ends in .gif"),
        (["frame_by_frame"], "frame_by_frame cannot plan: it does not say whether an episode goes on"),
        (["one_stride"], "one_stride cannot plan"),
        (["frame_by_frame", "--act", "actor"], "frame_by_frame cannot dream of games: it does not say"),
    ],
)
def test_bad_requests_are_named(told, message):
    with pytest.raises(SystemExit, match=message):
        main(["play", *told])
