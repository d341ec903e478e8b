"""The claims of chapter 1, Collecting data, each with its control."""

import time

import numpy as np
import pytest
import torch

import latent_dynamics as ld

pytestmark = pytest.mark.claims

X, X_DOT, THETA, THETA_DOT = range(4)


@pytest.fixture(scope="module")
def random():
    return ld.load_episodes("random")


@pytest.fixture(scope="module")
def mixed():
    return ld.load_episodes("mixed")


def before(episodes):
    """The number of the frame at which each action was made: (F - E,)."""
    return np.arange(len(episodes.actions)) + np.repeat(np.arange(len(episodes)), episodes.lengths)


def changes(episodes):
    return episodes.states[before(episodes) + 1] - episodes.states[before(episodes)]


def agreement(episodes):
    """How often the push made at a state is the one that the expert would have made there."""
    return (ld.cartpole.sign_theta_and_velocity(episodes.states[before(episodes)]) == episodes.actions).mean()


@pytest.mark.parametrize("name", ["random", "mixed"])
def test_each_action_leads_from_its_frame_to_the_next_one(name):
    episodes = ld.load_episodes(name)
    at = before(episodes)
    actions = torch.from_numpy(episodes.actions)
    states, after = torch.from_numpy(episodes.states[at]), torch.from_numpy(episodes.states[at + 1])
    torch.testing.assert_close(ld.cartpole.step(states, actions), after, rtol=0, atol=1e-12)
    late = actions.roll(1)  # control: paired with the push before, most steps come out wrong
    assert ((ld.cartpole.step(states, late) - after).abs().amax(1) > 1e-6).float().mean() > 0.2


@pytest.mark.parametrize("name", ["random", "mixed"])
def test_an_episode_ends_in_exactly_one_way_and_only_the_world_terminates_it(name):
    episodes = ld.load_episodes(name)
    last = np.cumsum(episodes.lengths) - 1
    done = episodes.terminated | episodes.truncated
    assert not (episodes.terminated & episodes.truncated).any()
    assert (np.flatnonzero(done) == last).all()
    fallen = ld.cartpole.fallen(torch.from_numpy(episodes.states[before(episodes) + 1])).numpy()
    assert (episodes.terminated == fallen).all()
    assert (episodes.lengths[episodes.truncated[last]] == 500).all()


def test_the_reward_is_one_at_every_step(random, mixed):
    assert (random.rewards == 1).all() and (mixed.rewards == 1).all()


def test_a_push_does_not_show_in_the_next_frame_but_in_the_one_after(random):
    rng = np.random.default_rng(1)
    test = random.split("test")
    start = torch.from_numpy(test.states[rng.choice(test.window_starts(3)[0], 60, replace=False)])
    then = torch.from_numpy(ld.cartpole.random_actions((60, 1), rng))
    worlds = [ld.CARTPOLE.simulate(start, torch.cat([torch.full((60, 1), push), then], 1)) for push in (0, 1)]
    left, right = (ld.rendering.draw(states.numpy(), workers=1) for states in worlds)
    same = (left == right).all((2, 3)).mean(0)
    assert same[0] == 1.0
    assert same[1] < 0.1  # control: pushes do move things


def test_a_random_push_teaches_how_velocities_change_and_nothing_of_positions(random):
    change, push = changes(random), random.actions
    explained = [np.corrcoef(push, change[:, i])[0, 1] ** 2 for i in range(4)]
    assert explained[X_DOT] > 0.95 and explained[THETA_DOT] > 0.9
    assert explained[X] < 0.01 and explained[THETA] < 0.01


def test_paired_with_the_push_before_a_push_explains_nothing(random):
    number = np.repeat(np.arange(len(random)), random.lengths)
    inside = np.flatnonzero(number[1:] == number[:-1]) + 1
    turn = changes(random)[:, THETA_DOT][inside]
    assert np.corrcoef(random.actions[inside], turn)[0, 1] ** 2 > 0.9
    assert np.corrcoef(random.actions[inside - 1], turn)[0, 1] ** 2 < 0.02


def test_random_episodes_are_too_short_for_long_windows(random, mixed):
    assert np.median(random.lengths) < 30 < np.median(mixed.lengths)
    assert (random.lengths >= 60).mean() < 0.08
    assert (mixed.lengths >= 60).mean() > 0.25


def test_the_mixed_set_spreads_over_the_track_and_the_random_one_does_not(random, mixed):
    def width(states):
        return np.diff(np.quantile(states, [0.01, 0.99], axis=0), axis=0)[0]

    assert width(mixed.states)[X] > 3 * width(random.states)[X]
    assert width(random.states)[THETA] > width(mixed.states)[THETA]  # more of the random frames show a fall


def test_a_model_of_the_random_set_meets_what_it_never_saw_and_not_the_other_way_round(random, mixed):
    def outside(fit, judged):
        low, high = fit.split("train").states.min(0), fit.split("train").states.max(0)
        return ((judged < low) | (judged > high)).any(1).mean()

    assert outside(random, mixed.split("test").states) > 0.04
    assert outside(mixed, random.split("test").states) < 0.02
    assert outside(random, random.split("test").states) < 0.05  # control: its own test set


def test_its_better_coverage_is_not_a_matter_of_size(random, mixed):
    def empty(states):
        box = [(-ld.cartpole.X_LIMIT, ld.cartpole.X_LIMIT), (-ld.cartpole.THETA_LIMIT, ld.cartpole.THETA_LIMIT)]
        return (np.histogram2d(states[:, X], states[:, THETA], 12, box)[0] == 0).mean()

    assert empty(mixed.states[: len(random.states)]) < empty(random.states) - 0.2


def test_the_push_of_a_player_who_looks_betrays_the_state_and_that_of_a_coin_does_not(random, mixed):
    assert abs(agreement(random) - 0.5) < 0.03
    assert 0.65 < agreement(mixed) < 0.9  # weakened by the coin tosses and bursts, not broken


def test_the_pole_seems_to_follow_the_push_where_an_expert_plays(random, mixed):
    """A push can't move the pole within its own step: whatever gap the data show there is confounding."""

    def gap(episodes):
        turned = np.degrees(changes(episodes)[:, THETA])
        return turned[episodes.actions == 1].mean() - turned[episodes.actions == 0].mean()

    assert abs(gap(random)) < 0.1
    assert gap(mixed) > 0.15


def test_an_expert_left_in_peace_never_shows_a_leaning_pole(mixed):
    state = ld.controllers.first_states(40)
    angles = []
    for _ in range(200):
        state = ld.cartpole.step(state, torch.as_tensor(ld.cartpole.sign_theta_and_velocity(state)))
        angles.append(state[:, THETA])
    assert not ld.cartpole.fallen(state).any()
    assert torch.stack(angles).abs().quantile(0.99) < 0.5 * np.quantile(abs(mixed.states[:, THETA]), 0.99)


def test_a_single_test_frame_is_seldom_new_and_a_film_of_five_is(random, mixed):
    def twins(episodes, steps):
        fit, judged = (
            [part.frames[at : at + steps + 1].tobytes() for at in part.window_starts(max(steps, 1))[0]]
            for part in (episodes.split("train"), episodes.split("test"))
        )
        return np.isin(np.array([hash(film) for film in judged]), np.array([hash(film) for film in fit])).mean()

    for episodes in (random, mixed):
        assert twins(episodes, 0) > 0.4
        assert twins(episodes, 4) < 0.15


def test_reading_the_surface_is_faster_and_gives_the_same_bytes():
    env, screen = ld.cartpole.make("rgb_array"), ld.rendering.Screen()
    env.reset(seed=3)
    state = env.unwrapped.state
    assert (ld.preprocess(env.render()) == ld.preprocess(screen.view(state))).all()

    def seconds(picture):
        start = time.perf_counter()
        for _ in range(20):
            ld.preprocess(picture())
        return time.perf_counter() - start

    def best(picture):
        return min(seconds(picture) for _ in range(5))

    assert best(env.render) > 1.5 * best(lambda: screen.view(state))
