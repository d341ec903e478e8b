"""What travels with the package: it comes back as it was put, and fits the recipes of today."""

import numpy as np
import pytest
import torch
from torch import nn

from latent_dynamics import artifacts, ladder, shipping, store
from latent_dynamics.models.world_model import WorldModel

KEY = {"recipe": 1, "settings": {"size": (3, 2)}, "seed": 0}
SHIPPED = shipping.FOLDER


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in the place of the shipped one."""
    monkeypatch.setattr(shipping, "FOLDER", tmp_path / "shipped")
    return tmp_path / "shipped"


def weights(seed=0, encoder=None):
    """Arrays of a rung: with the encoder of that seed, if any."""
    rng = np.random.default_rng(seed)
    arrays = {
        "weights/net.weight": rng.normal(size=(4, 3)).astype(np.float32),
        "weights/scale": np.array(rng.normal(), np.float32),
        "weights/count": np.arange(3),
        "history/train loss": rng.random(5),
    }
    if encoder is not None:
        shared = np.random.default_rng(encoder).normal(size=(5, 6)).astype(np.float32)
        arrays |= {"weights/eyes.trunk.weight": shared, "weights/eyes.head.bias": shared[0]}
    return arrays


@pytest.mark.parametrize("encoder", [None, 7])
def test_what_was_put_is_found_again_to_half_precision(folder, encoder):
    arrays = weights(encoder=encoder)
    shipping.put("rung", KEY, arrays, 12.5)
    found, meta = shipping.find("rung", KEY)
    assert meta == {"seconds": 12.5} and found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == (np.float32 if array.dtype.kind == "f" else array.dtype)
        np.testing.assert_array_equal(found[name], array.astype(np.float16) if array.dtype.kind == "f" else array)


def test_files_hold_half_precision(folder):
    shipping.put("rung", KEY, {"weights/w": np.zeros((100, 100), np.float32)}, 1.0)
    assert (folder / "rung.safetensors").stat().st_size < 2 * 100 * 100 + 1000


@pytest.mark.parametrize("other", [{"recipe": 2}, {"settings": {"size": (3, 1)}}, {"seed": 1}, {"new": None}])
def test_weights_of_another_key_are_not_found(folder, other):
    shipping.put("rung", KEY, weights(), 1.0)
    assert shipping.find("rung", KEY | other) is None
    assert shipping.find("rung", {"seed": 0, "settings": {"size": [3, 2]}, "recipe": 1})  # the same, as JSON has it


def test_a_rung_that_does_not_travel_is_not_found(folder):
    assert shipping.find("rung", KEY) is None
    shipping.put("rung", KEY, weights(), 1.0)
    assert shipping.find("other", KEY) is None


def test_an_encoder_that_rungs_share_is_stored_once_and_another_beside_it(folder):
    rungs = {"one": weights(1, encoder=7), "two": weights(2, encoder=7)}
    for name, arrays in rungs.items():
        shipping.put(name, KEY, arrays, 1.0)
    assert len(list(folder.glob("encoder-*"))) == 1 and len(list(folder.iterdir())) == 3
    rungs["three"] = weights(3, encoder=8)
    shipping.put("three", KEY, rungs["three"], 1.0)
    assert len(list(folder.glob("encoder-*"))) == 2
    for name, arrays in rungs.items():
        found, _ = shipping.find(name, KEY)
        assert found.keys() == arrays.keys()
        for part, array in arrays.items():
            np.testing.assert_allclose(found[part], array, rtol=1e-3, atol=1e-6)


def test_a_rung_without_an_encoder_needs_no_other_file(folder):
    shipping.put("rung", KEY, weights(), 1.0)
    assert [path.name for path in folder.iterdir()] == ["rung.safetensors"]


@pytest.mark.parametrize("file", ["rung", "encoder-*"])
@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:100]), lambda path: path.unlink()])
def test_a_damaged_file_is_named_with_what_brings_it_back(folder, file, damage):
    shipping.put("rung", KEY, weights(encoder=7), 1.0)
    (path,) = folder.glob(f"{file}.safetensors")
    damage(path)
    if file == "rung" and not path.exists():
        assert shipping.find("rung", KEY) is None
        return
    with pytest.raises(OSError, match=f"{path.name}, which came with the package, cannot be read .*git checkout"):
        shipping.find("rung", KEY)


def test_what_is_written_is_written_whole(folder, monkeypatch):
    shipping.put("rung", KEY, weights(1), 1.0)
    before = (folder / "rung.safetensors").read_bytes()
    monkeypatch.setattr(store.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        shipping.put("rung", KEY, weights(2), 1.0)
    assert [path.name for path in folder.iterdir()] == ["rung.safetensors"]
    assert (folder / "rung.safetensors").read_bytes() == before


# Where `load_model` looks, and in which order


class Tiny(WorldModel):
    """A model of one number, which tells where it was found."""

    def __init__(self, size=1):
        super().__init__()
        self.number = nn.Parameter(torch.zeros(size))


TRAINED, SHIPPED_NUMBER, KEPT = 3.0, 2.0, 1.0


@pytest.fixture
def tiny(folder, tmp_path, monkeypatch):
    """A rung "two_frame" of one number; an empty cache, an empty shipped folder; and its key."""
    monkeypatch.delenv("LATENT_DYNAMICS_SEED", raising=False)
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(artifacts.LADDER, "two_frame", Tiny)
    monkeypatch.setattr(artifacts, "_taught", lambda model, *_: numbered(TRAINED, len(model.number)))
    return artifacts._untrained("two_frame", 0, "mixed", None, {})[1]


def numbered(number, size=1):
    return {"weights/number": np.full(size, number, np.float32), "history/train loss": np.ones(2)}, {}


def keep(key, number):
    store.kept("two_frame-mixed-seed0", key, lambda: numbered(number), "safetensors")


def found(**asked):
    return float(artifacts.load_model("two_frame", **asked).number[0])


def test_a_model_that_is_nowhere_is_trained_and_kept(tiny):
    assert found() == TRAINED
    arrays, _ = store.find("two_frame-mixed-seed0", tiny, "safetensors")
    assert arrays["weights/number"] == TRAINED


def test_a_shipped_model_is_taken_before_any_training_and_not_copied_to_the_cache(tiny):
    shipping.put("two_frame", tiny, numbered(SHIPPED_NUMBER)[0], 9.0)
    model = artifacts.load_model("two_frame")
    assert float(model.number) == SHIPPED_NUMBER and model.seconds == 9.0 and list(model.history) == ["train loss"]
    assert not model.training and not model.number.requires_grad
    assert store.files() == []


def test_a_kept_model_is_taken_before_the_shipped_one(tiny):
    shipping.put("two_frame", tiny, numbered(SHIPPED_NUMBER)[0], 9.0)
    keep(tiny, KEPT)
    assert found() == found(shipped=False) == KEPT


def test_who_wants_no_shipped_model_gets_a_trained_one(tiny):
    shipping.put("two_frame", tiny, numbered(SHIPPED_NUMBER)[0], 9.0)
    assert found(shipped=False) == TRAINED


@pytest.mark.parametrize("asked", [{"seed": 1}, {"data": "random"}, {"size": 2}], ids=str)
def test_the_shipped_model_stands_in_for_no_other_seed_data_or_settings(tiny, asked):
    shipping.put("two_frame", tiny, numbered(SHIPPED_NUMBER)[0], 9.0)
    assert found(**asked) == TRAINED


def test_what_is_shipped_is_what_was_kept(tiny):
    keep(tiny, 0.1)
    artifacts.ship("two_frame", 0)
    arrays, _ = shipping.find("two_frame", tiny)
    assert arrays["weights/number"] == np.float16(0.1)


# The shipped set itself


def complaints():
    """What is wrong with the shipped set, a sentence each; nothing if it fits the recipes of today."""
    wrong, metrics = [], shipping.metrics()
    for name in artifacts.model_names():
        model, key, _ = artifacts._untrained(name, 0, "mixed", None, {})
        shipped = shipping.find(name, key)
        if shipped is None:
            wrong.append(f"{name}: no shipped weights of today's recipe, settings and data. Run `make train`")
        else:
            artifacts._restore(model, shipped[0])
    recipes = artifacts.RECIPES | {"ladder": ladder.RECIPE}
    for name in sorted(recipes.keys() | metrics["recipes"].keys()):
        if recipes.get(name) != metrics["recipes"].get(name):
            wrong.append(f"{name}: the shipped figures are of another recipe. Run `make train`")
    for kind, names in {"rungs": artifacts.model_names(), "experiments": list(ladder.EXPERIMENTS)}.items():
        if list(metrics[kind]) != names:
            wrong.append(f"the shipped figures are of the {kind} {', '.join(metrics[kind])}. Run `make train`")
        for name, seeds in metrics[kind].items():
            if list(seeds) != [str(seed) for seed in range(ladder.SEEDS)]:
                wrong.append(f"{name}: shipped figures of the seeds {', '.join(seeds)}. Run `make train`")
    return wrong


@pytest.fixture
def seed_0(monkeypatch):
    """The shipped set is that of seed 0, whatever seed everything else is trained with now."""
    monkeypatch.delenv("LATENT_DYNAMICS_SEED", raising=False)


def test_shipped_weights_fit_their_recipes(seed_0):
    assert complaints() == []


@pytest.mark.parametrize("recipe", ["episodes", "autoencoder", *artifacts.LADDER])
def test_a_recipe_that_was_raised_without_training_is_noticed(seed_0, monkeypatch, recipe):
    monkeypatch.setitem(artifacts.RECIPES, recipe, artifacts.RECIPES[recipe] + 1)
    found = complaints()
    assert f"{recipe}: the shipped figures are of another recipe. Run `make train`" in found
    fits = [name for name in artifacts.model_names() if not any(one.startswith(f"{name}: no shipped") for one in found)]
    assert recipe not in fits and len(fits) < len(artifacts.LADDER)


def test_shipped_figures_have_what_chapters_quote():
    figures = ladder.figures()
    assert figures["references"].keys() == ladder.REFERENCES.keys()
    for evaluations in figures["rungs"].values():
        assert list(evaluations) == list(range(ladder.SEEDS))
        for one in evaluations.values():
            assert {"replayed", "intervened", "cost", "return", "accuracy"} <= one.keys()
            mean, low, high = one["return"]
            assert 0 < low <= mean <= high <= 500 and 0.5 < one["accuracy"] <= 1
            assert all(value > 0 for value in one["cost"].values())


def test_nothing_is_shipped_but_rungs_their_one_encoder_and_figures():
    encoders = {path.name for path in SHIPPED.glob("encoder-*.safetensors")}
    names = {f"{name}.safetensors" for name in artifacts.model_names()} | {shipping.METRICS.name} | encoders
    assert {path.name for path in SHIPPED.iterdir()} == names and len(encoders) == 1


def test_everything_shipped_is_at_most_10_megabytes():
    sizes = {path.name: path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()}
    assert sizes and sum(sizes.values()) <= 10_000_000, sizes
