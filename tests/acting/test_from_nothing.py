"""Learning from nothing: every step is counted, what a round is made of, and that a killed run goes on."""

import numpy as np
import pytest
import torch

from latent_dynamics.acting.actor_training import Evolution
from latent_dynamics.acting.controllers import belief_returns
from latent_dynamics.acting.from_nothing import Player, joined, learned, played, taught
from latent_dynamics.judging import measuring_from_nothing
from latent_dynamics.judging.ladder import FROM_NOTHING
from latent_dynamics.judging.measuring_from_nothing import relearned
from latent_dynamics.keeping import store
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.world.worlds import CARTPOLE

pytestmark = pytest.mark.usefixtures("one_thread")


def test_exactly_as_many_steps_are_played_as_were_asked_for():
    games = played(None, 130, [0, 0])
    assert sum(len(game["actions"]) for game in games) == 130
    episodes = joined(games, 0)
    assert (episodes.terminated | episodes.truncated).sum() == len(games), "each game ends once"
    again = joined(played(None, 130, [0, 0]), 0)
    assert np.array_equal(again.frames, episodes.frames) and np.array_equal(again.actions, episodes.actions)
    path = CARTPOLE.simulate(torch.from_numpy(games[0]["states"][:1]), torch.from_numpy(games[0]["actions"])[None])[0]
    assert np.allclose(path, games[0]["states"][1:])


def test_a_player_sees_frames_and_is_overruled_by_coins():
    class Right:
        def __init__(self):
            self.seen = []

        def __call__(self, belief):
            self.seen.append(belief)
            return torch.ones(1, dtype=torch.int64)

    right = Right()
    player = Player(load_model("position_velocity"), right)
    alone = played(player, 60, [1], coins=(0.0, 0.0))
    assert all((game["actions"] == 1).all() for game in alone)
    assert len(right.seen) == 60 and right.seen[0].shape == (1, player.model.state_size)
    coins = played(player, 400, [1], coins=(1.0, 1.0))
    assert 0.4 < np.concatenate([game["actions"] for game in coins]).mean() < 0.6


@pytest.fixture(scope="module")
def games():
    return played(None, 400, [3, 0])


def test_a_model_is_taught_by_the_games_alone_and_can_learn_a_part_again(games):
    few = joined(games, 0)
    model = taught(few, 0)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), taught(few, 0).parameters(), strict=True))
    more = joined(played(None, 900, [4, 0]), 0)
    for part, stays, changes in (("dreams", "goes_on", "linear"), ("goes on", "linear", "goes_on")):
        again = relearned(model, more, part, 0)
        same = {
            name: all(
                torch.equal(a, b)
                for a, b in zip(getattr(again, name).parameters(), getattr(model, name).parameters(), strict=True)
            )
            for name in (stays, changes)
        }
        assert same == {stays: True, changes: False}, part
        assert torch.equal(again.spread, model.spread), "in the units that it has"


def test_what_is_learned_from_few_games_already_beats_coins():
    games = played(None, 2000, [3, 0])
    coins = np.mean([len(game["actions"]) for game in games])
    model, actor, dreamt = learned(games, 0, Evolution(steps=200, generations=12))
    assert 0 < dreamt <= 200
    real, _ = belief_returns(model, actor.act, 10, seed=50_000, limit=200)
    assert real.mean() > 3 * coins


def test_a_run_that_was_killed_goes_on_where_it_was(monkeypatch, tmp_path):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path))
    monkeypatch.setattr(measuring_from_nothing, "GAMES", 3)
    monkeypatch.setattr(measuring_from_nothing, "LAST_GAMES", 3)
    real, calls = measuring_from_nothing.learned, []

    def quick(games, seed, **settings):
        calls.append(len(games))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(games, seed, Evolution(steps=40, generations=3), **settings)

    monkeypatch.setattr(measuring_from_nothing, "learned", quick)
    with pytest.raises(KeyboardInterrupt):
        FROM_NOTHING(0, until=(200, 300))
    found = FROM_NOTHING(0, until=(200, 300))
    assert len(calls) == 3 and calls[1] == calls[2] > calls[0], "the first round was not learned again"
    assert [one["steps"] for one in found] == [200, 300] and len(found[1]["real"]) == 3
    assert FROM_NOTHING(0, until=(200, 300)) == found and len(calls) == 3
    assert store.files(tmp_path)
