"""A player who plans in imagination: dream where each plan leads, and begin the one that is likeliest survived.

Nothing is asked of the model but whether the episode goes on (`outcome`): no reward, no true state, no expert.
"""

import math

import torch

from ..models.stepwise import stepwise
from ..world.worlds import CARTPOLE
from .controllers import _play, _seen
from .searches import exhaustive

LIKELY = 1e-6  # no step is believed to be deadlier


def survival(model, beliefs, plans, samples=None, generator=None):
    """Return ln of the chance, by a model's own belief, that the episode goes on through all of each plan.

    beliefs (B, D), plans (B, P, N) int64 -> (B, P). samples: over so many imagined futures of each plan; None: along
    the mean path.
    """
    count = plans.shape[1]
    belief = beliefs.repeat_interleave(count, 0)  # (B P, D)
    pushes = plans.flatten(0, 1)  # (B P, N)
    if samples is None:  # (B P, S, N, D), along one path
        dreams = model.imagine(belief, pushes)[:, None]
    else:
        dreams = model.imagine(
            belief, pushes, samples=samples, generator=generator
        )
    goes_on = model.outcome(dreams)[1].clamp(min=LIKELY)
    lives = goes_on.log().sum(2)  # (B P, S)
    share = lives.logsumexp(1) - math.log(lives.shape[1])
    return share.unflatten(0, (-1, count))


class Planner:
    """Plans `decisions` pushes, each held for `held` steps, anew after every frame, and makes the first.

    search: one of searches.SEARCHES, with its settings bound; warm: how much it begins with what it believed
    a step before, moved on by a step, from 0, as if it had believed nothing, to 1; samples: see `survival`; seed: of
    its chance.
    """

    def __init__(self, model, search=exhaustive, decisions=6, held=5, warm=0.0, samples=None, seed=0):
        if decisions < 1 or held < 1:
            raise ValueError(f"{decisions} decisions held {held} steps; expected at least 1 of each")
        self.model, self.search, self.decisions, self.held = model, search, decisions, held
        self.warm, self.samples, self.chance = warm, samples, torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def plan(self, beliefs, before=None):
        """Return the chances of pushing right at each decision: beliefs (B, D), before (B, n) or None -> (B, n)."""
        start = torch.full((len(beliefs), self.decisions), 0.5)
        if self.warm and before is not None:
            moved = self.moved_on(before)
            start = (1 - self.warm) * start + self.warm * moved

        def worth(plans):
            pushes = plans.repeat_interleave(self.held, 2)
            return survival(
                self.model, beliefs, pushes, self.samples, self.chance
            )

        return self.search(worth, start, self.chance)

    def moved_on(self, chances):
        """Move chances (B, n) on by one step of the held pushes; of what comes in at the end nothing is known."""
        steps = chances.repeat_interleave(self.held, 1)
        steps = torch.cat([steps[:, 1:], torch.full_like(steps[:, :1], 0.5)], 1)
        return steps.unflatten(1, (self.decisions, self.held)).mean(2)


@torch.no_grad()
def planned_returns(planner, games=100, seed=10_000, limit=None, world=CARTPOLE):
    """Play whole games from pixels by planning: (games,) steps survived; all games side by side, in exact physics.

    A model whose beliefs are the world's own states (`sees_the_truth`) is told these instead of frames.
    """
    told = getattr(planner.model, "sees_the_truth", False)
    model = planner.model if told else stepwise(planner.model, ("see", "begin", "update"))
    beliefs, chances = None, torch.full((games, planner.decisions), 0.5)
    pushed = torch.zeros(games, dtype=torch.int64)

    def player(states, up):
        nonlocal beliefs
        if told:
            now = states
        else:
            codes = model.see(_seen(states, world))
            if beliefs is None:
                beliefs = model.begin(codes).clone()
            else:
                beliefs[up] = model.update(beliefs[up], pushed[up], codes)
            now = beliefs[up, : planner.model.state_size]
        chances[up] = planner.plan(now, chances[up]).float()
        pushed[up] = (chances[up, 0] > 0.5).long()
        return pushed[up]

    return _play(player, games, seed, limit, world)[0]
