"""Questions in a real browser: nothing is given away before the commitment, everything is explained after it."""

import re

import numpy as np
import pytest
from built_book import drawn
from open_widgets import serious_findings
from widget_page import page_of

from latent_dynamics.showing.widgets.choose.choose import Choose
from latent_dynamics.showing.widgets.sketch.sketch import Sketch

COMMIT, AGAIN = "This is my answer", "Ask me again"
X = np.arange(1, 21)
WHYS = {"One": "Because of one.", "Two": "Because of two.", "Three": "Because of three."}


def questions():
    """A plain choice, a choice between films, and a curve that bends upwards and is lost at step 18."""
    films = np.ones((3, 8, 32, 100))
    for n in range(8):
        films[:, n, 20:28, 10 + 8 * n : 30 + 8 * n] = 0
    curve = 0.4 * 1.13**X
    curve[17:] = np.inf
    return (
        Choose("Which number?", WHYS, "Two", "The run said two.", {"one": 1, "two": 2.5}, "steps"),
        Choose("Which film?", {"Film A": "Drawn.", "Film B": "Seen.", "Film C": "Drawn too."}, "Film B", films=films),
        Sketch(
            "How far off?", X, {"free rollout": curve, "exact physics": 0.2 + 0 * X}, {"teacher forcing": 0.5 + 0 * X},
            x_label="step since then", y_label="median error",
            lessons={"flat": "Nobody corrects it.", "straight": "It multiplies.", "too low": "Not one step.",
                     "right shape": "It grows by itself."},
            gap="No pole from there on.", evidence="The run said so.",
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The page of the three questions, in light and dark."""
    folder = tmp_path_factory.mktemp("questions")
    for theme in ("light", "dark"):
        (folder / f"{theme}.html").write_text(page_of(*questions(), theme=theme), encoding="utf8")
    return folder


@pytest.fixture
def open_page(browser, built):
    """A function that opens the page without a network; see that nothing was complained about."""
    contexts, troubles = [], []

    def opened(theme="light", prepare="", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
        if prepare:
            page.add_init_script(prepare)
        page.goto((built / f"{theme}.html").as_uri())
        if options.get("java_script_enabled", True):
            page.locator(".ld-sketch").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


def number(page):
    return page.locator(".ld-choose").first


def film(page):
    return page.locator(".ld-choose").nth(1)


def curve(page):
    return page.locator(".ld-sketch")


def press(root, words):
    root.get_by_role("button", name=words).click()


def settled(page):
    """Let the page draw what was asked of it."""
    drawn(page)


def draw(page, heights):
    """Draw with the mouse, from left to right, at shares of the board's height."""
    page.locator(".ld-board").scroll_into_view_if_needed()
    box = page.locator(".ld-board").bounding_box()
    for i, height in enumerate(heights):
        x = box["x"] + 42 + i * (box["width"] - 58) / (len(heights) - 1)
        page.mouse.move(x, box["y"] + 14 + (1 - height) * (270 - 54))
        if i == 0:
            page.mouse.down()
    page.mouse.up()
    settled(page)


def test_nothing_is_given_away_before_the_commitment(open_page):
    page = open_page()
    shown = page.locator("main").inner_text()
    for secret in [*WHYS.values(), "The run said", "Seen.", "exact physics", "Nobody corrects", "Right"]:
        assert secret not in shown
    assert page.locator(".ld-line.ld-measured").count() == 0
    for root in (number(page), film(page), curve(page)):
        assert root.get_by_role("button", name=COMMIT).is_disabled()


def test_a_wrong_answer_is_explained_and_so_are_all_others(open_page):
    root = number(open_page())
    root.get_by_text("One", exact=True).click()
    press(root, COMMIT)
    said = root.locator("[aria-live=polite]")
    said.get_by_text("Right: \u201cTwo\u201d.").wait_for()
    for words in ("Not this one.", WHYS["One"], WHYS["Two"], "The run said two."):
        assert words in said.inner_text()
    assert "2.5 steps" in root.locator(".ld-bars").inner_text()
    assert not root.get_by_text(WHYS["Three"]).is_visible()
    root.get_by_text("And the other answers?").click()
    assert root.get_by_text(WHYS["Three"]).is_visible()
    assert root.locator("input:enabled").count() == 0, "the answer could be changed after it was told"


def test_the_right_answer_is_marked_in_words_and_by_a_sign(open_page):
    root = number(open_page())
    root.get_by_label("Two").check()
    press(root, COMMIT)
    mark = root.locator(".ld-option", has_text="Two").locator(".ld-mark")
    mark.wait_for()
    assert mark.inner_text() == "your answer, and right"
    assert mark.locator("svg path").count() == 1
    assert "Not this one" not in root.inner_text()


def test_a_question_can_be_answered_by_keyboard(open_page):
    page = open_page()
    root = number(page)
    root.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    settled(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    root.get_by_text("your answer, and right").wait_for()
    assert page.evaluate("document.activeElement.textContent") == AGAIN
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate("document.activeElement.type") == "radio", "the keyboard lost its place"


def test_answers_outlive_a_reload_until_asked_again(open_page):
    page = open_page()
    number(page).get_by_label("Three").check()
    press(number(page), COMMIT)
    draw(page, [0.2] * 8)
    press(curve(page), COMMIT)
    settled(page)
    before = page.locator(".ld-board path.ld-mine").get_attribute("d")
    page.reload()
    number(page).get_by_text(WHYS["Three"]).wait_for()
    assert page.locator(".ld-board path.ld-mine").get_attribute("d") == before
    assert "The run said so." in curve(page).inner_text()
    assert film(page).get_by_role("button", name=COMMIT).is_visible(), "another question's answer was taken for its own"
    for root in (number(page), curve(page)):
        press(root, AGAIN)
    settled(page)
    page.reload()
    curve(page).wait_for()
    for root in (number(page), curve(page)):
        assert root.get_by_role("button", name=COMMIT).is_disabled()


@pytest.mark.parametrize(
    "trouble",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });",
        "Storage.prototype.getItem = () => '{broken';",
        "Storage.prototype.getItem = () => '99';",
        "Storage.prototype.getItem = () => '[1, 2]';",
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };",
    ],
    ids=["blocked", "broken", "another number", "another list", "full"],
)
def test_a_browser_that_keeps_nothing_still_answers(open_page, trouble):
    page = open_page(prepare=trouble)
    number(page).get_by_label("Two").check()
    press(number(page), COMMIT)
    number(page).get_by_text("your answer, and right").wait_for()
    draw(page, [0.1, 0.2])
    press(curve(page), COMMIT)
    curve(page).get_by_text("The run said so.").wait_for()


def test_two_views_of_one_question_stay_in_step(browser, tmp_path):
    asked = questions()[0]
    (tmp_path / "twice.html").write_text(page_of(asked, asked), encoding="utf8")
    page = browser.new_page()
    page.goto((tmp_path / "twice.html").as_uri())
    one, other = (page.locator(".ld-choose").nth(i) for i in (0, 1))
    one.get_by_label("Three").check()
    settled(page)
    assert other.get_by_label("Three").is_checked()
    press(other, COMMIT)
    one.get_by_text(WHYS["Three"]).wait_for()
    page.close()


def test_films_play_on_request_only_and_can_be_scrubbed(open_page):
    page = open_page(reduced_motion="reduce")
    root = film(page)
    canvas = root.locator("canvas").first
    look = lambda: canvas.evaluate("(canvas) => canvas.toDataURL()")  # noqa: E731
    first = look()
    page.wait_for_timeout(300)
    assert look() == first, "it moved by itself"
    press(root, "Play the films")
    page.wait_for_timeout(300)
    press(root, "Pause the films")
    settled(page)
    stopped = look()
    assert stopped != first
    page.wait_for_timeout(300)
    assert look() == stopped
    root.get_by_label("Frame").focus()
    page.keyboard.press("Home")
    settled(page)
    assert look() == first


def test_films_loop(open_page):
    page = open_page()
    root = film(page)
    root.get_by_label("Frame").focus()
    page.keyboard.press("End")
    press(root, "Play the films")
    page.wait_for_function("document.querySelector('.ld-film-controls input').value < 8", timeout=3000)


def test_a_drawing_is_compared_with_what_was_measured(open_page):
    page = open_page()
    draw(page, [0.05] * 12)
    press(curve(page), COMMIT)
    said = curve(page).locator("[aria-live=polite]")
    said.get_by_text("Your end is too low.").wait_for()
    text = said.inner_text()
    for words in (
        "Not one step.",
        "Nobody corrects it.",
        "No pole from there on.",
        "You drew a flat line",
        "bends upwards",
    ):
        assert words in text
    drew, measured = map(
        float, re.search(r"At step 17 you drew ([\d.]+) degrees; measured were ([\d.]+)", text).groups()
    )
    assert measured == pytest.approx(0.4 * 1.13**17, abs=0.06)
    assert drew == pytest.approx(0.05 * questions()[2].top, abs=0.15)
    assert page.locator(".ld-line.ld-measured-0").count() == 2  # on the board and in the legend


def test_a_good_drawing_is_praised(open_page):
    page = open_page()
    top = questions()[2].top
    draw(page, list(0.4 * 1.13**X / top))
    press(curve(page), COMMIT)
    text = curve(page).locator("[aria-live=polite]")
    text.get_by_text("Your end is close.").wait_for()
    assert "The shape is right: a curve that bends upwards. It grows by itself." in text.inner_text()
    assert "follows it closely" in text.inner_text()


def test_a_curve_can_be_drawn_by_keyboard(open_page):
    page = open_page()
    handles = curve(page).get_by_role("slider")
    assert handles.count() == 6
    assert handles.last.get_attribute("aria-label") == "Your curve at step 20"
    handles.last.focus()
    before = float(handles.last.get_attribute("aria-valuenow"))
    for key in ("ArrowUp", "ArrowUp", "PageUp", "ArrowDown"):
        page.keyboard.press(key)
        settled(page)
    raised = float(handles.last.get_attribute("aria-valuenow"))
    assert raised == pytest.approx(before + 0.12 * questions()[2].top, abs=0.01)
    assert re.fullmatch(r"[\d.]+ degrees", handles.last.get_attribute("aria-valuetext"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    curve(page).get_by_text("The run said so.").wait_for()


def test_a_finger_can_draw_and_choose(open_page):
    page = open_page(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    number(page).get_by_text("Two", exact=True).tap()
    number(page).get_by_role("button", name=COMMIT).tap()
    number(page).get_by_text("your answer, and right").wait_for()
    assert page.locator(".ld-board").evaluate("(board) => getComputedStyle(board).touchAction") == "none"
    page.locator(".ld-board").tap(position={"x": 300, "y": 60})
    curve(page).get_by_role("button", name=COMMIT).tap()
    curve(page).get_by_text("The run said so.").wait_for()
    for control in page.locator("button:visible, .ld-option").all():
        assert control.bounding_box()["height"] >= 24
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_javascript_the_answer_is_folded_below_the_question(open_page):
    still = open_page(java_script_enabled=False).locator(".ld-still").first
    assert still.locator("strong").inner_text() == "Which number?"
    answer = still.locator("details p").last
    assert answer.text_content() == "The run said two."
    assert not answer.is_visible()
    still.locator("summary").click()
    assert answer.is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_finding_of_axe(open_page, theme):
    page = open_page(theme)
    number(page).get_by_label("One").check()
    press(number(page), COMMIT)
    draw(page, [0.1, 0.5])
    press(curve(page), COMMIT)
    settled(page)
    assert serious_findings(page) == []  # one question answered, one not, one drawn
