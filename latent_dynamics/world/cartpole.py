"""CartPole-v1: its exact physics in batches, and policies to play it with.

A state is (x, x_dot, theta, theta_dot): metres, metres a second, radians, radians a second. The model never
sees one. We keep them to judge it with, and to ask "what if?" of reality: `step` moves a batch of states
exactly as Gymnasium moves one, so that a simulator can be put back into any state and driven differently.
"""

import math
import os

import torch

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
import gymnasium as gym  # noqa: E402  (the line above must come first)

ENVIRONMENT = "CartPole-v1"
STATE_NAMES = ("x", "x_dot", "theta", "theta_dot")
STATE_UNITS = ("m", "m/s", "rad", "rad/s")
TIME_STEP = 0.02  # seconds
TIME_LIMIT = 500  # steps, after which an episode is cut off
X_LIMIT, THETA_LIMIT = 2.4, 12 * 2 * math.pi / 360  # beyond either the episode ends
GRAVITY, FORCE = 9.8, 10.0
POLE_MASS, TOTAL_MASS, HALF_POLE = 0.1, 1.1, 0.5
PIXELS_PER_METRE = 600 / (2 * X_LIMIT)


def make(render_mode=None):
    """Make the Gymnasium environment (Towers et al. 2024) of the physics of Barto, Sutton & Anderson (1983)."""
    return gym.make(ENVIRONMENT, render_mode=render_mode)


def reset(n, generator):
    """Return n states in which episodes begin: (n, 4) float64, each number drawn evenly from -0.05 to 0.05."""
    return 0.1 * torch.rand(n, 4, dtype=torch.float64, generator=generator) - 0.05


def step(states, actions, generator=None, gravity=GRAVITY, wind=0.0):
    """Move each state by one exact step of CartPole-v1.

    states: (..., 4) float64 tensor; actions: (...) int64, 0 pushes left and 1 right. Returns (..., 4) float64.
    Operation for operation Gymnasium's own step (Florian 2007), so the two agree to the last bit or two.
    It goes on beyond the limits: `fallen` says where the episode would have ended. Nothing is left to chance here, so
    `generator` is not used. gravity (m/s^2) and wind (N, adds to the push) are for worlds made of this one.
    """
    x, x_dot, theta, theta_dot = states.double().unbind(-1)
    force = torch.where(actions == 1, FORCE, -FORCE).double() + wind
    cos, sin = torch.cos(theta), torch.sin(theta)
    pole = POLE_MASS * HALF_POLE
    push = (force + pole * torch.square(theta_dot) * sin) / TOTAL_MASS
    theta_acc = (gravity * sin - cos * push) / (
        HALF_POLE * (4.0 / 3.0 - POLE_MASS * torch.square(cos) / TOTAL_MASS)
    )
    x_acc = push - pole * theta_acc * cos / TOTAL_MASS
    return torch.stack(
        [
            x + TIME_STEP * x_dot,
            x_dot + TIME_STEP * x_acc,
            theta + TIME_STEP * theta_dot,
            theta_dot + TIME_STEP * theta_acc,
        ],
        -1,
    )


def fallen(states):
    """Say for each state (..., 4) whether the episode ends there (pole beyond 12 degrees, cart off the track)."""
    return (abs(states[..., 0]) > X_LIMIT) | (abs(states[..., 2]) > THETA_LIMIT)


# Policies map states (..., 4) to actions (...), 0 or 1.


def sign_theta(states):
    """Push to the side to which the pole leans: needs the angle alone, and soon falls."""
    return (states[..., 2] > 0) * 1


def sign_theta_and_velocity(states):
    """Push to the side of theta + 0.5 theta_dot: balances for ever, but one picture does not tell theta_dot."""
    return (states[..., 2] + 0.5 * states[..., 3] > 0) * 1


def random_actions(shape, rng, actions=2):
    """Toss a coin for each action; the simplest actions that know nothing of the state."""
    return rng.integers(0, actions, size=shape)
