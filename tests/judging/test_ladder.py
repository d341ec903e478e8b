"""The ladder as a whole: which tasks it has, what is measured of each, and what is read of it."""

import json

import numpy as np
import pytest

from latent_dynamics import artifacts, drift, judging_set, ladder, recorded, references, statistics, store
from latent_dynamics.judging import measuring
from latent_dynamics.models import TwoFrame
from latent_dynamics.workshop import training

FIRST = artifacts.default_seed()


def evaluation(height):
    """What a model would be found to be worth."""
    protocol = {"theta": [height] * 20, "steps_2": 10 / height}
    cost = {"parameters": 7, "seconds": 1.0, "steps_per_second": 100}
    return {"replayed": protocol, "intervened": protocol, "return": [50.0, 40.0, 60.0], "cost": cost}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A function that runs `train_all` with training and measuring taken out; returns the tasks that it did."""
    done = []

    def measure(*task):
        if done:
            assert recorded.recorded(*done[-1], ladder.fingerprint(*done[-1])), "written before the next begins"
        done.append(task)
        return evaluation(0.5 if task[0] == "references" else 1 + task[2])

    def ship(name, seed):
        return {store.ship(name, {}, "safetensors", {"x": np.zeros(1)}, {"seconds": 1.0})}

    monkeypatch.setattr(store, "SHIPPED", tmp_path)
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "figures")
    monkeypatch.setattr(training, "_done", lambda work, items, *_: [work(item) for item in items])
    monkeypatch.setattr(training, "_prepare", lambda seed: None)
    monkeypatch.setattr(training, "_collect", lambda data: None)
    monkeypatch.setattr(ladder, "measure", measure)
    monkeypatch.setattr(training, "ship", ship)
    monkeypatch.setattr(training, "ROOT", tmp_path)
    monkeypatch.setattr(ladder, "study", lambda: [{"setting": "one", "plan": 1.0}])

    def run(*names):
        done.clear()
        training.train_all(names)
        return list(done)

    return run


def test_every_rung_is_trained_on_five_seeds_every_experiment_on_three_and_every_reference_judged_once(runs):
    tasks = runs()
    kinds = {"rungs": artifacts.LADDER, "experiments": ladder.EXPERIMENTS, "combinations": ladder.COMBINATIONS}
    kinds |= {"gusty": artifacts.UNCERTAIN, "known_of_gusts": ladder.KNOWN_OF_GUSTS, "jepa": ladder.COLLAPSES}
    for kind, names in kinds.items():
        seeds = range(FIRST, FIRST + ladder.SEEDS[kind])
        assert [task[1:] for task in tasks if task[0] == kind] == [(name, seed) for seed in seeds for name in names]
    assert ladder.SEEDS["rungs"] >= 5 and ladder.SEEDS["experiments"] >= 3 and ladder.SEEDS["combinations"] >= 3
    assert [task[1:] for task in tasks if task[0] == "references"] == [(name, FIRST) for name in ladder.REFERENCES]


def test_an_interrupted_run_does_only_what_is_left_and_the_weights_of_one_seed_take_the_place_of_old_ones(runs):
    store.ship("old", {}, "safetensors", {"x": np.zeros(1)}, {"seconds": 1.0})
    recorded.put_figures("rungs", "old", 0, {}, {})
    runs()
    assert {path.name.split(".")[0] for path in store.SHIPPED.glob("*.safetensors")} == set(artifacts.MODELS)
    assert "old" not in recorded.figures("rungs"), "the old ones are gone"
    assert (training.ROOT / training.TABLE).read_text("utf8") == "setting,plan\none,1.0\n"
    recorded.put_figures("rungs", "position_velocity", FIRST, {}, "another fingerprint")
    assert runs() == [("rungs", "position_velocity", FIRST)]


def test_what_is_named_alone_is_trained_and_nothing_is_removed(runs):
    recorded.put_figures("rungs", "old", 0, {}, {})
    done = runs("recurrent")
    assert {task[1] for task in done if task[0] == "rungs"} == {"recurrent"}
    assert {ladder.asked(*task)[0][0] for task in done} == {"recurrent"} and len(done) > ladder.SEEDS["rungs"]
    assert "old" in recorded.figures("rungs")
    assert {task[1] for task in runs("exact physics")} == {"exact physics"}
    with pytest.raises(ValueError, match="nothing is called best; there are the rungs autoencoder_mlp"):
        runs("best")


def test_what_was_written_is_read_again(runs):
    runs()
    found = ladder.figures()
    assert found["rungs"]["position_velocity"][FIRST + 1] == evaluation(2 + FIRST)
    assert list(found["rungs"]) == artifacts.model_names()
    assert set(found["experiments"]) == {*ladder.EXPERIMENTS, *ladder.COMBINATIONS, *ladder.SAME}
    assert len(found["experiments"]["memory"]) == ladder.SEEDS["experiments"], "of as many seeds as other experiments"
    assert found["references"] == {name: evaluation(0.5) for name in ladder.REFERENCES}
    json.dumps(found, allow_nan=False)


def test_the_table_has_a_line_for_each_rung_and_reference(runs):
    runs()
    lines = ladder.table().splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == [*artifacts.model_names(), *ladder.REFERENCES]
    assert "3.00" in next(line for line in lines if line.startswith("two_frame")), "the median of its seeds"


def test_a_seed_without_a_figure_counts_as_infinite():
    seeds = {0: {"a": 1.0}, 1: {"a": None}, 2: {"a": 3.0}}
    assert ladder.spread(seeds, lambda one: one["a"]) == (3.0, 1.0, np.inf)


def test_settings_of_experiments_and_trials_are_settings_of_their_rungs():
    for kind, name, seed in ladder.tasks():
        if not callable(ladder.KINDS[kind].names[name]):
            (rung,), settings = ladder.asked(kind, name, seed)
            key = artifacts.model_key(rung, **settings)
            assert key["seed"] == key["data"]["seed"] == seed, "a seed draws its data too"
            assert key["settings"].keys() <= settings.keys(), name


def test_each_rung_had_as_many_trials_the_first_of_which_it_is():
    assert set(ladder.TRIALS) == set(artifacts.LADDER)
    assert len({len(few) for few in ladder.TRIALS.values()}) == 1
    assert all(few[0] == {} for few in ladder.TRIALS.values())
    judged_on = {kind: ladder.KINDS[kind].rests_on().get("windows") for kind in ladder.KINDS}
    assert judged_on["trials"] == judging_set.key("validation")
    on_validation = {kind for kind in judged_on if judged_on[kind] == judging_set.key("validation")}
    assert on_validation == {"trials", "study", "study_control"}, "where something is chosen, and nowhere else"


# What is measured


@pytest.fixture
def few(monkeypatch, mixed_episodes):
    """The ladder judges on a few episodes of the tests."""
    cuts = drift.protocols(mixed_episodes, stride=40)
    monkeypatch.setattr(ladder, "windows", lambda split="test": cuts)
    monkeypatch.setattr(ladder, "load_episodes", lambda name, split, seed=None: mixed_episodes)
    monkeypatch.setattr(judging_set, "collected", lambda split: mixed_episodes)
    return cuts


@pytest.mark.parametrize("name", ladder.REFERENCES)
def test_a_reference_is_judged_by_both_protocols(few, monkeypatch, name, untrained_model):
    monkeypatch.setattr(ladder, "load_model", lambda *_, **__: untrained_model)
    found = ladder.measure("references", name, 0)
    assert list(found) == ["replayed", "intervened"]
    assert len(found["replayed"]["theta"]) == 50 and len(found["intervened"]["theta"]) == 20
    assert "teacher_forced" not in found["replayed"]
    scores = statistics.unpacked(found["intervened"]["windows"])
    assert len(scores.episode) == len(few["intervened"]), "each window's score is kept, to compare by"


def test_references_rank_as_they_should(few):
    names = ("exact physics", "repeat the last frame")
    physics, photograph = (ladder.measure("references", name, 0)["intervened"]["theta"][9] for name in names)
    assert physics < 0.5 * photograph


def test_a_rung_costs_its_own_weights_and_not_the_shared_eyes(one_thread):
    model = references.untrained(TwoFrame)
    eyes = sum(weights.numel() for weights in model.eyes.parameters())
    found = measuring.cost(model, batch=2, steps=3)
    assert found["parameters"] == sum(weights.numel() for weights in model.parameters()) - eyes > 0
    assert found["steps_per_second"] > 0 and found["seconds"] is None, "it was never trained"


def test_a_rung_plays_and_an_experiment_does_not(few, monkeypatch, untrained_model):
    asked = []

    def load_model(name, **settings):
        asked.append((name, settings))
        return untrained_model

    monkeypatch.setattr(ladder, "load_model", load_model)
    monkeypatch.setattr(measuring, "played", lambda model, splits, seed, games: {"return": games})
    assert "return" not in ladder.measure("experiments", "noise 1.0", 2)
    rung = ladder.measure("rungs", "position_velocity", 1)
    assert rung["return"] == ladder.GAMES == 100 and rung["ends"]["count"]
    closest = ladder.measure("closest", "two_frame", 0)
    assert "pixels" not in closest["replayed"] and "return" not in closest
    assert asked == [
        ("noise_robust", {"seed": 2, "data_seed": 2, "shipped": False, "noise": 1.0}),
        ("position_velocity", {"seed": 1, "data_seed": 1, "shipped": False}),
        ("two_frame", {"seed": 0, "data_seed": 0, "shipped": False}),
    ]


def test_two_models_are_compared_window_by_window(few):
    names = ("exact physics", "repeat the last frame")
    physics, photograph = (ladder.measure("references", name, 0) for name in names)
    difference, low, high, p = ladder.compare(physics, photograph, statistics.error_at(5))
    assert low < difference < high < 0 and p < 0.05
    assert ladder.compare(physics, physics, statistics.error_at(5))[0] == 0


def test_two_beliefs_are_compared_over_episodes():
    """Windows of one episode say the same: their number must not make an interval narrow."""
    rng = np.random.default_rng(0)
    by_episode = rng.normal(0.3, 1.0, 12)

    def figures(values, copies):
        windows = {"10": np.repeat(values, copies).tolist(), "episode": np.repeat(np.arange(12), copies).tolist()}
        return {0: {"windows": windows}}

    found = [ladder.compare_beliefs(figures(by_episode, n), figures(0 * by_episode, n), 10) for n in (1, 50)]
    np.testing.assert_allclose(*found)
    middle, low, high = found[0]
    assert middle == pytest.approx(by_episode.mean()) and low < middle < high
    assert high - low == pytest.approx(2 * 1.96 * by_episode.std() / np.sqrt(12), rel=0.15)
