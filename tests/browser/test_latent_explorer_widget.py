"""The latent explorer in a page: it draws, reads and measures what the package does, and every control moves it."""

import numpy as np
import pytest
import torch
from open_widgets import PHONE, check_manners, opener, settle, slider_time

from latent_dynamics.keeping.artifacts import frames_of, load_episodes, load_model
from latent_dynamics.showing.widgets.latent_explorer.latent_explorer import LatentExplorer
from latent_dynamics.world.reader import degrees, measure, read

STATES = np.array([[0.0, 0, 0.004, 0], [-0.6, 0, -0.05, 0], [1.1, 0, 0.08, 0]])
DRAWN = """(canvas) => [...canvas.getContext("2d").getImageData(0, 0, 100, 32).data].filter((_, i) => i % 4 === 0)"""


@pytest.fixture(scope="module")
def autoencoder():
    return load_model("autoencoder_mlp").autoencoder


@pytest.fixture(scope="module")
def latents(autoencoder):
    with torch.no_grad():
        return autoencoder.encode(frames_of(load_episodes("mixed", "train"))[::6]).numpy()


@pytest.fixture
def make(autoencoder, latents):
    """A function that makes an explorer of the test's states."""
    return lambda **how: LatentExplorer(autoencoder, STATES, latents, **how)


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def drawn(page, index=1):
    """A canvas as (32, 100): of each widget the real frame, then the one decoded."""
    settle(page)
    return np.array(page.locator(".ld canvas").nth(index).evaluate(DRAWN)).reshape(32, 100)


def moved(page):
    """By how many steps of a twentieth each slider stands off the real frame."""
    settle(page)
    return [int(input.input_value()) for input in page.locator(".ld input").all()]


def press(page, name):
    page.locator(".ld").first.get_by_role("button", name=name).click()


def test_the_frames_are_the_packages(show, make):
    somewhere = np.random.default_rng(0).uniform(-1.5, 1.5, (3, 8)).round(2)
    widgets = [make(frame=i, moved=by) for i, by in enumerate([*somewhere, [0.0] * 8][1:])] + [make()]
    page = show(*widgets)
    for i, widget in enumerate(widgets):
        assert abs(drawn(page, 2 * i + 1) - 255 * widget.picture()).max() <= 0.51, f"{widget.moved}"


def test_the_verdict_and_the_distance_are_the_packages(show, make):
    widgets = [make(), make(moved=[0.0] * 8), make(frame=1, moved=[0.3] * 8)]
    page = show(*widgets)
    for i, widget in enumerate(widgets):
        part = page.locator(".ld").nth(i)
        found = read(widget.picture())
        words = f"pole {float(degrees(found.theta)):+.1f}°".replace("-", "−") if found.valid else "no pole"
        assert words in part.locator(".ld-latent-pictures strong").nth(1).inner_text()
        assert part.locator(".ld-far span").inner_text() == f"{widget.distance():.1f} sd"


def test_it_opens_without_a_pole_and_goes_back_to_the_real_frame(show, make):
    page = show(make())
    assert "draws no pole that can be read" in page.locator(".ld-say").inner_text()
    press(page, "Back to the real frame")
    page.locator(".ld-say").filter(has_text="This is the latent of the real frame").wait_for(timeout=5000)
    assert moved(page) == [0] * 8 and page.get_by_role("button", name="Back to the real frame").is_disabled()
    assert abs(float(measure(drawn(page) / 255).theta) - STATES[0, 2]) < 0.02


def test_sliders_move_by_keyboard_and_stop_where_training_latents_end(show, make):
    widget = make(moved=[0.0] * 8)
    page = show(widget)
    last = page.get_by_label("z8", exact=True)
    last.focus()
    page.keyboard.press("ArrowRight")
    assert moved(page) == [0] * 7 + [1] and last.get_attribute("aria-valuetext") == "+0.05 sd"
    page.keyboard.press("End")
    now = (make(moved=[0.0] * 8).z[7] - widget.mean[7]) / widget.spread[7]
    assert abs(now + 0.05 * moved(page)[7] - widget.reach[7][1]) <= 0.05
    page.keyboard.press("Home")
    assert abs(now + 0.05 * moved(page)[7] - widget.reach[7][0]) <= 0.05


def test_another_real_frame_is_chosen_from_the_list_and_by_button(show, make):
    page = show(make())
    page.get_by_label("Real frame", exact=True).select_option(index=1)
    assert moved(page) == [0] * 8
    assert np.array_equal(drawn(page, 0), drawn(show(make(frame=1)), 0))
    page = show(make(frame=2))
    press(page, "Next real frame")
    settle(page)
    assert page.get_by_label("Real frame", exact=True).evaluate("(list) => list.selectedIndex") == 0


def test_anywhere_at_random_is_elsewhere_each_time(show, make):
    page = show(make())
    found = []
    for _ in range(2):
        press(page, "Anywhere at random")
        found.append(moved(page))
    assert found[0] != found[1] and all(sum(by != 0 for by in one) > 4 for one in found)


def test_two_views_of_one_widget_stay_in_step(show, make):
    widget = make()
    page = show(widget, widget)
    page.locator(".ld").nth(1).get_by_label("z1", exact=True).fill("4")
    settle(page)
    assert moved(page)[:8] == moved(page)[8:] and moved(page)[0] == 4
    assert np.array_equal(drawn(page, 1), drawn(page, 3))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, make, theme):
    page = show(make(title="What is in z?"), theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    page.get_by_role("button", name="Next real frame").tap()
    assert moved(page) == [0] * 8


def test_still_picture_stands_without_javascript(show, make):
    picture = show(make(), java_script_enabled=False).locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_slider_is_drawn_within_a_display_frame(show, make):
    assert slider_time(show(make()), "z2") <= 16
