"""The crop explorer's Python side: what it refuses, what it sends, what it says it keeps."""

import re

import numpy as np
import pytest

from latent_dynamics.showing.widgets.crop_explorer.crop_explorer import CropExplorer, crop_facts
from latent_dynamics.world.preprocessing import DEFAULT, RAW, View, to_bytes
from latent_dynamics.world.rendering import Screen


@pytest.fixture(scope="module")
def screens():
    """A cart in the middle with a leaning pole, and one at the edge."""
    screen = Screen()
    return np.stack([screen.rgb([0.3, 0, 0.1, 0]), screen.rgb([2.3, 0, -0.05, 0])])


def test_it_opens_on_the_whole_screen_with_as_many_numbers_as_the_books_crop_has(screens):
    shown = CropExplorer(screens)
    assert (shown.top, shown.bottom, shown.block_rows, shown.block_columns, shown.screen) == (8, 392, 12, 6, 0)
    assert shown.frame().shape == DEFAULT.shape


def test_screens_survive_the_png(screens):
    assert (CropExplorer(screens).pixels() == screens).all()
    assert len(CropExplorer(screens).sheet) < 8000


def test_screens_of_many_colours_survive_too():
    noise = np.random.default_rng(0).integers(0, 256, (1, 400, 600, 3), dtype=np.uint8)
    assert (CropExplorer(noise).pixels() == noise).all()


def test_the_view_can_be_read_and_set(screens):
    shown = CropExplorer(screens, view=DEFAULT)
    assert shown.view == DEFAULT
    shown.view = View(top=8, bottom=392)
    assert (shown.top, shown.bottom, shown.block_rows, shown.block_columns) == (8, 392, 12, 6)
    shown.screen, shown.view = 1, DEFAULT
    assert (shown.frame() == to_bytes(screens[1])).all()


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("top", -5, "rows -5:320 are not within the screen's 0:400"),
        ("bottom", 405, "rows 160:405 are not within"),
        ("top", 320, "rows 320:320 are not within"),
        ("top", 162, "158 x 600 screen pixels do not fall into whole blocks of 5 x 6; choose divisors"),
        ("block_rows", 12, "160 x 600 screen pixels do not fall into whole blocks of 12 x 6"),
        ("block_rows", 7, "block_rows is 7; the explorer offers 1, 2, 4"),
        ("block_columns", 7, "block_columns is 7; the explorer offers 1, 2, 3"),
        ("screen", 2, "screen is 2; expected a whole number from 0 to 1"),
    ],
)
def test_refuses_what_is_not_there_and_stays_as_it_was(screens, trait, value, message):
    shown = CropExplorer(screens, view=DEFAULT)
    with pytest.raises(ValueError, match=message):
        setattr(shown, trait, value)
    assert shown.view == DEFAULT and shown.screen == 0


def test_refuses_a_view_whole_and_not_in_parts(screens):
    shown = CropExplorer(screens, view=DEFAULT)
    with pytest.raises(ValueError, match="block_rows is 40"):
        shown.view = View(top=0, bottom=400, height=10)
    assert shown.view == DEFAULT


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"screens": np.zeros((400, 600, 3), np.uint8)}, r"screen\[None\]"),
        ({"screens": np.zeros((0, 400, 600, 3), np.uint8)}, "at least one screen"),
        ({"screens": np.zeros((1, 400, 600, 3))}, "screens are float64"),
        ({"labels": ["one"]}, "labels names 1 screens; expected 2"),
        ({"screen": 5}, "screen is 5"),
        ({"view": View(top=0, bottom=400, height=1)}, "block_rows is 400"),
    ],
)
def test_bad_input_is_named(screens, changed, message):
    with pytest.raises(ValueError, match=message):
        CropExplorer(**{"screens": screens, **changed})


def test_the_books_crop_keeps_all_of_the_pole_and_doubles_the_numbers_that_touch_it(screens):
    raw, book = crop_facts(screens[0], RAW), crop_facts(screens[0], DEFAULT)
    assert raw["pole"] == book["pole"] == raw["cart"] == book["cart"] == 1
    assert raw["numbers"] == book["numbers"] == 3200
    assert book["touching"] > 1.8 * raw["touching"]
    assert 0.95 < book["background"] < raw["background"] < 0.99


def test_a_crop_too_tight_cuts_off_pole_and_cart(screens):
    upper, lower = View(top=160, bottom=240, height=16), View(top=240, bottom=320, height=16)
    kept = [crop_facts(screens[0], view) for view in (upper, lower)]
    assert all(0.3 < facts["pole"] < 0.7 for facts in kept)
    assert kept[0]["pole"] + kept[1]["pole"] == pytest.approx(1)
    assert [facts["cart"] for facts in kept] == [0, 1]


def test_a_screen_without_a_pole_has_no_share_of_it():
    empty = np.full((400, 600, 3), 255, np.uint8)
    facts = crop_facts(empty, DEFAULT)
    assert np.isnan(facts["pole"]) and np.isnan(facts["cart"]) and facts["touching"] == 0 and facts["background"] == 1
    assert "of the pole" not in CropExplorer(empty[None]).still().data


def test_still_picture_has_its_story_in_words(screens):
    shown = CropExplorer(screens)
    alt = re.search(r'alt="([^"]*)"', shown.still().data)[1]
    assert "Above, rows 8 to 392" in alt and "Below, rows 160 to 320" in alt
    assert f"{shown.facts()['touching']} of 3,200 numbers touch the pole; it keeps 100% of the pole" in alt
    assert shown.still().data == CropExplorer(screens).still().data


def test_equal_content_gets_names_of_its_own(screens):
    one, two = CropExplorer(screens), CropExplorer(screens)
    assert one.model_id != two.model_id and repr(one) == "CropExplorer()"
