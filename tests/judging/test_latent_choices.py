"""How a latent of choices is used is measured by the KL that choices have."""

import pytest
import torch

from latent_dynamics.judging.latent_choices import likely
from latent_dynamics.models.eyes import BalanceEyes
from latent_dynamics.models.training import seeded
from latent_dynamics.models.vrnn_of_choices import VRNNOfChoices

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(mixed_episodes):
    with seeded(0):
        model = VRNNOfChoices(sigma=0.1).eval().requires_grad_(False)
    eyes = BalanceEyes()
    eyes.fit(torch.from_numpy(mixed_episodes.frames).float() / 255)
    model.eyes.load_state_dict(eyes.state_dict())
    return model


def test_there_is_a_figure_for_each_choice_and_none_is_below_nought(model, mixed_episodes):
    found = likely(model, mixed_episodes)
    assert len(found["latent"]["kl"]) == 4 and min(found["latent"]["kl"]) >= 0
    assert found["nats"] == found["latent"]["nats"] and sum(found["latent"]["kl"]) > 0.001


def test_a_latent_that_says_nothing_carries_nothing(model, mixed_episodes):
    for net in (model.infers, model.expects):
        for part in net[2].parameters():
            part.zero_()
    found = likely(model, mixed_episodes)["latent"]
    assert sum(found["kl"]) == pytest.approx(0, abs=1e-6)
