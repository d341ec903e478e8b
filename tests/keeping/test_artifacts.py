"""Data sets and models by name: unknown names are answered with near ones, and another thing has another key."""

import json

import pytest

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


def test_the_default_seed_is_0_or_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("LATENT_DYNAMICS_SEED", raising=False)
    assert artifacts.default_seed() == 0
    monkeypatch.setenv("LATENT_DYNAMICS_SEED", "7")
    assert artifacts.default_seed() == 7


def asked_for(monkeypatch, ask):
    """The key that a call would look up."""
    keys = []

    def remember(name, key, *_):
        keys.append(json.dumps(key, sort_keys=True))
        raise LookupError

    monkeypatch.setattr(artifacts.store, "kept", remember)
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


def test_models_are_keyed_by_the_data_of_the_default_seed(monkeypatch):
    monkeypatch.delenv("LATENT_DYNAMICS_SEED", raising=False)
    before = asked_for(monkeypatch, lambda: ld.load_model(seed=0))
    monkeypatch.setenv("LATENT_DYNAMICS_SEED", "3")
    assert asked_for(monkeypatch, lambda: ld.load_model(seed=0)) != before
