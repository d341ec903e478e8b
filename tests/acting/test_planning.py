"""Searching for plans, and playing by them: on toys whose best plan is known, and on exact physics."""

from functools import partial

import numpy as np
import pytest
import torch

from latent_dynamics.acting.held_pushes import plans
from latent_dynamics.acting.planning import Planner, planned_returns, survival
from latent_dynamics.acting.searches import SEARCHES, cross_entropy, exhaustive, mppi, shooting
from latent_dynamics.judging.measuring_plans import exploited
from latent_dynamics.judging.planning_references import PlanningBelief, PlanningOracle, ToldTheState
from latent_dynamics.models.world_model import WorldModel

pytestmark = pytest.mark.usefixtures("one_thread")
SECRET = torch.tensor([1, 0, 0, 1, 1, 0])


def like_the_secret(plans):
    """Worth: how many decisions are as the secret has them, steeply."""
    return 4.0 * (plans == SECRET).sum(-1)


class Line(WorldModel):
    """A place on a line that pushes move by one; by chance too, where samples are asked for."""

    state_size, stochastic = 1, True

    def imagine(self, belief, actions, samples=None, generator=None):
        path = belief[:, None] + (2.0 * actions - 1).cumsum(1)[..., None]
        if samples is None:
            return path
        noise = torch.randn(len(path), samples, *path.shape[1:], generator=generator).cumsum(2)
        return path[:, None] + 3 * noise

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(10 * (5 - states[..., 0].abs()))


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_finds_a_plan_that_is_clearly_the_best(name):
    search = {"shooting": partial(shooting, count=2000), "cross entropy": partial(cross_entropy, count=64, rounds=6)}
    g = torch.Generator().manual_seed(0)
    found = search.get(name, SEARCHES[name])(like_the_secret, torch.full((3, 6), 0.5), g)
    assert found.shape == (3, 6) and ((found > 0.5).long() == SECRET).all()


def test_exhaustive_search_is_brute_force():
    worth = torch.randn(8, generator=torch.Generator().manual_seed(0))
    every = plans(3, 1)
    found = exhaustive(lambda tried: worth[(tried * torch.tensor([4, 2, 1])).sum(-1)], torch.full((1, 3), 0.5))
    by_hand = sum(worth.exp()[n] * every[n] for n in range(8)) / worth.exp().sum()
    torch.testing.assert_close(found[0], by_hand)


@pytest.mark.parametrize("search", [cross_entropy, mppi])
def test_chances_never_leave_nought_to_one(search):
    g = torch.Generator().manual_seed(0)
    chances = torch.rand(50, 6, generator=g)
    for _ in range(5):
        chances = search(lambda tried: torch.randn(tried.shape[:2], generator=g), chances, g)
        assert ((chances >= 0) & (chances <= 1)).all()


def test_the_mean_of_two_good_plans_may_be_a_bad_one():
    two = torch.tensor([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])

    def worth(tried):
        return -2.0 * torch.stack([(tried != one).sum(-1) for one in two]).amin(0)

    g = torch.Generator().manual_seed(0)
    mean = exhaustive(worth, torch.full((1, 6), 0.5), g)
    assert ((mean - 0.5).abs() < 0.01).all(), "votes of both sides cancel"
    best = shooting(worth, torch.full((1, 6), 0.5), g, count=2000)
    assert (best[0] == two).all(1).any(), "to take the best does not"


def test_survival_is_the_chance_to_live_through_all_of_a_plan():
    beliefs, tried = torch.tensor([[0.0], [4.0]]), torch.tensor([[[1, 1], [0, 0]]]).expand(2, -1, -1)
    found = survival(Line(), beliefs, tried)
    assert found.shape == (2, 2) and found[0].exp().tolist() == pytest.approx([1, 1], abs=1e-3)
    assert found[1, 0] < -5 and found[1, 1] > -0.01


def test_on_a_fan_a_plan_is_worth_the_share_that_lives():
    tried = torch.ones(1, 1, 2, dtype=torch.int64)
    g = torch.Generator().manual_seed(0)
    fan = survival(Line(), torch.tensor([[2.0]]), tried, samples=4000, generator=g).exp().item()
    assert survival(Line(), torch.tensor([[2.0]]), tried).exp().item() > 0.99, "along the mean path all is well"
    assert 0.3 < fan < 0.7


def test_a_warm_start_moves_on_by_one_step():
    planner = Planner(Line(), decisions=2, held=2, warm=1.0)
    assert planner.moved_on(torch.tensor([[1.0, 0.0]])).tolist() == [[0.5, 0.25]]
    seen = []
    planner.search = lambda worth, chances, generator: seen.append(chances) or chances
    planner.plan(torch.zeros(1, 1), torch.tensor([[1.0, 0.0]]))
    planner.warm = 0.0
    planner.plan(torch.zeros(1, 1), torch.tensor([[1.0, 0.0]]))
    assert seen[0].tolist() == [[0.5, 0.25]] and seen[1].tolist() == [[0.5, 0.5]]


def test_with_exact_physics_and_a_horizon_that_is_long_enough_no_game_is_lost():
    assert (planned_returns(Planner(ToldTheState()), games=20, limit=300) == 300).all()
    short = planned_returns(Planner(ToldTheState(), decisions=2, held=1), games=20, limit=300)
    assert short.mean() < 100, "two steps ahead nothing can be seen to fall"


def test_exact_physics_believes_what_happens_and_who_is_told_nothing_is_exploited():
    from latent_dynamics.judging import drift
    from latent_dynamics.judging.references import ConstantUpright
    from latent_dynamics.keeping.artifacts import load_episodes

    windows = drift.protocols(load_episodes("mixed", "validation"), stride=60)["intervened"]
    exact = exploited(ToldTheState(), windows)
    for plan in ("chosen", "random"):
        assert np.mean(exact[plan]["believed"]) == pytest.approx(np.mean(exact[plan]["true"]), abs=0.02)

    class Hopeful(ConstantUpright):
        def outcome(self, states):
            return torch.ones(states.shape[:-1]), torch.ones(states.shape[:-1])

    fooled = exploited(Hopeful(), windows)
    assert np.mean(fooled["chosen"]["believed"]) == 1 and np.mean(fooled["chosen"]["true"]) < 0.5


def test_bad_requests_are_named():
    with pytest.raises(ValueError, match="0 decisions held 5 steps; expected at least 1 of each"):
        Planner(Line(), decisions=0)


def test_the_exact_belief_is_carried_as_it_would_be_filtered_and_its_mean_path_is_calm():
    from latent_dynamics.judging import judging_set
    from latent_dynamics.judging.exact_belief import ExactBelief
    from latent_dynamics.world.gusty import GUSTY

    futures, carried = judging_set.futures()[:4], PlanningBelief()
    frames, pushes = futures.frames, futures.actions_before
    whole = ExactBelief(histories=16).observe(frames, pushes)
    belief = carried.begin(carried.see(frames[:, 0]))
    for t, push in enumerate(pushes.unbind(1), 1):
        belief = carried.update(belief, push, carried.see(frames[:, t]))
    torch.testing.assert_close(belief, whole)
    path = carried.imagine(belief, futures.actions)
    assert path.shape == (4, futures.actions.shape[1], GUSTY.size)
    assert not GUSTY.entry(path[:, 4:], "gust").any(), "no gust begins on it"
    fan = carried.imagine(belief, futures.actions, samples=64, generator=torch.Generator().manual_seed(0))
    assert GUSTY.entry(fan, "gust").ne(0).any()
    told = PlanningOracle().imagine(futures.start, futures.actions)
    assert torch.equal(told, GUSTY.simulate(futures.start, futures.actions))


def test_the_best_of_the_last_round_is_returned_where_asked_for_and_else_their_mean():
    seen = []

    def worth(tried):
        seen.append(tried)
        return 1.0 * (tried == SECRET).sum(-1)

    chances = torch.full((20, 6), 0.5)
    best = cross_entropy(worth, chances, torch.Generator().manual_seed(0), returns_best=True)
    rows = (seen[-1] == SECRET).sum(-1).argmax(1)
    assert torch.equal((best == SECRET).sum(-1), (seen[-1][torch.arange(20), rows] == SECRET).sum(-1))
    mean = cross_entropy(worth, chances, torch.Generator().manual_seed(0))
    assert ((mean > 0) & (mean < 1)).any(), "which is no plan"
