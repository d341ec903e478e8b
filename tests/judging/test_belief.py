"""Judging in distribution: scores with known values, and references whose order physics dictates."""

import math

import numpy as np
import pytest
import torch

from latent_dynamics import belief, judging_set, references
from latent_dynamics.data.collection import collect
from latent_dynamics.judging.exact_belief import ExactBelief, Oracle, _unpack
from latent_dynamics.world import curtain
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.reader import degrees
from latent_dynamics.world.worlds import CARTPOLE


@pytest.fixture(scope="module")
def episodes():
    return collect("mixed", 1600, seed=7, workers=1, world=GUSTY)


@pytest.fixture(scope="module")
def futures(episodes):
    return belief.cut_futures(episodes, context=10, horizon=15, stride=12, count=16)


def test_a_fallen_pole_stays_where_it_fell():
    theta = torch.tensor([[1.0, 13.0, -20.0, 3.0], [1.0, -12.5, 14.0, 0.0], [5.0, 6.0, 7.0, 8.0]])
    limit = belief.LIMIT
    assert limit == pytest.approx(12)
    expected = [[1, limit, limit, limit], [1, -limit, -limit, -limit], [5, 6, 7, 8]]
    torch.testing.assert_close(belief.held(theta), torch.tensor(expected))


def test_the_score_of_one_sample_is_its_error_and_of_many_what_the_formula_says():
    truth = torch.tensor([[[2.0], [4.0]]])  # one window, two futures, one step
    assert belief.crps(torch.tensor([[[3.0]]]), truth).item() == pytest.approx(1)
    draws = torch.randn(1, 20_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    exact = 2 / math.sqrt(2 * math.pi) - 1 / math.sqrt(math.pi)  # of N(0, 1) at 0: Gneiting & Raftery (2007), eq. 21
    assert belief.crps(draws, torch.zeros(1, 1, 1, dtype=torch.float64)).item() == pytest.approx(exact, abs=0.01)
    for off in (0.3, 3.0):  # too sure, or not sure enough
        assert belief.crps(off * draws, draws[:, :400]).item() > belief.crps(draws, draws[:, :400]).item()


def test_a_small_fan_scores_as_a_large_one_does_on_average():
    g = torch.Generator().manual_seed(1)
    truth = torch.randn(4000, 1, 1, dtype=torch.float64, generator=g)
    few, many = (
        belief.crps(torch.randn(4000, n, 1, dtype=torch.float64, generator=g), truth).mean().item() for n in (2, 50)
    )
    assert few == pytest.approx(many, abs=0.03)


def test_a_sample_without_a_pole_is_as_wrong_as_can_be():
    fans = torch.full((1, 4, 1), torch.nan)
    assert belief.crps(fans, torch.zeros(1, 3, 1)).item() == pytest.approx(2 * belief.LIMIT)


def test_bands_cover_what_they_say():
    g = torch.Generator().manual_seed(2)
    fans, truth = (torch.randn(50, n, 3, dtype=torch.float64, generator=g) for n in (400, 200))
    for level in (0.5, 0.9):
        assert belief.coverage(fans, truth, level).mean().item() == pytest.approx(level, abs=0.02)
        assert belief.coverage(0.5 * fans, truth, level).mean().item() < level - 0.1


def test_the_area_under_the_curve_is_the_chance_to_rank_two_rightly():
    happened = np.array([True, True, False, False, False])
    assert belief.area_under_curve([3, 4, 1, 2, 0], happened) == 1
    assert belief.area_under_curve([0, 0, 1, 1, 1], happened) == 0
    assert belief.area_under_curve(np.ones(5), happened) == 0.5
    score, rng = np.random.default_rng(0).integers(0, 5, 60), np.random.default_rng(1).random(60) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in score[rng] for b in score[~rng]]
    assert belief.area_under_curve(score, rng) == pytest.approx(np.mean(pairs))
    assert np.isnan(belief.area_under_curve(score, np.ones(60)))


def fans_of(model, futures, start):
    drawn = model.imagine(start, futures.actions, 64, torch.Generator().manual_seed(3))
    return belief.held(degrees(GUSTY.entry(drawn, "theta")))


def test_the_oracle_is_ahead_of_the_exact_belief_and_that_of_physics_without_gusts(futures):
    exact = ExactBelief()
    seen = exact.observe(futures.frames, futures.actions_before)
    calm = references.ExactPhysics().observe(futures.frames, futures.actions_before)
    alone = belief.held(degrees(CARTPOLE.simulate(calm, futures.actions)[..., 2]))[:, None]
    fans = [fans_of(Oracle(GUSTY), futures, futures.start), fans_of(exact, futures, seen), alone]
    for step in (5, 10, 15):
        oracle, best, blind = (belief.crps(one, futures.theta).mean(0)[step - 1].item() for one in fans)
        assert oracle < best < 0.8 * blind, step
    covered = [belief.coverage(one, futures.theta).mean(0) for one in fans]
    for one in covered[:2]:
        assert 0.82 < one[9] < 0.98
    assert covered[2][9] < 0.5


def test_what_is_drawn_and_read_is_what_is_known(futures):
    few, exact = futures[:4], ExactBelief(16)
    read = belief.fan(exact, few, samples=6)
    known = fans_of(exact, few, exact.observe(few.frames, few.actions_before))
    assert read.shape == (4, 6, 15)
    assert (read.mean() - known.mean()).abs() < 4  # other draws of the same belief
    again = belief.fan(exact, few, samples=6)
    assert torch.equal(read.nan_to_num(99), again.nan_to_num(99))
    told, drawn = belief.fan(Oracle(GUSTY), few, samples=6), fans_of(Oracle(GUSTY), few, few.start)
    assert told[..., 0].std(1).max() < 1e-6 < read[..., 0].std(1).min(), "what is known has no spread yet"
    assert (told[..., 0].mean(1) - drawn[..., 0].mean(1)).abs().max() < 1
    still = belief.fan(references.RepeatLastFrame(), few, samples=3)
    assert torch.equal(still[:, 0].nan_to_num(99), still[:, 2].nan_to_num(99))


def test_the_exact_belief_finds_a_gust_two_frames_after_it_began(episodes):
    frames, actions, states = map(torch.from_numpy, episodes.windows(20, stride=10))
    begins = (GUSTY.entry(states, "gust") != 0) & (GUSTY.entry(states, "left") == 2)
    recent = torch.stack([begins[:, max(0, k - 3) : k + 1].any(1) for k in range(1, 21)], 1)
    exact = ExactBelief(16)
    chance = exact.surprise(frames, actions)
    assert chance.min() >= 0 and chance.max() <= 1 + 1e-9
    assert belief.area_under_curve(chance[:, 8:].flatten(), recent[:, 8:].flatten()) > 0.75
    weight, *_ = _unpack(exact.observe(frames, actions))
    torch.testing.assert_close(weight.exp().sum(1), torch.ones(len(frames), 1, dtype=torch.float64))


def test_behind_the_cloth_the_belief_grows_and_after_it_shrinks_again(episodes):
    frames, actions, _ = episodes.windows(16, stride=20)
    whole, hung = torch.from_numpy(frames), torch.from_numpy(frames).clone()
    everything = torch.ones_like(hung[:, 6:12])
    everything[..., curtain.columns(100)] = curtain.CLOTH / 255
    hung[:, 6:12] = everything  # six frames in which nothing is to be seen beside the cloth
    exact = ExactBelief(16)
    spread = []
    for shown in (whole, hung):
        weight, mean, _, cov = _unpack(exact.filter(shown, torch.from_numpy(actions)))
        share = weight.exp()
        at = (share * mean).sum(2, keepdim=True)
        total = (share[..., 0] * (cov[..., 10] + (mean - at)[..., 2].square().nan_to_num(0))).nan_to_num(0).sum(-1)
        spread.append(total.sqrt().median(0).values)
    assert torch.equal(spread[0][:6], spread[1][:6])
    assert spread[1][11] > 3 * spread[0][11] and spread[1][13] < spread[1][11] / 2


def test_bad_requests_get_a_clear_error(episodes):
    with pytest.raises(ValueError, match="0 futures"):
        belief.cut_futures(episodes, count=0)
    with pytest.raises(ValueError, match="no judging set called 'training'"):
        judging_set.collected("training", GUSTY)
    assert judging_set.key("test") != judging_set.key("test", GUSTY)


def test_one_window_keeps_its_batch_axis(futures):
    one = futures[2]
    assert len(one) == 1 and one.theta.shape == (1, *futures.theta.shape[1:]) and one.frames.ndim == 4
    assert torch.equal(one.theta[0], futures.theta[2])
