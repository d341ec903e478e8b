"""What is recorded is what happened: replayed in Gymnasium, byte for byte, whoever played it, and faster."""

import time

import numpy as np
import pytest

from latent_dynamics import policies
from latent_dynamics.data.collection import collect, play_episode
from latent_dynamics.world.cartpole import make
from latent_dynamics.world.preprocessing import COLOUR, DEFAULT, RAW, preprocess, to_bytes
from latent_dynamics.world.rendering import Screen, draw


@pytest.fixture(scope="module")
def env():
    env = make("rgb_array")
    env.reset(seed=0)
    return env


def rendered(env, state):
    """What Gymnasium itself renders of a state."""
    env.unwrapped.state = np.asarray(state)
    return env.render()


def extreme_states():
    """Random states, and corners where cart or pole leave the screen or lie on a pixel's edge."""
    corners = [[x, 0, theta, 0] for x in (-2.4, -1.2, 0.0, 0.004, 2.4, 2.8) for theta in (-1.6, -0.21, 0.0, 0.21, 3.0)]
    rng = np.random.default_rng(0)
    return np.concatenate([corners, rng.uniform([-2.4, -1, -0.25, -1], [2.4, 1, 0.25, 1], (100, 4))])


def assert_replays(env, episode):
    """Play an episode's recorded actions in Gymnasium, and compare all that it says with what was recorded."""
    env.reset(seed=0)
    env.unwrapped.state = episode["states"][0]
    assert np.array_equal(episode["frames"][0] / np.float32(255), preprocess(env.render()))
    last = len(episode["actions"]) - 1
    for t, action in enumerate(episode["actions"]):
        _, reward, terminated, truncated, _ = env.step(int(action))
        assert np.array_equal(env.unwrapped.state, episode["states"][t + 1]), f"state after step {t}"
        assert np.array_equal(to_bytes(env.render()), episode["frames"][t + 1]), f"frame after step {t}"
        said = reward, terminated, truncated
        assert said == (episode["rewards"][t], episode["terminated"][t], episode["truncated"][t]), f"step {t}"
        assert (terminated or truncated) == (t == last)


@pytest.mark.parametrize("policy", ["random", "mixed"])
def test_replaying_the_recorded_actions_gives_every_recorded_frame_state_reward_and_end(
    env, policy, random_episodes, mixed_episodes
):
    episodes = {"random": random_episodes, "mixed": mixed_episodes}[policy]
    for number in range(min(len(episodes), 8)):
        assert_replays(env, episodes[number].arrays())


def test_the_time_limit_truncates_and_does_not_terminate(env, monkeypatch):
    monkeypatch.setitem(policies.POLICIES, "expert", lambda _, world: lambda s: int(world.expert(s)))
    episode = play_episode(0, 0, "expert")
    assert len(episode["actions"]) == 500 and len(episode["frames"]) == 501
    assert episode["truncated"][-1] and not episode["terminated"].any()
    assert_replays(env, episode)


def test_the_data_hold_at_least_the_steps_asked_for_and_end_with_a_whole_episode(random_episodes):
    assert len(random_episodes.actions) >= 200 > len(random_episodes.actions) - random_episodes.lengths[-1]
    assert random_episodes.lengths.sum() == len(random_episodes.actions)
    ends = np.cumsum(random_episodes.lengths) - 1
    assert (np.flatnonzero(random_episodes.terminated | random_episodes.truncated) == ends).all()


def test_no_two_episodes_are_alike(random_episodes):
    assert len(np.unique(random_episodes.states[random_episodes.first_frames], axis=0)) == len(random_episodes)


def same(one, other):
    return all(np.array_equal(array, other.arrays()[name]) for name, array in one.arrays().items())


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(random_episodes):
    assert same(random_episodes, collect("random", 200, seed=0, workers=2))
    assert same(random_episodes, collect("random", 200, seed=0, workers=1))


def test_another_seed_gives_other_data(random_episodes):
    other = collect("random", 200, seed=1, workers=1)
    assert not np.array_equal(other.states[0], random_episodes.states[0])


def test_asking_for_more_data_begins_with_the_same_episodes(random_episodes):
    more = collect("random", 300, seed=0, workers=1)
    assert np.array_equal(more.frames[: len(random_episodes.frames)], random_episodes.frames)


@pytest.mark.parametrize("view", [DEFAULT, COLOUR, RAW], ids=["gray", "colour", "raw"])
def test_the_surface_read_gives_the_bytes_of_preprocessing_the_rendered_frame(env, view):
    screen = Screen()
    for state in extreme_states():
        assert np.array_equal(to_bytes(screen.view(state), view), to_bytes(rendered(env, state), view)), state


def test_the_screen_shows_every_pixel_that_gymnasium_renders(env):
    screen = Screen()
    for state in extreme_states():
        assert np.array_equal(screen.rgb(state), rendered(env, state)), state


def test_a_view_that_is_kept_survives_the_next_drawing():
    screen = Screen()
    first = screen.view([0.0, 0, 0, 0])
    before = first.copy()
    screen.view([1.0, 0, 0.1, 0])
    assert np.array_equal(first, before)


@pytest.mark.timed
def test_the_fast_path_gives_two_and_a_half_times_the_frames_a_second(env, random_episodes):
    screen, states = Screen(), random_episodes.states[:80]

    def seconds(make_frame):
        begun = time.perf_counter()
        for state in states:
            make_frame(state)
        return time.perf_counter() - begun

    def plain_loop():
        return seconds(lambda state: preprocess(rendered(env, state)))

    def fast_path():
        return seconds(lambda state: to_bytes(screen.view(state)))

    def measure():  # in turns, so that other work on the machine slows both; the best of each is the undisturbed one
        plain, fast = np.min([(plain_loop(), fast_path()) for _ in range(6)], axis=0)
        return plain / fast

    assert any(measure() >= 2.5 for _ in range(3))


def test_drawing_the_recorded_states_gives_the_recorded_frames(random_episodes):
    assert np.array_equal(draw(random_episodes.states, workers=1), random_episodes.frames)


def test_drawing_keeps_leading_dimensions_and_takes_any_view():
    states = np.zeros((2, 3, 4))
    assert draw(states, workers=1).shape == (2, 3, 32, 100)
    assert draw(states, COLOUR, workers=1).shape == (2, 3, 32, 100, 3)
    assert draw(states[:0], workers=1).shape == (0, 3, 32, 100)


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no policy called 'expert'; there are random, mixed"):
        collect("expert", 10)


def test_asking_for_no_transitions_is_refused():
    with pytest.raises(ValueError, match="ask for at least 1"):
        collect("random", 0)
