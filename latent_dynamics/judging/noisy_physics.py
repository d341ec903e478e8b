"""Exact physics with noise added to its dreams: the control of the study, of which it is known what is worse."""

import torch

from ..models.world_model import refuse_samples
from .references import ExactPhysics

NOISES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0)  # in units of a step's change


class NoisyPhysics(ExactPhysics):
    """Exact physics whose dreams are disturbed at each step.

    noise: its spread, in units of `change` (S,), how much a step changes each of the state's numbers. Told the true
    state, as `planning_references.ToldTheState` is: what it loses, the noise has lost.
    """

    sees_the_truth = True

    def __init__(self, noise, change):
        super().__init__()
        self.spread = noise * torch.as_tensor(change, dtype=torch.float64)

    def step(self, belief, action):
        return self.imagine(belief, action[:, None])[:, 0].float()

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        chance, state, states = torch.Generator().manual_seed(0), belief.double(), []
        for action in actions.unbind(1):
            dice = torch.randn(state.shape, generator=chance, dtype=torch.float64)
            state = self.world.simulate(state, action[:, None])[:, 0] + self.spread * dice
            states.append(state)
        return torch.stack(states, 1)
