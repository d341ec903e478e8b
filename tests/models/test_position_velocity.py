"""Positions and velocities: eyes that find where the ink balances, a filter whose gains are learned, and strips."""

import numpy as np
import pytest
import torch
from awake import frames_at

from latent_dynamics.judging.references import untrained
from latent_dynamics.models import PositionVelocity
from latent_dynamics.models.position_velocity import CONTEXT
from latent_dynamics.models.training import seeded

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def scenes():
    """Cart positions and pole angles (360, 2) at which nothing is cut off, and their frames."""
    where = np.random.default_rng(0).uniform((-1.9, -0.2), (1.9, 0.2), (360, 2))
    return where, frames_at(*where.T)


@pytest.fixture(scope="module")
def eyes(scenes):
    """An untrained PositionVelocity whose eyes were fitted to the first 240 scenes."""
    model = untrained(PositionVelocity)
    model.eyes.fit(scenes[1][:240])
    return model


@pytest.mark.parametrize("side", [-1, 1])
def test_a_frame_that_the_edge_cuts_off_is_not_trusted_and_does_not_move_the_belief(eyes, side):
    x = side * np.array([0.0, 1.5, 2.1, 2.25, 2.3, 2.4])
    with torch.no_grad():
        codes = eyes.see(frames_at(x, np.zeros(6)))
        belief = torch.cat([torch.full((6, 4), 5.0), eyes.begin(codes)[:, 4:]], 1)
        push = torch.ones(6, dtype=torch.int64)
        moved, corrected = eyes.step(belief, push)[:, :4], eyes.update(belief, push, codes)[:, :4]
    assert codes[:, 2].tolist() == [1, 1, 1, 0, 0, 0]
    assert torch.equal(moved[3:], corrected[3:])
    assert ((moved[:3] - corrected[:3]).abs().amax(1) > 0.1).all()


def filtered(model, q, push=1):
    """Beliefs (T, D) from positions alone (T, 2), all of them trusted."""
    codes = torch.cat([q, torch.ones(len(q), 1)], 1)[:, None]
    beliefs, push = [model.begin(codes[0])], torch.full((1,), push)
    for code in codes[1:]:
        beliefs.append(model.update(beliefs[-1], push, code))
    return torch.cat(beliefs).detach()


def test_a_steady_motion_is_followed_exactly_from_the_second_frame_on():
    model, v = untrained(PositionVelocity), torch.tensor([0.03, -0.07])
    q = torch.tensor([0.4, -1.0]) + torch.arange(25)[:, None] * v
    beliefs = filtered(model, q)  # more frames than it has gains for
    torch.testing.assert_close(beliefs[:, :2], q, rtol=0, atol=1e-5)
    assert (beliefs[0, 2:4] == 0).all()
    torch.testing.assert_close(beliefs[1:, 2:4], v.expand(24, 2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 7, 15])
def test_before_any_learning_the_gains_fit_a_straight_line_through_all_frames_seen(count):
    model, t = untrained(PositionVelocity), np.arange(count)
    q = torch.randn(count, 2, generator=torch.Generator().manual_seed(count))
    slope, start = np.polyfit(t, q.double().numpy(), 1)
    belief = filtered(model, q)[-1].double().numpy()
    np.testing.assert_allclose(belief[:4], [*(start + slope * t[-1]), *slope], rtol=0, atol=1e-4)


def test_each_frame_has_its_own_gain_and_all_late_ones_share_the_last():
    model = untrained(lambda: PositionVelocity(remembers=5))
    q = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    before = filtered(model, q)
    assert before[:, 4:].argmax(1).tolist() == [0, 1, 2, 3, 4, 4, 4, 4]
    assert torch.equal(before[:, 4:].sort(1).values, torch.tensor([0.0, 0, 0, 0, 1]).expand(8, 5))
    for number, first in ((2, 2), (4, 4), (0, 8)):  # the first frame is taken as it is
        changed = untrained(lambda: PositionVelocity(remembers=5))
        with torch.no_grad():
            changed.gains[number] *= 0.5
        differs = (filtered(changed, q) != before).any(1)
        assert not differs[:first].any() and differs[first:].all()


def moving(curved=True):
    """A model whose mechanics have random weights."""
    model = untrained(lambda: PositionVelocity(curved=curved))
    with torch.no_grad(), seeded(0):
        model.linear.weight.normal_()
        model.curve[2].weight.normal_()
    return model


def test_no_gain_is_used_up_in_a_dream():
    belief = filtered(moving(), torch.randn(6, 2))
    states = moving().imagine(belief, torch.ones(6, 5, dtype=torch.int64))
    assert torch.equal(states[..., 4:], belief[:, None, 4:].expand(-1, 5, -1))


def test_a_push_changes_the_speed_first_and_the_place_a_step_later():
    model, belief = moving(), torch.randn(6, 19)
    left, right = (model.imagine(belief, torch.full((6, 2), push)) for push in (0, 1))
    assert torch.equal(left[:, 0, :2], right[:, 0, :2])
    torch.testing.assert_close(left[:, 0, :2], belief[:, :2] + belief[:, 2:4])
    assert (left[:, 0, 2:4] != right[:, 0, 2:4]).all() and (left[:, 1, :2] != right[:, 1, :2]).all()


@pytest.mark.parametrize("curved", [True, False])
def test_without_its_curve_the_change_of_speed_is_linear(curved):
    model = moving(curved)
    q, v = torch.randn(2, 50, 2), 0.1 * torch.randn(2, 50, 2)
    change = lambda q, v: model.move(q, v, torch.ones(50, dtype=torch.int64))[1] - v  # noqa: E731
    between, mean = change(q.mean(0), v.mean(0)), (change(q[0], v[0]) + change(q[1], v[1])) / 2
    assert torch.allclose(between, mean, atol=1e-5) == (not curved)


def test_gains_are_learned_unless_they_are_to_stay_those_of_a_line():
    assert PositionVelocity().gains.requires_grad
    fixed = PositionVelocity(learn_gains=False)
    assert not fixed.gains.requires_grad and torch.equal(fixed.gains, PositionVelocity().gains)


def test_without_its_filter_it_believes_the_last_reading_and_the_last_change():
    model, q = untrained(lambda: PositionVelocity(filters=False)), torch.randn(8, 2)
    beliefs = filtered(model, q)
    torch.testing.assert_close(beliefs[:, :2], q, rtol=0, atol=1e-5)
    torch.testing.assert_close(beliefs[1:, 2:4], q.diff(dim=0), rtol=0, atol=1e-5)
    assert not model.gains.requires_grad
    assert (filtered(untrained(PositionVelocity), q)[2:, :4] - beliefs[2:, :4]).abs().amin(1).min() > 1e-3


def test_positions_of_the_autoencoder_are_its_latent_in_units_of_its_spread():
    model = untrained(lambda: PositionVelocity(eyes="autoencoder", latent_size=3))
    model.mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    model.spread.copy_(torch.tensor([0.5, 1.0, 2.0]))
    z = torch.randn(4, 3)
    belief = model.begin(z)
    torch.testing.assert_close(belief[:, :3], (z - model.mean) / model.spread)
    torch.testing.assert_close(model.decode(belief), model.eyes.decode(z), rtol=1e-4, atol=1e-5)
    assert (belief[:, 3:6] == 0).all() and model.state_size == belief.shape[1] == 6 + 15


@pytest.mark.parametrize("at", [CONTEXT - 3, CONTEXT + 4], ids=["seen", "dreamt"])
def test_a_frame_that_hides_something_teaches_nothing(at):
    model, rng = untrained(PositionVelocity), torch.Generator().manual_seed(0)
    codes = torch.cat([torch.randn(6, CONTEXT + 5, 2, generator=rng), torch.ones(6, CONTEXT + 5, 1)], -1)
    actions, ends = torch.ones(2, 6, CONTEXT + 4, dtype=torch.int64)

    def loss(trusted, wrong):
        changed = codes.clone()
        changed[:, at, :2] += wrong
        changed[:, at, 2] = trusted
        return model.dream_loss(changed, actions, ends)["loss"]

    assert loss(0, 5) == loss(0, 0)
    assert loss(1, 5) != loss(1, 0)


@pytest.mark.parametrize("bad", [{"horizon": 0}, {"remembers": 1}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match="expected at least 1, and at least 2"):
        PositionVelocity(**bad)
