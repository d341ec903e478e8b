"""What chapter 17 says of metrics and control; and that its table is what is measured."""

import csv
import json

import numpy as np
import pytest

import latent_dynamics as ld
from latent_dynamics import ladder, recorded
from latent_dynamics.judging import judging_set, measuring_study, predicting, studied
from latent_dynamics.models import PositionVelocity
from latent_dynamics.models.training import seeded
from latent_dynamics.workshop import training

pytestmark = pytest.mark.claims


@pytest.fixture(scope="module")
def models():
    return ladder.study()


def rho(models, name, way="plan"):
    return predicting.agreement(predicting.column(models, name), predicting.column(models, way))


@pytest.mark.recorded
def test_three_hundred_models_each_by_every_metric_and_three_ways_to_act(models):
    assert len(models) >= 300
    assert {row["setting"] for row in models} == set(studied.SETTINGS)
    for row in models:
        assert not [name for name in [*predicting.METRICS, *predicting.WAYS] if name not in row], row["setting"]
        assert not [n for n, value in row.items() if value != value and n != "kl"], "only a KL may not apply"
    assert {row["rung"] for row in models if row["kl"] == row["kl"]} == {"rssm"}


@pytest.mark.recorded
def test_the_file_that_can_be_downloaded_holds_the_same_table(models, tmp_path):
    path = training.ROOT / training.TABLE
    assert path.read_bytes() == predicting.write_csv(models, tmp_path / "table.csv").read_bytes()
    card = (path.parent / "README.md").read_text("utf8")
    with path.open(encoding="utf8") as file:
        names = next(csv.reader(file))
    said = {"intervened", "replayed", "crps", "pixels", "latent", "steps", "teacher", "half"}
    missing = [name for name in names if f"`{name}`" not in card and not said & set(name.split("_"))]
    assert missing == [], "the card says what a column is"


def test_a_row_is_measured_again_and_found_again():
    """Few steps of the quickest training, on the eyes that travel with the package, of half precision."""
    name = "position_velocity, few episodes"
    record = ladder.of_kind("study")[name][0]
    splits = ladder._studied_splits("mixed", 0)
    with seeded(0):
        model = PositionVelocity()
    model.eyes.load_state_dict(ld.artifacts.load_balance_eyes(shipped=True).state_dict())
    point, model, terms = next(studied.studied(model, splits, 0, studied.SETTINGS[name][3], name))
    row = measuring_study.measured(
        model, terms, ladder._study_windows(), judging_set.collected("validation"), splits, 0
    )
    record = {column: values[record["point"].index(point)] for column, values in record.items()}
    for column in ("intervened_1", "intervened_10", "replayed_10", "pixels_10", "loss", "ends_score", "survival_brier"):
        assert row[column] == pytest.approx(record[column], rel=0.1), column
    json.dumps(row)


@pytest.fixture(scope="module")
def useful(models):
    """The models with which a planner does better than a coin."""
    chance = np.random.default_rng(0)
    coin = ld.controllers.returns(lambda states: ld.cartpole.random_actions(len(states), chance), 200).mean()
    return [row for row in models if row["plan"] > coin]


def gap(models, one, other):
    """By how much one metric's correlation with the planner's return exceeds another's, and its interval."""
    columns = [predicting.column(models, name) for name in (one, other, "plan")]
    return predicting.apart(*columns, predicting.trainings(models))


@pytest.mark.recorded
def test_order_of_plans_and_drift_many_steps_ahead_foretell_a_planner(useful, models):
    assert 50 < len(useful) < len(models) - 50, "there is something to tell apart on both sides"
    assert rho(useful, "ranks") > 0.8 and rho(useful, "intervened_20") > 0.75
    for other in ("pixels_20", "pixels_1", "x_20", "observed_rank"):
        assert gap(useful, "intervened_20", other)[1] > 0, other
    assert gap(useful, "ranks", "loss")[1] > 0
    assert rho(models, "ranks") == max(rho(models, name) for name in predicting.METRICS if name != "kl")


@pytest.mark.recorded
def test_those_that_draw_the_next_frame_best_are_worse_to_plan_with(models):
    group = predicting.trainings(models)
    columns = [predicting.column(models, name) for name in ("pixels_1", "plan")]
    assert predicting.interval(*columns, group)[2] < 0
    assert gap(models, "intervened_20", "intervened_1")[1] > 0


@pytest.mark.recorded
def test_a_model_can_drift_little_and_be_worth_nothing(models):
    poor = [row for row in models if row["intervened_20"] < 2 and row["plan"] < 50]
    assert poor and all(row["ends_score"] > np.median([one["ends_score"] for one in models]) for row in poor)


@pytest.mark.recorded
def test_a_clone_does_not_notice_what_a_model_dreams(models):
    group, clone = predicting.trainings(models), predicting.column(models, "clone")
    rungs = np.array([row["rung"] for row in models])
    filters = np.isin(rungs, ["position_velocity", "recurrent", "rssm"])  # whose belief is trained too
    same = [np.ptp(clone[group == one]) == 0 for one in np.unique(group[~filters])]
    assert np.mean(same) > 0.8, "but for eyes that fill in what they cannot see by a dream"
    moves = [np.ptp(predicting.column(models, "plan")[group == one]) > 0 for one in np.unique(group[~filters])]
    assert all(moves)


@pytest.mark.recorded
def test_the_control_orders_noise_as_every_metric_should_and_outlives_models_that_drift_less(models):
    physics = next(iter(ladder.of_kind("study_control")["exact physics"].values()))
    noise = [float(name) for name in physics]
    for name in ("intervened_20", "ends_score", "survival_brier", "regret"):
        values = [predicting.METRICS[name][1] * one[name] for one in physics.values()]
        assert measuring_study.spearman(noise, values) < -0.9, name
    worst = physics[max(physics, key=float)]
    closer = [row["plan"] for row in models if row["intervened_20"] < worst["intervened_20"]]
    assert worst["plan"] > 200 > np.median(closer) + 50


@pytest.mark.recorded
def test_a_composed_metric_keeps_what_it_is_worth_on_settings_it_has_not_seen(models):
    names, half = predicting.chosen(models, "plan"), predicting.halves(models)
    both, returns = predicting.composed(models, names), predicting.column(models, "plan")
    held_out = predicting.agreement(both[half == 1], returns[half == 1])
    assert held_out > predicting.agreement(predicting.column(models, "loss")[half == 1], returns[half == 1]) + 0.2


def test_the_figures_are_of_todays_source():
    tasks = [task for task in ladder.tasks() if task[0].startswith("study")]
    assert all(recorded.recorded(*task, ladder.fingerprint(*task)) for task in tasks)
