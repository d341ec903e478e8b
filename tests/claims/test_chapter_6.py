"""The claims of chapter 6, Drift analysis, each with its control."""

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import drift, references, rollout

pytestmark = pytest.mark.claims


@pytest.fixture(scope="module")
def model():
    return ld.load_model("autoencoder_mlp", shipped=False)


@pytest.fixture(scope="module")
def windows():
    test = ld.load_episodes("mixed", "test")
    return {
        "replayed": drift.replayed_windows(test, context=10, horizon=50, stride=25),
        "intervened": drift.intervened_windows(test, context=10, horizon=20, stride=25),
    }


@pytest.fixture(scope="module")
def judged(model, windows):
    train = ld.load_episodes("mixed", "train")
    competitors = {
        "model": model,
        "physics": references.ExactPhysics(),
        "repeat": references.RepeatLastFrame(),
        "upright": references.ConstantUpright(),
        "actions": references.ActionsOnly(drift.replayed_windows(train, 10, 50, stride=15)),
        "shuffled": references.ShuffledActions(model),
    }
    found = {name: {p: drift.judge(m, w) for p, w in windows.items()} for name, m in competitors.items()}
    found["teacher"] = {p: drift.judge(model, w, "teacher_forced") for p, w in windows.items()}
    return found


def test_teacher_forcing_stays_low_and_free_rollout_grows(judged):
    forced, free = (judged[name]["replayed"].median() for name in ("teacher", "model"))
    assert forced[0] == pytest.approx(free[0])  # at the first step they are the same thing
    assert forced[:40].max() < 1.0
    assert free[19] > 4 * free[0]


def test_the_texts_model_dreams_no_better_than_a_still_photograph(judged):
    for protocol in ("replayed", "intervened"):
        ours, still = (judged[name][protocol].survival(2.0)[0] for name in ("model", "repeat"))
        assert ours <= still + 2
    assert judged["physics"]["intervened"].median()[9] < 0.3 * judged["repeat"]["intervened"].median()[9]  # control


def test_the_models_errors_do_not_depend_on_what_it_is_told_to_do(judged):
    told, lied = (judged[name]["intervened"].median()[:10] for name in ("model", "shuffled"))
    np.testing.assert_allclose(told, lied, rtol=0.35)


def test_exact_physics_from_the_same_frames_lasts_three_times_as_long_and_still_drifts(judged):
    steps = {name: judged[name]["replayed"].survival(2.0)[0] for name in ("physics", "model")}
    assert steps["physics"] > 2.2 * steps["model"]
    error = judged["physics"]["replayed"].median()
    growth = np.log(error[34] / error[14]) / 20
    assert growth == pytest.approx(ld.CARTPOLE.growth_rate(), abs=0.035)


def test_the_model_does_not_know_which_way_the_pole_is_moving(judged, windows):
    now = ld.reader.degrees(windows["intervened"].states[:, 0, 2]).numpy()
    slope = {}
    for name in ("model", "physics"):
        j = judged[name]["intervened"]
        keep = j.alive[:, 4] & np.isfinite(j.theta[:, 4])
        slope[name] = np.polyfit((j.theta_true[:, 4] - now)[keep], (j.theta[:, 4] - now)[keep], 1)[0]
    assert slope["physics"] == pytest.approx(1, abs=0.1)
    assert slope["model"] < 0.4


def test_a_wrong_start_and_the_errors_of_each_step_carried_by_the_physics_explain_most_of_the_drift(model, windows):
    w, train = windows["intervened"], ld.load_episodes("mixed", "train")
    frames = ld.artifacts.frames_of(train)
    probe = ld.probes.mlp_probe(torch.cat([model.autoencoder.encode(p) for p in frames.split(2048)]), train.states)
    seen = probe(model.autoencoder.encode(w.frames[:, w.context :])).double()
    dreamed, forced = (
        probe(run(model, w.frames, w.all_actions, w.context)).double() for run in (rollout.free, rollout.teacher_forced)
    )
    start = carried = seen[:, 0] - w.states[:, 0]
    for j in range(5):
        A = ld.CARTPOLE.jacobian(w.states[:, j], w.actions[:, j])
        epsilon = forced[:, j] - ld.cartpole.step(seen[:, j], w.actions[:, j])
        start, carried = (A @ start[..., None])[..., 0], (A @ carried[..., None])[..., 0] + epsilon
    actual, up = (dreamed - w.states[:, 1:])[:, 4, 2], w.alive[:, 4]

    def typical(error):
        return float(error[up].abs().median())

    assert typical(actual - carried[:, 2]) < 0.4 * typical(actual)
    assert typical(actual - start[:, 2]) > 1.5 * typical(actual - carried[:, 2])  # the start alone is not enough


def test_dreams_leave_the_training_latents_and_tidying_them_up_makes_them_no_truer(model, windows, judged):
    w, train = windows["replayed"], ld.load_episodes("mixed", "train")
    known = torch.cat([model.autoencoder.encode(p) for p in ld.artifacts.frames_of(train).split(2048)])[::3]
    scale = model.dynamics.spread

    def far(z):
        nearest = torch.cdist((z / scale).flatten(0, -2), known / scale).min(-1).values.reshape(z.shape[:-1])
        return float(nearest[:, 29][w.alive[:, 29]].median())

    z, tidied = model.observe(w.frames[:, :11], w.actions_before), []
    for action in w.actions.unbind(1):
        z = model.autoencoder.encode(model.decode(model.dynamics(z, action)))
        tidied.append(z)
    tidied = torch.stack(tidied, 1)
    dreamed = rollout.free(model, w.frames, w.all_actions, w.context)
    real = model.autoencoder.encode(w.frames[:, 11:])
    assert far(dreamed) > 2 * far(real) + 0.1
    assert far(tidied) < 0.8 * far(dreamed)
    seen = ld.reader.read(model.decode(tidied))
    theta = torch.where(seen.valid, ld.reader.degrees(seen.theta), torch.nan).numpy()
    tidy = drift.score(seen.x.numpy(), theta, w).survival(2.0)[0]
    assert tidy < judged["model"]["replayed"].survival(2.0)[0] + 5


def test_a_predictor_that_sees_no_frame_beats_exact_physics_on_recorded_actions_only(judged):
    blind, physics = judged["actions"], judged["physics"]
    assert blind["replayed"].median()[49] < physics["replayed"].median()[49]
    assert blind["intervened"].median()[14] > 3 * physics["intervened"].median()[14]


def test_without_memory_more_context_changes_nothing(model):
    test = ld.load_episodes("random", "test")
    w = drift.replayed_windows(test, context=4, horizon=5, stride=7)
    from_five = model.observe(w.frames[:, :5], w.actions_before)
    from_one = model.observe(w.frames[:, 4:5], w.actions_before[:, :0])
    torch.testing.assert_close(from_five, from_one)
    fit = references.ExactPhysics()
    states = w.states[:, 0]
    many = (fit.observe(w.frames[:, :5], w.actions_before) - states)[:, 3].abs().median()
    one = (fit.observe(w.frames[:, 4:5], w.actions_before[:, :0]) - states)[:, 3].abs().median()
    assert many < 0.7 * one  # control: for physics, memory is everything
