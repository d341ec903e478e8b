"""Eyes: how well they see, how truly their pen draws, and that a model of either kind gets the ones it needs."""

import numpy as np
import pytest
import torch
from awake import frames_at

from latent_dynamics import reader
from latent_dynamics.judging.references import untrained
from latent_dynamics.keeping.artifacts import LADDER
from latent_dynamics.models import Autoencoder, BalanceEyes, MultiStep, PositionVelocity, Recurrent, make_eyes
from latent_dynamics.models.eyes import reading, seen
from latent_dynamics.models.training import Budget, train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def scenes():
    """Cart positions and pole angles (900, 2) at which nothing is cut off, and their frames: a few poles lean far."""
    rng = np.random.default_rng(0)
    where = np.stack([rng.uniform(-1.9, 1.9, 900), rng.normal(0, 0.07, 900)], 1)
    where[::10, 1] = rng.uniform(-0.35, 0.35, 90)
    return where, frames_at(*where.T)


@pytest.fixture(scope="module")
def eyes(scenes):
    """Balance eyes that were fitted to the first 600 scenes."""
    eyes = untrained(BalanceEyes)
    eyes.fit(scenes[1][:600])
    return eyes


def cubic(q):
    """All products of two numbers up to the third degree: (M, 2) -> (M, 10)."""
    return np.stack([q[:, 0] ** i * q[:, 1] ** j for i in range(4) for j in range(4 - i)], 1)


def errors(codes, where):
    """Root mean square errors in cm and degrees of what the best cubic map reads off codes, on scenes held out."""
    inputs = cubic(codes.double().numpy())
    fit = np.linalg.lstsq(inputs[:600], where[:600], rcond=None)[0]
    missed = where[600:] - inputs[600:] @ fit
    return np.sqrt((missed**2).mean(0)) * (100, 180 / np.pi)


def test_the_eyes_see_where_cart_and_pole_are_also_when_the_pole_leans_far(eyes, scenes):
    where, frames = scenes
    with torch.no_grad():
        codes = eyes.see(frames)
        points, _ = eyes.balance(frames)
    assert codes.shape == (900, 3) and (codes[:, 2] == 1).all()
    torch.testing.assert_close(codes[:600, :2].std(0), torch.ones(2), rtol=0.1, atol=0)
    torch.testing.assert_close(codes[:600, :2].mean(0), torch.zeros(2), rtol=0, atol=0.05)
    x, theta = errors(codes[:, :2], where)
    assert x < 0.3 and theta < 0.3
    flat = (points - points.mean(0)) * eyes.rows  # the control: all rows believed alike, those without ink too
    plane = flat @ torch.linalg.svd(flat[:600], full_matrices=False)[2][:2].T
    assert errors(plane, where)[1] > 5 * theta


def test_a_row_without_ink_is_not_believed(eyes):
    upright, leaning = frames_at(np.array([0.3, 0.3]), np.array([0.0, 0.34])).unsqueeze(1)
    wrong = untrained(BalanceEyes)
    wrong.load_state_dict(eyes.state_dict())
    with torch.no_grad():
        wrong.middle[2] += 1  # the top row, which holds ink only while the pole stands
        assert eyes.rows[2] == 1 and eyes.balance(upright)[1][0, 2] > 0.3 and eyes.balance(leaning)[1][0, 2] == 0
        assert torch.equal(wrong.see(leaning), eyes.see(leaning))
        assert (wrong.see(upright) - eyes.see(upright))[0, :2].abs().max() > 0.1


@pytest.fixture(scope="module")
def drawing(eyes, scenes):
    """The same eyes when their pen has learned from the first 600 scenes."""
    pen = untrained(BalanceEyes)
    pen.load_state_dict(eyes.state_dict())
    with torch.no_grad():
        q = pen.see(scenes[1])[:, :2]
    data, held_out = ((q[rows], scenes[1][rows]) for rows in (slice(600), slice(600, 900)))
    train(pen, pen.picture_loss, data, held_out, Budget(25, 32, 2e-2), bar=False)
    return pen


def test_the_pen_draws_what_the_eyes_saw(drawing, scenes):
    where, frames = scenes[0][600:], scenes[1][600:]
    with torch.no_grad():
        drawn = drawing.decode(drawing.see(frames)[:, :2])
        wild = drawing.decode(3 * torch.randn(20, 2))
    assert (drawn - frames).square().mean() < 0.05 * (frames - frames.mean(0)).square().mean()
    assert 0 <= wild.min() and wild.max() <= 1
    real, again = reader.read(frames), reader.read(drawn)
    assert again.valid.all()
    off = reader.degrees(again.theta - real.theta).numpy()
    leans = reader.degrees(where[:, 1])
    for low, high in ((-12, -4), (-4, 0), (0, 4), (4, 12)):  # at no lean is the pen off by itself
        assert abs(off[(leans > low) & (leans <= high)].mean()) < 0.1, (low, high)
    assert np.median(abs(off)) < 0.25
    assert 100 * (again.x - real.x).abs().median() < 0.2


def test_eyes_are_made_by_name_and_unknown_ones_refused():
    assert isinstance(make_eyes("autoencoder", 3), Autoencoder) and make_eyes("autoencoder", 3).size == 3
    assert isinstance(make_eyes("balance"), BalanceEyes) and make_eyes("balance").size == 2
    with pytest.raises(ValueError, match="no eyes called 'sharp'; there are autoencoder, balance"):
        make_eyes("sharp")


def test_what_cannot_tell_what_it_sees_is_always_believed():
    code = torch.rand(4, 3)
    q, whole = reading(code, 2)
    assert torch.equal(q, code[:, :2]) and torch.equal(whole, code[:, 2:])
    q, whole = reading(code, 3)
    assert torch.equal(q, code) and torch.equal(whole, torch.ones(4, 1))


@pytest.mark.parametrize("kind", ["autoencoder", "balance"])
def test_every_frame_of_episodes_is_seen_once_and_in_order(kind, mixed_episodes):
    eyes = untrained(lambda: make_eyes(kind, 3))
    if kind == "balance":
        eyes.fit(torch.from_numpy(mixed_episodes.frames / np.float32(255)))
    codes = seen(eyes, mixed_episodes, batch=100)
    assert codes.shape == (len(mixed_episodes.frames), 3)
    with torch.no_grad():
        alone = eyes.see(torch.from_numpy(mixed_episodes.frames[[7, 450]] / np.float32(255)))
    torch.testing.assert_close(codes[[7, 450]], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LADDER)
def test_a_rung_says_which_eyes_it_needs_and_has_such(name):
    model = LADDER[name]()
    wanted = {"autoencoder": Autoencoder, "balance": BalanceEyes}[model.needs_eyes]
    assert isinstance(model.eyes, wanted)
    theirs = {part for part in model.state_dict() if part.startswith("eyes.")}
    assert len(theirs) == len(model.eyes.state_dict())
    if wanted is Autoencoder:
        assert model.autoencoder is model.eyes


@pytest.mark.parametrize("make", [MultiStep, Recurrent, PositionVelocity])
@pytest.mark.parametrize("kind", ["autoencoder", "balance"])
def test_memory_and_structure_can_be_had_with_either_eyes(make, kind, eyes, scenes):
    model = untrained(lambda: make(eyes=kind))
    if kind == "balance":
        model.eyes.load_state_dict(eyes.state_dict())
    frames, actions = scenes[1][:12].unflatten(0, (3, 4)), torch.ones(3, 3, dtype=torch.int64)
    with torch.no_grad():
        beliefs = model.filter(frames, actions)
        pictures = model.decode(model.imagine(beliefs[:, -1], actions))
    assert model.needs_eyes == kind and beliefs.shape == (3, 4, model.state_size) and pictures.shape == (3, 3, 32, 100)


@pytest.mark.parametrize("make", [MultiStep, Recurrent])
def test_where_the_eyes_cannot_see_all_a_rung_believes_its_dream(make):
    model = untrained(lambda: make(eyes="balance"))
    belief, push = torch.randn(5, model.state_size), torch.ones(5, dtype=torch.int64)
    code = torch.cat([torch.randn(5, 2), torch.tensor([[1.0], [0], [1], [0], [1]])], 1)
    after, dreamt = model.update(belief, push, code), model.step(belief, push)
    shown = code[:, 2] == 1
    assert torch.equal(after[shown, :2], code[shown, :2])
    torch.testing.assert_close(after[~shown], dreamt[~shown], rtol=0, atol=1e-6)
