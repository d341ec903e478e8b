"""How many dreams a planner needs: returns by the number of plans that a search may try, and by decisions in a plan."""

from functools import partial

from ..acting.planning import Planner, planned_returns
from ..acting.searches import cross_entropy, exhaustive, mppi, shooting

PLANS = (4, 8, 16, 32, 64)  # dreamt for a decision
STEPS = 30  # ahead
DECISIONS = (1, 2, 3, 5, 6)  # into which these steps are cut
GAMES, LIMIT, SEED = 40, 200, 20_002


def measured(model):
    """Judge planning on a model by its budget: returns (GAMES,), each at most LIMIT.

    {"plans": {search: {plans: returns}}, of six decisions; "decisions": {decisions: returns}, of the exhaustive search}
    """

    def played(search, decisions=6):
        planner = Planner(model, search, decisions, STEPS // decisions)
        return [int(one) for one in planned_returns(planner, GAMES, SEED, LIMIT)]

    return {
        "plans": {name: {str(n): played(of(n)) for n in PLANS} for name, of in SEARCHES.items()},
        "decisions": {str(n): played(exhaustive, n) for n in DECISIONS},
    }


def _in_two_rounds(plans):
    """The cross-entropy method with so many plans: half of them a round, of which it keeps a tenth or at least two."""
    count = plans // 2
    return partial(cross_entropy, count=count, rounds=2, elites=max(2, count // 10))


SEARCHES = {
    "shooting": lambda plans: partial(shooting, count=plans),
    "cross entropy": _in_two_rounds,
    "mppi": lambda plans: partial(mppi, count=plans),
}
