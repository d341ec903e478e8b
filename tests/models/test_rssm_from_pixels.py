"""The model straight from pixels: its likelihood is that of every pixel, and it answers to the interface."""

import pytest
import torch

from latent_dynamics.judging.measuring_pixels import Foresight
from latent_dynamics.models.eyes import seen
from latent_dynamics.models.gaussian import Gaussian
from latent_dynamics.models.rssm_from_pixels import PICTURES, RSSMFromPixels
from latent_dynamics.models.training import seeded

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(mixed_episodes):
    with seeded(0):
        model = RSSMFromPixels()
    model.looked([mixed_episodes, mixed_episodes])
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def cut(mixed_episodes):
    frames, actions, _ = mixed_episodes.windows(6, stride=9)
    return torch.from_numpy(frames), torch.from_numpy(actions)


def test_the_likelihood_is_that_of_every_pixel(model, cut):
    frames = cut[0][:5, 0]
    memory = model.first(5)
    z = torch.randn(5, model.latent, generator=torch.Generator().manual_seed(0))
    drawn = model.eyes.draw(model.emission(memory, z))
    every = Gaussian(drawn.flatten(1), model.sigma.expand(drawn[0].numel())).log_prob(frames.flatten(1))
    torch.testing.assert_close(model.fit(memory, z, model.see(frames)), every, rtol=1e-4, atol=1e-2)


def test_it_filters_dreams_and_draws_as_every_model_does(model, cut):
    frames, actions = cut
    beliefs = model.filter(frames, actions)
    assert beliefs.shape == (len(frames), 7, model.state_size)
    fan = model.imagine(beliefs[:, -1], actions, samples=3, generator=torch.Generator().manual_seed(0))
    assert fan.shape == (len(frames), 3, 6, model.state_size) and (fan.std(1) > 0).any()
    assert model.decode(fan).shape == (*fan.shape[:-1], 32, 100)
    assert model.imagine(beliefs[:, -1], actions).shape == (len(frames), 6, model.state_size)
    assert model.outcome(fan)[1].shape == fan.shape[:-1]
    memories = model.split(beliefs[:, 3])[1]
    assert memories.shape[1] + PICTURES + 2 * model.latent == model.state_size


def test_learning_draws_frames_and_every_parameter_learns(model, mixed_episodes):
    with seeded(0):
        fresh = RSSMFromPixels()
    fresh.load_state_dict(model.state_dict())
    codes = seen(fresh.eyes, mixed_episodes)[:32].unflatten(0, (4, 8))
    fresh.loss(codes, torch.ones(4, 7, dtype=torch.int64), torch.ones(4, 7))["loss"].backward()
    unmoved = [name for name, part in fresh.named_parameters() if part.grad is None and not name.startswith("goes_on")]
    assert not unmoved


def test_foresight_finds_what_can_be_foreseen_and_no_more():
    from latent_dynamics.models.training import Budget, train

    g = torch.Generator().manual_seed(0)
    actions = torch.randint(0, 2, (200, 24), generator=g)
    moved = torch.cat([torch.zeros(200, 1), (0.1 * (2.0 * actions - 1)).cumsum(1)], 1)
    noise = 0.1 * torch.randn(200, 25, generator=g).cumsum(1)
    z = torch.stack([moved, noise], -1)
    with seeded(0):
        foresight = Foresight(z)
    train(foresight, foresight.loss, (z, actions), (z, actions), Budget(20, 50, 3e-3), bar=False)
    with torch.no_grad():
        missed = (foresight(z, actions) - z[:, 1:])[:, 8:].square().mean((0, 1)).sqrt()
    assert missed[0] < 0.04 < 0.07 < missed[1]
