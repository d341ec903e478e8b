"""The what-if fan in a page: its futures are the package's, and every control moves it."""

import re

import numpy as np
import pytest
from open_widgets import PHONE, check_manners, opener, settle, slider_time

from latent_dynamics.judging.references import untrained
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.models import AutoencoderMLP
from latent_dynamics.showing.widgets.what_if.what_if import WhatIf

STATES = np.array([[0.0, 0, 0.01, 0], [0.4, 0.2, 0.15, 0.9], [-0.3, 0, -0.02, -0.2]])


@pytest.fixture(scope="module")
def model():
    return load_model("autoencoder_mlp")


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def lines(page, name, index=0):
    """The angles along the two curves of the truth or the dream, in degrees, read off the drawing."""
    svg = page.locator(".ld-fan-curve").nth(index)
    zero, marks = svg.evaluate(
        """(svg) => [...svg.querySelectorAll("text[text-anchor=end]")].filter((node) => node.textContent.endsWith("°"))
            .map((node) => [parseFloat(node.textContent.replace("−", "-")), node.getAttribute("y") - 4]).slice(0, 2)"""
    )
    scale = (marks[0] - zero[0]) / (marks[1] - zero[1])
    paths = svg.locator(f".ld-fan-line-{name}").evaluate_all("(nodes) => nodes.map((node) => node.getAttribute('d'))")
    heights = [[float(y) for y in re.findall(r" (-?[\d.]+)", path)] for path in paths]
    return [[zero[0] + scale * (y - zero[1]) for y in line] for line in heights]


def test_the_curves_are_those_of_the_package(show, model):
    widgets = [WhatIf(model, STATES, start=start, plan=plan) for start in range(3) for plan in range(3)]
    page = show(*widgets)
    for index, widget in enumerate(widgets):
        for who, futures in widget.futures().items():
            for drawn, wanted in zip(lines(page, who, index), futures, strict=True):
                where = f"{who}, start {widget.start}, plan {widget.plan}"
                assert np.allclose(drawn, wanted[np.isfinite(wanted)], atol=0.02), where


def test_the_sentence_tells_by_how_much_the_futures_differ(show, model):
    widget = WhatIf(model, STATES)
    page = show(widget)
    for step in (2, 5, 12):
        page.get_by_label("Step", exact=True).fill(str(step))
        page.locator(".ld-say").filter(has_text=f"Step {step}.").wait_for(timeout=5000)
        gaps = [futures[1][step] - futures[0][step] for futures in widget.futures().values()]
        said = re.findall(r"([\d.]+)° further (left|right)", page.locator(".ld-say").inner_text())
        for gap, (amount, side) in zip(gaps, said, strict=True):
            assert abs(abs(gap) - float(amount)) <= 0.011 and side == ("right" if gap > 0 else "left")


def test_it_opens_where_nothing_can_be_seen_in_truth_and_the_dream_sees_it_at_once(show, model):
    page = show(WhatIf(model, STATES))
    words = page.locator(".ld-say").inner_text()
    assert "In truth the two pictures are equal in every pixel. In the dream the pole pushed" in words
    assert "it believes that it sees the push at once" in words
    colourful = """(canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let most = 0;
        for (let i = 0; i < data.length; i += 4) most = Math.max(most, Math.abs(data[i] - data[i + 2]));
        return most;
    }"""
    truth, dream = page.locator(".ld canvas").evaluate_all(f"(nodes) => nodes.map({colourful})")
    assert truth < 16 < dream, "gray where both are equal, coloured where they differ"


def test_steps_move_by_key_button_and_drag(show, model):
    page = show(WhatIf(model, STATES))
    step = page.get_by_label("Step", exact=True)
    step.focus()
    page.keyboard.press("End")
    settle(page)
    assert step.get_attribute("aria-valuetext") == "12 of 12"
    page.get_by_role("button", name="One step back").click()
    settle(page)
    assert step.input_value() == "11"
    page.get_by_role("button", name="One step forward").click()
    box = page.locator(".ld-fan-curve").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 38, box["y"] + 60, steps=3)
    page.mouse.up()
    settle(page)
    assert step.input_value() == "0"
    page.locator(".ld-say").filter(has_text="The one picture from which both futures start").wait_for(timeout=5000)


def test_another_start_and_plan_draw_other_futures(show, model):
    page = show(WhatIf(model, STATES))
    page.get_by_label("Start", exact=True).select_option(index=1)
    page.get_by_label("Then", exact=True).select_option("each keeps pushing its way")
    page.get_by_label("Step", exact=True).fill("12")
    page.locator(".ld-say").filter(has_text="Step 12. In truth the pole pushed left has fallen.").wait_for(timeout=5000)
    wanted = WhatIf(model, STATES, start=1, plan=2).futures()["truth"][0]
    assert np.allclose(lines(page, "truth")[0], wanted[np.isfinite(wanted)], atol=0.02)


def test_a_dream_without_a_pole_is_called_so(show):
    page = show(WhatIf(untrained(AutoencoderMLP), STATES))
    assert "The dream shows no pole to read after the push left and right" in page.locator(".ld-say").inner_text()


def test_two_views_of_one_widget_stay_in_step(show, model):
    widget = WhatIf(model, STATES)
    page = show(widget, widget)
    page.get_by_label("Step", exact=True).nth(1).fill("7")
    settle(page)
    assert [node.input_value() for node in page.get_by_label("Step", exact=True).all()] == ["7", "7"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, model, theme):
    page = show(WhatIf(model, STATES, title="What if?"), theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    page.get_by_role("button", name="One step forward").tap()
    settle(page)
    assert page.get_by_label("Step", exact=True).input_value() == "2"


def test_still_picture_stands_without_javascript(show, model):
    picture = show(WhatIf(model, STATES), java_script_enabled=False).locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_slider_is_drawn_within_a_display_frame(show, model):
    assert slider_time(show(WhatIf(model, STATES)), "Step") <= 16


def test_it_grows_into_a_wider_page(show, model):
    page = show(WhatIf(model, STATES), viewport=PHONE)
    narrow = page.locator(".ld-fan-curve").bounding_box()["width"]
    page.set_viewport_size({"width": 1200, "height": 800})
    settle(page)
    assert page.locator(".ld-fan-curve").bounding_box()["width"] > 1.5 * narrow
