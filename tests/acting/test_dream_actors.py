"""Actors that learn in dreams: on a line whose best actor is known, and of a trained rung."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latent_dynamics.acting.actor_training import Evolution, Gradient, by_evolution, by_gradient
from latent_dynamics.acting.controllers import belief_returns
from latent_dynamics.acting.dreamt_games import LIKELY, Actor, Known, dreamt_return, where_dreams_begin
from latent_dynamics.acting.ensembles import Ensemble
from latent_dynamics.keeping.artifacts import load_episodes, load_model
from latent_dynamics.models.world_model import WorldModel

pytestmark = pytest.mark.usefixtures("one_thread")


class Line(WorldModel):
    """A place on a line that pushes move by a half, and that wind may move too; farther out than 3 nothing lives."""

    state_size, scatter_noise, step_noise = 1, 0, 1

    def see(self, frames):
        return frames.flatten(1)[:, :1]

    def begin(self, code):
        return code

    def update(self, belief, action, code):
        return code

    def step(self, belief, action):
        return belief + action[:, None] - 0.5

    def sample_step(self, belief, action, noise):
        return self.step(belief, action) + noise

    def scatter(self, belief, noise):
        return belief

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(5 * (3 - states[..., 0].abs()))


class Windward(Line):
    """The same, and nothing is known to end."""

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.ones(states.shape[:-1])


BEGINS = torch.linspace(-2, 2, 41)[:, None]


def pushes(to):
    return lambda states: torch.full((len(states),), to, dtype=torch.int64)


def test_a_dreamt_game_is_worth_the_steps_that_it_is_expected_to_last():
    right = dreamt_return(Line(), pushes(1), torch.zeros(1, 1), 4)
    alive = torch.sigmoid(5 * (3 - torch.tensor([0.5, 1.0, 1.5, 2.0]))).cumprod(0)
    assert torch.allclose(right, alive.sum()[None])
    assert dreamt_return(Line(), pushes(1), torch.zeros(1, 1), 200) < 7
    endless = dreamt_return(Windward(), pushes(1), torch.zeros(3, 1), 50)
    assert torch.allclose(endless, torch.tensor(50.0)), "the control"


def test_a_push_between_both_leads_between_both_and_has_a_slope():
    share = torch.tensor([0.25], requires_grad=True)
    lasts = dreamt_return(Line(), lambda states: share, torch.tensor([[2.0]]), 1)
    assert torch.allclose(lasts, torch.sigmoid(torch.tensor([5 * (3 - 1.75)])))
    lasts.sum().backward()
    assert share.grad < 0, "farther right is nearer to the end"


def test_temperature_scales_the_wind_and_one_seed_has_one_wind():
    def lasts(tau):
        g = torch.Generator().manual_seed(0)
        return dreamt_return(Line(), pushes(0), torch.zeros(200, 1), 10, tau, g)

    assert torch.equal(lasts(1.0), lasts(1.0))
    assert lasts(0.0).std() < 1e-5 < lasts(0.2).std() < lasts(1.0).std()


def test_a_cautious_dream_is_over_where_nobody_has_been():
    known = Known(torch.tensor([[-1.0], [1.0]]))
    assert known.holds(torch.tensor([[0.0], [1.1], [1.3], [-1.3]])).tolist() == [True, True, False, False]
    bold = dreamt_return(Windward(), pushes(1), torch.zeros(1, 1), 10)
    cautious = dreamt_return(Windward(), pushes(1), torch.zeros(1, 1), 10, known=known)
    assert bold == 10 and cautious == pytest.approx(2 + LIKELY, abs=1e-4)


@pytest.mark.parametrize(
    ("train", "budget"),
    [(by_evolution, Evolution(steps=30, generations=12)), (by_gradient, Gradient(steps=30, updates=60))],
)
def test_both_ways_find_the_way_back_to_the_middle(train, budget):
    actor, history = train(Line(), BEGINS, budget, seed=0)
    ends = torch.tensor([[-2.0], [2.0]])
    assert actor.act(ends).tolist() == [1, 0]
    assert dreamt_return(Line(), actor.act, ends, 100).min() > 95
    assert dreamt_return(Line(), Actor(BEGINS).act, ends, 100).min() < 20, "the control: untrained"
    assert history[-1] > history[0]
    again, _ = train(Line(), BEGINS, budget, seed=0)
    assert torch.equal(again.weight, actor.weight), "one seed, one actor"


def test_whole_pushes_are_pushes_and_soft_ones_are_not():
    class Watched(Line):
        seen = []

        def outcome(self, states):
            self.seen.append(states.detach().clone())
            return super().outcome(states)

    for hard in (True, False):
        Watched.seen = []
        by_gradient(Watched(), torch.ones(8, 1), Gradient(steps=2, updates=6, hard=hard))
        places = torch.cat(Watched.seen)
        assert bool(((2 * places) % 1 == 0).all()) == hard


def test_what_says_nothing_in_a_dream_is_not_heeded():
    beliefs = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    dreamt = beliefs * torch.tensor([1.0, 0.0])  # a doubt that no dream has
    actor = Actor(beliefs, dreamt)
    actor.weight.data.fill_(1.0)
    told = torch.tensor([[0.0, 3.0], [0.0, -3.0]])
    assert torch.allclose(*actor(told)), "of the second number it knows nothing"
    rssm = load_model("rssm")
    begins = rssm.begin(torch.tensor([[0.1, 0.2, 1.0], [-0.3, 0.1, 1.0], [0.4, -0.2, 1.0]]))
    actor, _ = by_evolution(rssm, begins, Evolution(steps=2, generations=1))
    assert (actor.spread[-rssm.latent :] > 1e8).all(), "the standard deviations of the belief"


def test_dreams_begin_at_every_frame_but_the_last_or_within_the_first(mixed_episodes):
    model = load_model("position_velocity")
    few = mixed_episodes[:3]
    everywhere = where_dreams_begin(model, few)
    assert len(everywhere) == few.lengths.sum()
    early = where_dreams_begin(model, few, within=5)
    assert len(early) == np.minimum(few.lengths, 5).sum()
    assert torch.equal(early[:5], everywhere[:5])


def test_an_ensemble_agrees_by_mean_worst_and_best():
    state = torch.tensor([[2.9, 2.9]])
    chances = {how: float(Ensemble([Line(), Windward()], how).outcome(state)[1]) for how in ("mean", "worst", "best")}
    assert chances["best"] == 1 > chances["mean"] > chances["worst"] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert chances["mean"] == pytest.approx((1 + chances["worst"]) / 2)
    moved = Ensemble([Line(), Windward()]).step(torch.zeros(1, 2), torch.tensor([1]))
    assert moved.tolist() == [[0.5, 0.5]]
    with pytest.raises(ValueError, match="no ensemble agrees on 'loudest'; there are mean, worst, best"):
        Ensemble([Line()], "loudest")


def test_an_actor_of_a_trained_rungs_dreams_balances_and_one_that_dreamt_nothing_does_not():
    model = load_model("position_velocity")
    begins = where_dreams_begin(model, load_episodes("mixed", "train"))
    actor, _ = by_evolution(model, begins, replace(Evolution(), generations=15))
    returns, _ = belief_returns(model, actor.act, 10, seed=1, limit=200)
    nothing, _ = belief_returns(model, Actor(begins).act, 10, seed=1, limit=200)
    assert returns.mean() > 150 > 20 > nothing.mean()
