"""A rollout player on a built page, by mouse, keyboard and touch; `test_a_page` moves the controls of all of them."""

import re

from built_book import changes, look, pages_with_players

PHONE = {"width": 390, "height": 844}


def players(page):
    """The rollout players of a page."""
    return page.locator(".ld-rollout").all()


def control(root, name):
    """A button, slider or list of a widget, by the name that a screen reader says."""
    return root.locator(f'[aria-label="{name}"]')


def test_the_book_has_a_rollout_player():
    assert pages_with_players()


def test_player_answers_to_the_mouse(visit, a_player_page):
    page = visit(a_player_page)
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


def test_player_answers_to_the_keyboard(visit, a_player_page):
    page = visit(a_player_page)
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


def test_a_model_is_chosen_by_keyboard_and_its_list_is_large_enough_for_a_finger(visit, a_player_page):
    page = visit(a_player_page, has_touch=True, is_mobile=True, viewport=PHONE)
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


def test_player_plays_and_pauses(visit, a_player_page):
    page = visit(a_player_page)
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


def test_player_answers_to_touch(visit, a_player_page):
    page = visit(a_player_page, has_touch=True, is_mobile=True, viewport=PHONE)
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


def test_reduced_motion_is_respected(visit, a_player_page):
    page = visit(a_player_page, reduced_motion="reduce")
    for root in players(page):
        before = look(root)
        page.wait_for_timeout(500)
        assert look(root) == before, "it moves unasked"
        assert root.locator("button").first.evaluate("(node) => getComputedStyle(node).transitionDuration") == "0s"
