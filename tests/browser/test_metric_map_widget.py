"""The map of metrics in a page: axes move the dots, a composed metric is scored, a training can be marked."""

import pytest
from gallery import metric_map
from open_widgets import DRAWN, PHONE, check_manners, opener

from latent_dynamics.judging.measuring_study import spearman


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def dots(page):
    page.evaluate(DRAWN)
    places = "(nodes) => nodes.map((node) => node.getAttribute('transform').match(/[\\d.]+/g).map(Number))"
    return page.locator("[data-row]").evaluate_all(places)


def scores(page):
    return [row.locator("td").all_inner_texts() for row in page.locator("tbody tr").all()]


def test_axes_move_the_dots_and_better_is_to_the_right(show):
    page = show(metric_map())
    right, up = zip(*dots(page), strict=True)
    assert list(right) == sorted(right) and list(up) == sorted(up, reverse=True)
    assert "6 models: rank correlation 1.00; within single trainings 1.00" in page.locator(".ld-say").inner_text()
    page.get_by_label("Across").select_option("bad metric")
    page.locator(".ld-say").filter(has_text="bad metric against planner").wait_for(timeout=5000)
    right, _ = zip(*dots(page), strict=True)
    assert right[2] == min(right), "no pole could be read: beyond the worst"
    assert right[0] == max(right)
    truth = spearman([-0.1, -3, float("-inf"), -20, -0.2, -9], [10, 30, 90, 200, 250, 300])
    assert f"rank correlation {truth:.2f}".replace("-", "−") in page.locator(".ld-say").inner_text()


def test_models_without_the_metric_are_left_out(show):
    page = show(metric_map(across="some"))
    assert len(dots(page)) == 4
    assert "some have it against planner, 4 models" in page.locator(".ld-say").inner_text()


def test_a_composed_metric_is_scored_on_both_halves(show):
    page = show(metric_map())
    assert scores(page) == [["1.00", "1.00", "1.00"]]
    page.get_by_label("Part 1").select_option("bad metric")
    page.locator(".ld-say").filter(has_text="your metric").wait_for(timeout=5000)
    composed, theirs = [-0.1, -3, -0.2, -9], [10, 30, 250, 300]
    first = f"{spearman(composed, theirs):.2f}".replace("-", "−")
    assert scores(page)[0][:2] == [first, "1.00"]
    page.get_by_label("Part 2").select_option("good metric")
    page.get_by_label("Across").select_option("good metric")
    page.locator("tbody tr").nth(1).wait_for(timeout=5000)
    assert page.locator("tbody th").all_inner_texts() == ["good metric", "your metric, mean rank"]
    assert page.evaluate("model.get('picks')") == ["bad", "good", ""]


def test_a_training_is_marked_by_a_dot_or_by_its_name(show):
    page = show(metric_map())
    page.locator("[data-row='2']").click()
    page.evaluate(DRAWN)
    assert page.evaluate("model.get('marked')") == "b"
    assert page.locator(".ld-map-marked").count() == 2
    assert page.locator(".ld-map-path").get_attribute("d").count("L") == 1
    page.get_by_label("Training").select_option("none is marked")
    page.evaluate(DRAWN)
    assert page.locator(".ld-map-marked").count() == 0


def test_it_has_manners_and_fits_a_phone(show):
    check_manners(show(metric_map(), viewport=PHONE))
