"""A planner that tries every plan: which of them it follows."""

import torch

from latent_dynamics.acting.exhaustive import planner


class Line:
    """A place on a line that pushes move by one; the episode goes on as long as it is near 0."""

    actions = 2

    def imagine(self, belief, actions):
        return belief[:, None] + (2.0 * actions - 1).cumsum(1)[..., None]

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(5 - states[..., 0].abs())


def test_it_pushes_back_to_where_the_episode_goes_on():
    act = planner(Line(), decisions=4, held=2)
    assert act(torch.tensor([[4.0], [-4.0], [9.0]])).tolist() == [0, 1, 0]


def test_what_nobody_believes_in_is_no_reason_to_stop():
    act = planner(Line(), decisions=2, held=1)
    assert act(torch.tensor([[500.0]])).shape == (1,), "all plans are lost, and one is followed"
