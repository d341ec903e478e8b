"""The study's models and measures: points of one training, disturbed physics, and figures that are known beforehand."""

import numpy as np
import pytest
import torch

from latent_dynamics import artifacts, drift, judging_set, references
from latent_dynamics.judging import ladder, measuring_study, studied
from latent_dynamics.judging.noisy_physics import NoisyPhysics
from latent_dynamics.judging.planning_references import ToldTheState
from latent_dynamics.judging.references import ExactPhysics
from latent_dynamics.models import PositionVelocity
from latent_dynamics.models.world_model import WorldModel


@pytest.fixture(scope="module")
def judges():
    return judging_set.collected("validation")[:20]


@pytest.fixture(scope="module")
def cuts():
    return {name: cut[::6] for name, cut in ladder._study_windows().items()}


class Reflex(WorldModel):
    """Believes that its one number goes on, with a chance that it says itself; a push changes nothing."""

    state_size = 1

    def step(self, belief, action):
        return belief

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(states[..., 0])

    def goes_on_logit(self, states):
        return states[..., 0]


def test_windows_are_of_validation_episodes_and_as_long_as_the_study_looks(cuts):
    for cut in cuts.values():
        assert cut.horizon == max(measuring_study.HORIZONS)
        assert len(cut.pixels[0]) == cut.context + cut.horizon + 1 and cut.states.shape[1] == cut.horizon + 1


def test_a_model_is_seen_at_every_point_of_one_training():
    name = "a short training"
    splits = ladder._studied_splits("mixed", 0)
    model = PositionVelocity()
    model.eyes.load_state_dict(artifacts.load_balance_eyes(shipped=True).state_dict())
    seen = [
        (point, {k: v.clone() for k, v in model.state_dict().items()}, terms["loss"])
        for point, model, terms in studied.studied(model, splits, 0, 1 / 8, name)
    ]
    assert [point for point, *_ in seen] == list(studied.POINTS)
    losses = [loss for *_, loss in seen]
    assert losses[-1] < 0.5 * losses[0]
    first, last = seen[0][1], seen[-1][1]
    assert not torch.equal(first["gains"], last["gains"])
    assert not torch.equal(first["goes_on.0.weight"], last["goes_on.0.weight"]), "the end is learned anew"
    assert all(torch.equal(first[k], last[k]) for k in first if k.startswith("eyes.")), "eyes stay as they were"


def test_disturbed_physics_is_exact_without_noise_and_worse_with_more(cuts):
    change, cut = [0.02, 0.2, 0.02, 0.3], cuts["intervened"]
    start = cut.states[:, 0]
    exact = ExactPhysics().imagine(start, cut.actions)
    off = [
        (NoisyPhysics(noise, change).imagine(start, cut.actions) - exact).abs().mean() for noise in (0, 0.1, 1)
    ]
    assert off[0] == 0 < off[1] < off[2]
    again = NoisyPhysics(1, change).imagine(start, cut.actions)
    assert (again - exact).abs().mean() == off[2], "the same noise each time"


def test_who_knows_the_state_knows_the_end_and_who_knows_nothing_does_not(judges):
    truth = measuring_study.ends(NoisyPhysics(0, [0.0] * 4), torch.from_numpy(judges.states), judges)
    assert truth["ends_auc"] == 1 and truth["ends_score"] < 1e-4 and truth["ends_ratio"] < 0.01
    share = judges.terminated.mean()
    logit = float(np.log(1 / share - 1))
    dull = measuring_study.ends(Reflex(), torch.full((len(judges.states), 1), logit), judges)
    assert dull["ends_auc"] == pytest.approx(0.5) and dull["ends_ratio"] < 0.01
    assert dull["ends_score"] == pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share), rel=1e-3)


def test_exact_physics_puts_plans_in_their_order(cuts):
    found = measuring_study.believed(ToldTheState(), cuts["intervened"])
    assert found["regret"] == 0 and found["survival_brier"] < 1e-6 and found["ranks"] > 0.9


def test_the_crps_of_a_point_is_its_mean_error_and_no_pole_is_a_large_one(cuts):
    cut = cuts["intervened"]
    free = drift.judge(references.RepeatLastFrame(), cut)
    found = measuring_study.crps(references.RepeatLastFrame(), cut, free)
    assert found["crps_5"] == pytest.approx(np.nanmean(free.theta_error[:, 4]))
    free.theta_error[free.alive] = np.inf
    assert measuring_study.crps(references.RepeatLastFrame(), cut, free)["crps_20"] == measuring_study.WORST


def test_observability_counts_the_directions_that_speak_of_the_end():
    class Line(Reflex):
        """Two numbers, of which the first goes on as it is and alone says whether it goes on."""

        def step(self, belief, action):
            return belief * torch.tensor([1.0, 0.5])

    class Pair(Line):
        def goes_on_logit(self, states):
            return states.sum(-1)

    beliefs = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    line, pair = (measuring_study.observability(kind(), beliefs) for kind in (Line, Pair))
    assert line["observed_rank"] == pytest.approx(1) and pair["observed_rank"] > 1.01
    assert line["observed_size"] == pytest.approx(np.log10(20 * float(beliefs[:, 0].var())), abs=0.01)
