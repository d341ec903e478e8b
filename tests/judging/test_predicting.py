"""Which metric tells what control is worth: correlations, their intervals, and metrics composed on one half."""

import csv
import math

import numpy as np
import pytest

from latent_dynamics.judging import predicting
from latent_dynamics.judging.measuring_study import spearman


def table(trainings=12, points=5, seed=0):
    """Models whose return is told by `regret` and, with noise, by `loss`; every other metric is noise."""
    rng, rows = np.random.default_rng(seed), []
    for n in range(trainings):
        for point in range(points):
            skill = n + 3 * point
            noise = {name: float(rng.normal()) for name in predicting.METRICS}
            about = {"setting": f"setting {n // 2}", "rung": "X", "data": "mixed", "seed": n % 2, "point": point}
            told = {"regret": -skill, "loss": -skill + 8 * rng.normal()}
            rows.append(about | noise | told | {"plan": 2.0 * skill, "plan_half": 2.0 * skill + rng.normal()})
    return rows


def test_spearman_asks_for_order_alone_and_shares_the_ranks_of_ties():
    assert spearman([1, 2, 3, 4], [1, 10, 11, 1e9]) == 1
    assert spearman([1, 2, 3], [3, 2, 1]) == -1
    assert spearman([1, 1, 2, 2], [1, 2, 3, 4]) == pytest.approx(0.894, abs=0.001)
    assert spearman([1, 2, math.inf], [1, 2, 3]) == 1, "an infinite error is the greatest"
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))


def test_a_metric_is_turned_so_that_more_is_better_and_what_it_does_not_have_is_left_out():
    rows = [{"regret": 0.1, "kl": math.nan, "plan": 3}, {"regret": 0.5, "kl": 1.0, "plan": 1}]
    rows += [{"regret": math.inf, "kl": 2.0, "plan": 0}]
    regret, plan = predicting.column(rows, "regret"), predicting.column(rows, "plan")
    assert predicting.agreement(regret, plan) == pytest.approx(1)
    assert predicting.agreement(predicting.column(rows, "kl"), plan) == pytest.approx(1)
    assert list(predicting.ranked(regret)) == [1, 0.5, 0]
    assert list(predicting.ranked(np.array([np.nan, 2.0, 2.0]))) == [0, 0.75, 0.75]


def test_an_interval_draws_whole_trainings_and_is_wider_than_one_of_models():
    rows = table()
    metric, returns = predicting.column(rows, "loss"), predicting.column(rows, "plan")
    rho, low, high = predicting.interval(metric, returns, predicting.trainings(rows))
    assert low < rho < high
    clones = np.repeat(np.arange(12), 5)
    same = np.repeat(np.random.default_rng(1).normal(size=(2, 12)), 5, axis=1)  # five times the same model
    wide = predicting.interval(*same, clones)
    narrow = predicting.interval(*same, np.arange(60))
    assert wide[2] - wide[1] > 1.5 * (narrow[2] - narrow[1])


def test_a_difference_of_two_metrics_is_drawn_on_the_same_trainings():
    rows = table()
    group = predicting.trainings(rows)
    regret, loss, noise, plan = (predicting.column(rows, name) for name in ("regret", "loss", "kl", "plan"))
    more, low, high = predicting.apart(regret, noise, plan, group)
    assert low <= more <= high and low > 0.5
    assert predicting.apart(loss, loss, plan, group) == (0, 0, 0)


def test_correlations_within_a_training_do_not_see_what_differs_between_them():
    group = np.repeat([0, 1], 3)
    returns = np.array([1, 2, 3, 11, 12, 13.0])
    assert list(predicting.within(np.array([3, 2, 1, 9, 8, 7.0]), returns, group)) == [-1, -1]
    assert predicting.agreement(np.array([3, 2, 1, 9, 8, 7.0]), returns) > 0.5


def test_halves_share_no_setting_and_a_metric_is_chosen_on_the_first_alone():
    rows = table()
    half = predicting.halves(rows)
    first, second = ({row["setting"] for row, one in zip(rows, half) if one == which} for which in (0, 1))
    assert first and second and not first & second
    assert predicting.chosen(rows, "plan") == ["regret"], "nothing is gained by another"
    spoiled = [row | ({"plan": -row["plan"]} if one else {}) for row, one in zip(rows, half)]
    assert predicting.chosen(spoiled, "plan") == ["regret"], "the second half has no say"
    kept = [row for row, one in zip(spoiled, half) if one]
    assert predicting.agreement(predicting.composed(kept, ["regret"]), predicting.column(kept, "plan")) < -0.99


def test_reliability_compares_the_halves_of_each_models_games():
    rows = table()
    assert predicting.reliability(rows, "plan") > 0.95
    rng = np.random.default_rng(0)
    lucky = [row | {"plan": float(rng.normal()), "plan_half": float(rng.normal())} for row in rows]
    assert predicting.reliability(lucky, "plan") < 0.2


def test_the_table_survives_being_written(tmp_path):
    settings = {"one": ("multi_step", {}, "mixed", 1)}
    columns = {"point": [0.02, 1.0], "plan": [12.5, 30.0], "kl": [math.nan, 1.0], "intervened_1": [math.inf, 2.0]}
    figures = {"one": {0: columns}}
    rows = predicting.rows(figures, settings)
    assert rows[0]["rung"] == "multi_step" and rows[0]["point"] == 0.02
    path = predicting.write_csv(rows, tmp_path / "new" / "table.csv")
    read, last = csv.DictReader(path.open(encoding="utf8"))
    assert (read["setting"], read["plan"], read["kl"], read["intervened_1"]) == ("one", "12.5", "", "inf")
    assert (last["point"], last["plan"], last["kl"]) == ("1.0", "30.0", "1.0")
