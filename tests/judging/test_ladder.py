"""The ladder as a whole: what `train` writes, and what is read of it."""

import json

import joblib
import numpy as np
import pytest

from latent_dynamics import artifacts, ladder, recorded, references, store
from latent_dynamics.models import TwoFrame


def evaluation(height):
    """What a model would be found to be worth."""
    protocol = {"theta": [height] * 20, "steps_2": 10 / height}
    cost = {"parameters": 7, "seconds": 1.0, "steps_per_second": 100}
    return {"replayed": protocol, "intervened": protocol, "return": [50.0, 40.0, 60.0], "cost": cost}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Run `train_all` with the training taken out, twice; returns the tasks of each time and what was shipped."""
    runs, shipped = [[]], []

    def measure(task):
        if runs[-1]:
            assert recorded.recorded(*runs[-1][-1], ladder.fingerprint(*runs[-1][-1])), "written before the next begins"
        runs[-1].append(task)
        return task, evaluation(0.5 if task[0] == "references" else 1 + task[2])

    def ship(name, seed):
        shipped.append((name, seed))
        return {store.ship(name, {}, "safetensors", {"x": np.zeros(1)}, {"seconds": 1.0})}

    monkeypatch.setattr(store, "SHIPPED", tmp_path)
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "figures")
    monkeypatch.setattr(joblib, "Parallel", lambda **_: lambda calls: (f(*args) for f, args, _ in calls))
    monkeypatch.setattr(ladder, "load_autoencoder", lambda seed: None)
    monkeypatch.setattr(ladder, "_measured", measure)
    monkeypatch.setattr(ladder, "ship", ship)
    store.ship("old", {}, "safetensors", {"x": np.zeros(1)}, {"seconds": 1.0})
    recorded.put_figures("rungs", "old", 0, {}, {})
    ladder.train_all()
    recorded.put_figures("rungs", "position_velocity", artifacts.default_seed(), {}, "another fingerprint")
    runs.append([])
    ladder.train_all()
    return runs, shipped


def test_every_rung_and_experiment_is_trained_on_every_seed_and_every_reference_judged_once(trained):
    (tasks, _), _ = trained
    seeds = range(artifacts.default_seed(), artifacts.default_seed() + ladder.SEEDS)
    for kind, names in (("rungs", artifacts.model_names()), ("experiments", list(ladder.EXPERIMENTS))):
        assert [task[1:] for task in tasks if task[0] == kind] == [(name, seed) for seed in seeds for name in names]
    assert [task[1:] for task in tasks if task[0] == "references"] == [(name, seeds[0]) for name in ladder.REFERENCES]


def test_an_interrupted_run_does_only_what_is_left(trained):
    (_, again), _ = trained
    assert again == [("rungs", "position_velocity", artifacts.default_seed())]


def test_what_was_written_is_read_again(trained):
    found = ladder.figures()
    first = artifacts.default_seed()
    assert found["rungs"]["position_velocity"][first + 1] == evaluation(2 + first)
    assert list(found["rungs"]) == artifacts.model_names()
    assert list(found["experiments"]) == list(ladder.EXPERIMENTS)
    assert found["references"] == {name: evaluation(0.5) for name in ladder.REFERENCES}
    json.dumps(found, allow_nan=False)


def test_the_weights_of_one_seed_take_the_place_of_the_old_ones(trained):
    assert trained[1] == 2 * [(name, artifacts.default_seed()) for name in artifacts.model_names()]
    assert {path.name.split(".")[0] for path in store.SHIPPED.glob("*.safetensors")} == set(artifacts.model_names())
    assert "old" not in recorded.figures("rungs"), "the old ones are gone"


def test_the_table_has_a_line_for_each_rung_and_reference(trained):
    lines = ladder.table().splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == [*artifacts.model_names(), *ladder.REFERENCES]
    assert "2.00" in next(line for line in lines if line.startswith("two_frame")), "the median of its seeds"


def test_a_seed_without_a_figure_counts_as_infinite():
    seeds = {0: {"a": 1.0}, 1: {"a": None}, 2: {"a": 3.0}}
    assert ladder.spread(seeds, lambda one: one["a"]) == (3.0, 1.0, np.inf)


def test_settings_of_experiments_are_settings_of_their_rungs():
    for name, (rung, settings) in ladder.EXPERIMENTS.items():
        key = artifacts.model_key(rung, 0, **settings)
        assert key["seed"] == 0 and key["settings"].keys() <= settings.keys(), name


# What is measured


@pytest.fixture
def few_episodes(monkeypatch, mixed_episodes):
    """The ladder judges on a few episodes of the tests."""
    monkeypatch.setattr(ladder, "load_episodes", lambda name, split: mixed_episodes)
    ladder.windows.cache_clear()
    yield mixed_episodes
    ladder.windows.cache_clear()


@pytest.mark.parametrize("name", ladder.REFERENCES)
def test_a_reference_is_judged_by_both_protocols(few_episodes, monkeypatch, name, untrained_model):
    monkeypatch.setattr(ladder, "load_model", lambda *_, **__: untrained_model)
    found = ladder.measure_reference(name)
    assert list(found) == ["replayed", "intervened"]
    assert len(found["replayed"]["theta"]) == 50 and len(found["intervened"]["theta"]) == 20
    assert "teacher_forced" not in found["replayed"]


def test_references_rank_as_they_should(few_episodes):
    names = ("exact physics", "repeat the last frame")
    physics, photograph = (ladder.measure_reference(name)["intervened"]["theta"][9] for name in names)
    assert physics < 0.5 * photograph


def test_a_rung_costs_its_own_weights_and_not_the_shared_eyes(one_thread):
    model = references.untrained(TwoFrame)
    eyes = sum(weights.numel() for weights in model.autoencoder.parameters())
    found = ladder.cost(model, batch=2, steps=3)
    assert found["parameters"] == sum(weights.numel() for weights in model.parameters()) - eyes > 0
    assert found["steps_per_second"] > 0 and found["seconds"] is None, "it was never trained"


def test_an_experiment_is_measured_with_its_settings_and_without_games(monkeypatch, untrained_model):
    asked = []

    def load_model(name, **settings):
        asked.append((name, settings))
        return untrained_model

    monkeypatch.setattr(ladder, "load_model", load_model)
    monkeypatch.setattr(ladder, "windows", lambda stride: asked.append(stride))
    monkeypatch.setattr(ladder.drift, "evaluate", lambda *_, **__: {})
    monkeypatch.setattr(ladder, "played", lambda model, seed, games: {"return": games})
    assert "return" not in ladder.measure("experiments", "noise 1.0", 2)
    assert ladder.measure("rungs", "position_velocity", 1)["return"] == 100
    noise, _, best, _ = asked
    assert noise == ("noise_robust", {"seed": 2, "shipped": False, "noise": 1.0})
    assert best == ("position_velocity", {"seed": 1, "shipped": False})
