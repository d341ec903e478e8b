"""The ladder as a whole: what `train` writes, and what is read of it."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from latent_dynamics import artifacts, ladder, references, shipping
from latent_dynamics.models import TwoFrame


def evaluation(height):
    """What a model would be found to be worth."""
    protocol = {"theta": [height] * 20, "steps_2": 10 / height}
    cost = {"parameters": 7, "seconds": 1.0, "steps_per_second": 100}
    return {"replayed": protocol, "intervened": protocol, "return": [50.0, 40.0, 60.0], "cost": cost}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Run `train_all` with the training taken out; returns the tasks and the rungs that were shipped."""
    tasks, shipped = [], []

    def measure(task):
        tasks.append(task)
        return evaluation(0.5 if task[0] == "references" else 1 + task[2])

    def ship(name, seed):
        shipped.append((name, seed))
        (tmp_path / "shipped" / f"{name}.safetensors").touch()
        return {tmp_path / "shipped" / f"{name}.safetensors"}

    monkeypatch.setattr(shipping, "FOLDER", tmp_path / "shipped")
    monkeypatch.setattr(shipping, "METRICS", tmp_path / "shipped" / "metrics.json")
    monkeypatch.setattr(ladder, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(1))
    monkeypatch.setattr(ladder, "load_autoencoder", lambda seed: None)
    monkeypatch.setattr(ladder, "_measure", measure)
    monkeypatch.setattr(ladder, "ship", ship)
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "old.safetensors").write_bytes(b"of another recipe")
    ladder.train_all()
    return tasks, shipped


def test_every_rung_and_experiment_is_trained_on_every_seed_and_every_reference_judged_once(trained):
    tasks, _ = trained
    seeds = range(artifacts.default_seed(), artifacts.default_seed() + ladder.SEEDS)
    for kind, names in (("rungs", artifacts.model_names()), ("experiments", list(ladder.EXPERIMENTS))):
        assert [task[1:] for task in tasks if task[0] == kind] == [(name, seed) for seed in seeds for name in names]
    assert [task[1:] for task in tasks if task[0] == "references"] == [(name, seeds[0]) for name in ladder.REFERENCES]


def test_what_was_written_is_read_again(trained):
    found = ladder.figures()
    first = artifacts.default_seed()
    assert found["recipes"] == artifacts.RECIPES | {"ladder": ladder.RECIPE}
    assert found["rungs"]["position_velocity"][first + 1] == evaluation(2 + first)
    assert list(found["experiments"]) == list(ladder.EXPERIMENTS)
    assert found["references"] == {name: evaluation(0.5) for name in ladder.REFERENCES}
    json.dumps(found, allow_nan=False)


def test_the_weights_of_one_seed_take_the_place_of_the_old_ones(trained):
    assert trained[1] == [(name, artifacts.default_seed()) for name in artifacts.model_names()]
    kept = {path.name for path in shipping.FOLDER.iterdir()}
    assert kept == {f"{name}.safetensors" for name in artifacts.model_names()} | {"metrics.json"}, "the old one is gone"


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
        assert key["seed"] == 0 and key["recipe"] == artifacts.RECIPES[rung], name


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


def test_an_experiment_is_measured_with_its_settings_and_without_games(monkeypatch):
    asked = []
    monkeypatch.setattr(ladder, "measure", lambda *task, **settings: asked.append((*task, settings)))
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    ladder._measure(("experiments", "noise 1.0", 2))
    ladder._measure(("rungs", "position_velocity", 1))
    assert asked == [("noise_robust", 2, {"noise": 1.0}, {"games": 0}), ("position_velocity", 1, {})]
