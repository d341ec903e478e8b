"""The crop explorer in a page: the frame is the package's to the byte, and every control moves it."""

import re

import numpy as np
import pytest
from built_book import drawn
from IPython.display import HTML
from open_widgets import check_manners
from widget_page import page_of

from latent_dynamics.showing.widgets.crop_explorer.crop_explorer import CropExplorer
from latent_dynamics.world.preprocessing import DEFAULT, RAW, View
from latent_dynamics.world.rendering import Screen

PHONE = {"width": 390, "height": 844}
VIEWS = [
    RAW,
    DEFAULT,
    View(top=0, bottom=400, height=20, width=50),
    View(top=241, bottom=251, height=10, width=600),
    View(top=223, bottom=303, height=20, width=300),
    View(top=8, bottom=168, height=16, width=200),
]
READY = "(widgets) => document.querySelectorAll('.ld-say:not(:empty)').length === widgets"
FRAME = """(canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return { shape: [height, width], bytes: [...data].filter((_, i) => i % 4 === 0) };
}"""

# The widget draws in the display frame after the event: between the two callbacks that stand around its own.
TIMES = """async () => {
    const input = document.querySelector('[aria-label="Bottom edge"]');
    const frame = () => new Promise((done) => requestAnimationFrame(() => done(performance.now())));
    const times = [];
    for (let n = 0; n < 30; n++) {
        await frame();
        input.value = input.max - input.step * (n + 1);
        const before = frame();
        input.dispatchEvent(new Event("input"));
        const [start, end] = await Promise.all([before, frame()]);
        times.push(end - start);
    }
    return times;
}"""


@pytest.fixture(scope="module")
def screens():
    """A leaning pole, and a cart at the edge."""
    screen = Screen()
    return np.stack([screen.rgb([0.3, 0, 0.1, 0]), screen.rgb([2.3, 0, -0.05, 0])])


@pytest.fixture(scope="module")
def noisy(screens):
    """A screen with a patch of noise, whose averages round in every way there is."""
    noisy = screens[:1].copy()
    noisy[0, 200:260, :200] = np.random.default_rng(0).integers(0, 256, (60, 200, 3))
    return noisy


@pytest.fixture
def show(browser, tmp_path, monkeypatch):
    """A function that opens a page of widgets in a fresh, cut-off browser context."""
    contexts = []
    draw_still = CropExplorer.still

    def open_page(*widgets, theme="light", **options):
        scripted = options.get("java_script_enabled", True)
        # A still picture takes long to draw, and with scripts nobody sees it.
        monkeypatch.setattr(CropExplorer, "still", (lambda _: HTML("")) if scripted else draw_still)
        (tmp_path / "page.html").write_text(page_of(*widgets, theme=theme), "utf8")
        contexts.append(browser.new_context(**options))
        contexts[-1].set_offline(True)
        page = contexts[-1].new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        if scripted:
            page.wait_for_function(READY, arg=len(widgets))
        return page

    yield open_page
    for context in contexts:
        assert all(page.troubles == [] for page in context.pages)
        context.close()


def control(page, name):
    """A slider, list or button of the first widget, by the name that a screen reader says."""
    return page.locator(".ld").first.get_by_label(name, exact=True)


def press(page, name):
    """Push one of the buttons that jump to a crop."""
    page.locator(".ld").first.get_by_role("button", name=name).click()


def settle(page):
    """Wait until what was asked of the page is drawn."""
    drawn(page)


def crop(page):
    """Rows kept and block sizes, as the controls say them."""
    settle(page)
    names = ("Top edge", "Bottom edge", "Block height", "Block width")
    return tuple(int(re.match(r"\d+", control(page, name).input_value())[0]) for name in names)


def frame(page, index=0):
    """What the model sees, (H, W) uint8, read off the canvas."""
    settle(page)
    seen = page.locator(".ld-crop-frame").nth(index).evaluate(FRAME)
    return np.array(seen["bytes"], np.uint8).reshape(seen["shape"])


def test_the_frame_is_the_packages_to_the_byte(show, screens, noisy):
    widgets = [CropExplorer(shown[None], view=view) for shown in (*screens, *noisy) for view in VIEWS]
    page = show(*widgets)
    for i, widget in enumerate(widgets):
        assert np.array_equal(frame(page, i), widget.frame()), f"screen {i // len(VIEWS)}, {widget.view}"


def test_the_figures_are_the_packages(show, screens):
    widgets = [CropExplorer(screens, view=view, screen=i % 2) for i, view in enumerate(VIEWS)]
    page = show(*widgets)

    def percent(share):
        return "100%" if share == 1 else f"{min(99.9, 100 * share):.1f}%"

    for i, widget in enumerate(widgets):
        facts = widget.facts()
        wanted = [f"{widget.view.height} × {widget.view.width}", str(facts["touching"])]
        wanted += [percent(facts[name]) for name in ("background", "pole", "cart")]
        assert page.locator(".ld-tiles").nth(i).locator("strong").all_inner_texts() == wanted


def test_it_opens_on_the_whole_screen_and_its_buttons_jump(show, screens):
    page = show(CropExplorer(screens))
    assert crop(page) == (8, 392, 12, 6)
    press(page, "The book's crop")
    assert crop(page) == (160, 320, 5, 6)
    assert np.array_equal(frame(page), CropExplorer(screens, view=DEFAULT).frame())
    press(page, "The whole screen")
    assert crop(page) == (8, 392, 12, 6)


def drag(page, side, rows):
    """Drag an edge by mouse, over so many screen rows."""
    strip = page.locator(f".ld-edge-{side}").first.bounding_box()
    x, y = strip["x"] + 60, strip["y"] + 20  # beside the line: a drag is told by how far it goes
    scale = page.locator(".ld-crop-picture").first.bounding_box()["height"] / 400
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + rows * scale, steps=4)
    page.mouse.up()


def test_the_edges_follow_the_mouse_in_whole_blocks(show, screens):
    page = show(CropExplorer(screens, view=DEFAULT))
    drag(page, "top", 61)
    assert crop(page) == (220, 320, 5, 6)
    drag(page, "bottom", -31)
    assert crop(page) == (220, 290, 5, 6)
    drag(page, "top", 300)
    assert crop(page) == (285, 290, 5, 6), "one row of blocks is left"
    drag(page, "bottom", 900)
    assert crop(page) == (285, 400, 5, 6)
    drag(page, "top", -900)
    assert crop(page) == (0, 400, 5, 6)


def test_the_edges_follow_a_finger(show, screens):
    page = show(CropExplorer(screens, view=DEFAULT), has_touch=True, is_mobile=True, viewport=PHONE)
    strip = page.locator(".ld-edge-top")
    strip.scroll_into_view_if_needed()
    box, scale = strip.bounding_box(), page.locator(".ld-crop-picture").first.bounding_box()["height"] / 400
    assert box["height"] >= 40
    session, x, y = page.context.new_cdp_session(page), box["x"] + 60, box["y"] + 30
    for kind, down in (("touchStart", 0), ("touchMove", 20), ("touchMove", 40), ("touchEnd", None)):
        points = [] if down is None else [{"x": x, "y": y + down * scale}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert crop(page) == (200, 320, 5, 6)


def test_the_keyboard_moves_both_edges_a_block_at_a_time(show, screens):
    page = show(CropExplorer(screens, view=DEFAULT))
    control(page, "Top edge").focus()
    page.keyboard.press("ArrowRight")
    assert crop(page) == (165, 320, 5, 6)
    page.keyboard.press("Home")
    assert crop(page) == (0, 320, 5, 6)
    control(page, "Bottom edge").focus()
    page.keyboard.press("End")
    assert crop(page) == (0, 400, 5, 6)
    page.keyboard.press("ArrowLeft")
    assert crop(page) == (0, 395, 5, 6)
    assert control(page, "Bottom edge").get_attribute("aria-valuetext") == "row 395"


def test_a_new_block_height_pulls_the_crop_to_whole_blocks(show, screens):
    page = show(CropExplorer(screens, view=DEFAULT))
    control(page, "Block height").select_option("12 px")
    assert crop(page) == (160, 316, 12, 6)
    control(page, "Block width").select_option("12 px")
    assert frame(page).shape == (13, 50)
    view = View(top=160, bottom=316, height=13, width=50)
    assert np.array_equal(frame(page), CropExplorer(screens, view=view).frame())


def test_another_screen_is_drawn(show, screens):
    page = show(CropExplorer(screens, labels=["one", "two"]))
    control(page, "Screen").select_option("two")
    assert np.array_equal(frame(page), CropExplorer(screens, screen=1).frame())
    assert page.get_by_role("img", name="The screen: two").count() == 1


def test_the_sentence_says_what_is_lost(show, screens):
    page = show(CropExplorer(screens, view=DEFAULT))
    sentence = page.locator(".ld-say")
    assert "It keeps all of pole and cart that the screen shows." in sentence.inner_text()
    drag(page, "top", 70)
    sentence.filter(has_text="Rows 230 to 320").wait_for(timeout=5000)
    lost = 1 - CropExplorer(screens, view=View(top=230, height=18)).facts()["pole"]
    assert f"The crop cuts off {100 * lost:.1f}% of the pole, and" in sentence.inner_text()


def test_two_views_of_one_widget_stay_in_step(show, screens):
    widget = CropExplorer(screens)
    page = show(widget, widget)
    press(page, "The book's crop")
    assert crop(page) == (160, 320, 5, 6)
    assert np.array_equal(frame(page, 0), frame(page, 1)) and frame(page, 1).shape == (32, 100)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, screens, theme):
    page = show(CropExplorer(screens, title="What is left?"), theme=theme, viewport=PHONE)
    check_manners(page)


def test_still_picture_stands_without_javascript(show, screens):
    page = show(CropExplorer(screens), java_script_enabled=False)
    picture = page.locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_drag_is_drawn_within_a_display_frame(show, screens):
    page = show(CropExplorer(screens, view=View(top=0, bottom=400, height=200, width=300)))
    times = sorted(page.evaluate(TIMES))
    assert 0 < times[len(times) // 2] <= 16
