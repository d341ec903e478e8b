"""The stepper in a page: before a frame it hides the frame, after it tells what is believed; gusts wait to be asked."""

import numpy as np
import pytest
from open_widgets import PHONE, check_manners, opener, settle, slider_time

from latent_dynamics.showing.widgets.stepper.stepper import Stepper
from latent_dynamics.world.gusty import GUSTY

T = 6
KL = [1.0, 1.2, 0.9, 4.0, 1.1, 0.2]
GUSTS = [0, 0, 10.0, 10.0, 10.0, 0]


def stepper(**settings):
    """Six frames of a made-up episode; the pole leans a degree more in each."""
    lean = np.arange(T, dtype=float)
    states = np.zeros((T, 6))
    states[:, 2], states[:, 4] = np.radians(lean), GUSTS
    prior = np.stack([0 * lean, 0 * lean + 1, lean - 0.5, 0 * lean + 1], 1)
    posterior = np.stack([0 * lean, 0 * lean + 0.4, lean, 0 * lean + 0.4], 1)
    return Stepper(states, prior, posterior, np.stack([0 * lean, lean + 0.1], 1), KL, GUSTS, GUSTY, **settings)


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def ink(page):
    """How much darker than its lightest pixel the frame's darkest one is."""
    return page.locator(".ld-stepper canvas").evaluate(
        """(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, 100, 32);
            const greys = data.filter((_, i) => i % 4 === 0);
            return Math.max(...greys) - Math.min(...greys);
        }"""
    )


def test_it_opens_on_the_greatest_surprise_and_says_it(show):
    page = show(stepper())
    words = page.locator(".ld-say").inner_text()
    assert "Frame 4, seen" in words and "expected was +2.5\u00b0, now believed +3.0\u00b0" in words
    assert "Surprise 4.0 nats, more than usual, which is 1.1" in words
    assert ink(page) > 100 and page.locator(".ld-stepper-gust").count() == 0


def test_before_a_frame_nothing_of_it_is_shown(show):
    page = show(stepper(moment=6))
    words = page.locator(".ld-say").inner_text()
    assert "Frame 4, before it is seen: the model expects the pole at +2.5\u00b0, give or take 1.0\u00b0" in words
    assert "3.1" not in words and ink(page) == 0
    assert page.locator(".ld-stepper-bar").count() == 3 and page.locator(".ld-stepper-seen").count() == 0
    assert page.locator("path.ld-stepper-posterior").count() == 0 and page.locator("path.ld-stepper-prior").count() == 4
    page.get_by_role("button", name="On", exact=True).click()
    settle(page)
    assert page.locator(".ld-stepper-bar").count() == 4 and page.locator(".ld-stepper-seen").count() == 2
    assert ink(page) > 100


def test_gusts_are_shown_when_asked_for(show):
    page = show(stepper())
    page.get_by_role("button", name="Where were the gusts?").click()
    page.locator(".ld-say").filter(has_text="On the way here a gust blew to the right").wait_for(timeout=5000)
    assert page.locator(".ld-stepper-gust").count() == 3
    page.get_by_label("Moment", exact=True).fill("11")
    page.locator(".ld-say").filter(has_text="less than usual. No gust blew on the way here").wait_for(timeout=5000)
    page.get_by_role("button", name="Hide the gusts").click()
    settle(page)
    assert page.locator(".ld-stepper-gust").count() == 0


def test_moments_move_by_key_button_and_bar(show):
    page = show(stepper())
    moment = page.get_by_label("Moment", exact=True)
    moment.focus()
    page.keyboard.press("Home")
    settle(page)
    assert moment.get_attribute("aria-valuetext") == "1 before"
    page.get_by_role("button", name="Back").click()
    settle(page)
    assert moment.input_value() == "0"
    box = page.locator(".ld-stepper-bars").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 20, box["y"] + 40)
    settle(page)
    assert moment.input_value() == str(2 * T - 1)


def test_two_views_of_one_widget_stay_in_step(show):
    one = stepper()
    page = show(one, one)
    page.get_by_label("Moment", exact=True).nth(1).fill("2")
    settle(page)
    assert [node.input_value() for node in page.get_by_label("Moment", exact=True).all()] == ["2", "2"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, theme):
    page = show(stepper(title="Believe, see, correct", revealed=True), theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    page.get_by_role("button", name="On", exact=True).tap()
    settle(page)
    assert page.get_by_label("Moment", exact=True).input_value() == "8"


def test_still_picture_stands_without_javascript(show):
    picture = show(stepper(), java_script_enabled=False).locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_slider_is_drawn_within_a_display_frame(show):
    assert slider_time(show(stepper()), "Moment") <= 16
