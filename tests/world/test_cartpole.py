"""The true world: our physics is Gymnasium's, its instability is what the book says, its policies do what they say."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from latent_dynamics import cartpole
from latent_dynamics.world.policies import NoisyExpert, RandomPolicy
from latent_dynamics.world.worlds import CARTPOLE


def gymnasium_step(env, state, action):
    """One step of Gymnasium's own code from any state: (next state, terminated)."""
    env.state, env.steps_beyond_terminated = np.array(state), None
    _, _, terminated, _, _ = env.step(int(action))
    return np.array(env.state), terminated


@pytest.fixture(scope="module")
def env():
    env = cartpole.make().unwrapped
    env.reset(seed=0)
    return env


def some_states(count, seed=0):
    """States far beyond what an episode visits."""
    return np.random.default_rng(seed).uniform([-3, -4, -0.6, -5], [3, 4, 0.6, 5], (count, 4))


@pytest.mark.parametrize("action", [0, 1])
def test_a_step_from_any_state_is_gymnasiums_step(env, action):
    states = some_states(500)
    theirs = np.array([gymnasium_step(env, state, action)[0] for state in states])
    ours = cartpole.step(torch.from_numpy(states), torch.full((500,), action)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize("action", [0, 1])
def test_a_step_from_each_state_of_played_episodes_is_gymnasiums_step(env, mixed_episodes, action):
    states = mixed_episodes.states
    theirs = np.array([gymnasium_step(env, state, action)[0] for state in states])
    ours = cartpole.step(torch.from_numpy(states), torch.full((len(states),), action)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


def test_simulating_the_recorded_actions_gives_the_recorded_states(mixed_episodes):
    for number in range(len(mixed_episodes)):
        episode = mixed_episodes[number]
        path = CARTPOLE.simulate(torch.from_numpy(episode.states[:1]), torch.from_numpy(episode.actions[None]))
        early = slice(0, 60)  # rounding grows like every other error
        np.testing.assert_allclose(path[0, early], episode.states[1:][early], rtol=0, atol=1e-11)


def test_physics_stays_in_float64_even_from_float32_states():
    assert cartpole.step(torch.zeros(3, 4), torch.ones(3, dtype=torch.int64)).dtype == torch.float64


def test_the_jacobian_is_the_slope_of_a_step():
    states = torch.from_numpy(some_states(20))
    actions = torch.arange(20) % 2
    ours, h = CARTPOLE.jacobian(states, actions), 1e-6
    for column in range(4):
        nudge = h * torch.eye(4, dtype=torch.float64)[column]
        slope = (cartpole.step(states + nudge, actions) - cartpole.step(states - nudge, actions)) / (2 * h)
        torch.testing.assert_close(ours[:, :, column], slope, rtol=0, atol=1e-8)


def test_an_error_of_the_upright_pole_doubles_every_nine_steps():
    assert CARTPOLE.growth_rate() == pytest.approx(0.0764, abs=1e-4)
    assert math.log(2) / CARTPOLE.growth_rate() == pytest.approx(9.1, abs=0.05)


def test_the_growth_rate_is_what_two_nearby_poles_show():
    poles, apart = torch.zeros(2, 4, dtype=torch.float64), []
    poles[1, 2] = 1e-9
    for _ in range(120):  # one is balanced, the other is pushed as if it were the first
        poles = cartpole.step(poles, cartpole.sign_theta_and_velocity(poles[:1]).expand(2))
        apart.append(abs(float(poles[1, 2] - poles[0, 2])))
    assert math.log(apart[110] / apart[60]) / 50 == pytest.approx(CARTPOLE.growth_rate(), rel=0.02)


def test_an_episode_ends_where_gymnasium_ends_it(env):
    states = np.random.default_rng(1).uniform([-2.6, -3, -0.3, -3], [2.6, 3, 0.3, 3], (400, 4))
    after, ended = zip(*(gymnasium_step(env, state, 1) for state in states))
    assert 50 < sum(ended) < 350  # both kinds are there
    assert cartpole.fallen(np.array(after)).tolist() == list(ended)
    assert cartpole.fallen(torch.from_numpy(np.array(after))).tolist() == list(ended)


def test_neither_limit_itself_ends_an_episode():
    at = np.array([[cartpole.X_LIMIT, 0, cartpole.THETA_LIMIT, 0], [-cartpole.X_LIMIT, 0, -cartpole.THETA_LIMIT, 0]])
    assert not cartpole.fallen(at).any()
    assert cartpole.fallen(at * (1 + 1e-9)).all()


def test_the_expert_rules_push_to_the_side_they_name():
    leaning = np.array([[0, 0, 0.1, 0], [0, 0, -0.1, 0]])
    assert cartpole.sign_theta(leaning).tolist() == [1, 0]
    assert cartpole.sign_theta_and_velocity(leaning).tolist() == [1, 0]
    returning = np.array([0, 0, 0.1, -0.5])  # leans right, swings left faster
    assert cartpole.sign_theta(returning) == 1 and cartpole.sign_theta_and_velocity(returning) == 0
    assert cartpole.sign_theta(torch.from_numpy(leaning)).tolist() == [1, 0]


def test_the_unfair_rule_balances_for_ever_and_sign_theta_soon_falls():
    def steps_up(rule):
        state, steps = torch.tensor([[0.01, 0, 0.02, 0]], dtype=torch.float64), 0
        while not cartpole.fallen(state).any() and steps < 500:
            state, steps = cartpole.step(state, rule(state)), steps + 1
        return steps

    assert steps_up(cartpole.sign_theta_and_velocity) == 500
    assert steps_up(cartpole.sign_theta) < 80


def play(policy, states):
    return [policy(state) for state in states]


def test_random_actions_are_a_fair_coin_that_a_seed_repeats():
    actions = play(RandomPolicy(np.random.default_rng(0)), some_states(2000))
    assert set(actions) == {0, 1} and 0.45 < np.mean(actions) < 0.55
    assert actions == play(RandomPolicy(np.random.default_rng(0)), some_states(2000, seed=1))


def test_a_noisy_experts_bursts_ignore_the_state():
    def bursting(states):
        return play(NoisyExpert(np.random.default_rng(3), epsilon_range=(0, 0), burst_chance=1.0), states)

    leaning = some_states(200)
    assert bursting(leaning) == bursting(-leaning)
    runs = np.diff(np.flatnonzero(np.diff(bursting(leaning))))
    assert runs.max() >= 3  # pushes are held, not only tossed


def test_between_bursts_a_noisy_expert_errs_as_often_as_its_epsilon_says():
    states = some_states(4000)
    right = cartpole.sign_theta_and_velocity(states)

    def agreement(epsilon):
        policy = NoisyExpert(np.random.default_rng(0), epsilon_range=(epsilon, epsilon), burst_chance=0.0)
        return np.mean(play(policy, states) == right)

    assert agreement(0.0) == 1.0
    assert agreement(0.6) == pytest.approx(0.7, abs=0.03)  # half of the coin tosses are right by chance
    assert agreement(1.0) == pytest.approx(0.5, abs=0.03)


def test_each_episode_draws_its_own_share_of_errors():
    shares = [NoisyExpert(np.random.default_rng(seed)).epsilon for seed in range(200)]
    assert min(shares) >= 0.2 and max(shares) <= 0.9 and np.ptp(shares) > 0.6


DRAWS = """
import os

import numpy as np

import latent_dynamics as ld

before = dict(os.environ)
ld.CARTPOLE.draw(np.zeros((2, 4)), workers=1)
ld.cartpole.make("rgb_array").reset(seed=0)
print(sorted(name for name in os.environ.keys() - before.keys()))
"""


def test_windows_of_gymnasiums_own_still_open():
    """SDL is not told to do without a screen, which `render_mode="human"` needs."""
    free = {name: value for name, value in os.environ.items() if name != "SDL_VIDEODRIVER"}
    ran = subprocess.run([sys.executable, "-c", DRAWS], env=free, capture_output=True, text=True, timeout=100)
    assert "SDL" not in ran.stdout.split("\n")[-2] and ran.returncode == 0, ran.stdout + ran.stderr
