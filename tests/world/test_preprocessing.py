"""From the screen to the model's frame: exact whatever the memory looks like, and loud when it is no frame."""

import numpy as np
import pytest

import latent_dynamics as ld
from latent_dynamics.world import preprocessing
from latent_dynamics.world.preprocessing import (
    COLOUR,
    DEFAULT,
    RAW,
    View,
    background_share,
    for_show,
    from_bytes,
    to_bytes,
)
from latent_dynamics.world.rendering import Screen

VIEWS = {"gray": DEFAULT, "colour": COLOUR, "raw": RAW}
views = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


def noise(*lead, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*lead, 400, 600, 3), dtype=np.uint8)


@views
def test_every_view_gives_float32_frames_of_its_shape_between_0_and_1(view):
    frames = ld.preprocessing.preprocess(noise(2), view)
    assert frames.shape == (2, *view.shape) and frames.dtype == np.float32
    assert 0 <= frames.min() < frames.max() <= 1


@views
def test_a_model_pixel_is_the_mean_of_its_block_of_screen_pixels(view):
    rgb = noise()
    rows, columns = (view.bottom - view.top) // view.height, 600 // view.width
    luma = rgb @ np.array([0.299, 0.587, 0.114]) if view.gray else rgb
    band = luma[view.top : view.bottom].reshape(view.height, rows, view.width, columns, -1)
    means = band.mean((1, 3)).reshape(view.shape)
    assert abs(to_bytes(rgb, view) - means).max() < 0.5 + 0.2  # rounding, and luma weights in 256ths


@views
def test_white_stays_1_and_black_stays_0(view):
    white = np.full((400, 600, 3), 255, np.uint8)
    assert (ld.preprocessing.preprocess(white, view) == 1).all()
    assert (ld.preprocessing.preprocess(0 * white, view) == 0).all()


def test_what_lies_outside_the_crop_is_not_seen():
    rgb = noise()
    changed = rgb.copy()
    changed[:160], changed[320:] = 0, 0
    assert np.array_equal(to_bytes(rgb), to_bytes(changed))
    changed[160] = 0
    assert not np.array_equal(to_bytes(rgb)[0], to_bytes(changed)[0])


@views
def test_any_memory_layout_gives_the_same_bytes(view):
    rgb = noise()
    plain = to_bytes(rgb, view)
    reversed_colours = np.ascontiguousarray(rgb[..., ::-1])[..., ::-1]
    columns_first = np.ascontiguousarray(rgb.transpose(1, 0, 2)).transpose(1, 0, 2)
    for other in (np.asfortranarray(rgb), reversed_colours, columns_first, np.repeat(rgb, 2, 1)[:, ::2]):
        assert not other.flags.c_contiguous
        assert np.array_equal(to_bytes(other, view), plain)


@views
def test_many_frames_at_once_are_each_frame_alone(view):
    rgb = noise(2, 3)
    together = to_bytes(rgb, view)
    assert together.shape == (2, 3, *view.shape)
    assert all(np.array_equal(together[i, j], to_bytes(rgb[i, j], view)) for i in range(2) for j in range(3))


def test_stored_bytes_survive_the_round_trip_to_floats_and_back():
    every = np.arange(256, dtype=np.uint8).repeat(2).reshape(8, 64)
    assert from_bytes(every).dtype == np.float32
    assert np.array_equal(for_show(from_bytes(every), scale=1), every)
    rgb = noise()
    assert np.array_equal(for_show(ld.preprocess(rgb), scale=1), to_bytes(rgb))


def test_a_frame_enlarged_for_show_and_shrunk_again_is_the_frame():
    frame = ld.preprocess(noise())
    shown = for_show(frame, scale=6)
    assert shown.shape == (192, 600) and shown.dtype == np.uint8
    assert np.array_equal(shown[::6, ::6], np.rint(frame * 255))
    assert np.array_equal(for_show(np.array([[-1.0, 2.0]]), scale=1), [[0, 255]])  # a dream may leave [0, 1]


@pytest.mark.parametrize("shape", [(400, 600), (600, 400, 3), (400, 600, 4), (32, 100), (3,)])
def test_a_frame_of_the_wrong_size_is_refused_with_the_right_one(shape):
    with pytest.raises(ValueError, match=r"expects \(..., 400, 600, 3\)"):
        ld.preprocess(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_pixels_of_the_wrong_type_are_refused(dtype):
    with pytest.raises(TypeError, match="uint8 frames of env.render"):
        ld.preprocess(np.zeros((400, 600, 3), dtype))


def test_blocks_need_not_be_whole():
    rgb = noise()
    shared = to_bytes(rgb, View(height=64, width=64, gray=False)).astype(float)  # 2.5 x 9.375 screen pixels each
    fine = rgb[160:320].astype(float).repeat(2, 0).repeat(8, 1)  # so fine that they are
    assert abs(shared - fine.reshape(64, 5, 64, 75, 3).mean((1, 3))).max() <= 0.5 + 1e-9
    whole = View(height=32, width=100)
    assert np.array_equal(preprocessing.by_shares(rgb[160:320], whole), to_bytes(rgb, whole))


def test_a_view_of_more_pixels_than_the_screen_has_or_of_none_is_refused():
    for size in ({"height": 161}, {"height": 0}, {"width": 601}, {"width": 0}):
        with pytest.raises(ValueError, match="it can have from 1 to as many"):
            View(**size)
    with pytest.raises(ValueError, match="not within the screen"):
        View(top=160, bottom=401)


def test_the_background_share_counts_white_pixels():
    rgb = np.full((2, 400, 600, 3), 255, np.uint8)
    rgb[1, :100] = 0
    rgb[1, 100, 0] = (255, 255, 253)
    assert background_share(rgb) == pytest.approx([1, 0.75 - 1 / 240_000])
    assert background_share(rgb, tolerance=2)[1] == pytest.approx(0.75)


def test_almost_all_of_a_rendered_frame_is_background():
    assert 0.95 < background_share(Screen().rgb([0.0, 0, 0.05, 0])) < 1
