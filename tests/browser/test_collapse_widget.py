"""The collapse figure in a page: both sliders change the bars, the fan and the sentence together."""

import pytest
from gallery import collapse
from open_widgets import PHONE, check_manners, opener


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def heights(page):
    return page.locator(".ld-collapse rect").evaluate_all("(nodes) => nodes.map((node) => +node.getAttribute('height'))")


def test_the_sliders_choose_the_model_that_is_shown(show):
    page = show(collapse())
    assert "KL weight 0.5, sigma 0.1: the latent carries 0.34 nats" in page.locator(".ld-say").inner_text()
    first = heights(page)
    assert len(first) == 3 and first[0] > 5 * first[1] > 0
    page.get_by_label("KL weight", exact=True).fill("2")
    page.locator(".ld-say").filter(has_text="KL weight 1.5, sigma 0.1: the latent carries 0.06 nats").wait_for(timeout=5000)
    assert heights(page)[0] < 0.5 * first[0]
    before = page.locator("path.ld-collapse-dream[d]").evaluate_all("(nodes) => nodes.map((node) => node.getAttribute('d'))")
    page.get_by_label("sigma", exact=True).press("ArrowRight")
    page.locator(".ld-say").filter(has_text="sigma 0.2").wait_for(timeout=5000)
    page.locator(".ld-say").filter(has_text="score 0.20").wait_for(timeout=5000)
    after = page.locator("path.ld-collapse-dream[d]").evaluate_all("(nodes) => nodes.map((node) => node.getAttribute('d'))")
    assert before != after


def test_it_has_manners_and_fits_a_phone(show):
    check_manners(show(collapse(), viewport=PHONE))
