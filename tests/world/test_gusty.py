"""Gusts and the curtain: what is left to chance, what is hidden, and the same worlds at Gymnasium."""

import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from latent_dynamics import cartpole, curtain, worlds
from latent_dynamics.data.collection import collect
from latent_dynamics.world.curtain import CURTAIN, read_behind
from latent_dynamics.world.environments import WorldEnvironment
from latent_dynamics.world.gusty import GUST_CHANCE, GUST_FORCE, GUST_STEPS, GUSTY
from latent_dynamics.world.preprocessing import from_bytes, to_bytes
from latent_dynamics.world.reader import degrees, read

N = 4000


@pytest.fixture(scope="module")
def airs():
    """The gusts that blew in 100 steps of N states, and how many steps they would go on: (100, N) each."""
    chance, states, found = torch.Generator().manual_seed(0), GUSTY.reset(N, torch.Generator().manual_seed(1)), []
    for _ in range(100):
        states = GUSTY.step(states, torch.ones(N, dtype=torch.int64), chance)
        found.append(states[:, 4:])
    return torch.stack(found).unbind(-1)


def test_a_gust_begins_in_one_calm_step_of_twenty_five_and_blows_three_steps_to_either_side(airs):
    gust, left = airs
    calm_before = torch.cat([torch.ones(1, N, dtype=torch.bool), left[:-1] == 0])
    begins = calm_before & (gust != 0)
    assert begins.sum() / calm_before.sum() == pytest.approx(GUST_CHANCE, rel=0.03)
    assert (gust[begins] > 0).double().mean() == pytest.approx(0.5, abs=0.02)
    assert set(gust.abs().unique().tolist()) == {0.0, GUST_FORCE}
    for later in range(GUST_STEPS):
        first = begins[: len(gust) - later]
        assert torch.equal(gust[later:][first], gust[: len(gust) - later][first])
    assert (left[begins] == GUST_STEPS - 1).all()


def test_a_gust_is_as_strong_as_a_push_and_otherwise_all_is_cartpole():
    states = GUSTY.state(theta=torch.tensor([0.1, 0.1]), gust=torch.tensor([10.0, 0.0]), left=torch.tensor([2.0, 0.0]))
    blown, calm = GUSTY.step(states, torch.tensor([0, 0]))[:, :4]
    assert torch.equal(calm, cartpole.step(states[1, :4], torch.tensor(0)))
    assert torch.equal(blown, cartpole.step(states[0, :4], torch.tensor(0), wind=10.0))
    still = cartpole.step(states[0, :4], torch.tensor(1), wind=-10.0)  # a push and a gust that cancel
    assert torch.equal(blown, still)


def test_without_a_generator_no_gust_begins_and_one_that_blows_dies_down():
    state = GUSTY.state(x=torch.zeros(500), gust=torch.full((500,), -10.0), left=torch.full((500,), 1.0))
    futures = GUSTY.simulate(state, torch.zeros(500, 30, dtype=torch.int64))
    assert (GUSTY.entry(futures, "gust")[:, 0] == -10).all() and (GUSTY.entry(futures, "gust")[:, 1:] == 0).all()


def test_the_same_generator_gives_the_same_gusts():
    start, actions = GUSTY.reset(50, torch.Generator().manual_seed(1)), torch.zeros(50, 40, dtype=torch.int64)
    one, same, other = (GUSTY.simulate(start, actions, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_no_picture_shows_a_gust():
    states = np.zeros((2, 6))
    states[1, 4:] = 10, 2
    frames = GUSTY.draw(states)
    assert np.array_equal(frames[0], frames[1])


def test_episodes_of_both_worlds_are_collected_with_what_nobody_saw():
    for world in (GUSTY, CURTAIN):
        episodes = collect("mixed", 300, workers=1, world=world)
        assert episodes.states.shape[1] == 6 and (episodes.states[:, 4] != 0).any()
        assert np.array_equal(episodes.frames, world.draw(episodes.states, workers=1))
        assert worlds.world_called(world.name) is world


def all_over():
    """States with the cart from end to end and the pole leaning as far as an episode lets it."""
    x, theta = torch.meshgrid(torch.linspace(-2.1, 2.1, 85), torch.linspace(-0.2, 0.2, 9), indexing="ij")
    return GUSTY.state(x=x.flatten().double(), theta=theta.flatten().double())


def test_what_stands_beside_the_cloth_is_read_as_without_it_and_what_it_touches_is_hidden():
    states = all_over()
    bare, hung = (from_bytes(world.draw(states.numpy())) for world in (GUSTY, CURTAIN))
    seen, free = read_behind(hung), read(bare)
    beside = seen.valid
    assert 0.6 < beside.double().mean() < 0.9 and not (beside & seen.hidden).any()
    assert torch.equal(seen.x[beside], free.x[beside]) and torch.equal(seen.theta[beside], free.theta[beside])
    off = degrees(seen.theta - GUSTY.entry(states, "theta"))[beside].abs()
    assert off.max() < 1 and off.median() < 0.3
    middle = GUSTY.entry(states, "x").abs() < 0.3
    assert seen.hidden[middle].all(), "the cloth hides the middle of the track"
    assert (beside | seen.hidden)[GUSTY.entry(states, "x").abs() < 2].all(), "nothing else is unreadable"


def test_hidden_and_unreadable_are_told_apart():
    blank = torch.ones(2, 32, 100)
    mush = torch.from_numpy(np.random.default_rng(0).random((2, 32, 100), np.float32))
    hang = lambda frames: torch.from_numpy(from_bytes(curtain.hide((255 * frames).byte().numpy())))  # noqa: E731
    assert read_behind(hang(blank)).hidden.all(), "nothing beside the cloth: it is behind it"
    for frames in (blank, mush):
        seen = read_behind(frames)
        assert not seen.hidden.any() and not seen.valid.any(), "no cloth hangs there, and there is no pole"
    lost = hang(mush)
    lost[..., [43, 56]] = 1  # what there is does not reach the cloth
    seen = read_behind(lost)
    assert not seen.hidden.any() and not seen.valid.any()


@pytest.mark.parametrize("name, world", [("Gusty", GUSTY), ("Curtain", CURTAIN)])
def test_gymnasium_finds_our_worlds_and_its_checker_is_content(name, world):
    environment = gymnasium.make(f"LatentDynamics/{name}CartPole-v0", render_mode="rgb_array")
    assert environment.spec.id == world.environment and environment.spec.max_episode_steps == world.time_limit
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", message=".*Box observation space.*infinity.*")
        check_env(environment.unwrapped, skip_render_check=False)
    observation, info = environment.reset(seed=5)
    for action in (0, 1, 1, 0):
        last = info["state"]
        observation, reward, ended, cut, info = environment.step(action)
        assert reward == 1.0 and not (ended or cut) and np.allclose(observation, info["state"][:4])
        assert not np.array_equal(last, info["state"])
    assert np.array_equal(to_bytes(environment.render()), world.draw(info["state"], workers=1))


def test_an_environment_of_ours_says_what_is_wrong():
    with pytest.raises(ValueError, match="no render mode 'ascii'"):
        WorldEnvironment("gusty", render_mode="ascii")
    with pytest.raises(gymnasium.error.ResetNeeded):
        gymnasium.make("LatentDynamics/GustyCartPole-v0").unwrapped.step(0)
