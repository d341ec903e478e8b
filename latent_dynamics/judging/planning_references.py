"""Who a planner is compared with: models that know the world, so that what they lose, the planner has lost."""

import torch

from ..world.curtain import read_behind
from ..world.gusty import GUSTY
from ..world.reader import errors, read
from .exact_belief import ExactBelief, Oracle, _corrected, _pack, _unpack
from .references import ExactPhysics


class ToldTheState(ExactPhysics):
    """Exact physics, told the true state: what is lost with it, the planner has lost."""

    sees_the_truth = True


class PlanningOracle(Oracle):
    """The oracle; its mean path is the one without a new gust, as it is for those who learned."""

    def __init__(self):
        super().__init__(GUSTY)

    def imagine(self, belief, actions, samples=None, generator=None):
        return super().imagine(belief, actions, samples, generator) if samples else GUSTY.simulate(belief, actions)


class PlanningBelief(ExactBelief):
    """The exact belief of the gusty world, as a player carries it from frame to frame.

    What it sees is (x, theta, the reader's errors in both). Its mean path is that of the likeliest history, without a
    new gust.
    """

    def __init__(self):
        super().__init__(histories=16)  # as good as more

    def see(self, frames):
        seen = read_behind(frames)
        error = errors(read(frames)).masked_fill(~seen.valid[..., None], torch.inf)
        return torch.cat([torch.stack([seen.x, seen.theta], -1).double().nan_to_num(0.0), error], -1)

    def begin(self, code):
        return _pack(self._begin(*code.split(2, -1)))

    def update(self, belief, action, code):
        moved = self._predicted(_unpack(belief), action)
        return _pack(self._most_probable(_corrected(moved, *code.split(2, -1))))

    def imagine(self, belief, actions, samples=None, generator=None):
        if samples:
            return super().imagine(belief, actions, samples, generator)
        weight, mean, air, _ = _unpack(belief)
        rows, likeliest = torch.arange(len(belief)), weight[..., 0].argmax(1)
        return GUSTY.simulate(torch.cat([mean[rows, likeliest], air[rows, likeliest][..., :2]], -1), actions)
