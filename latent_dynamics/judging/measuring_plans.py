"""What a planner gets from a model: returns of whole games by each search, how far ahead pays, and what it exploits."""

from functools import partial

import numpy as np
import torch

from ..acting.held_pushes import plans
from ..acting.planning import Planner, planned_returns, survival
from ..acting.searches import cross_entropy, exhaustive, mppi, shooting
from ..world.worlds import CARTPOLE

GAMES, SEED = 100, 20_000  # that a planner plays, from starts that nothing was chosen on
DECISIONS, HELD = 6, 5
SEARCHES = {  # each dreams sixty-four plans a step, in one go or in rounds
    "exhaustive": (exhaustive, 0.0),
    "shooting": (shooting, 0.0),
    "cross entropy": (cross_entropy, 0.0),
    "cross entropy, its best plan": (partial(cross_entropy, returns_best=True), 0.0),
    "cross entropy, begun warm": (cross_entropy, 1.0),
    "mppi": (mppi, 0.0),
    "mppi, begun warm": (mppi, 1.0),
}
AHEAD = (1, 2, 3, 5, 8, 12)  # steps that each of six decisions is held: 6 to 72 steps ahead
SHORT_GAMES, SHORT_LIMIT = 40, 200  # by which that is judged
SAMPLES, FEWER = 8, 4  # futures of each plan, and decisions, in the gusty world


def measured(model, windows):
    """Judge planning on a model of the calm world.

    windows: drift.Windows after whose contexts plans are tried. Returns "returns", {search: (GAMES,)}; "ahead", {steps
    held: (SHORT_GAMES,)}, returns of the exhaustive search that is stopped after SHORT_LIMIT steps; and "exploited",
    what `exploited` finds.
    """
    found = {
        name: planned_returns(Planner(model, search, DECISIONS, HELD, warm), GAMES, SEED)
        for name, (search, warm) in SEARCHES.items()
    }
    ahead = {
        str(held): planned_returns(Planner(model, exhaustive, DECISIONS, held), SHORT_GAMES, SEED + 1, SHORT_LIMIT)
        for held in AHEAD
    }
    return {
        "returns": {name: _whole(returns) for name, returns in found.items()},
        "ahead": {held: _whole(returns) for held, returns in ahead.items()},
        "exploited": exploited(model, windows),
    }


def in_gusts(model, world):
    """Judge planning in a world of chance: {"mean path": (GAMES,), "fan": (GAMES,)}, returns of games.

    Four decisions; "fan" plans on SAMPLES imagined futures of each plan, which a model without chance does not have.
    """
    kinds = {"mean path": None} | ({"fan": SAMPLES} if getattr(model, "stochastic", False) else {})
    planners = {name: Planner(model, exhaustive, FEWER, HELD, samples=samples) for name, samples in kinds.items()}
    return {name: _whole(planned_returns(one, GAMES, SEED, world=world)) for name, one in planners.items()}


@torch.no_grad()
def exploited(model, windows, world=CARTPOLE):
    """Try every plan after each window's context, by the model and in the true world, put back into its state.

    Returns, for the plan that the model likes best ("chosen"), for the one that it likes best after it ("second") and
    for one drawn at random ("random"): "believed", the chance that it believes to survive, and "true", whether it does,
    in each window: (B,) of both; and "survivors", the share of all plans that do.
    """
    every = plans(DECISIONS, HELD)  # (P, N)
    told = getattr(model, "sees_the_truth", False)
    start, seen = windows.states[:, 0], windows.frames[:, : windows.context + 1]
    belief = start if told else model.observe(seen, windows.actions_before)
    believed = torch.cat([
        survival(model, rows, every.expand(len(rows), -1, -1)).exp() for rows in belief.split(64)
    ])  # (B, P)
    path = world.simulate(start.repeat_interleave(len(every), 0), every.repeat(len(start), 1))
    true = (~world.fallen(path)).all(1).unflatten(0, (-1, len(every))).double()  # (B, P)
    rows, chance = torch.arange(len(belief)), torch.Generator().manual_seed(0)
    chosen, second = believed.topk(2, 1).indices.unbind(1)
    drawn = torch.randint(len(every), (len(belief),), generator=chance)
    which = {"chosen": chosen, "second": second, "random": drawn}
    return {
        name: {"believed": _short(believed[rows, one]), "true": _short(true[rows, one])} for name, one in which.items()
    } | {"survivors": _short(true.mean(1))}


def _whole(returns):
    return [int(one) for one in returns]


def _short(values):
    return [round(float(one), 3) for one in np.asarray(values)]
