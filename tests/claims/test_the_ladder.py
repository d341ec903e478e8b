"""What the ladder's page says, and that what travels with the package is what was measured."""

import numpy as np
import pytest

import latent_dynamics as ld
from latent_dynamics import drift, ladder, references

pytestmark = pytest.mark.claims


@pytest.fixture(scope="module")
def figures():
    return ladder.figures()


@pytest.fixture(scope="module")
def windows():
    return drift.protocols(ld.load_episodes("mixed", "test"), stride=20)


def at(evaluation, step, protocol="intervened"):
    return np.inf if evaluation[protocol]["theta"][step - 1] is None else evaluation[protocol]["theta"][step - 1]


def test_every_rung_was_judged_over_three_seeds(figures):
    for name in ld.model_names():
        assert len(figures["rungs"][name]) == ladder.SEEDS == 3


def test_the_last_rung_dreams_along_recorded_actions_as_long_as_exact_physics(figures):
    steps, _, _ = ladder.spread(figures["rungs"]["position_velocity"], lambda one: one["replayed"]["steps_2"])
    assert steps >= 0.85 * figures["references"]["exact physics"]["replayed"]["steps_2"]


def test_the_last_rung_keeps_up_with_exact_physics_when_a_coin_pushes(figures):
    error, _, worst = ladder.spread(figures["rungs"]["position_velocity"], lambda one: at(one, 15))
    physics = at(figures["references"]["exact physics"], 15)
    assert error <= 1.5 * physics
    assert worst < 0.5 * at(figures["references"]["repeat the last frame"], 15)


def test_what_the_last_rung_gets_right_comes_from_what_is_done(figures):
    best = ladder.spread(figures["rungs"]["position_velocity"], lambda one: at(one, 10))[2]
    for name in ("position_velocity, told other actions", "actions only", "constant upright"):
        assert at(figures["references"][name], 10) > 5 * best, name


def test_without_training_there_is_no_pole_to_read(figures):
    assert figures["references"]["position_velocity, untrained"]["intervened"]["pole_there"][0] < 0.05


def test_a_controller_on_the_last_rungs_belief_balances_and_one_on_a_single_frame_does_not(figures):
    played = {name: ladder.spread(seeds, lambda one: one["return"][0]) for name, seeds in figures["rungs"].items()}
    assert played["position_velocity"][1] >= 475
    assert played["autoencoder_mlp"][2] < 100


@pytest.mark.parametrize(
    ("name", "label"), [("two_frame", "two frames, 1 steps"), ("position_velocity", "position_velocity")]
)
def test_shipped_weights_in_half_precision_score_as_what_was_measured(
    figures, windows, name, label, tmp_path, monkeypatch
):
    if ld.artifacts.default_seed() != 0:
        pytest.skip("what travels with the package is of seed 0")
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path))  # load_model would prefer what this machine has trained
    assert ld.artifacts.is_shipped(name), "run `make train`"
    model = ld.load_model(name)
    error = drift.judge(model, windows["intervened"]).median()[9]
    assert error == pytest.approx(at(figures["experiments"][label][0], 10), rel=0.1)  # judged on these windows


def test_the_cheapest_rung_trained_anew_is_found_within_the_spread(figures, windows):
    """Its autoencoder and all of its own training happen here, if they have not happened on this machine."""
    model = ld.load_model("two_frame", shipped=False)
    judged = drift.judge(model, windows["intervened"])
    for step in (5, 10):
        trained = figures["experiments"]["two frames, 1 steps"]
        _, least, most = ladder.spread(trained, lambda one, step=step: at(one, step))
        assert 0.75 * least < judged.median()[step - 1] < 1.33 * most


def test_references_are_those_of_these_windows(figures, windows):
    """A figure that was written down is computed again: the photograph's, which needs no training."""
    judged = drift.judge(references.RepeatLastFrame(), windows["intervened"])
    assert judged.median()[9] == pytest.approx(at(figures["references"]["repeat the last frame"], 10), rel=0.2)
