"""The duel in a page: its games are the package's, step by step, and every control moves it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from open_widgets import PHONE, check_manners, opener, settle, slider_time

from latent_dynamics import controllers
from latent_dynamics.keeping.artifacts import frames_of, load_episodes, load_model
from latent_dynamics.models.training import Budget
from latent_dynamics.showing.page.bundle import bundle
from latent_dynamics.showing.widgets.duel.duel import Duel
from latent_dynamics.world.cartpole import sign_theta, sign_theta_and_velocity
from latent_dynamics.world.rendering import draw

SHORT = Budget(epochs=10, batch_size=256, learning_rate=1e-2)
RULES = {"fair": sign_theta, "unfair": sign_theta_and_velocity}


class OpenDuel(Duel):
    """A duel whose page lends its games to a test, as `window.gameOf(rule, player, steps)`."""

    _esm = bundle(Path(__file__).with_name("open_duel.js"))


@pytest.fixture(scope="module")
def make():
    """A function that makes a duel of controllers that were trained briefly."""
    autoencoder, episodes = load_model("autoencoder_mlp").autoencoder, load_episodes("mixed", "train")
    rows = np.random.default_rng(0).choice(len(episodes.states), 2500, replace=False)
    states = torch.from_numpy(episodes.states[rows])
    with torch.no_grad():
        codes = states.float(), autoencoder.encode(frames_of(episodes)[rows])

    def clone(code, rule):
        return controllers.clone(code[500:], rule(states[500:]), (code[:500], rule(states[:500])), 0, SHORT)[0]

    pairs = {name: tuple(clone(code, rule) for code in codes) for name, rule in RULES.items()}
    starts = controllers.first_states(3, 10_000).numpy()
    return lambda kind=Duel, **how: kind(autoencoder, pairs, starts, **how)


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def step_of(page):
    settle(page)
    return int(page.get_by_label("Step", exact=True).first.input_value())


def counts(page):
    """What stands under the two carts."""
    settle(page)
    return page.locator(".ld-count strong").all_inner_texts()


def go(page, step):
    page.get_by_label("Step", exact=True).first.fill(str(step))
    settle(page)


@pytest.mark.parametrize("rule", RULES)
def test_each_decision_is_the_controllers(show, make, rule):
    """Every state that the page reaches is put to the package's controllers: same confidence, same next state."""
    widget = make(OpenDuel, rule=rule)
    page = show(widget)
    for player in "AB":
        game = page.evaluate("([rule, player]) => gameOf(rule, player, 60)", [rule, player])
        here = np.array([moment["state"] for moment in game])
        sure = [float(widget._probability(player, torch.tensor(state)[None])) for state in here]
        assert np.allclose([moment["right"] for moment in game], sure, atol=1e-4), player
        states, _ = widget.game(player, 60)
        fallen = len(states) - 1 if len(states) <= 60 else None
        assert np.allclose(here[: len(states)], states, atol=1e-9), player
        assert game[-1]["fallen"] == (fallen is not None) and (fallen is None or game[-1]["step"] == fallen)


def test_it_opens_where_the_first_of_them_falls(show, make):
    widget = make()
    page, fall = show(widget), len(widget.game("B")[0]) - 1
    assert step_of(page) == fall
    assert counts(page) == [f"up for {fall} steps", f"fell at step {fall}"]
    states, sure = widget.game("B")
    alike = int(((sure > 0.5) == RULES["unfair"](torch.from_numpy(states)).numpy())[:-1].sum())
    assert page.locator(".ld-count span").nth(1).inner_text().strip() == f"like the rule: {alike} of {fall}"
    assert f"B fell at step {fall}." in page.locator(".ld-say").inner_text()


def test_a_step_back_shows_what_b_saw_and_how_sure_it_was(show, make):
    widget = make()
    page = show(widget)
    page.get_by_role("button", name="One step back").click()
    step = step_of(page)
    states, sure = widget.game("B")
    assert step == len(states) - 2
    share, side = max(sure[step], 1 - sure[step]), "right" if sure[step] > 0.5 else "left"
    words = "over 99%" if share > 0.99 else f"{round(100 * share)}%"
    assert page.locator(".ld-sure strong").nth(1).inner_text() == f"{side}, {words} sure"
    drawn = page.locator(".ld canvas").evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 100, 32).data].filter((_, i) => i % 4 === 0)"
    )
    assert np.array_equal(np.array(drawn).reshape(32, 100), draw(states[step]))


def test_it_plays_to_the_end_and_stops_and_nothing_moves_before(show, make):
    page = show(make(rule="fair", start=1, step=0, title="Who falls?"))
    page.wait_for_timeout(300)
    assert step_of(page) == 0
    page.get_by_label("Speed", exact=True).select_option("real time")
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    page.get_by_role("button", name="Play", exact=True).wait_for(timeout=20_000)  # both have fallen
    assert all(re.fullmatch(r"fell at step \d+", count) for count in counts(page))
    last = max(int(count.split()[-1]) for count in counts(page))
    assert last <= step_of(page) <= last + 1


def test_pause_restart_and_keys(show, make):
    page = show(make(step=0))
    page.locator(".ld").focus()
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('[aria-label=Step]').value > 2")
    page.keyboard.press("Space")
    now = step_of(page)
    page.keyboard.press("ArrowRight")
    assert step_of(page) == now + 1
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="One step forward").click()
    assert step_of(page) == now + 1
    page.get_by_role("button", name="Start again").click()
    assert step_of(page) == 0 and counts(page) == ["up for 0 steps"] * 2


def test_another_rule_opens_where_its_first_one_falls_and_another_start_begins_anew(show, make):
    page, widget = show(make()), make(rule="fair")
    page.get_by_label("Rule", exact=True).select_option(index=0)
    assert step_of(page) == min(len(widget.game(player)[0]) - 1 for player in "AB")
    page.get_by_label("Start", exact=True).select_option(index=2)
    assert step_of(page) == 0
    go(page, 30)
    widget.start = 2
    x, _, theta, _ = widget.game("A")[0][30]
    shown = page.locator(".ld-numbers").inner_text().replace("−", "-")
    assert f"x {x:+.2f} m" in shown and f"pole {np.degrees(theta):+.1f}°" in shown


def test_two_views_of_one_widget_stay_in_step(show, make):
    widget = make()
    page = show(widget, widget)
    go(page, 10)
    assert [node.input_value() for node in page.get_by_label("Step", exact=True).all()] == ["10", "10"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, make, theme):
    page = show(make(title="Who falls?"), theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    page.get_by_role("button", name="Start again").tap()
    assert step_of(page) == 0


def test_still_picture_stands_without_javascript(show, make):
    picture = show(make(), java_script_enabled=False).locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_step_is_played_and_drawn_within_a_display_frame(show, make):
    assert slider_time(show(make(step=0)), "Step") <= 16
