"""The claims of chapter 10, Why not predict pixels?, each with its control."""

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import belief, drift, judging_set, ladder, reader
from latent_dynamics.judging import measuring_predictors as measuring
from latent_dynamics.judging.exact_belief import ExactBelief
from latent_dynamics.models.kalman import classical_cartpole
from latent_dynamics.models.one_stride import Situations
from latent_dynamics.world import curtain
from latent_dynamics.world.gusty import GUSTY

pytestmark = pytest.mark.claims


@pytest.fixture(scope="module")
def found():
    return ladder.of_kind("predictors")


def middle(seeds, figure):
    return ladder.spread(seeds, figure)[0]


# The classical model


def crps(model, futures, step=10):
    """The classical model's score at a step, degrees."""
    seen = reader.measure(futures.frames)
    read = torch.stack([seen.x, seen.theta], -1)
    now = model.filter(read, 2.0 * futures.actions_before - 1)
    mean, covariance = model.imagine(now.mean[:, -1], now.covariance[:, -1], 2.0 * futures.actions - 1)
    dice = torch.randn(len(mean), 64, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theta = mean[:, None, :, 2] + covariance[:, None, :, 2, 2].sqrt() * dice
    return float(belief.crps(belief.held(reader.degrees(theta)), futures.theta)[:, step - 1].mean())


def test_the_classical_model_is_exact_for_what_it_was_told_and_rigid():
    error = reader.limits()["error"]
    calm, gusty = judging_set.futures(world=ld.CARTPOLE)[::2], judging_set.futures(world=GUSTY)[::2]
    right, heavy = classical_cartpole(error), classical_cartpole(error, pole_mass=1.0)
    assert crps(right, calm) < 0.4
    assert crps(heavy, calm) > 3 * crps(right, calm)
    surprised, noisy = crps(right, gusty), crps(classical_cartpole(error, unseen=4), gusty)
    exact = ladder.beliefs()["exact belief"][0]["crps"][9]
    assert surprised > 5 * crps(right, calm)
    assert exact < noisy < 0.8 * surprised, "noise is a strong baseline, and not the whole story"
    assert noisy < 1.3 * exact


# Blur


@pytest.mark.recorded
def test_with_a_siren_the_mean_is_drawn_and_told_all_the_network_is_sharp(found):
    def apart(word, what):
        return middle(found["one_stride"], lambda one: np.mean(one["blur"][word][what]))

    assert apart("siren", "to mean") < 0.8 * apart("siren", "to nearest")
    assert apart("siren", "to mean") < 0.8 * apart("siren", "to middle"), "no average state"
    assert apart("wind", "to mean") < 0.7 * apart("siren", "to nearest"), "the control: its own error"
    assert apart("wind", "mean to nearest") < 0.5 * apart("siren", "mean to nearest")


def test_the_shipped_network_draws_the_mean_as_the_record_says(found):
    """Asked anew in some of the situations; and the control, the mean of other situations."""
    situations = Situations.of(judging_set.collected("test", GUSTY), measuring.SITUATIONS, seed=7)
    few = Situations(*(part[:8] for part in vars(situations).values() if part is not GUSTY), GUSTY)
    answer = measuring.asked(ld.load_model("one_stride"), few, "siren", samples=24)
    now = measuring.distances(answer)
    assert now["to mean"].mean() < now["to nearest"].mean()
    record = np.mean(found["one_stride"][0]["blur"]["siren"]["to mean"])
    assert float(now["to mean"].mean()) == pytest.approx(record, rel=0.35)
    other = measuring.apart(answer.told, answer.futures.mean(1).roll(1, 0)).mean()
    assert other > 1.5 * now["to mean"].mean()


# Belief


def test_after_a_thud_behind_the_cloth_the_belief_may_have_two_hills_and_the_mean_lies_in_neither():
    """The best split of some histories of validation episodes; the control: seen all the way, there is one."""
    episodes = judging_set.collected("validation", GUSTY)
    frame, step, _ = episodes.window_starts(20, 3)
    truth = torch.from_numpy(episodes.states[frame + 20])
    near = np.flatnonzero((truth[:, 0].abs() < 0.49).numpy() & ~GUSTY.fallen(truth).numpy())
    frames = torch.from_numpy(curtain.hide(episodes.frames[frame[near, None] + np.arange(21)])).float() / 255
    seen = curtain.read_behind(frames)
    frames[..., curtain.columns(100)] = 1
    frames[seen.hidden] = 1
    fit = seen.hidden[:, -1] & (seen.valid.sum(1) >= 4)
    rows, frames = near[fit.numpy()][:20], frames[fit][:20]
    before = torch.from_numpy(episodes.actions[step[rows, None] + np.arange(20)])
    exact, chance = ExactBelief(), torch.Generator().manual_seed(0)
    states = exact.states(exact.observe(frames, before), 2000, chance)
    pushes = (torch.arange(25) % 2).expand(2000, -1)
    most = (0.0, None)
    for one in states:
        future = curtain.CURTAIN.simulate(one, pushes, chance)
        down = curtain.CURTAIN.fallen(future)
        falls = down & (down.int().cumsum(1) == 1) & ((future[..., 0].abs() < 0.49).int().cumprod(1) > 0)
        for k in np.flatnonzero(falls.sum(0) >= 30):
            theta = reader.degrees(future[falls[:, k], k, 2])
            share = float((theta > 0).double().mean())
            most = max(most, (min(share, 1 - share), theta), key=lambda found: found[0])
    least, theta = most
    assert least > 0.3
    assert (theta - theta.mean()).abs().min() > 5, "no state is near the mean"
    assert theta.mean().abs() < 8


# Frames against readings


@pytest.mark.recorded
def test_rolled_on_its_own_frames_it_is_lost_and_rolled_on_readings_it_is_not(found):
    def off(name, step, kind="theta"):
        return middle(found[name], lambda one: one["intervened"][kind][step - 1])

    frames, readings = "frame_by_frame", "reading_by_reading"
    assert off(frames, 1) < 1, "a single step is good"
    assert off(readings, 10) < 0.5 * off(frames, 10)
    assert off(frames, 10, "teacher_forced") < 0.5 * off(frames, 10), "the control: it sees and steps well"
    count = {name: middle(found[name], lambda one: one["cost"]["parameters"]) for name in (frames, readings)}
    spent = {name: middle(found[name], lambda one: one["cost"]["seconds"]) for name in (frames, readings)}
    assert count[readings] == pytest.approx(count[frames], rel=0.1)
    assert spent[readings] < 1.2 * spent[frames], "the frames had at least as long to learn"
    played = {name: middle(found[name], lambda one: np.mean(one["planned"])) for name in (frames, readings)}
    assert played[readings] > played[frames] + 20


@pytest.mark.parametrize("name", ["frame_by_frame", "reading_by_reading"])
def test_the_shipped_rollers_dream_as_the_record_says(found, name):
    windows = ladder.windows()["intervened"][::8]
    judged = drift.judge(ld.load_model(name), windows)
    one = found[name][0]["intervened"]
    for step in (1, 5):
        assert judged.pole_there()[step - 1] == pytest.approx(one["pole_there"][step - 1], abs=0.15)
    assert judged.median()[0] == pytest.approx(one["theta"][0], rel=0.3)
