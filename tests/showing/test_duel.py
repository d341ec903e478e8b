"""The duel's Python side: what it refuses, and that its games are those of the package's controllers."""

import re

import numpy as np
import pytest
import torch

from latent_dynamics import controllers
from latent_dynamics.keeping.artifacts import frames_of, load_episodes, load_model
from latent_dynamics.models.training import Budget
from latent_dynamics.showing.widgets.duel.duel import Duel
from latent_dynamics.world.cartpole import sign_theta, sign_theta_and_velocity

SHORT = Budget(epochs=10, batch_size=256, learning_rate=1e-2)
RULES = {"fair": sign_theta, "unfair": sign_theta_and_velocity}


@pytest.fixture(scope="module")
def autoencoder():
    return load_model("autoencoder_mlp").autoencoder


@pytest.fixture(scope="module")
def pairs(autoencoder):
    """A and B for both rules, trained briefly."""
    episodes = load_episodes("mixed", "train")
    rows = np.random.default_rng(0).choice(len(episodes.states), 2500, replace=False)
    states = torch.from_numpy(episodes.states[rows])
    with torch.no_grad():
        z = autoencoder.encode(frames_of(episodes)[rows])

    def clone(code, rule):
        return controllers.clone(code[500:], rule(states[500:]), (code[:500], rule(states[:500])), 0, SHORT)[0]

    return {name: tuple(clone(code, rule) for code in (states.float(), z)) for name, rule in RULES.items()}


@pytest.fixture(scope="module")
def starts():
    return controllers.first_states(3, 10_000).numpy()


@pytest.fixture
def duel(autoencoder, pairs, starts):
    return Duel(autoencoder, pairs, starts)


@pytest.mark.parametrize("rule", RULES)
def test_the_games_are_those_that_the_packages_controllers_play(duel, autoencoder, pairs, rule):
    duel.rule = rule
    a, b = pairs[rule]
    acts = {"A": lambda seen: a.act(seen.float()), "B": lambda seen: b.act(autoencoder.encode(seen))}
    for player, sees in (("A", "states"), ("B", "frames")):
        states, _ = duel.game(player, 60)
        returned = controllers.returns(acts[player], 1, seed=10_000, sees=sees, limit=60)[0]
        assert abs(len(states) - 1 - returned) <= 2, f"{player} under the {rule} rule"


def test_under_the_unfair_rule_b_falls_first(duel):
    assert duel.rule == "unfair"
    a, b = (len(duel.game(player, 150)[0]) for player in "AB")
    assert b < 0.8 * a


def test_confidence_is_the_controllers_probability_of_right(duel, pairs):
    states, sure = duel.game("A", 20)
    assert np.allclose(sure, pairs["unfair"][0].probability_right(torch.from_numpy(states).float()), atol=0.02)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("rule", "best", "rule is 'best'; there are controllers for 'fair', 'unfair'"),
        ("start", 3, "start is 3; expected a number from 0 to 2"),
        ("step", 501, "step is 501; expected a number from -1 to 500"),
        ("speed", 100.0, "speed is 100.0; expected a number from 0.5 to 60"),
    ],
)
def test_refuses_what_is_not_there_and_stays_as_it_was(duel, trait, value, message):
    before = getattr(duel, trait)
    with pytest.raises(ValueError, match=message):
        setattr(duel, trait, value)
    assert getattr(duel, trait) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: {"states": given["states"][0]}, r"state\[None\]"),
        (lambda given: {"states": given["states"] + 3}, "have fallen already"),
        (lambda given: {"controllers": {}}, "expected a pair for 'fair', for 'unfair'"),
        (lambda given: {"controllers": {"best": given["controllers"]["fair"]}}, r"controllers are for \['best'\]"),
        (lambda given: {"controllers": {"fair": given["controllers"]["fair"][:1]}}, "there are 1 controllers"),
        (lambda given: {"labels": ["one"]}, "labels names 1 states; expected 3"),
        (lambda given: {"rule": "none"}, "rule is 'none'"),
    ],
)
def test_bad_input_is_named(autoencoder, pairs, starts, change, message):
    given = {"controllers": pairs, "states": starts}
    with pytest.raises(ValueError, match=message):
        Duel(autoencoder, **given | change(given))


def test_still_picture_has_its_story_in_words(duel):
    alt = re.search(r'alt="([^"]*)"', duel.still().data)[1]
    assert "under the unfair rule" in alt and f"B falls at step {len(duel.game('B')[0]) - 1}." in alt


def test_equal_content_gets_names_of_its_own(autoencoder, pairs, starts):
    one, two = Duel(autoencoder, pairs, starts), Duel(autoencoder, pairs, starts)
    assert one.model_id != two.model_id and repr(one) == "Duel()"
