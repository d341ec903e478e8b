"""Every page of the built book: quiet, self-contained, accessible; every widget in it alive.

The book is read without a kernel, without a network, on phones, in the dark, by keyboard and by ear.
What breaks for one of these readers breaks here first.
"""

import re

import pytest
from built_book import VIEW, changes, look, pages_with_players

NOTE = "could not start"
PHONE = {"width": 390, "height": 844}


def players(page):
    """The rollout players of a page."""
    return page.locator(".ld-rollout").all()


def control(root, name):
    """A button, slider or list of a widget, by the name that a screen reader says."""
    return root.locator(f'[aria-label="{name}"]')


@pytest.mark.parametrize("over", ["http", "file"])
def test_page_is_quiet_and_asks_nothing_of_the_outside(visit, any_page, over):
    page = visit(any_page, over)
    page.wait_for_timeout(200)
    assert page.troubles == []


def test_the_book_has_a_rollout_player():
    assert pages_with_players()


def test_run_times_are_measured(site, any_page):
    for said in re.findall(r'<span class="run-time">(.*?)</span>', (site / any_page).read_text("utf8")):
        assert re.match(r"\d+ (second|minute)s?, measured", said)


@pytest.mark.parametrize("over", ["http", "file"])
def test_every_widget_is_there(visit, site, widget_page, over):
    page = visit(widget_page, over)
    places = page.locator(".ld-widget")
    assert places.count() == (site / widget_page).read_text("utf8").count(f'type="{VIEW}"')
    for place in places.all():
        assert NOTE not in place.inner_text()
        assert place.locator(".ld").count() or "needs a live kernel" in place.inner_text()


def test_player_answers_to_the_mouse(visit, player_page):
    page = visit(player_page)
    for root in players(page):
        step, horizon = control(root, "Step"), control(root, "Horizon")
        for slider, parts in ((step, ("canvas", "sentence")), (horizon, ("curve",))):
            for share in (0.9, 0.3):
                box = slider.bounding_box()
                place = {"x": share * box["width"], "y": box["height"] / 2}
                slider.click(position=place)
            with changes(root, *parts):
                slider.click(position={"x": 0.6 * slider.bounding_box()["width"], "y": 20})
        for name in ("One step back", "One step forward", "One step back", "Go to the first step"):
            with changes(root, "canvas", "sentence"):
                control(root, name).click()
        curve = root.locator("svg.ld-curve")
        with changes(root, "canvas", "sentence"):
            curve.click(position={"x": 0.4 * curve.bounding_box()["width"], "y": 60})
        for name, parts in (("Episode", ("canvas", "curve", "sentence")), ("Model", ("canvas", "curve"))):
            lines = control(root, name).locator("option").count()
            for line in [*range(1, lines), 0][: lines if lines > 1 else 0]:
                with changes(root, *parts):
                    control(root, name).select_option(index=line)
    assert page.troubles == []


def test_player_answers_to_the_keyboard(visit, player_page):
    page = visit(player_page)
    for root in players(page):
        for name, parts in (("Step", ("canvas", "sentence")), ("Horizon", ("curve",))):
            control(root, name).focus()
            page.keyboard.press("End")
            for key in ("ArrowLeft", "ArrowLeft", "ArrowRight"):
                with changes(root, *parts):
                    page.keyboard.press(key)
        root.focus()
        for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
            with changes(root, "canvas", "sentence"):
                page.keyboard.press(key)
        control(root, "Go to the first step").focus()
        with changes(root, "canvas", "sentence"):
            page.keyboard.press("Enter")


def test_models_are_compared_at_the_step_shown(visit):
    compared = 0
    for name in pages_with_players():
        for root in players(visit(name)):
            entries = root.locator(".ld-curve-models > span")
            for line in range(entries.count()):
                control(root, "Model").select_option(index=line)
                said = look(root)["sentence"]
                off = [re.fullmatch(r"(.*): ([\d.]+|no pole)", entry).groups() for entry in entries.all_inner_texts()]
                least = min((error for _, error in off if error != "no pole"), key=float)
                nearest = [model for model, error in off if error == least]
                assert root.locator(".ld-nearest").all_inner_texts() == [f"{model}: {least}" for model in nearest]
                assert said.endswith(f"Nearest: {' and '.join(nearest)}.")
                assert entries.nth(line).locator(".ld-free").count() == 1, "the chosen model's line is the strong one"
                thin = root.locator("svg.ld-curve path.ld-path.ld-other, svg.ld-curve path.ld-path.ld-beside")
                assert thin.count() == len(off) - 1
                compared += 1
    assert compared, "no player of the book compares models"


def test_a_model_is_chosen_by_keyboard_and_its_list_is_large_enough_for_a_finger(visit, player_page):
    page = visit(player_page, has_touch=True, is_mobile=True, viewport=PHONE)
    for root in players(page):
        chooser = control(root, "Model")
        if not chooser.count():
            continue
        assert chooser.bounding_box()["height"] >= 24, "too small for a finger"
        chooser.focus()
        with changes(root, "canvas", "curve"):
            page.keyboard.press("ArrowDown")
        with changes(root, "canvas", "curve"):
            page.keyboard.press("ArrowUp")


def test_player_plays_and_pauses(visit, player_page):
    page = visit(player_page)
    for root in players(page):
        control(root, "Go to the first step").click()
        with changes(root, "canvas", "sentence"):
            control(root, "Play").click()
        control(root, "Pause").click()
        page.wait_for_timeout(100)
        still = look(root)
        page.wait_for_timeout(600)
        assert look(root) == still, "it went on after Pause"
        root.focus()
        with changes(root, "canvas"):
            page.keyboard.press("Space")
        page.keyboard.press("Space")
        control(root, "Play").wait_for(timeout=2000)


def test_player_answers_to_touch(visit, player_page):
    page = visit(player_page, has_touch=True, is_mobile=True, viewport=PHONE)
    for root in players(page):
        for name in ("Go to the first step", "One step forward", "One step forward", "One step back"):
            button = control(root, name)
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 24, f"{name} is too small for a finger"
            button.tap()
        with changes(root, "canvas", "sentence"):
            control(root, "One step forward").tap()
        with changes(root, "canvas", "sentence"):
            control(root, "Step").tap(position={"x": 0.7 * control(root, "Step").bounding_box()["width"], "y": 20})


def test_page_fits_a_phone(visit, any_page):
    page = visit(any_page, viewport=PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"the page is {width} px wide on a screen of {PHONE['width']}"


def test_every_widget_leaves_something_without_javascript(visit, site, widget_page):
    page = visit(widget_page, java_script_enabled=False)
    views = (site / widget_page).read_text("utf8").count(f'type="{VIEW}"')
    assert page.locator("noscript").count() >= views, "a widget here has no still picture: display it with show()"
    for picture in page.locator(".ld-still img").all():
        folded = picture.locator("xpath=ancestor::details").count()  # an answer may be
        assert picture.is_visible() or folded
        assert len(picture.get_attribute("alt")) > 40


def truncated(html):
    """Cut the widgets' state in half, as a broken download would."""
    cut = re.compile(r'(<script type="application/vnd.jupyter.widget-state\+json">)(.*?)(</script>)', re.DOTALL)
    return cut.sub(lambda m: m[1] + m[2][: len(m[2]) // 2] + m[3], html)


def without_state(html):
    """Leave the widgets' state out."""
    return re.sub(r'<script type="application/vnd.jupyter.widget-state\+json">.*?</script>', "", html, flags=re.DOTALL)


def throwing(html):
    """Make every widget throw when it is rendered."""
    bomb = "export default { render() { throw Error('broken on purpose') } }"
    return re.sub(r"export default \{ ?render ?\}", bomb, html)


@pytest.mark.parametrize("damage", [truncated, without_state, throwing])
def test_a_broken_widget_leaves_a_sentence_and_the_rest_of_the_page(visit, site, widget_page, damage):
    html = (site / widget_page).read_text("utf8")
    broken = damage(html)
    assert broken != html
    page = visit(widget_page, over="http", body=broken)
    assert page.locator("article h1").is_visible()
    assert [trouble for trouble in page.troubles if "page error" in trouble or "outside" in trouble] == []
    for place in page.locator(".ld-widget").all():
        assert NOTE in place.inner_text() or "needs a live kernel" in place.inner_text()


def test_reduced_motion_is_respected(visit, player_page):
    page = visit(player_page, reduced_motion="reduce")
    for root in players(page):
        before = look(root)
        page.wait_for_timeout(500)
        assert look(root) == before, "it moves unasked"
        assert root.locator("button").first.evaluate("(node) => getComputedStyle(node).transitionDuration") == "0s"


def test_widgets_follow_the_theme(visit, player_page):
    page = visit(player_page, color_scheme="dark")
    brightness = """(node) => {
        const { backgroundColor, color } = getComputedStyle(node);
        return [backgroundColor, color].map((text) => Number(text.match(/\\d+/)[0]));
    }"""
    for root in players(page):
        paper, ink = root.evaluate(brightness)
        assert paper < 60 < 180 < ink
        with changes(root, "canvas"):
            page.evaluate("document.documentElement.dataset.theme = 'light'")
        paper, ink = root.evaluate(brightness)
        assert ink < 60 < 180 < paper
        page.evaluate("document.documentElement.dataset.theme = 'dark'")


def test_every_widget_is_dark_in_the_dark_and_light_in_the_light(visit, widget_page):
    for scheme in ("dark", "light"):
        page = visit(widget_page, color_scheme=scheme)
        for root in page.locator(".ld").all():
            paper, ink = root.evaluate("""(node) => {
                const { backgroundColor, color } = getComputedStyle(node);
                return [backgroundColor, color].map((text) => Number(text.match(/\\d+/)[0]));
            }""")
            dim, bright = (paper, ink) if scheme == "dark" else (ink, paper)
            assert dim < 60 < 180 < bright, f"{root.get_attribute('class')} in the {scheme}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_finding(visit, any_page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(any_page, color_scheme=scheme)
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    options = contrast if scheme == "dark" else None  # all but the contrast is the same in the dark
    findings = Axe().run(page, options=options).response["violations"]
    serious = [
        f"{finding['id']}: {node['html'][:120]} ({node['failureSummary'][:200]})"
        for finding in findings
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"][:5]
    ]
    assert serious == []


def test_what_cells_print_is_rendered(visit, any_page):
    """Tables and maths that a cell prints are not left as raw text."""
    raw = visit(any_page).evaluate("""() => {
        const found = [...document.querySelectorAll('article p, article li, article th, article td')];
        return found.filter(e => !e.closest('pre')).map(e => {
            const copy = e.cloneNode(true);
            copy.querySelectorAll('code, mjx-container').forEach(inner => inner.remove());
            return copy.textContent.trim();
        }).filter(text => text.startsWith('|') || /\\$[^$\\n]+\\$/.test(text)).map(text => text.slice(0, 80));
    }""")
    assert not raw, f"raw Markdown on the page: {raw}"
