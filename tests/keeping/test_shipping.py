"""What travels with the package: found after the user's own files, with the very eyes that it was trained with."""

import numpy as np
import pytest
import torch
from torch import nn

from latent_dynamics import artifacts, ladder, recorded, store
from latent_dynamics.models.world_model import WorldModel

SHIPPED = store.SHIPPED


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """An empty shipped folder, an empty cache and an empty memory."""
    monkeypatch.delenv("LATENT_DYNAMICS_SEED", raising=False)
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "clone" / "package" / "shipped")
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "clone" / "package" / "shipped" / "figures")
    store.SHIPPED.mkdir(parents=True)
    store._memo.clear()
    return tmp_path


class Number(nn.Module):
    """Eyes of one number."""

    size = 8

    def __init__(self, *_):
        super().__init__()
        self.number = nn.Parameter(torch.zeros(()))


class Tiny(WorldModel):
    """A model of one number, whose eyes are another."""

    needs_eyes = "autoencoder"

    def __init__(self, latent_size=8, size=1):
        super().__init__()
        self.eyes = Number()
        self.number = nn.Parameter(torch.zeros(size))


class Blind(Tiny):
    """A model without eyes."""

    needs_eyes = None

    def __init__(self):
        super().__init__()
        del self.eyes


class Teacher:
    """In the place of training: every number that is taught is another than before, and counted."""

    def __init__(self):
        self.rungs, self.eyes, self.next = 0, 0, 0.1

    def number(self):
        self.next += 0.1
        return self.next

    def teach(self, model, episodes, seed, label, eyes=None):
        self.rungs += 1
        if eyes:
            model.eyes.load_state_dict(eyes)
        model.number.data.fill_(self.number())
        return {"train loss": np.ones(2)}

    def teach_autoencoder(self, model, *_):
        self.eyes += 1
        model.number.data.fill_(self.number())
        return {"train loss": np.ones(2)}


@pytest.fixture
def teacher(monkeypatch):
    """Rungs "two_frame" and "multi_step" that share eyes, and "position_velocity" without any, all of one number."""
    teacher = Teacher()
    for name, kind in {"two_frame": Tiny, "multi_step": Tiny, "position_velocity": Blind}.items():
        monkeypatch.setitem(artifacts.LADDER, name, kind)
    monkeypatch.setattr(artifacts, "Autoencoder", Number)
    monkeypatch.setattr(artifacts, "load_episodes", lambda *_, **__: None)
    monkeypatch.setattr(artifacts, "examples", lambda *_: (None, None))
    monkeypatch.setattr(artifacts, "teach", teacher.teach)
    monkeypatch.setattr(artifacts, "teach_autoencoder", teacher.teach_autoencoder)
    monkeypatch.setattr(artifacts, "source_of", lambda *_: "source")
    return teacher


def numbers(name="two_frame", **asked):
    """What a process that has just started finds: (the model's number, its eyes'), to half precision."""
    store._memo.clear()
    model = artifacts.load_model(name, **asked)
    eyes = model.eyes.number if model.needs_eyes else torch.zeros(())
    return round(float(model.number[0]), 3), round(float(eyes), 3)


def forget_kept(name=""):
    for path in store.files():
        if path.name.startswith(name):
            path.unlink()


def put(damage, name="two_frame"):
    """Change a rung's shipped file; returns it."""
    (path,) = (path for path in store.SHIPPED.iterdir() if path.name.startswith(name))
    path.write_bytes(damage(path.read_bytes()))
    return path


def test_eyes_that_rungs_share_are_trained_once_and_kept_once_beside_them(teacher):
    one, other = numbers("two_frame"), numbers("multi_step")
    assert teacher.eyes == 1 and teacher.rungs == 2 and one[1] == other[1] and one[0] != other[0]
    assert [path.name.split("-")[0] for path in store.files()] == ["autoencoder", "multi_step", "two_frame"]
    assert numbers("two_frame") == one and numbers("multi_step") == other and teacher.rungs == 2, "read again"


def test_a_rungs_file_holds_its_own_weights_only(teacher):
    numbers()
    path = next(path for path in store.files() if path.name.startswith("two_frame"))
    arrays, record = store.unpack(path.suffix, path.read_bytes())
    assert set(arrays) == {"weights/number", "history/train loss"}
    assert len(record["meta"]["eyes"]) == 64


def test_a_rung_never_meets_other_eyes_than_those_it_was_trained_with(teacher):
    before = numbers()
    forget_kept("autoencoder")
    artifacts.load_autoencoder(latent_size=8)  # trained anew, and not the same
    with pytest.warns(store.ArtifactWarning, match="two_frame.* is stale: what it was made with is gone"):
        after = numbers()
    assert teacher.rungs == 2 and after[1] != before[1]


def test_without_its_eyes_a_rung_is_trained_again(teacher):
    numbers()
    forget_kept("autoencoder")
    with pytest.warns(store.ArtifactWarning, match="two_frame.* is stale"):
        numbers()
    assert teacher.rungs == teacher.eyes == 2


def test_what_was_shipped_is_found_where_nothing_is_kept_and_not_copied(teacher):
    before = {name: numbers(name) for name in ("two_frame", "multi_step", "position_velocity")}
    files = set().union(*(artifacts.ship(name, 0) for name in before))
    assert set(store.SHIPPED.iterdir()) == files and len(files) == 4, "one file for the eyes of both"
    forget_kept()
    for name, was in before.items():
        assert numbers(name) == pytest.approx(was, rel=1e-3)
        model = artifacts.load_model(name)
        assert model.seconds >= 0 and list(model.history) == ["train loss"] and not model.number.requires_grad
        assert model.number.dtype == torch.float32
    assert store.files() == [] and teacher.rungs == 3


def test_what_is_shipped_already_is_not_trained_again_to_be_shipped(teacher):
    files = artifacts.ship("two_frame", 0)
    forget_kept()
    store._memo.clear()
    assert artifacts.ship("two_frame", 0) == files and teacher.rungs == teacher.eyes == 1


def test_a_kept_rung_is_taken_before_the_shipped_one_each_with_its_own_eyes(teacher):
    artifacts.ship("two_frame", 0)
    shipped = numbers()
    forget_kept()
    trained = numbers(shipped=False)
    assert trained[0] != shipped[0] and trained[1] != shipped[1] and numbers() == trained
    forget_kept("two_frame")
    assert numbers() == shipped, "whose eyes are not those that are kept"


def test_who_wants_no_shipped_model_gets_neither_rung_nor_eyes_from_there(teacher):
    artifacts.ship("two_frame", 0)
    forget_kept()
    numbers(shipped=False)
    artifacts.load_autoencoder()
    assert teacher.rungs == teacher.eyes == 2


@pytest.mark.parametrize("asked", [{"seed": 1}, {"data": "random"}, {"size": 2}, {"encoder_seed": 3}], ids=str)
def test_the_shipped_model_stands_in_for_no_other_seed_data_settings_or_eyes(teacher, asked):
    artifacts.ship("two_frame", 0)
    forget_kept()
    numbers(**asked)
    assert teacher.rungs == 2


def test_a_shipped_model_of_other_source_is_not_found(teacher, monkeypatch):
    artifacts.ship("two_frame", 0)
    assert artifacts.is_shipped("two_frame") and not artifacts.is_shipped("multi_step")
    forget_kept()
    monkeypatch.setattr(artifacts, "source_of", lambda *_: "changed")
    assert not artifacts.is_shipped("two_frame")
    numbers()
    assert teacher.rungs == 2


def test_shipped_without_its_eyes_is_not_shipped(teacher):
    artifacts.ship("two_frame", 0)
    forget_kept()
    next(path for path in store.SHIPPED.iterdir() if path.name.startswith("autoencoder")).unlink()
    store._memo.clear()
    assert not artifacts.is_shipped("two_frame")
    numbers()
    assert teacher.rungs == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: data[:-1] + b"!"], ids=["cut", "flipped"])
def test_a_damaged_shipped_file_is_named_with_what_brings_it_back(teacher, damage):
    artifacts.ship("two_frame", 0)
    forget_kept()
    path = put(damage)
    with pytest.warns(store.ArtifactWarning, match=f"{path}, which came with the package, is damaged .*git checkout"):
        numbers()
    assert teacher.rungs == 2


def test_a_damaged_kept_file_is_named_also_where_the_shipped_one_takes_its_place(teacher):
    artifacts.ship("two_frame", 0)
    kept = next(path for path in store.files() if path.name.startswith("two_frame"))
    kept.write_bytes(kept.read_bytes()[:-3])
    with pytest.warns(store.ArtifactWarning, match=f"{kept} is damaged .* What came with the package takes its place"):
        numbers()
    assert teacher.rungs == 1


def test_files_hold_half_precision(teacher):
    (path,) = {store.ship("rung", {}, "safetensors", {"weights/w": np.zeros((100, 100), np.float32)}, {"seconds": 1.0})}
    assert path.stat().st_size < 2 * 100 * 100 + 1000
    arrays, record = store.unpack(path.suffix, path.read_bytes())
    assert record["meta"]["precision"] == "half" and arrays["weights/w"].dtype == np.float16


def test_what_is_written_is_written_whole(teacher, monkeypatch):
    (path,) = artifacts.ship("position_velocity", 0)
    before = path.read_bytes()
    monkeypatch.setattr(store.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    _, key, _ = artifacts._untrained("position_velocity", 0, "mixed", None, None, {})
    with pytest.raises(KeyboardInterrupt):
        store.ship(
            "position_velocity-mixed-seed0", key, "safetensors", {"weights/number": np.ones(1)}, {"seconds": 1.0}
        )
    assert list(store.SHIPPED.iterdir()) == [path] and path.read_bytes() == before


# Figures


def test_figures_are_found_as_they_were_put_a_file_a_model_and_seed():
    for seed in (0, 1):
        recorded.put_figures("rungs", "two frames, 5 steps", seed, {"return": [seed, None]}, {"key": seed})
    recorded.put_figures("references", "exact physics", 0, {"a": 1}, "key")
    assert recorded.figures("rungs") == {"two frames, 5 steps": {0: {"return": [0, None]}, 1: {"return": [1, None]}}}
    assert recorded.figures()["references"] == {"exact physics": {0: {"a": 1}}} and recorded.figures("none") == {}
    assert len(list(recorded.FOLDER.iterdir())) == 3
    assert recorded.recorded("rungs", "two frames, 5 steps", 1, {"key": 1}) == {"return": [1, None]}
    assert recorded.recorded("rungs", "two frames, 5 steps", 1, {"key": 2}) is None
    assert recorded.recorded("rungs", "two frames, 5 steps", 2, {"key": 2}) is None


def test_every_reason_to_distrust_a_figure_is_said():
    for name in ("fits", "old", "unwanted"):
        recorded.put_figures("rungs", name, 0, {}, {"key": name})
    expected = {("rungs", name, 0): {"key": key} for name, key in (("fits", "fits"), ("missing", "?"), ("old", "new"))}
    assert recorded.stale(expected) == [
        "figures of missing, rungs, seed 0: none is recorded",
        "figures of old, rungs, seed 0: recorded of other settings, data or source",
        "figures of unwanted, rungs, seed 0: nobody asks for it any more",
    ]


def test_what_nobody_wants_any_more_is_removed_and_nothing_else(teacher):
    files = artifacts.ship("position_velocity", 0)
    artifacts.ship("two_frame", 0)
    for name in ("wanted", "unwanted"):
        recorded.put_figures("rungs", name, 0, {}, {})
    (store.SHIPPED / "notes.txt").touch()
    recorded.forget([("rungs", "wanted", 0)], files)
    assert set(store.SHIPPED.iterdir()) == files | {store.SHIPPED / "notes.txt", recorded.FOLDER}
    assert list(recorded.figures("rungs")) == ["wanted"]


# The shipped set itself


@pytest.fixture
def as_shipped(monkeypatch):
    """The package's own shipped set."""
    monkeypatch.setattr(store, "SHIPPED", SHIPPED)
    monkeypatch.setattr(recorded, "FOLDER", SHIPPED / "figures")


def test_all_that_is_shipped_is_of_todays_settings_data_and_source(as_shipped):
    assert ladder.stale() == [], "run `make train`"


def test_shipped_figures_have_what_chapters_quote(as_shipped):
    figures = ladder.figures()
    assert figures["references"].keys() == ladder.REFERENCES.keys()
    for evaluations in figures["rungs"].values():
        assert list(evaluations) == list(range(ladder.SEEDS["rungs"]))
        for one in evaluations.values():
            assert {"replayed", "intervened", "cost", "return", "accuracy", "ends"} <= one.keys()
            mean, low, high = one["return"]
            assert 0 < low <= mean <= high <= 500 and 0.5 < one["accuracy"] <= 1
            assert all(value > 0 for value in one["cost"].values())


def test_nothing_is_shipped_but_rungs_their_one_pair_of_eyes_and_figures():
    names = {path.name.split("-")[0] for path in store.files(SHIPPED)}
    assert names == {"autoencoder", "balance_eyes", *artifacts.MODELS}
    assert len(list(SHIPPED.iterdir())) == len(names) + 1, "and the folder of figures"


def test_everything_shipped_is_at_most_10_megabytes():
    sizes = {path.name: path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()}
    assert sizes and sum(sizes.values()) <= 10_000_000, sizes
