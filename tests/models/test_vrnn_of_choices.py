"""A latent of choices: its KL and its draws are those of categorical distributions, and gradients pass."""

import torch
from torch.distributions import Categorical, kl_divergence

from latent_dynamics.models.training import seeded
from latent_dynamics.models.vrnn_of_choices import CLASSES, Choices, VRNNOfChoices, kl_of_choices


def some(seed, rows=3, choices=4):
    return Choices.of(torch.randn(rows, choices * CLASSES, generator=torch.Generator().manual_seed(seed)))


def as_torch(one):
    return Categorical(one.mean.unflatten(-1, (-1, CLASSES)))


def test_chances_of_a_choice_add_up_to_one_and_the_kl_is_the_libraries():
    q, p = some(0), some(1)
    torch.testing.assert_close(q.mean.unflatten(-1, (-1, CLASSES)).sum(-1), torch.ones(3, 4))
    torch.testing.assert_close(kl_of_choices(q, p), kl_divergence(as_torch(q), as_torch(p)))
    assert torch.equal(kl_of_choices(q, q), torch.zeros(3, 4))


def test_draws_pick_one_of_each_choice_as_often_as_its_chance_says():
    one = Choices(*(part.expand(20_000, -1) for part in some(0, rows=1)))
    drawn = one.draw(torch.randn(one.mean.shape, generator=torch.Generator().manual_seed(2)))
    torch.testing.assert_close(drawn.unflatten(-1, (-1, CLASSES)).sum(-1), torch.ones(20_000, 4))
    torch.testing.assert_close(drawn.mean(0), one.mean[0], atol=0.015, rtol=0)


def test_a_draw_hands_its_gradient_to_the_chances():
    raw = torch.randn(2, 2 * CLASSES, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.arange(2.0 * CLASSES)
    (Choices.of(raw).draw(torch.zeros_like(raw)) * weights).sum().backward()
    through = raw.grad.clone()
    raw.grad = None
    (Choices.of(raw).mean * weights).sum().backward()
    torch.testing.assert_close(through, raw.grad)


def test_the_loss_is_minus_the_elbo_with_the_kl_of_choices():
    with seeded(0):
        model = VRNNOfChoices(sigma=0.1)
    codes = torch.cat([torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(1)), torch.ones(3, 7, 1)], -1)
    actions, there = torch.ones(3, 6, dtype=torch.int64), torch.ones(3, 6)
    with torch.no_grad():
        with seeded(5):
            told = model.loss(codes, actions, there)
        with seeded(5):
            terms = model.walk(model.observed(codes), actions, torch.randn(3, 7, model.latent))
    torch.testing.assert_close(told["loss"], -(terms.fit - terms.kl.sum(-1)).mean())
    assert terms.kl.shape == (3, 7, 4) and (terms.kl >= 0).all()
