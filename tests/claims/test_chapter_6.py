"""The claims of chapter 6, Drift analysis, each with its control."""

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import drift, ladder, references, rollout, statistics

pytestmark = pytest.mark.claims


@pytest.fixture(scope="module")
def model():
    return ld.load_model("autoencoder_mlp", shipped=False)


@pytest.fixture(scope="module")
def windows():
    """The one set of windows that judges whatever the book compares; every third one, to be quicker."""
    return {protocol: cut[::3] for protocol, cut in ladder.windows().items()}


@pytest.fixture(scope="module")
def judged(model, windows):
    competitors = {
        "model": model,
        "physics": references.ExactPhysics(),
        "repeat": references.RepeatLastFrame(),
        "shuffled": references.ShuffledActions(model),
    }
    found = {name: {p: drift.judge(m, w) for p, w in windows.items()} for name, m in competitors.items()}
    blind = {p: references.ActionsOnly(w) for p, w in ladder.fitting_windows().items()}
    found["actions"] = {p: drift.judge(blind[p], w) for p, w in windows.items()}
    found["teacher"] = {p: drift.judge(model, w, "teacher_forced") for p, w in windows.items()}
    return found


def above(judged, one, other, figure, protocol="intervened"):
    """How much a figure of one is above the other's, on the same windows: (difference, low, high, p)."""
    return statistics.compare(*([statistics.scores(judged[name][protocol])] for name in (one, other)), figure)


def test_teacher_forcing_stays_low_and_free_rollout_grows(judged):
    forced, free = (judged[name]["replayed"].median() for name in ("teacher", "model"))
    assert forced[0] == pytest.approx(free[0])  # at the first step they are the same thing
    assert forced[:40].max() < 1.0
    assert free[19] > 4 * free[0]


def test_the_texts_model_dreams_no_better_than_a_still_photograph(judged):
    for protocol in ("replayed", "intervened"):
        for step in (5, 10):
            difference, _, high, _ = above(judged, "model", "repeat", statistics.error_at(step), protocol)
            assert difference > 0 and high > 0
        ours, still = (judged[name][protocol].survival().steps for name in ("model", "repeat"))
        assert ours <= still
    assert above(judged, "physics", "repeat", statistics.error_at(10))[2] < 0
    assert judged["physics"]["intervened"].median()[9] < 0.3 * judged["repeat"]["intervened"].median()[9]  # control


def test_the_models_errors_do_not_depend_on_what_it_is_told_to_do(judged, windows):
    told, lied = (judged[name]["intervened"].median()[:10] for name in ("model", "shuffled"))
    np.testing.assert_allclose(told, lied, rtol=0.2)
    physics = references.ShuffledActions(references.ExactPhysics())  # control: what knows of pushes does suffer
    lied = drift.judge(physics, windows["intervened"][::2]).median()[9]
    assert lied > 3 * judged["physics"]["intervened"].median()[9]


def test_exact_physics_from_the_same_frames_lasts_three_times_as_long_and_still_drifts(judged):
    steps = {name: judged[name]["replayed"].survival().steps for name in ("physics", "model")}
    assert steps["physics"] > 3 * steps["model"]
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

    class Tidied(ld.models.AutoencoderMLP):
        def step(self, belief, action):
            return self.autoencoder.encode(self.decode(super().step(belief, action)))

    tidy = Tidied().eval()
    tidy.load_state_dict(model.state_dict())
    cut = w.frames, w.all_actions, w.context
    dreamed, tidied = (rollout.free(m, *cut) for m in (model, tidy))
    real = model.autoencoder.encode(w.frames[:, 11:])
    assert far(dreamed) > 2 * far(real) + 0.1
    assert far(tidied) < 0.8 * far(dreamed)
    assert drift.judge(tidy, w).survival().steps < judged["model"]["replayed"].survival().steps + 3


def test_a_predictor_that_sees_no_frame_beats_exact_physics_on_recorded_actions_only(judged):
    blind, physics = judged["actions"], judged["physics"]
    assert blind["replayed"].median()[49] < physics["replayed"].median()[49]
    assert blind["intervened"].median()[14] > 3 * physics["intervened"].median()[14]


def test_late_steps_are_judged_on_poles_that_were_slow_at_first():
    short = drift.replayed_windows(ld.load_episodes("random", "test"), context=0, horizon=10, stride=7)
    for cut, times in ((short, 3), *((cut, 1.2) for cut in ladder.windows().values())):
        ended, lasted = drift.informative_censoring(cut)
        assert ended > times * lasted


def test_exact_physics_seems_to_drift_slowly_where_the_fast_poles_are_no_longer_scored():
    short = drift.replayed_windows(ld.load_episodes("random", "test"), context=0, horizon=10, stride=7)
    j = drift.judge(references.ExactPhysics(), short)
    lasts = j.alive[:, 9]
    of_each, of_these = j.median()[[4, 9]], np.median(j.theta_error[lasts][:, [4, 9]], 0)
    assert of_these[1] / of_these[0] > 1.3 * of_each[1] / of_each[0]


def test_without_velocity_and_pushes_physics_drifts_nearly_as_the_model_and_pushes_weigh_more(judged, windows):
    class Unpushed(references.ExactPhysics):
        def imagine(self, belief, actions, samples=None):
            path = []
            for a in actions.unbind(1):
                belief = sum(ld.CARTPOLE.step(belief, 0 * a + side) for side in (0, 1)) / 2
                path.append(belief)
            return torch.stack(path, 1)

    lacking = (references.ExactPhysics(1), Unpushed(), Unpushed(1))
    still, deaf, neither = (drift.judge(m, windows["intervened"]).median()[9] for m in lacking)
    ours = judged["model"]["intervened"].median()[9]
    assert 0.6 * ours < neither < 1.1 * ours
    assert still < deaf < neither
    assert judged["physics"]["intervened"].median()[9] < 0.3 * still  # control: with both


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
