"""The true world: CartPole-v1, its exact physics in batches, its renderer, and policies to play it with.

A state is (x, x_dot, theta, theta_dot): metres, metres a second, radians, radians a second. The model never
sees one. We keep them to judge it with, and to ask "what if?" of reality: `step` moves a batch of states
exactly as Gymnasium moves one, so that a simulator can be put back into any state and driven differently.
"""

import math
import os
from dataclasses import dataclass

import numpy as np
import torch

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # frames are drawn in memory: no screen is needed
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
import gymnasium as gym  # noqa: E402  (the two lines above must come first)

ENVIRONMENT = "CartPole-v1"
STATE_NAMES = ("x", "x_dot", "theta", "theta_dot")
STATE_UNITS = ("m", "m/s", "rad", "rad/s")
TIME_STEP = 0.02  # seconds
X_LIMIT, THETA_LIMIT = 2.4, 12 * 2 * math.pi / 360  # beyond either the episode ends
GRAVITY, FORCE = 9.8, 10.0
POLE_MASS, TOTAL_MASS, HALF_POLE = 0.1, 1.1, 0.5
PIXELS_PER_METRE = 600 / (2 * X_LIMIT)


def make(render_mode=None):
    """Make the Gymnasium environment (Towers et al. 2024) of the physics of Barto, Sutton & Anderson (1983)."""
    return gym.make(ENVIRONMENT, render_mode=render_mode)


def step(states, actions):
    """Move each state by one exact step of CartPole-v1.

    states: (..., 4) float64 tensor; actions: (...) int64, 0 pushes left and 1 right. Returns (..., 4) float64.
    Operation for operation Gymnasium's own step (Florian 2007), so the two agree to the last bit or two.
    It goes on beyond the limits: `fallen` says where the episode would have ended.
    """
    x, x_dot, theta, theta_dot = states.double().unbind(-1)
    force = torch.where(actions == 1, FORCE, -FORCE).double()
    cos, sin = torch.cos(theta), torch.sin(theta)
    pole = POLE_MASS * HALF_POLE
    push = (force + pole * torch.square(theta_dot) * sin) / TOTAL_MASS
    theta_acc = (GRAVITY * sin - cos * push) / (
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


def simulate(state, actions):
    """Play actions (B, N) from state (B, 4); return the N states that follow, (B, N, 4) float64."""
    states = []
    for action in actions.unbind(1):
        state = step(state, action)
        states.append(state)
    return torch.stack(states, 1)  # (B, N, 4)


def jacobian(states, actions):
    """Return A = d step / d state at each state: (B, 4), (B,) -> (B, 4, 4) float64."""
    one = torch.func.jacrev(lambda s, a: step(s, a))
    return torch.vmap(one)(states.double(), actions)


def fallen(states):
    """Say for each state (..., 4) whether the episode ends there (pole beyond 12 degrees, cart off the track)."""
    return (abs(states[..., 0]) > X_LIMIT) | (abs(states[..., 2]) > THETA_LIMIT)


def growth_rate():
    """Return the unstable rate of the upright pole in one step: ln of A's largest eigenvalue, about 0.076."""
    upright = torch.zeros(1, 4, dtype=torch.float64)
    matrix = jacobian(upright, torch.ones(1, dtype=torch.int64))[0]
    return float(torch.log(torch.linalg.eigvals(matrix).abs().max()))


class Screen:
    """Draws any true state as Gymnasium renders it, without the copies that cost most of a rendered frame."""

    def __init__(self):
        import pygame

        self._env = make("rgb_array").unwrapped
        self._env.render_mode = "surface only"  # a mode it does not know: it draws, and makes no array of the screen
        self._env.screen = pygame.Surface((1, 1))  # nor is the finished picture copied to a screen that is a dot

    def view(self, state):
        """Return the frame of state (4,) as `env.render()` would: a (400, 600, 3) uint8 view of the drawing itself."""
        import pygame

        self._env.state = np.asarray(state, dtype=np.float64)
        self._env.render()
        return pygame.surfarray.pixels3d(self._env.surf).transpose(1, 0, 2)

    def rgb(self, state):
        """Return the same frame as an array of its own, to keep."""
        return self.view(state).copy()


# Policies map states (..., 4) to actions (...), 0 or 1.


def sign_theta(states):
    """Push to the side to which the pole leans: needs the angle alone, and soon falls."""
    return (states[..., 2] > 0) * 1


def sign_theta_and_velocity(states):
    """Push to the side of theta + 0.5 theta_dot: balances for ever, but one picture does not tell theta_dot."""
    return (states[..., 2] + 0.5 * states[..., 3] > 0) * 1


def random_actions(shape, rng):
    """Toss a coin for each action; the simplest actions that know nothing of the state."""
    return rng.integers(0, 2, size=shape)


@dataclass
class RandomPolicy:
    """Pushes left or right with equal chance."""

    rng: np.random.Generator

    def __call__(self, state):
        return int(random_actions((), self.rng))


@dataclass
class NoisyExpert:
    """An expert that errs, interrupted by bursts of pushes that ignore the state.

    Random episodes end after some twenty steps, and an expert's actions betray the state that they answer to.
    So each episode draws its own share of coin tosses, and now and then a burst takes over.
    """

    rng: np.random.Generator
    epsilon_range: tuple = (0.2, 0.9)  # share of coin tosses, drawn once an episode
    burst_chance: float = 0.015  # chance a step that a burst begins
    burst_steps: tuple = (3, 8)  # its length in steps, drawn evenly from this half-open range

    def __post_init__(self):
        self.epsilon = self.rng.uniform(*self.epsilon_range)
        self.left, self.held = 0, None

    def __call__(self, state):
        coin = int(random_actions((), self.rng))
        starts, errs = self.rng.random(2) < (self.burst_chance, self.epsilon)
        if self.left == 0 and starts:
            self.left = int(self.rng.integers(*self.burst_steps))
            self.held = coin if self.rng.random() < 0.5 else None  # one push held, or coin tosses
        if self.left:
            self.left -= 1
            return coin if self.held is None else self.held
        return coin if errs else int(sign_theta_and_velocity(state))


POLICIES = {"random": RandomPolicy, "mixed": NoisyExpert}
