"""The one reader of angles: right on real frames, and silent on mush."""

import numpy as np
import pytest
import torch

from latent_dynamics import reader
from latent_dynamics.world.reader import degrees, read
from latent_dynamics.world.rendering import draw


@pytest.fixture(scope="module")
def grid():
    """Positions over all that an episode visits: x (M,) metres, theta (M,) radians, real frames (M, 32, 100)."""
    x, theta = np.meshgrid(np.linspace(-2.0, 2.0, 41), np.radians(np.linspace(-11.9, 11.9, 41)))
    states = np.zeros((x.size, 4))
    states[:, 0], states[:, 2] = x.ravel(), theta.ravel()
    return states[:, 0], states[:, 2], torch.from_numpy(draw(states, workers=1) / 255)


def frame(x, theta_degrees):
    """A real frame of one position."""
    return torch.from_numpy(draw(np.array([x, 0, np.radians(theta_degrees), 0]), workers=1) / 255)


def test_the_angle_of_a_real_frame_is_read_within_a_quarter_of_a_degree(grid):
    _, theta, frames = grid
    seen = read(frames)
    error = np.abs(degrees(seen.theta.numpy()) - np.degrees(theta))
    assert np.median(error) <= 0.25 and error.max() < 1.0


def test_the_reader_has_no_gain_and_no_offset(grid):
    _, theta, frames = grid
    gain, offset = np.polyfit(np.degrees(theta), degrees(read(frames).theta.numpy()), 1)
    assert gain == pytest.approx(1, abs=0.02) and offset == pytest.approx(0, abs=0.1)


def test_the_cart_of_a_real_frame_is_read_within_half_a_centimetre(grid):
    x, _, frames = grid
    error = 100 * np.abs(read(frames).x.numpy() - x)
    assert np.median(error) <= 0.5 and error.max() <= 1.0


def test_every_real_frame_of_an_episode_has_a_pole(grid, mixed_episodes):
    assert read(grid[2]).valid.float().mean() > 0.995
    from_play = read(mixed_episodes.frames / 255)
    assert from_play.valid.float().mean() > 0.995


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
def test_mush_has_no_pole(mush):
    assert not read(mush()).valid


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
