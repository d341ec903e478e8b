"""Who plays while data are collected: a policy is made for one episode, and maps its states (S,) to actions."""

from dataclasses import dataclass

import numpy as np

from .cartpole import random_actions
from .worlds import CARTPOLE, World


@dataclass
class RandomPolicy:
    """Pushes left or right with equal chance, whatever the state."""

    rng: np.random.Generator
    world: World = CARTPOLE

    def __call__(self, state):
        return int(random_actions((), self.rng, self.world.actions))


@dataclass
class NoisyExpert:
    """An expert that errs, interrupted by bursts of pushes that ignore the state.

    Random episodes end after some twenty steps, and an expert's actions betray the state that they answer to.
    So each episode draws its own share of coin tosses, and now and then a burst takes over.
    """

    rng: np.random.Generator
    world: World = CARTPOLE
    # share of coin tosses, drawn once an episode
    epsilon_range: tuple = (0.2, 0.9)
    # chance a step that a burst begins
    burst_chance: float = 0.015
    # its length in steps, drawn evenly from this half-open range
    burst_steps: tuple = (3, 8)

    def __post_init__(self):
        self.epsilon = self.rng.uniform(*self.epsilon_range)
        self.left, self.held = 0, None

    def __call__(self, state):
        coin = int(random_actions((), self.rng, self.world.actions))
        starts, errs = (
            self.rng.random(2) < (self.burst_chance, self.epsilon)
        )
        if self.left == 0 and starts:
            self.left = int(self.rng.integers(*self.burst_steps))
            # one push held, or coin tosses
            self.held = coin if self.rng.random() < 0.5 else None
        if self.left:
            self.left -= 1
            return coin if self.held is None else self.held
        return coin if errs else int(self.world.expert(state))


POLICIES = {"random": RandomPolicy, "mixed": NoisyExpert}
