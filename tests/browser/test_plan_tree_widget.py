"""The tree of plans in a page: it votes as the package does, pushes as it votes, and lets the reader push or blow."""

import re

import numpy as np
import pytest
from open_widgets import PHONE, check_manners, opener, settle

from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.showing.widgets.plan_tree.plan_tree import PlanTree

STATES = np.array([[0.0, 0.0, 0.05, 0.3, 0.0, 0.0], [0.3, 0.0, -0.03, 0.0, 0.0, 0.0]])


def tree(**settings):
    models = {name: load_model(name) for name in ("position_velocity", "rssm")}
    return PlanTree(models, STATES, title="Every plan at once", **settings)


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def words(page):
    return page.locator(".ld-plan-tree .ld-say").inner_text()


def told(page):
    """Survivors, plans, the share of the votes and the side, as the sentence has them."""
    found = re.search(r"(\w+) of (\d+) plans .* (\d+) % of the votes are for .* (\w+)\.", words(page))
    survive, count, share, side = found.groups()
    return 0 if survive == "None" else int(survive), int(count), int(share), side


def of_python(widget):
    said = widget.tree()
    alive, right = int((said["survival"] > 0.5).sum()), said["right"]
    return alive, len(said["plans"]), round(100 * max(right, 1 - right)), "right" if right > 0.5 else "left"


@pytest.mark.parametrize("model", [0, 1])
def test_the_page_dreams_what_the_package_dreams(show, model):
    widget = tree(actions=[1, 1, 0, 1, 0])
    widget.model = model
    page = show(widget)
    mine, theirs = told(page), of_python(widget)
    assert mine[1] == theirs[1] == 64 and abs(mine[0] - theirs[0]) <= 1 and abs(mine[2] - theirs[2]) <= 1
    assert mine[3] == theirs[3] and "Step 5: the pole leans" in words(page)
    page.evaluate("() => { window.model.set('decisions', 3); window.model.set('held', 7); }")
    page.locator(".ld-say").filter(has_text="plans of 21 steps").wait_for(timeout=5000)
    widget.decisions, widget.held = 3, 7
    mine, theirs = told(page), of_python(widget)
    assert mine[:2] == theirs[:2] and abs(mine[2] - theirs[2]) <= 1


def test_it_pushes_as_it_votes_and_keeps_the_pole_up(show):
    page = show(tree())
    side = told(page)[3]
    page.get_by_role("button", name="One step forward").click()
    page.locator(".ld-say").filter(has_text="Step 1:").wait_for(timeout=5000)
    assert page.evaluate("() => window.model.get('actions')") == [1 if side == "right" else 0]
    for step in range(2, 30):
        page.get_by_role("button", name="One step forward").click()
        page.locator(".ld-say").filter(has_text=f"Step {step}:").wait_for(timeout=5000)
    assert "over" not in words(page)
    assert len(set(page.evaluate("() => window.model.get('actions')"))) == 2


def test_who_pushes_one_way_alone_lets_the_pole_fall(show):
    page = show(tree())
    for step in range(1, 30):
        page.get_by_role("button", name="Push left").click()
        page.locator(".ld-say").filter(has_text=f"Step {step}:").wait_for(timeout=5000)
        if "The game is over" in words(page):
            break
    assert step < 20
    page.get_by_role("button", name="One step forward").click()
    settle(page)
    assert len(page.evaluate("() => window.model.get('actions')")) == step, "a game that is over goes on no more"
    page.get_by_role("button", name="Start again").click()
    page.locator(".ld-say").filter(has_text="Step 0:").wait_for(timeout=5000)


def test_a_gust_changes_what_happens_and_one_step_back_shows_what_was(show):
    page = show(tree())
    page.get_by_role("button", name="Gust right").click()
    page.locator(".ld-say").filter(has_text="Step 1:").wait_for(timeout=5000)
    assert page.evaluate("() => window.model.get('gusts')") == [[1, 1]]
    page.get_by_role("button", name="One step back").click()
    page.locator(".ld-say").filter(has_text="Step 0:").wait_for(timeout=5000)
    page.locator(".ld-plan-tree").focus()
    page.keyboard.press("ArrowLeft")
    page.locator(".ld-say").filter(has_text="Step 1:").wait_for(timeout=5000)
    assert page.evaluate("() => [window.model.get('actions'), window.model.get('gusts')]") == [[0], []]


def test_a_gust_begins_only_in_calm_air_and_what_was_is_shown_again_before_it_is_played_anew(show):
    page = show(tree())
    for step, side in enumerate(("right", "left"), 1):
        page.get_by_role("button", name=f"Gust {side}").click()
        page.locator(".ld-say").filter(has_text=f"Step {step}:").wait_for(timeout=5000)
    assert page.evaluate("() => window.model.get('gusts')") == [[1, 1]], "one blows already"
    before = page.evaluate("() => window.model.get('actions')")
    page.get_by_role("button", name="One step back").click()
    page.locator(".ld-say").filter(has_text="Step 1:").wait_for(timeout=5000)
    page.get_by_role("button", name="One step forward").click()
    page.locator(".ld-say").filter(has_text="Step 2:").wait_for(timeout=5000)
    assert page.evaluate("() => [window.model.get('actions'), window.model.get('gusts')]") == [before, [[1, 1]]]


def test_who_changes_models_in_a_hurry_sees_the_tree_of_the_last_one(show):
    widget = tree()
    page = show(widget)
    mine = words(page)
    page.evaluate("() => { window.model.set('model', 1); window.model.set('held', 4); window.model.set('held', 5); }")
    page.locator(".ld-say").filter(has_not_text=mine).wait_for(timeout=5000)
    page.evaluate("() => { window.model.set('model', 0); window.model.set('model', 1); window.model.set('model', 0); }")
    page.locator(".ld-say").filter(has_text=mine).wait_for(timeout=5000)
    settle(page)
    assert words(page) == mine


def test_two_views_of_one_widget_play_no_faster_than_one(show):
    one = tree(decisions=2)
    page = show(one, one)
    page.get_by_role("button", name="Play", exact=True).first.click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Pause", exact=True).first.click()
    assert 3 <= page.evaluate("() => window.model.get('step')") <= 1.5 * 12.5 + 3


def test_branches_that_are_lost_fade_and_one_is_chosen(show):
    page = show(tree())
    kinds = page.locator(".ld-plan-tree path[opacity]").evaluate_all(
        "nodes => nodes.map(node => [node.getAttribute('class'), Number(node.getAttribute('opacity'))])"
    )
    assert [kind for kind, _ in kinds].count("ld-chosen") == 6 and len(kinds) == 2 + 4 + 8 + 16 + 32 + 64
    assert all(opacity < 0.8 for kind, opacity in kinds if kind == "ld-pruned")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, theme):
    page = show(tree(), theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    page.get_by_role("button", name="Push right").tap()
    page.locator(".ld-say").filter(has_text="Step 1:").wait_for(timeout=5000)


GROW = """async () => {
    const times = [];
    for (let n = 0; n < 20; n++) {
        const before = performance.now();
        document.querySelector('[aria-label="One step forward"]').click();
        times.push(performance.now() - before);
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    }
    const grown = [];
    for (let n = 0; n < 20; n++) {
        window.model.set("held", n % 2 ? 5 : 4);
        const before = performance.now();
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        grown.push(performance.now() - before);
    }
    return grown.sort((a, b) => a - b)[10];
}"""


@pytest.mark.timed
def test_a_decision_of_sixty_four_plans_is_quick(show):
    assert show(tree()).evaluate(GROW) <= 25 + 2 * 17  # and two display frames
