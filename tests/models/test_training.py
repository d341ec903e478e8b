"""The one training loop: it learns, it repeats itself to the bit, and it says so when it cannot go on."""

import numpy as np
import pytest
import torch
from torch import nn

from latent_dynamics.models.training import Budget, average, seeded, train

pytestmark = pytest.mark.usefixtures("one_thread")
BUDGET = Budget(epochs=6, batch_size=16, learning_rate=3e-2)


def toy(seed=0, budget=BUDGET, examples=200, held_out=40, spoil=False):
    """Fit y = 2 x0 - x1 with a small network that drops out units, which draws on the random stream."""
    rng = torch.Generator().manual_seed(7)
    x = torch.randn(examples + held_out, 2, generator=rng)
    y = 2 * x[:, :1] - x[:, 1:]
    if spoil:
        y[3] = torch.nan
    with seeded(seed):
        net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.05), nn.Linear(16, 1))

    def loss(x, y):
        error = (net(x) - y).square().mean()
        return {"loss": error + 0.5 * error, "error": error}

    data, validation = (x[:examples], y[:examples]), (x[examples:], y[examples:])
    return net, train(net, loss, data, validation, budget, seed, "toy", bar=False)


def test_the_same_seed_gives_the_same_losses_and_weights_to_the_bit():
    (net, history), (again, history_again) = toy(), toy()
    assert all(np.array_equal(values, history_again[name]) for name, values in history.items())
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), again.parameters()))


def test_another_seed_gives_other_losses():
    assert not np.array_equal(toy(seed=0)[1]["train loss"], toy(seed=1)[1]["train loss"])


def test_training_does_not_depend_on_what_was_drawn_before():
    torch.manual_seed(1)
    first = toy()[1]["train loss"]
    torch.manual_seed(2)
    assert np.array_equal(first, toy()[1]["train loss"])


def test_training_leaves_the_random_stream_outside_as_it_was():
    torch.manual_seed(5)
    untouched = torch.rand(3)
    torch.manual_seed(5)
    toy()
    assert torch.equal(torch.rand(3), untouched)


def test_the_history_has_every_term_of_both_splits_once_an_epoch():
    history = toy()[1]
    assert set(history) == {"train loss", "train error", "validation loss", "validation error"}
    assert all(values.shape == (BUDGET.epochs,) and np.isfinite(values).all() for values in history.values())
    np.testing.assert_allclose(history["train loss"], 1.5 * history["train error"], rtol=1e-5)


def test_training_lowers_the_loss_on_data_it_has_not_seen():
    history = toy()[1]
    assert history["validation loss"][-1] < 0.1 * history["validation loss"][0]


def test_the_last_validation_loss_is_that_of_the_trained_module_in_evaluation_mode():
    net, history = toy()
    assert not net.training
    rng = torch.Generator().manual_seed(7)
    x = torch.randn(240, 2, generator=rng)[200:]
    with torch.no_grad():
        error = (net(x) - (2 * x[:, :1] - x[:, 1:])).square().mean()
    assert history["validation error"][-1] == pytest.approx(float(error), rel=1e-5)


def test_averages_weigh_examples_and_not_batches():
    values = torch.arange(10.0)
    assert average(lambda v: {"loss": v.mean()}, (values,), batch_size=4)["loss"] == pytest.approx(4.5)


def test_a_loss_that_is_no_longer_a_number_stops_training_with_a_clear_error():
    with pytest.raises(ValueError, match="toy: the loss became nan"):
        toy(spoil=True)
    with pytest.raises(ValueError, match="lower the learning rate"):
        toy(budget=Budget(epochs=60, batch_size=16, learning_rate=1e18))


@pytest.mark.parametrize("empty,sizes", [("training", {"examples": 0}), ("validation", {"held_out": 0})])
def test_empty_data_are_refused(empty, sizes):
    with pytest.raises(ValueError, match=f"toy: the {empty} data are empty"):
        toy(**sizes)
