"""The plainest planner, on a model that is written down by hand."""

import pytest
import torch

from latent_dynamics.acting.held_pushes import LOST, best_push, lean, plans
from latent_dynamics.models.world_model import WorldModel
from latent_dynamics.world.rendering import draw


class Walk(WorldModel):
    """A number that each push moves by one; its picture is the number itself."""

    state_size = 1

    def step(self, belief, action):
        return belief + 2.0 * action[:, None] - 1

    def decode(self, states):
        return states


def test_every_plan_is_there_once_and_each_push_is_held():
    every = plans(3, 2)
    assert every.shape == (8, 6) and len({tuple(plan) for plan in every.tolist()}) == 8
    assert (every[:, ::2] == every[:, 1::2]).all()
    for bad in ((0, 2), (2, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            plans(*bad)


def test_the_plan_that_looks_best_is_begun():
    goal = torch.tensor([[-4.0], [3.0], [8.0]])

    def far(states):
        return states[..., 0].abs()

    assert best_push(Walk(), goal, plans(3, 2), far, every=2).tolist() == [1, 0, 0]
    assert best_push(Walk(), goal, plans(3, 2), lambda states: -far(states), every=2).tolist() == [0, 1, 1]


def test_lean_is_the_angle_and_a_frame_without_a_pole_is_lost():
    states = torch.zeros(3, 4, dtype=torch.float64)
    states[:, 2] = torch.tensor([-0.15, 0.0, 0.1])
    frames = torch.from_numpy(draw(states.numpy(), workers=1)).float() / 255
    assert torch.allclose(lean(frames), torch.rad2deg(states[:, 2].abs()), atol=0.8)
    assert lean(torch.ones(1, 32, 100)).tolist() == [LOST]
