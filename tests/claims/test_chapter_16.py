"""What chapter 16 says of actors trained in dreams, and of learning from nothing; each with its control."""

import numpy as np
import pytest

import latent_dynamics as ld
from latent_dynamics import controllers, ladder
from latent_dynamics.acting.actor_training import WAYS, Evolution, by_evolution
from latent_dynamics.acting.dreamt_games import where_dreams_begin
from latent_dynamics.judging.measuring_actors import LENGTHS

pytestmark = pytest.mark.claims


def one(found):
    return next(iter(found.values()))


def real(rounds, steps):
    return next(np.mean(one_round["real"]) for one_round in rounds if one_round["steps"] == steps)


@pytest.mark.recorded
def test_an_actor_of_position_velocitys_dreams_balances_and_dreams_promise_too_much():
    acted = {name: one(found) for name, found in ladder.of_kind("actors").items()}
    hero = acted["position_velocity"]["evolution"]
    assert len(hero["real"]) == 100 and np.mean(hero["real"]) >= 495
    others = {name: found for name, found in acted.items() if name != "position_velocity"}
    assert all(np.mean(found[way]["real"]) < 200 for found in others.values() for way in WAYS)
    gaps = [found[way]["dreamt"] - np.mean(found[way]["real"]) for found in others.values() for way in WAYS]
    assert np.mean(np.array(gaps) > 0) > 0.7 and max(gaps) > 50


@pytest.mark.recorded
def test_a_dream_must_be_long_enough_to_reach_the_edge():
    lengths = ladder.of_kind("dream_lengths")["position_velocity"]
    got = {n: np.array([np.mean(found[str(n)]["real"]) for found in lengths.values()]) for n in LENGTHS}
    assert got[30].max() < 400 and got[60].min() < 400, "sixty do for some weights"
    assert got[200].min() >= 495
    assert got[500].min() >= 495


@pytest.mark.recorded
def test_too_quiet_a_dream_may_teach_what_fails_where_gusts_blow():
    hot = list(ladder.of_kind("temperatures")["rssm"].values())
    got = {tau: np.array([np.mean(found[str(tau)]["real"]) for found in hot]) for tau in (0.0, 1.0, 2.0)}
    promised = np.array([found["0.0"]["dreamt"] for found in hot])
    assert got[1.0].min() > 450 and promised.min() > 400
    assert got[0.0].min() < 300, "by luck it does as well"
    assert (got[1.0] > got[2.0]).all(), "too hot is too hot"


@pytest.mark.recorded
def test_from_nothing_to_balance_in_a_few_thousand_steps_while_dqn_has_not_begun():
    learned = list(one(ladder.of_kind("from_nothing")).values())
    assert len(learned) == 5 and all(len(rounds[-1]["real"]) == 100 for rounds in learned)
    assert np.median([real(rounds, 10_000) for rounds in learned]) >= 475
    assert np.median([real(rounds, 5_000) for rounds in learned]) >= 495
    dqn = list(ladder.of_kind("model-free")["dqn"].values())
    assert np.median([real(rounds, 10_000) for rounds in dqn]) < 250


@pytest.mark.recorded
def test_a_first_model_is_wrong_about_what_ends_a_game():
    first = list(ladder.of_kind("first_models")["first model"].values())
    got = {name: np.array([np.mean(found[name]["real"]) for found in first]) for name in first[0]}
    assert (got["250 steps"] < got["coins"]).all(), "it believes in a wrong model"
    assert (got["goes on of 4000 steps"] > 1.5 * np.maximum(got["dreams of 4000 steps"], got["as it is"])).all()
    assert np.median(got["dreams of 4000 steps"]) < 2 * np.median(got["as it is"])
    assert (got["2000 steps"] > 400).all()


@pytest.mark.recorded
def test_whoever_begins_dreams_anywhere_relapses():
    learned, anywhere = one(ladder.of_kind("from_nothing")), ladder.of_kind("begun_anywhere")["begun anywhere"]

    def relapses(found):
        return [r for rounds in found.values() for r in rounds if r["steps"] >= 3000 and np.mean(r["real"]) < 400]

    assert len(relapses(anywhere)) / len(anywhere) > len(relapses(learned)) / len(learned)
    assert np.mean([r["edge"] for r in relapses(anywhere)]) > 0.5, "off the track, not over"


@pytest.mark.usefixtures("one_thread")
def test_the_weights_that_travel_balance_by_dreams_alone_and_short_dreams_do_not_do():
    model = ld.load_model("position_velocity")
    begins = where_dreams_begin(model, ld.load_episodes("mixed", "train"))
    got = {}
    for steps in (60, 200):
        actor, _ = by_evolution(model, begins, Evolution(steps=steps), seed=5)
        got[steps] = controllers.belief_returns(model, actor.act, 10, seed=40_000)
    assert got[200][0].mean() >= 495
    assert got[60][0].mean() < 400 and np.median(np.abs(got[60][1][:, 0])) > 2.3, "it drives off the track"
