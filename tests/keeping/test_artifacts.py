"""Data sets and models by name: unknown names are answered with near ones, and no recipe changes unnoticed."""

import json

import pytest
import recipes

import latent_dynamics as ld
from latent_dynamics import artifacts


@pytest.fixture
def nothing_is_made(monkeypatch):
    """Fail where an artifact would be looked for: these questions must be answered before."""

    def refuse(*_):
        pytest.fail("looked for an artifact")

    monkeypatch.setattr(artifacts.store, "kept", refuse)


@pytest.mark.parametrize(
    "ask,says",
    [
        (lambda: ld.load_model("autoencoder_mpl"), "no model called 'autoencoder_mpl'; did you mean 'autoencoder_mlp'"),
        (lambda: ld.load_model("?"), "no model called '\\?'; did you mean 'autoencoder_mlp'"),
        (lambda: ld.load_model(data="mixd"), "no data set called 'mixd'; did you mean 'mixed'"),
        (lambda: ld.load_episodes("randon"), "no data set called 'randon'; did you mean 'random'"),
        (lambda: ld.load_episodes("mixed", "valid"), "no split called 'valid'; did you mean 'validation'"),
        (lambda: artifacts.load_autoencoder(view="croped"), "no view called 'croped'; did you mean 'cropped'"),
        (lambda: artifacts.load_autoencoder(data="radnom"), "no data set called 'radnom'; did you mean 'random'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_ones(nothing_is_made, ask, says):
    with pytest.raises(ValueError, match=says):
        ask()


def test_the_ladder_begins_with_the_simplest_rung():
    assert ld.model_names()[0] == "autoencoder_mlp"
    assert ld.model_names() == list(artifacts.LADDER)


def test_every_rung_has_a_recipe_number():
    assert set(artifacts.LADDER) <= set(artifacts.RECIPES)


def test_the_default_seed_is_0_or_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("LATENT_DYNAMICS_SEED", raising=False)
    assert artifacts.default_seed() == 0
    monkeypatch.setenv("LATENT_DYNAMICS_SEED", "7")
    assert artifacts.default_seed() == 7


def asked_for(monkeypatch, ask):
    """The key that a call would look up."""
    keys = []

    def remember(name, key, make, kind):
        keys.append(json.dumps(key, sort_keys=True))
        raise LookupError

    monkeypatch.setattr(artifacts.store, "kept", remember)
    monkeypatch.setattr(artifacts.store, "find", lambda *_: None)
    monkeypatch.setattr(artifacts.shipping, "find", lambda *_: None)
    with pytest.raises(LookupError):
        ask()
    return keys[0]


@pytest.mark.parametrize(
    "one,other",
    [
        (lambda: ld.load_episodes("mixed"), lambda: ld.load_episodes("random")),
        (lambda: ld.load_episodes("mixed", seed=0), lambda: ld.load_episodes("mixed", seed=1)),
        (lambda: ld.load_model(seed=0, encoder_seed=0), lambda: ld.load_model(seed=1, encoder_seed=0)),
        (lambda: ld.load_model(seed=0, encoder_seed=0), lambda: ld.load_model(seed=0, encoder_seed=1)),
        (lambda: ld.load_model(), lambda: ld.load_model(data="random")),
        (lambda: ld.load_model(), lambda: ld.load_model(predict_change=False)),
        (lambda: ld.load_model(), lambda: ld.load_model(latent_size=4)),
        (lambda: ld.load_model("multi_step"), lambda: ld.load_model("multi_step", horizon=6)),
        (lambda: ld.load_model("position_velocity"), lambda: ld.load_model("position_velocity", data="random")),
        (lambda: artifacts.load_autoencoder(), lambda: artifacts.load_autoencoder(artifacts.COMPARISON)),
        (lambda: artifacts.load_autoencoder(), lambda: artifacts.load_autoencoder(architecture="dense")),
    ],
)
def test_whatever_makes_another_artifact_makes_another_key(monkeypatch, one, other):
    assert asked_for(monkeypatch, one) != asked_for(monkeypatch, other)


def test_a_setting_that_says_what_is_usual_anyway_asks_for_the_same_model(monkeypatch):
    for said in ({"horizon": 5}, {"layers": 2}, {"noise": 0.0, "latent_size": 8}):  # its own, and its parents'
        asked = asked_for(monkeypatch, lambda said=said: ld.load_model("multi_step", **said))
        assert asked == asked_for(monkeypatch, lambda: ld.load_model("multi_step")), said


@pytest.mark.parametrize("recipe", ["episodes", "autoencoder", "autoencoder_mlp"])
def test_a_new_recipe_makes_a_new_key_of_all_that_is_made_from_it(monkeypatch, recipe):
    before = asked_for(monkeypatch, ld.load_model)
    monkeypatch.setitem(artifacts.RECIPES, recipe, artifacts.RECIPES[recipe] + 1)
    assert asked_for(monkeypatch, ld.load_model) != before


def test_models_are_keyed_by_the_data_of_the_default_seed(monkeypatch):
    monkeypatch.delenv("LATENT_DYNAMICS_SEED", raising=False)
    before = asked_for(monkeypatch, lambda: ld.load_model(seed=0))
    monkeypatch.setenv("LATENT_DYNAMICS_SEED", "3")
    assert asked_for(monkeypatch, lambda: ld.load_model(seed=0)) != before


# Recipes


def test_no_artifacts_code_changed_without_its_recipe_number():
    recorded = json.loads(recipes.RECORD.read_text(encoding="utf8"))
    assert recipes.complaints(recorded, recipes.now()) == []


def test_every_recipe_says_which_code_makes_it():
    assert set(recipes.CODE) == {*artifacts.RECIPES, "ladder"}


EDITS = {
    "episodes": ("cartpole.py", "burst_chance: float = 0.015", "burst_chance: float = 0.02"),
    "autoencoder": ("models/autoencoder.py", "hidden=256", "hidden=128"),
    "autoencoder_mlp": ("training.py", "AdamW(", "SGD("),
    "ladder": ("ladder.py", "\"context\": 5, \"horizon\": 10, \"data\"", "\"context\": 6, \"horizon\": 10, \"data\""),
}


def edited(file, old, new):
    """Read the package's files, one of them with a change."""
    assert old in recipes.read(file)
    return lambda name: recipes.read(name).replace(old, new) if name == file else recipes.read(name)


@pytest.mark.parametrize("recipe", EDITS)
def test_a_change_of_the_code_is_noticed_until_the_number_is_raised_and_recorded(recipe):
    recorded, current = recipes.now(), recipes.now()
    current[recipe]["fingerprint"] = recipes.fingerprint(recipe, edited(*EDITS[recipe]))
    (complaint,) = recipes.complaints(recorded, current)
    assert complaint.startswith(f"{recipe}: the code that makes it changed") and "python -m tests.recipes" in complaint
    current[recipe]["number"] += 1
    (complaint,) = recipes.complaints(recorded, current)
    assert "its number is new" in complaint
    assert recipes.complaints(current, current) == []


def test_comments_docstrings_layout_and_other_code_are_not_part_of_a_recipe():
    same = recipes.fingerprint("episodes")
    edits = [
        ("cartpole.py", '"""Pushes left or right with equal chance."""', '"""Tosses a coin."""  # fair'),
        ("cartpole.py", "burst_chance: float = 0.015", "burst_chance: float   =   0.0150"),
        ("cartpole.py", "GRAVITY, FORCE = 9.8", "GRAVITY, FORCE = 1.6"),  # Gymnasium's own is what plays
    ]
    assert all(recipes.fingerprint("episodes", edited(*edit)) == same for edit in edits)


def test_code_that_has_moved_away_is_noticed():
    with pytest.raises(LookupError, match="cartpole.py no longer defines NoisyExpert"):
        recipes.fingerprint("episodes", edited("cartpole.py", "class NoisyExpert", "class Renamed"))
