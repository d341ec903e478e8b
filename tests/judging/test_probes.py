"""Probes find what is there, and do not find what is not."""

import pytest
import torch

from latent_dynamics import probes
from latent_dynamics.models.training import Budget

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Budget(epochs=15, batch_size=64, learning_rate=1e-2)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_linear_probe_finds_a_straight_line_whatever_its_units():
    x = 100 * noise(300, 3) + 7
    y = x @ torch.tensor([[1.0, 0.0], [0.5, 2.0], [0.0, -3.0]]) + 4
    probe = probes.linear_probe(x[:200], y[:200], ridge=1e-8)
    torch.testing.assert_close(probe(x[200:]), y[200:], rtol=1e-3, atol=1e-2)


def test_an_mlp_probe_finds_a_bend_that_a_line_cannot():
    x = noise(800, 1)
    y = x.square()
    bent, straight = probes.mlp_probe(x[:600], y[:600], budget=QUICK), probes.linear_probe(x[:600], y[:600])
    assert probes.r_squared(bent(x[600:]), y[600:])[0] > 0.95
    assert probes.r_squared(straight(x[600:]), y[600:])[0] < 0.2


def test_no_probe_finds_what_is_not_there():
    x, y = noise(600, 4), noise(600, 1, seed=1)
    probe = probes.linear_probe(x[:400], y[:400])
    assert probes.r_squared(probe(x[400:]), y[400:])[0] < 0.1


def test_r_squared_is_one_for_the_truth_and_zero_for_its_mean():
    y = noise(50, 2)
    torch.testing.assert_close(probes.r_squared(y, y), torch.ones(2))
    torch.testing.assert_close(probes.r_squared(y.mean(0).expand_as(y), y), torch.zeros(2), atol=1e-6, rtol=0)


def test_a_probe_is_the_same_for_the_same_seed():
    x, y = noise(200, 2), noise(200, 1, seed=3)
    one, again, other = (probes.mlp_probe(x, y, seed=s, budget=QUICK)(x) for s in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_pca_keeps_the_directions_of_largest_spread():
    spread = torch.tensor([10.0, 5.0, 1.0, *[0.01] * 29])
    frames = (noise(400, 32) * spread).reshape(400, 4, 8)
    found = probes.pca(frames, 2)(frames)
    assert found.shape == (400, 2)
    flat = frames.flatten(1) - frames.flatten(1).mean(0)
    best = torch.linalg.svd(flat, full_matrices=False).S[:2]
    torch.testing.assert_close(found.norm(dim=0), best, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rows", [(3, 4), (0, 0)])
def test_a_probe_of_nothing_or_of_unequal_rows_is_refused(rows):
    with pytest.raises(ValueError, match="as many of each"):
        probes.linear_probe(torch.zeros(rows[0], 2), torch.zeros(rows[1], 1))
