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


# What a lesson can ask for


def line(loss_of=None, budget=BUDGET, **settings):
    """Fit one number to 3 by 10 examples, with a loss or a budget of the test's own: (the number, history)."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    data = (torch.ones(10, 1), torch.full((10, 1), 3.0))

    def loss(x, y):
        return {"loss": (net(x) - y).square().mean()}

    history = train(net, loss_of(net) if loss_of else loss, data, data, budget, bar=False, **settings)
    return net.weight, history


def test_a_loss_that_asks_for_it_is_told_how_far_training_has_come():
    told, budget = [], Budget(epochs=3, batch_size=4, learning_rate=1e-2)

    def annealed(net):
        def loss(x, y, progress):
            told.append((progress.share, progress.epoch, progress.step, net.training))
            return {"loss": (net(x) - y).square().mean()}

        return loss

    line(annealed, budget)
    learned, held_out = ([one[:3] for one in told if one[3] == training] for training in (True, False))
    assert learned == [(step / 9, step // 3, step) for step in range(9)]
    assert held_out == [(step / 9, step // 3, step) for step in (3, 6, 9)]


def test_what_a_loss_does_with_its_progress_is_what_is_minimised():
    def annealed(net):
        def loss(x, y, progress):  # from the second half on the target is another
            return {"loss": (net(x) - y * (1 if progress.share < 0.5 else -1)).square().mean()}

        return loss

    budget = Budget(epochs=200, batch_size=10, learning_rate=0.3)
    assert line(annealed, budget)[0].item() < -1 and line(budget=budget)[0].item() > 1


def test_after_each_gradient_step_a_lesson_may_do_something_of_its_own():
    seen = []

    def watched(net):
        def loss(x, y):
            if net.training:
                seen.append(["loss", float(net.weight)])
            return {"loss": (net(x) - y).square().mean()}

        return loss

    budget = Budget(epochs=2, batch_size=5, learning_rate=1e-2)
    line(watched, budget, after_step=lambda: seen.append(["after"]))
    assert [one[0] for one in seen] == 4 * ["loss", "after"]
    assert seen[0][1] == 0 != seen[2][1]


@pytest.mark.parametrize("clip", [None, 0.5])
def test_gradients_are_shortened_only_where_they_are_to_be(clip):
    norms = []

    def steep(net):
        def loss(x, y):
            return {"loss": 100 * (net(x) - y).square().mean()}

        net.weight.register_post_accumulate_grad_hook(lambda one: norms.append(("before", float(one.grad.norm()))))
        steep.net = net
        return loss

    def remember():
        norms.append(("after", float(steep.net.weight.grad.norm())))

    line(steep, Budget(epochs=1, batch_size=10, learning_rate=1e-2, clip=clip), after_step=remember)
    before, after = dict(norms)["before"], dict(norms)["after"]
    assert before > 100 and after == pytest.approx(before if clip is None else clip, rel=1e-3)


def test_a_seed_leaves_the_random_streams_of_gpus_as_they_were(monkeypatch):
    streams = [torch.tensor([11]), torch.tensor([22])]  # as if there were two
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(streams))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: streams[device].clone())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: streams[device].copy_(state))
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: [stream.fill_(seed) for stream in streams])
    with seeded(5):
        assert [int(stream) for stream in streams] == [5, 5]
    assert [int(stream) for stream in streams] == [11, 22]
