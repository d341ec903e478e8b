"""The collapse figure in a page: both sliders change the bars, the fan and the sentence together."""

import pytest
from gallery import collapse
from open_widgets import PHONE, check_manners, opener


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def given(page, what, name):
    """An attribute of all that a selector finds."""
    return page.locator(what).evaluate_all("(nodes, name) => nodes.map((node) => node.getAttribute(name))", name)


def heights(page):
    return [float(height) for height in given(page, ".ld-collapse rect", "height")]


def wait_for(page, words):
    page.locator(".ld-say").filter(has_text=words).wait_for(timeout=5000)


def test_the_sliders_choose_the_model_that_is_shown(show):
    page = show(collapse())
    assert "KL weight 0.5, sigma 0.1: the latent carries 0.34 nats" in page.locator(".ld-say").inner_text()
    first = heights(page)
    assert len(first) == 3 and first[0] > 5 * first[1] > 0
    page.get_by_label("KL weight", exact=True).fill("2")
    wait_for(page, "KL weight 1.5, sigma 0.1: the latent carries 0.06 nats")
    assert heights(page)[0] < 0.5 * first[0]
    before = given(page, "path.ld-collapse-dream[d]", "d")
    page.get_by_label("sigma", exact=True).press("ArrowRight")
    wait_for(page, "sigma 0.2")
    wait_for(page, "score 0.20")
    assert given(page, "path.ld-collapse-dream[d]", "d") != before


def test_it_has_manners_and_fits_a_phone(show):
    check_manners(show(collapse(), viewport=PHONE))
