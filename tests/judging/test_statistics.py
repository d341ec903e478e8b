"""Intervals and comparisons: right about how often they are wrong, and able to find what is there."""

import json
import time

import numpy as np
import pytest

from latent_dynamics import drift, statistics
from latent_dynamics.judging.references import ExactPhysics, RepeatLastFrame
from latent_dynamics.judging.statistics import (
    Scores,
    compare,
    error_at,
    holm,
    interval,
    packed,
    scores,
    steps_to,
    unpacked,
)

EPISODES, WINDOWS = 100, 3  # windows of each episode


def trained(rng, seeds=3, hard=None, spread=0.2, worse=1.0):
    """Scores of a made-up model from several training seeds: hard episodes are hard for all, some seeds are bad."""
    hard = rng.lognormal(0, 0.5, EPISODES) if hard is None else hard
    episode = np.repeat(np.arange(EPISODES), WINDOWS)
    found = []
    for luck in np.exp(rng.normal(0, spread, seeds)):
        error = worse * luck * hard[episode] * rng.lognormal(0, 0.3, len(episode))
        when = np.minimum(np.ceil(20 / error), 50).astype(int)
        found.append(Scores({10: error}, {10: error}, {2: when}, {2: when < 50}, episode, horizon=50))
    return found


def pairs(count, seeds=3, **other):
    """Two models on the same episodes, again and again."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        hard = rng.lognormal(0, 0.5, EPISODES)
        yield trained(rng, seeds, hard), trained(rng, seeds, hard, **other)


@pytest.mark.parametrize("figure", [error_at(10), steps_to(2)], ids=["error", "steps"])
def test_models_that_differ_in_nothing_but_their_seeds_are_rarely_found_to_differ(figure):
    found = [compare(one, other, figure, draws=300)[3] < 0.05 for one, other in pairs(200)]
    assert np.mean(found) < 0.08  # 5 %, and what 200 trials leave open


def test_ranges_of_three_seeds_that_do_not_overlap_are_chance_once_in_ten():
    """What the book used to go by: three seeds of the one all above three of the other."""
    hits = []
    for one, other in pairs(400):
        medians = [[np.median(found.theta[10]) for found in seeds] for seeds in (one, other)]
        hits.append(max(medians[0]) < min(medians[1]) or max(medians[1]) < min(medians[0]))
    assert 0.06 < np.mean(hits) < 0.14


def test_a_difference_that_is_there_is_found_and_its_interval_holds_it():
    judged = [compare(one, other, error_at(10), draws=300) for one, other in pairs(40, seeds=5, worse=2.0)]
    difference, low, high, p = np.array(judged).T
    assert (p < 0.05).mean() > 0.8 and (difference < 0).all()
    assert ((low < -1.0) & (-1.0 < high)).mean() > 0.8  # medians of about 1 and 2 degrees
    flat = [compare(one, other, steps_to(2), draws=300)[0] for one, other in pairs(5, seeds=5, worse=2.0)]
    assert np.mean(flat) > 5, "who errs twice as much is lost earlier"


def test_pairing_makes_it_surer_and_few_seeds_make_it_less_sure():
    rng = np.random.default_rng(1)
    hard = rng.lognormal(0, 0.5, EPISODES)
    width = lambda *both: np.ptp(compare(*both, error_at(10))[1:3])  # noqa: E731
    steady = {"spread": 0.01, "seeds": 5}
    paired = width(trained(rng, hard=hard, **steady), trained(rng, hard=hard, **steady))
    assert paired < 0.7 * width(trained(rng, hard=hard, **steady), trained(rng, **steady))
    few, many = ([trained(rng, n, hard) for _ in range(2)] for n in (2, 8))
    assert width(*few) > 1.5 * width(*many)


def test_an_interval_holds_its_value_and_widens_with_what_hangs_together():
    rng = np.random.default_rng(2)
    seeds = trained(rng, 5)
    value, low, high = interval(seeds, error_at(10))
    assert low < value < high
    assert value == pytest.approx(np.mean([np.median(one.theta[10]) for one in seeds]), rel=0.02)
    alone = [Scores(**{**vars(one), "episode": np.arange(EPISODES * WINDOWS)}) for one in seeds[:1]]
    assert np.ptp(interval(alone, error_at(10))[1:]) < np.ptp(interval(seeds[:1], error_at(10))[1:])
    assert interval(seeds, error_at(10)) == (value, low, high), "the same draws each time"


def test_holms_correction_of_an_example_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0] and holm([]).tolist() == []


def test_other_windows_are_refused():
    rng = np.random.default_rng(0)
    one, other = trained(rng), trained(rng)
    other[1] = Scores(**{**vars(other[1]), "episode": other[1].episode[::-1]})
    with pytest.raises(ValueError, match="judged on different windows"):
        compare(one, other, error_at(10))


def test_a_model_that_draws_no_pole_is_not_compared_but_known_to_be_lost():
    rng = np.random.default_rng(0)
    blind = [Scores(**{**vars(s), "theta": {10: np.full(len(s.episode), np.inf)}}) for s in trained(rng)]
    difference, low, high, p = compare(blind, trained(rng), error_at(10))
    assert difference == np.inf and np.isnan([low, high]).all() and p == 1


@pytest.mark.timed
def test_five_seeds_on_150_episodes_are_compared_within_a_second():
    rng = np.random.default_rng(0)
    one, other = trained(rng, 5), trained(rng, 5)
    for figure in (error_at(10), steps_to(2)):
        begun = time.perf_counter()
        compare(one, other, figure, draws=2000)
        assert time.perf_counter() - begun < 1


# What a judgement leaves behind


@pytest.fixture(scope="module")
def judgements(mixed_episodes):
    windows = drift.intervened_windows(mixed_episodes, 5, 12, stride=15)
    return [drift.judge(model, windows) for model in (ExactPhysics(), RepeatLastFrame())]


def test_what_is_kept_is_short_json_and_says_what_the_judgement_said(judgements):
    judged = judgements[0]
    text = packed(judged)
    assert json.loads(json.dumps(text, allow_nan=False)) == text
    assert len(json.dumps(text)) < 60 * len(judged.episode)
    again, first = unpacked(text), scores(judged)
    assert list(again.theta) == [1, 5, 10] and again.horizon == 12
    for step, errors in first.theta.items():
        np.testing.assert_allclose(again.theta[step], errors, rtol=1e-3)
        np.testing.assert_allclose(again.x[step], first.x[step], rtol=1e-3)
    for limit in (1, 2):
        assert np.array_equal(again.when[limit], first.when[limit])
        assert np.array_equal(again.failed[limit], first.failed[limit])
    once = np.ones((1, len(judged.episode)))
    for step in (1, 5, 10):
        figure = error_at(step)(again, once)[0]
        assert abs(np.sort(judged.theta_error[judged.alive[:, step - 1], step - 1]) - figure).min() < 0.01
        assert figure == pytest.approx(judged.median()[step - 1], abs=0.05)  # the lower of two middle ones
    for judgement in judgements:
        steps = judgement.survival(2.0).steps
        assert steps_to(2)(scores(judgement), once)[0] == (steps if np.isfinite(steps) else 13)


def test_frames_without_a_pole_and_ended_truths_are_kept_apart(judgements):
    judged = judgements[0]
    judged.theta_error[0, 0], judged.theta_error[1, 0] = np.inf, np.nan
    again = unpacked(packed(judged)).theta[1]
    assert np.isinf(again[0]) and np.isnan(again[1])


def test_physics_is_better_than_a_photograph_by_every_figure(judgements):
    physics, photograph = ([scores(one)] for one in judgements)
    for figure, better in ((error_at(5), -1), (error_at(10, "x"), -1), (steps_to(2), 1)):
        difference, low, high, p = compare(physics, photograph, figure)
        assert difference * better > 0 and low * high > 0 and p < 0.05
    assert statistics.holm([compare(physics, photograph, error_at(5))[3]] * 3)[0] < 0.05
