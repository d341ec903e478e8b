"""The classical world model: a linear state-space model with Gaussian noise, and the filter that is exact for it.

s_{t+1} = A s_t + B a_t + w,  o_t = C s_t + v,  with w ~ N(0, Q) and v ~ N(0, R). Kalman (1960).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..world.cartpole import FORCE, GRAVITY, HALF_POLE, POLE_MASS, TIME_STEP, TOTAL_MASS


class Filtered(NamedTuple):
    """What the filter says of each frame."""

    mean: torch.Tensor  # (B, T, S): the belief after it
    covariance: torch.Tensor  # (B, T, S, S)
    surprise: torch.Tensor  # (B, T, O): what was read less what was expected
    expected: torch.Tensor  # (B, T, O, O): covariance of that surprise
    log_likelihood: torch.Tensor  # (B, T): ln p(o_t | o_{<t}, a_{<t}), nats


@dataclass(frozen=True)
class LinearGaussian:
    """A, B, C, the covariances Q and R of the two noises, and the belief before anything is seen. All float64."""

    A: torch.Tensor  # (S, S)
    B: torch.Tensor  # (S,): what an action of 1 adds; -1 takes as much away
    C: torch.Tensor  # (O, S)
    Q: torch.Tensor  # (S, S)
    R: torch.Tensor  # (O, O)
    mean: torch.Tensor  # (S,): of s_1
    covariance: torch.Tensor  # (S, S): of s_1

    def predict(self, mean, covariance, action):
        """Move a belief by one step, unseen: (B, S), (B, S, S), (B,) of -1 or 1."""
        mean = mean @ self.A.T + action[:, None] * self.B
        return mean, self.A @ covariance @ self.A.T + self.Q

    def correct(self, mean, covariance, o):
        """Correct a belief by an observation (B, O): what remains, and the surprise, its covariance, ln p(o)."""
        surprise = o - mean @ self.C.T
        expected = self.C @ covariance @ self.C.T + self.R
        gain = torch.linalg.solve(expected, self.C @ covariance).mT
        mean = mean + (gain @ surprise[..., None])[..., 0]
        covariance = covariance - gain @ self.C @ covariance
        fit = log_normal(surprise, expected)
        return mean, covariance, surprise, expected, fit

    def filter(self, observations, actions):
        """Believe what observations (B, T, O) say, given the actions (B, T - 1) in between: Filtered."""
        count = len(observations)
        belief = self.mean.expand(count, -1), self.covariance.expand(count, -1, -1)
        found = []
        for t, o in enumerate(observations.unbind(1)):
            if t:
                belief = self.predict(*belief, actions[:, t - 1])
            *belief, surprise, expected, fit = self.correct(*belief, o)
            found.append((*belief, surprise, expected, fit))
        return Filtered(*(torch.stack(part, 1) for part in zip(*found)))

    def imagine(self, mean, covariance, actions):
        """Predict without seeing: (B, S), (B, S, S), (B, N) -> means (B, N, S) and covariances (B, N, S, S)."""
        found, belief = [], (mean, covariance)
        for action in actions.unbind(1):
            belief = self.predict(*belief, action)
            found.append(belief)
        return tuple(torch.stack(part, 1) for part in zip(*found))


def log_normal(miss, covariance):
    """Return ln N(miss; 0, covariance): (..., O), (..., O, O) -> (...)."""
    distance = (miss * torch.linalg.solve(covariance, miss[..., None])[..., 0]).sum(-1)
    return -(distance + torch.logdet(covariance) + miss.shape[-1] * math.log(2 * math.pi)) / 2


def cartpole_near_upright(pole_mass=POLE_MASS):
    """Return A (4, 4) and B (4,) of CartPole near the upright pole, for a pole of this mass in kilogrammes."""
    total = TOTAL_MASS - POLE_MASS + pole_mass
    turn = 1 / (HALF_POLE * (4.0 / 3.0 - pole_mass / total))  # rad/s^2 for an m/s^2 across the pole
    lean, push = GRAVITY * turn, FORCE / total * turn  # theta_acc = lean theta - push a
    share = pole_mass * HALF_POLE / total  # x_acc = FORCE / total a - share theta_acc
    h = TIME_STEP
    A = torch.tensor(
        [[1, h, 0, 0], [0, 1, -h * share * lean, 0], [0, 0, 1, h], [0, 0, h * lean, 1]], dtype=torch.float64
    )
    return A, torch.tensor([0, h * (FORCE / total + share * push), 0, -h * push], dtype=torch.float64)


def classical_cartpole(error, pole_mass=POLE_MASS, unseen=0.0):
    """Return the LinearGaussian of CartPole near the upright pole, who reads x and theta with errors (2,).

    error: standard deviations, metres and radians; unseen: newtons, of a push each step that nobody ordered.
    Before anything is seen the cart may be anywhere, and everything may be on the move.
    """
    A, B = cartpole_near_upright(pole_mass)
    C = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 0]], dtype=torch.float64)
    R = torch.tensor(error, dtype=torch.float64).square().diag()
    Q = (unseen / FORCE) ** 2 * torch.outer(B, B)
    start = torch.tensor([2.4, 1.0, 0.2, 1.5], dtype=torch.float64)
    return LinearGaussian(A, B, C, Q, R, 0 * start, start.square().diag())
