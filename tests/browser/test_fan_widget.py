"""The fan of futures in a page: its futures and its scores are the package's, and every control moves it."""

import re

import numpy as np
import pytest
from gusts import contexts
from open_widgets import PHONE, check_manners, opener, settle, spent

from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.showing.widgets import Fan


@pytest.fixture(scope="module")
def models():
    return {name: load_model(name) for name in ("rssm", "state_space")}


@pytest.fixture(scope="module")
def fan(models):
    return Fan(models, *contexts(), title="What may come?", labels=["calm", "after a gust", "calm again"])


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def trait(page, name):
    return page.evaluate("name => window.model.get(name)", name)


def said(page, words=""):
    """The sentence, once it says these words."""
    page.locator(".ld-say").first.filter(has_text=words).wait_for(timeout=5000)
    return page.locator(".ld-say").first.inner_text().replace("−", "-")


def lines(page, kind):
    """The angles along the lines of a kind, in degrees, read off the drawing: (lines, N + 1)."""
    paths = page.locator(f".ld-future .{kind}").evaluate_all("(nodes) => nodes.map((node) => node.getAttribute('d'))")
    top, bottom = 10, 196  # what 13 degrees to either side are drawn at
    heights = [re.findall(r" (-?[\d.]+)", part) for path in paths for part in path.split("M")[1:]]
    return np.array([[13 - 26 * (float(y) - top) / (bottom - top) for y in line] for line in heights])


SETTINGS = [{}, {"model": 1, "start": 1}, {"start": 2, "gusts": "left", "gust_step": 3, "seed": 10}]


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_shows_the_futures_of_the_package_and_says_what_they_are_worth(show, fan, settings):
    before = {name: getattr(fan, name) for name in settings}
    page = show(fan)
    try:
        for name, value in settings.items():
            setattr(fan, name, value)
            page.evaluate("([name, value]) => window.model.set(name, value)", [name, value])
        page.wait_for_timeout(600)
        settle(page)
        futures, worth, step = fan.futures(), fan.worth(), fan.horizon
        assert np.allclose(lines(page, "ld-real"), futures["truth"], atol=0.02)
        assert np.allclose(lines(page, "ld-sampled"), futures["dream"], atol=0.03)
        words = said(page)
        bands = np.quantile(futures["dream"][:, step], [0.25, 0.75, 0.05, 0.95])
        told = [float(number) for number in re.findall(r"(-?[\d.]+)°", words)][:5]
        assert np.allclose(told, [*bands, worth["crps"][step]], atol=0.06)
        assert f"{round(100 * worth['cover_90'][step])} % lie in the wider band" in words
        assert abs(float(re.search(r"([\d.]+)°", page.locator(".ld-crps").inner_text())[1]) - told[4]) < 1e-9
        compared = fan.futures(fan.compared)
        for who, number in zip(("dream", "truth"), re.findall(r"([\d.]+)° further (left|right)", words), strict=False):
            gap = np.median(compared[who][:, step]) - np.median(futures[who][:, step])
            if abs(gap) >= 0.1:
                assert abs(abs(gap) - float(number[0])) < 0.06 and number[1] == ("right" if gap > 0 else "left")
        assert np.allclose(lines(page, "ld-ghost-middle")[0], np.median(compared["dream"], 0), atol=0.03)
    finally:
        for name, value in before.items():
            setattr(fan, name, value)


def test_the_opening_asks_what_other_pushes_would_have_done(show, fan):
    page = show(fan)
    assert "After the pushes kept to compare, the middle pole of the model would stand" in said(page)
    assert page.get_by_role("button", name="Keep this fan to compare").get_attribute("aria-pressed") == "true"
    bands = lines(page, "ld-wide-band")[0]
    assert abs(bands[0] - bands[-1]) < 2 < abs(bands[15] - bands[-16]), "the fan opens"
    page.get_by_role("button", name="Keep this fan to compare").click()
    settle(page)
    assert page.locator(".ld-ghost").count() == 0 and trait(page, "compared") == []
    page.locator(".ld-say").filter(has_not_text="kept to compare").wait_for(timeout=5000)
    page.get_by_role("button", name="Keep this fan to compare").click()
    page.get_by_label("Pushes", exact=True).select_option("all left")
    settle(page)
    assert trait(page, "compared") == fan.pushes and trait(page, "pushes") == [0] * 20
    assert lines(page, "ld-fan-middle")[0][-1] > lines(page, "ld-ghost-middle")[0][-1] + 3


def test_pushes_are_turned_one_by_one_by_mouse_and_key(show, fan):
    page = show(fan)
    switch = page.get_by_role("group", name="Pushes, one after the other").get_by_role("button")
    assert switch.count() == 20 and switch.nth(0).get_attribute("aria-label") == "Push 1: right"
    switch.nth(0).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    settle(page)
    flipped = [1 - push if n in (0, 1, 19) else push for n, push in enumerate(fan.pushes)]
    assert trait(page, "pushes") == flipped
    assert page.get_by_label("Pushes", exact=True).input_value() == "your own"
    assert [node.get_attribute("tabindex") for node in switch.all()].count("0") == 1
    before = lines(page, "ld-fan-middle")
    page.get_by_role("button", name="Draw other samples").click()
    settle(page)
    assert not np.allclose(lines(page, "ld-fan-middle"), before, atol=0.05)


def test_horizon_and_gusts_by_slider_list_and_drag(show, fan):
    page = show(fan, viewport={"width": 1200, "height": 900})
    horizon, gust = page.get_by_label("Horizon", exact=True), page.get_by_label("Gust at", exact=True)
    assert not gust.is_visible()
    horizon.focus()
    page.keyboard.press("End")
    assert said(page, "Step 20:") and horizon.get_attribute("aria-valuetext") == "step 20"
    box = page.locator(".ld-future").bounding_box()
    page.mouse.click(box["x"] + 38 + (box["width"] - 48) * 5 / 20, box["y"] + 60)
    assert said(page, "Step 5:")
    page.get_by_label("Gusts", exact=True).select_option("none: calm air")
    assert "of the real ones in calm air, " in said(page, "in calm air")
    assert np.ptp(lines(page, "ld-real"), axis=0).max() < 0.02, "without chance there is one future"
    calm = lines(page, "ld-real")[0]
    page.get_by_label("Gusts", exact=True).select_option("one to the right")
    gust.fill("8")
    assert "of the real ones with this gust, " in said(page, "with this gust")
    settle(page)
    blown = lines(page, "ld-real")[0]
    assert np.allclose(blown[:9], calm[:9], atol=0.02) and abs(blown[-1] - calm[-1]) > 3
    assert page.locator(".ld-poles").count() == 2
    assert page.locator(".ld-poles path").first.get_attribute("d").count("M") == 32
    page.get_by_label("Model", exact=True).select_option("state_space")
    page.get_by_label("Start", exact=True).select_option("after a gust")
    settle(page)
    assert (trait(page, "model"), trait(page, "start")) == (1, 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, fan, theme):
    page = show(fan, theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    page.get_by_role("button", name="Push 2: left").tap()
    settle(page)
    assert trait(page, "pushes")[1] == 1


def test_still_picture_stands_without_javascript(show, fan):
    picture = show(fan, java_script_enabled=False).locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_step_of_the_fan_is_imagined_within_8_ms(show, fan):
    """Two fans of 20 steps, their real futures and the drawing, in the time of 40 dreamt steps."""
    page = show(fan)
    rounds = [
        spent(
            page,
            """async () => {
                const frame = () => new Promise(requestAnimationFrame);
                const switches = document.querySelectorAll(".ld-switch");
                for (let n = 0; n < 5; n++) {
                    switches[n].click();
                    await frame().then(frame);
                }
            }""",
        )[1]
        for _ in range(3)
    ]
    assert lines(page, "ld-fan-middle").shape == (1, 21)
    assert min(rounds) / 5 / 40 <= 8, rounds
