"""A second world is a value: defined here in a few lines, it runs through everything that takes a world."""

import numpy as np
import pytest
import torch
from moon import MOON, begin, move

from latent_dynamics import cartpole, drift, references, worlds
from latent_dynamics.acting import controllers
from latent_dynamics.data.collection import collect
from latent_dynamics.data.episodes import Episodes
from latent_dynamics.models.training import seeded
from latent_dynamics.world.reader import degrees, read
from latent_dynamics.world.worlds import CARTPOLE, World


@pytest.fixture(scope="module")
def episodes():
    return collect("mixed", 400, workers=1, world=MOON)


def test_what_is_collected_says_where_it_was_played_and_keeps_what_nobody_sees(episodes, monkeypatch):
    assert episodes.world is MOON and episodes.states.shape[1] == 5
    for number in range(len(episodes)):
        winds = MOON.entry(episodes[number].states, "wind")
        assert (winds == winds[0]).all()
    monkeypatch.setitem(worlds._known, "moon", MOON)
    again = Episodes.from_arrays(episodes.arrays())
    assert again.world is MOON and np.array_equal(again.states, episodes.states)


def test_a_pole_falls_more_slowly_on_the_moon():
    assert 0.02 < MOON.growth_rate() < 0.6 * CARTPOLE.growth_rate()


@pytest.mark.parametrize("cut", [drift.replayed_windows, drift.intervened_windows])
def test_windows_are_judged_by_their_own_world(episodes, cut):
    windows = cut(episodes, context=5, horizon=10, stride=20)
    assert windows.world is MOON
    seen = read(windows.frames[:, windows.context :])
    off = (degrees(seen.theta) - degrees(MOON.entry(windows.states, "theta"))).abs()[:, :-1][windows.alive]
    assert off.median() < 0.5, "the frames show the states of this world"
    alive, future = windows.alive, MOON.simulate(windows.states[:, 0], windows.actions)
    assert torch.allclose(future[alive], windows.states[:, 1:][alive], atol=1e-12)
    assert np.isfinite(drift.judge(references.ExactPhysics(world=MOON), windows).median()).all()


def test_games_are_played_in_the_world_that_is_asked_for():
    assert controllers.returns(MOON.expert, episodes=3, world=MOON).max() <= MOON.time_limit
    still = controllers.belief_returns(
        references.RepeatLastFrame(), lambda belief: torch.zeros(len(belief), dtype=torch.int64), 3, world=MOON
    )
    assert still[1].shape == (3, 5)


def test_two_worlds_of_one_name_are_refused():
    with pytest.raises(ValueError, match="already"):
        worlds.register(World("cartpole", begin, move, cartpole.fallen))
    with pytest.raises(ValueError, match="no world called 'mars'; there are cartpole"):
        worlds.world_called("mars")


def test_what_is_left_to_chance_depends_on_the_generator_alone():
    with seeded(3):
        one = MOON.reset(4, torch.Generator().manual_seed(1))
    assert torch.equal(one, MOON.reset(4, torch.Generator().manual_seed(1)))
    assert not torch.equal(one, MOON.reset(4, torch.Generator().manual_seed(2)))


def test_entries_have_names():
    states = MOON.state(theta=torch.tensor([0.1, 0.2]), wind=torch.tensor([3.0, 4.0]))
    assert states.shape == (2, 5) and MOON.entry(states, "wind").tolist() == [3, 4]
    assert states[:, :2].abs().sum() == 0
