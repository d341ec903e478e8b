"""What chapter 15 says of planners and of the models that they plan with; each with its control."""

import numpy as np
import pytest

import latent_dynamics as ld
from latent_dynamics import judging_set, ladder
from latent_dynamics.acting.planning import Planner, planned_returns
from latent_dynamics.judging import measuring_plans
from latent_dynamics.judging.measuring_plans import GAMES, exploited

pytestmark = pytest.mark.claims


def one(kind, name):
    return next(iter(ladder.of_kind(kind)[name].values()))


def mean(name, way="exhaustive"):
    return np.mean(one("plans", name)["returns"][way])


@pytest.mark.recorded
def test_from_pixels_position_velocity_plans_as_exact_physics_does_and_no_other_rung():
    assert len(one("plans", "position_velocity")["returns"]["exhaustive"]) == GAMES == 100
    assert mean("exact physics") == 500
    assert mean("position_velocity") >= 485
    assert max(mean(name) for name in ld.model_names()[:-1]) < 200


@pytest.mark.recorded
def test_searches_differ_where_the_world_is_the_true_one():
    returns = {way: mean("exact physics", way) for way in measuring_plans.SEARCHES}
    assert returns["shooting"] > 450 and returns["mppi"] > 450
    assert returns["cross entropy, begun warm"] < returns["exhaustive"] - 20


@pytest.mark.recorded
def test_with_a_wrong_model_a_search_that_misses_nothing_plays_worse_than_one_that_tries_at_random():
    assert mean("recurrent") < mean("recurrent", "shooting") - 20
    assert mean("position_velocity") > mean("position_velocity", "shooting"), "the control"


@pytest.mark.recorded
def test_too_short_a_plan_is_blind_and_too_long_a_dream_is_deaf():
    ahead = {name: {held: np.mean(returns) for held, returns in one("plans", name)["ahead"].items()}
             for name in ("exact physics", "position_velocity", "recurrent")}  # fmt: skip
    assert ahead["exact physics"]["1"] < 0.7 * ahead["exact physics"]["5"]
    assert ahead["recurrent"]["12"] < 0.8 * max(ahead["recurrent"].values())
    assert ahead["exact physics"]["12"] > 0.9 * max(ahead["exact physics"].values()), "the control"


@pytest.mark.recorded
def test_planners_find_where_their_models_are_wrong():
    def gap(name, plan):
        found = one("plans", name)["exploited"][plan]
        return np.mean(found["believed"]) - np.mean(found["true"])

    assert abs(gap("exact physics", "chosen")) < 0.01
    assert gap("position_velocity", "chosen") < 0.1
    for name in ("autoencoder_mlp", "two_frame", "multi_step", "recurrent"):
        assert gap(name, "chosen") > 0.3 and gap(name, "chosen") > gap(name, "random")
    fooled = one("plans", "multi_step")["exploited"]
    assert np.mean(fooled["chosen"]["true"]) < np.mean(fooled["random"]["true"]) + 0.1


@pytest.mark.recorded
def test_where_gusts_blow_a_fan_is_worth_more_than_a_mean_path_for_who_knows_what_may_come():
    exact, oracle = one("gusty_plans", "exact belief"), one("gusty_plans", "oracle")
    for found in (exact, oracle):
        assert np.mean(found["fan"]) > np.mean(found["mean path"]) + 100
    assert np.mean(exact["fan"]) > np.mean(oracle["mean path"]) + 50
    learned = one("gusty_plans", "rssm")
    gains = [np.mean(found["fan"]) - np.mean(found["mean path"]) for found in (exact, learned)]
    assert gains[1] < 0.6 * gains[0], "a fan is worth what its futures are worth"
    assert "fan" not in one("gusty_plans", "position_velocity"), "who has no doubt has no fan"


def test_ten_games_are_played_again_with_the_weights_that_travel():
    if ld.artifacts.default_seed() != 0:
        pytest.skip("what travels with the package is of seed 0")
    again = planned_returns(Planner(ld.load_model("position_velocity")), 10, seed=777)
    assert again.mean() >= 470
    weak = planned_returns(Planner(ld.load_model("autoencoder_mlp")), 10, seed=777)
    assert weak.mean() < 100, "the control"


def test_what_is_recorded_of_exploitation_is_measured_again():
    windows = judging_set.windows()["intervened"]
    for name in ("position_velocity", "multi_step"):
        now, record = exploited(ld.load_model(name), windows), one("plans", name)["exploited"]
        for plan in ("chosen", "random"):
            for what in ("believed", "true"):
                assert np.mean(now[plan][what]) == pytest.approx(np.mean(record[plan][what]), abs=0.03)
