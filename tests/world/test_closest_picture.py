"""The second reader: as exact as a pixel allows, of other make than the first, and silent on mush."""

import time

import numpy as np
import pytest
import torch

from latent_dynamics import cartpole, closest_picture, reader
from latent_dynamics.world.rendering import draw

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def states():
    """States (1500, 4) all over what an episode visits."""
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (1500, 4)) * [cartpole.X_LIMIT, 0, cartpole.THETA_LIMIT, 0]


@pytest.fixture(scope="module")
def frames(states):
    return torch.from_numpy(draw(states, workers=1)) / 255


def errors(seen, states):
    """Errors of what is valid, in degrees and centimetres."""
    ok = seen.valid.numpy()
    theta = reader.degrees(seen.theta.numpy() - states[:, 2])
    return theta[ok], 100 * (seen.x.numpy() - states[:, 0])[ok]


def test_real_frames_are_read_as_exactly_as_whole_pixels_allow(states, frames):
    seen = closest_picture.read(frames)
    theta, x = errors(seen, states)
    assert np.median(abs(theta)) <= 0.2 and abs(theta).max() < 1 and abs(theta.mean()) < 0.03
    assert np.median(abs(x)) <= 0.3 and abs(x).max() < 0.8 and abs(x.mean()) < 0.03
    assert seen.valid.numpy()[abs(states[:, 0]) < 2.2].all()


def test_what_a_decoder_blurs_is_still_read_and_moves_no_way(states, frames):
    blurred = 0.5 * frames + 0.25 * (frames.roll(1, -1) + frames.roll(-1, -1))
    seen = closest_picture.read(blurred)
    theta, x = errors(seen, states)
    assert seen.valid.numpy()[abs(states[:, 0]) < 2.2].mean() > 0.98
    assert np.median(abs(theta)) <= 0.3 and abs(theta.mean()) < 0.06
    assert np.median(abs(x)) <= 0.3 and abs(x.mean()) < 0.06


def test_the_two_readers_err_in_ways_of_their_own(states, frames):
    inside = abs(states[:, 0]) < 2.2
    theirs, ours = (errors(r.read(frames[inside]), states[inside])[0] for r in (reader, closest_picture))
    assert abs(np.corrcoef(theirs, ours)[0, 1]) < 0.8  # one renderer, whole pixels: they are not strangers


def test_angles_that_no_episode_reaches_are_read_until_the_grid_ends():
    leaning = np.array([[0.2, 0, np.radians(angle), 0] for angle in (-20, 20, 40)])
    seen = closest_picture.read(torch.from_numpy(draw(leaning, workers=1)) / 255)
    assert seen.valid.tolist() == [True, True, False]
    assert reader.degrees(seen.theta[:2]).tolist() == pytest.approx([-20, 20], abs=0.7)


def test_leading_dimensions_are_kept_and_none_is_no_trouble(states, frames):
    together, alone = closest_picture.read(frames[:6].reshape(2, 3, 32, 100)), closest_picture.read(frames[4])
    assert together.x.shape == together.theta.shape == together.valid.shape == (2, 3)
    assert float(together.theta[1, 1]) == pytest.approx(float(alone.theta), abs=1e-5)
    assert closest_picture.read(frames[:0]).theta.shape == (0,)
    with pytest.raises(ValueError, match=r"it reads \(..., 32, 100\) model frames"):
        closest_picture.read(frames[..., 1:])


@pytest.mark.timed
def test_a_frame_is_read_in_less_than_four_milliseconds(frames):
    closest_picture.read(frames[:64])
    begun = time.perf_counter()
    closest_picture.read(frames[:512])
    assert (time.perf_counter() - begun) / 512 < 0.004
