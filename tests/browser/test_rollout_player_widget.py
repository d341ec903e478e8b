"""The rollout scrubber in a real browser: two models at once, and exact physics as an outline in their dreams."""

import re

import numpy as np
import pytest
from built_book import changes, look
from open_widgets import PHONE, check_manners, opener, settle

from latent_dynamics.showing.widgets import RolloutPlayer
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.rendering import draw

N = 12
STEPS = np.arange(1, N + 1)
TRUE = np.stack([0.3 * STEPS, -0.2 * STEPS])  # degrees: two windows
DREAMS = {"plain": TRUE + 0.4 * STEPS, "better": TRUE + 0.15 * STEPS, "lost": TRUE - 0.3 * STEPS}
PHYSICS = np.stack([np.full((2, N), 0.1), TRUE + 0.05 * STEPS])  # metres, degrees
PHYSICS[:, 1, 9:] = np.nan  # in the second window its pole has fallen


def film(angles, x=0.0):
    """Frames (2, N, 32, 100) of poles at these angles (2, N), in degrees."""
    states = np.zeros((*angles.shape, 4))
    states[..., 0], states[..., 2] = x, np.radians(angles)
    return from_bytes(draw(states, workers=1))


@pytest.fixture(scope="module")
def make():
    """A function that makes a player of three models, or of as many as are named."""
    films, true = {name: film(angles) for name, angles in DREAMS.items()}, film(TRUE)

    def player(*names, **settings):
        angles = {name: DREAMS[name].copy() for name in names or DREAMS}
        if "lost" in angles:
            angles["lost"][:, 8:] = np.nan
        teacher, near = dict.fromkeys(angles, true), dict.fromkeys(angles, TRUE + 0.1)
        return RolloutPlayer(true, teacher, {name: films[name] for name in angles}, TRUE, near, angles, **settings)

    return player


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield lambda *widgets, **options: (page := open_page(*widgets, **options), page.locator(".ld-rollout").first)


def control(root, name):
    return root.locator(f'[aria-label="{name}"]')


def inked(canvas):
    """Where the ink of a canvas balances in its uppermost pole rows, as a column."""
    return canvas.evaluate("""(canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 2, 100, 6);
        let [sum, moment] = [0, 0];
        for (let i = 0; i < 600; i++) { sum += 255 - data[4 * i]; moment += (255 - data[4 * i]) * (i % 100 + 0.5); }
        return moment / sum;
    }""")


def canvases(root):
    settle(root.page)
    return root.locator("canvas:visible").all()


def test_a_second_dream_is_shown_below_the_first_and_dismissed(show, make):
    _, root = show(make())
    assert len(canvases(root)) == 4
    assert root.locator("svg.ld-curve .ld-beside").count() == 0
    with changes(root, "canvas", "curve", "sentence"):
        control(root, "Compared with").select_option("better")
    names = [canvas.get_attribute("aria-label") for canvas in canvases(root)]
    assert names[::2] == ["What happened", "Dream of plain", "Dream of better"]
    truth, _, plain, _, better, _ = (inked(canvas) for canvas in canvases(root))
    assert truth < better < plain, "each film shows its own pole"
    assert root.locator("svg.ld-curve .ld-path.ld-beside").count() == 1
    assert root.locator("svg.ld-curve .ld-path.ld-other").count() == 1, "the third model stays thin"
    said = look(root)["sentence"]
    step = int(control(root, "Step").input_value())
    dreams = [f"dream of {name} {DREAMS[name][0, step - 1]:.1f}" for name in ("plain", "better")]
    assert ", ".join(dreams) in said
    with changes(root, "curve", "sentence"):
        control(root, "Compared with").select_option("no other model")
    assert len(canvases(root)) == 4


def test_it_may_open_with_two(show, make):
    _, root = show(make(beside=1))
    assert len(canvases(root)) == 6
    assert "dream of better" in look(root)["sentence"]


def test_lines_differ_by_dash_as_well_as_colour(show, make):
    _, root = show(make(beside=1, reference=PHYSICS))
    stroke = "(path) => ['stroke', 'strokeDasharray'].map((name) => getComputedStyle(path)[name])"
    kinds = ("teacher", "free", "beside", "physics", "other")
    lines = [root.locator(f"svg.ld-curve .ld-path.ld-{kind}").first.evaluate(stroke) for kind in kinds]
    assert [len(set(part)) for part in zip(*lines, strict=True)] == [5, 5]


def test_a_model_is_never_compared_with_itself(show, make):
    page, root = show(make(beside=1))
    options = control(root, "Compared with").locator("option")
    assert [option.is_disabled() for option in options.all()] == [False, True, False, False]
    control(root, "Model").select_option("better")
    settle(page)
    assert control(root, "Compared with").evaluate("(list) => list.value") == "plain"
    names = [canvas.get_attribute("aria-label") for canvas in canvases(root)]
    assert names[2::2] == ["Dream of better", "Dream of plain"], "they have changed places"


def test_the_second_is_chosen_by_keyboard(show, make):
    page, root = show(make())
    control(root, "Compared with").focus()
    with changes(root, "curve", "sentence"):
        page.keyboard.press("ArrowDown")
    assert "dream of better" in look(root)["sentence"]


def test_a_lost_pole_of_the_second_is_crossed_and_said(show, make):
    _, root = show(make(beside=2))
    control(root, "Step").press("End")
    assert "dream of lost no pole" in look(root)["sentence"]
    crosses = root.locator("svg.ld-curve .ld-lost.ld-beside").get_attribute("d")
    assert crosses.count("m0 -6") == N - 8


def test_a_single_model_offers_no_comparison(show, make):
    _, root = show(make("plain"))
    assert control(root, "Compared with").count() == control(root, "Model").count() == 0
    assert root.locator("svg.ld-outline:visible").count() == 0
    assert "exact physics" not in root.inner_text()


@pytest.mark.parametrize("width", [1200, 390])
def test_exact_physics_is_outlined_in_every_dream(show, make, width):
    _, root = show(make(beside=1, reference=PHYSICS), viewport={"width": width, "height": 900})
    control(root, "Step").press("End")
    settle(root.page)
    outlines = root.locator("svg.ld-outline:visible")
    assert outlines.count() == 2
    for outline, canvas in zip(outlines.all(), canvases(root)[2::2], strict=True):
        over, picture = outline.bounding_box(), canvas.bounding_box()
        cart = outline.locator("rect").first.bounding_box()
        middle = (cart["x"] + cart["width"] / 2 - picture["x"]) / picture["width"]
        assert middle == pytest.approx((300 + 125 * 0.1) / 600, abs=0.005)
        assert over["width"] == pytest.approx(picture["width"] - 2)
        assert over["height"] == pytest.approx(picture["height"] - 2, abs=1)
        turned = outline.locator("rect").last.get_attribute("transform")
        assert float(re.search(r"-?[\d.]+", turned)[0]) == pytest.approx(PHYSICS[1, 0, -1], abs=1e-3)


def test_exact_physics_is_said_and_drawn(show, make):
    _, root = show(make(reference=PHYSICS))
    control(root, "Step").press("End")
    said = look(root)["sentence"]
    assert f"exact physics {PHYSICS[1, 0, -1]:.1f}. Free rollouts" in said
    assert f"; exact physics {0.05 * N:.1f}. Nearest" in said
    assert f"exact physics, outlined: {0.05 * N:.1f}" in root.locator(".ld-curve-head").inner_text()
    assert root.locator("svg.ld-curve .ld-path.ld-physics").get_attribute("d").count("L") == N - 1
    with changes(root, "curve", "sentence"):
        control(root, "Episode").select_option(index=1)
    assert "exact physics fallen" in look(root)["sentence"]
    assert root.locator("svg.ld-outline:visible").count() == 0, "where it has no pole, there is no outline"
    assert root.locator("svg.ld-curve .ld-path.ld-physics").get_attribute("d").count("L") == 8


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_models_keep_their_manners_on_a_phone(show, make, theme):
    page, _ = show(make(beside=1, reference=PHYSICS), theme=theme, viewport=PHONE)
    check_manners(page)


def test_two_views_of_one_player_stay_in_step(show, make):
    shown = make()
    page, _ = show(shown, shown)
    one, other = page.locator(".ld-rollout").all()
    with changes(other, "curve", "sentence"):
        control(one, "Compared with").select_option("better")
    assert look(one) == look(other)


@pytest.mark.timed
def test_a_step_of_two_models_is_drawn_within_16_ms(show, make):
    page, _ = show(make(beside=1, reference=PHYSICS))
    times = page.evaluate("""() => {
        const input = document.querySelector('[aria-label="Step"]'), times = [];
        for (let n = 0; n < 60; n++) {
            input.value = 1 + n % 12;
            const begun = performance.now();
            input.dispatchEvent(new Event("input")); // it is drawn before this returns
            input.getBoundingClientRect(); // and laid out
            times.push(performance.now() - begun);
        }
        return times.sort((a, b) => a - b);
    }""")
    assert times[30] <= 16, f"median {times[30]:.1f} ms"
