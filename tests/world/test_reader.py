"""The one reader of angles: right on real frames, and silent on mush."""

import numpy as np
import pytest
import torch

from latent_dynamics import cartpole, closest_picture, reader
from latent_dynamics.world.preprocessing import COLOUR, View
from latent_dynamics.world.reader import degrees, read
from latent_dynamics.world.rendering import draw


@pytest.fixture(scope="module")
def grid():
    """Positions over all that an episode visits: x (M,) metres, theta (M,) radians, real frames (M, 32, 100)."""
    x, theta = np.meshgrid(np.linspace(-cartpole.X_LIMIT, cartpole.X_LIMIT, 49), np.radians(np.linspace(-12, 12, 41)))
    states = np.zeros((x.size, 4))
    states[:, 0], states[:, 2] = x.ravel(), theta.ravel()
    return states[:, 0], states[:, 2], torch.from_numpy(draw(states, workers=1) / 255)


def frame(x, theta_degrees):
    """A real frame of one position."""
    return torch.from_numpy(draw(np.array([x, 0, np.radians(theta_degrees), 0]), workers=1) / 255)


def test_the_angle_of_a_real_frame_is_read_within_a_quarter_of_a_degree(grid):
    _, theta, frames = grid
    seen = read(frames)
    error = np.abs(degrees(seen.theta.numpy()) - np.degrees(theta))[seen.valid]
    assert np.median(error) <= 0.2 and error.max() < 1.0


def test_the_reader_has_no_gain_and_no_offset(grid):
    _, theta, frames = grid
    seen = read(frames)
    gain, offset = np.polyfit(np.degrees(theta)[seen.valid], degrees(seen.theta.numpy())[seen.valid], 1)
    assert gain == pytest.approx(1, abs=0.02) and offset == pytest.approx(0, abs=0.1)


def test_the_cart_of_a_real_frame_is_read_within_half_a_centimetre(grid):
    x, _, frames = grid
    seen = read(frames)
    error = 100 * np.abs(seen.x.numpy() - x)[seen.valid]
    assert np.median(error) <= 0.5 and error.max() <= 1.0


def test_every_real_frame_has_a_pole_unless_the_edge_hides_most_of_it(grid, mixed_episodes):
    x, theta, frames = grid
    valid = read(frames).valid.numpy()
    tip = abs(x + np.sin(theta))  # metres: the pole is one long
    assert valid[abs(x) <= 2.25].mean() > 0.995, "carts and poles that are cut off a little are read"
    assert valid[(tip < 2.3) & (abs(x) > 2.3)].all(), "a pole that leans inwards is read up to the track's end"
    assert not valid[(abs(x) >= 2.39) & (x * theta >= 0)].any(), "one that leaves the picture is not"
    inside = abs(mixed_episodes.states[:, 0]) < 2.3
    assert read(mixed_episodes.frames[inside] / 255).valid.float().mean() > 0.995


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("x", "theta"), [(2.25, 0), (2.25, 10), (2.3, -8), (2.3, 4), (2.39, -10)])
def test_a_cart_half_off_the_screen_is_where_it_is(side, x, theta):
    seen = read(frame(side * x, side * theta))
    assert seen.valid
    assert 100 * seen.x == pytest.approx(100 * side * x, abs=0.7)
    assert degrees(seen.theta) == pytest.approx(side * theta, abs=0.8)


def test_reading_recorded_episodes_gives_their_true_states(mixed_episodes):
    seen = read(mixed_episodes.frames / 255)
    assert np.median(np.abs(degrees(seen.theta.numpy() - mixed_episodes.states[:, 2]))) <= 0.25
    assert np.median(np.abs(seen.x.numpy() - mixed_episodes.states[:, 0])) <= 0.005


def test_right_is_positive():
    assert read(frame(1.0, 5)).x > 0.9 and read(frame(1.0, 5)).theta > 0
    assert read(frame(-1.0, -5)).x < -0.9 and read(frame(-1.0, -5)).theta < 0


def without(rows):
    """A real frame whose ink in these rows is gone."""
    blank = frame(0.3, 4)
    blank[rows] = 1
    return blank


def one_side_doubled():
    """A picture with a second pole and cart beside the first."""
    return torch.minimum(frame(-0.8, 3), frame(0.8, -3))


def two_carts():
    """A real frame with a second cart, and the one pole it had."""
    doubled = frame(-0.8, 3)
    doubled[24:] = one_side_doubled()[24:]
    return doubled


def noise(low, high):
    return low + (high - low) * torch.rand(32, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


MUSH = {
    "white": lambda: torch.ones(32, 100),
    "black": lambda: torch.zeros(32, 100),
    "gray": lambda: torch.full((32, 100), 0.5),
    "faint gray": lambda: torch.full((32, 100), 0.97),
    "noise": lambda: noise(0, 1),
    "faint noise": lambda: noise(0.9, 1),
    "no pole": lambda: without(reader.POLE_ROWS),
    "no cart": lambda: without(slice(24, 32)),
    "half a pole": lambda: without(slice(0, 14)),
    "two poles": one_side_doubled,
    "two carts under one pole": two_carts,
    "two poles near each other": lambda: torch.minimum(frame(-0.25, 0), frame(0.25, 0)),
    "the mean of two poles": lambda: (frame(-0.5, 8) + frame(0.5, -8)) / 2,
    "the mean of a fan of poles": lambda: torch.stack([frame(0, a) for a in range(-12, 13, 2)]).mean(0),
    "a cart-wide smear": lambda: torch.stack([frame(x, 0) for x in np.linspace(-0.3, 0.3, 13)]).mean(0),
}


@pytest.mark.parametrize("mush", MUSH.values(), ids=MUSH)
@pytest.mark.parametrize("reads", [read, closest_picture.read], ids=["by ink", "by closest picture"])
def test_mush_has_no_pole(mush, reads):
    assert not reads(mush()).valid


def test_the_mean_frame_of_the_data_has_no_pole(mixed_episodes):
    assert not read(mixed_episodes.frames.mean(0) / 255).valid


def test_a_slightly_blurred_or_hazy_pole_is_still_read():
    real = frame(0.4, 6)
    blurred = 0.5 * real + 0.25 * real.roll(1, -1) + 0.25 * real.roll(-1, -1)
    hazy = real + 0.005 * torch.randn(32, 100, generator=torch.Generator().manual_seed(0))
    for picture in (blurred, hazy):
        assert read(picture).valid
        assert degrees(read(picture).theta) == pytest.approx(6, abs=0.6)


def test_leading_dimensions_are_kept_and_frames_are_read_one_by_one(grid):
    x, theta, frames = grid
    together = read(frames[:12].reshape(3, 4, 32, 100))
    assert together.x.shape == together.theta.shape == together.valid.shape == (3, 4)
    alone = read(frames[5])
    assert together.theta[1, 1] == pytest.approx(float(alone.theta))
    assert together.x[1, 1] == pytest.approx(float(alone.x))
    assert read(frames[:0]).theta.shape == (0,)


@pytest.mark.parametrize("shape", [(32, 99), (100, 32), (32, 100, 3), (3200,)])
def test_frames_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"it reads \(..., 32, 100\) model frames"):
        read(torch.zeros(shape))


VIEWS = {"coarse": View(height=16, width=60), "fractions": View(height=40, width=64), "colour": COLOUR}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_any_view_that_shows_cart_and_pole_is_read(view):
    states = np.random.default_rng(1).uniform([-2.2, 0, -0.2, 0], [2.2, 0, 0.2, 0], (60, 4))
    seen = read(draw(states, view, workers=1) / 255, view=view)
    assert seen.valid.all()
    assert (seen.x - torch.from_numpy(states[:, 0])).abs().max() < 0.01
    assert degrees(seen.theta - torch.from_numpy(states[:, 2])).abs().median() < 0.5
    blank = np.ones((2, *view.shape))
    assert not read(blank, view=view).valid.any()


@pytest.mark.parametrize("view", [View(top=100, bottom=260), View(top=270, bottom=302, height=16)])
def test_a_view_without_cart_or_pole_is_refused(view):
    with pytest.raises(ValueError, match="do not show what a reader needs"):
        read(np.ones((1, *view.shape)), view=view)


def test_frames_of_another_shape_than_the_views_are_refused():
    with pytest.raises(ValueError, match=r"got frames of shape \(2, 64, 64\); it reads \(..., 32, 100\)"):
        read(np.ones((2, 64, 64)))
