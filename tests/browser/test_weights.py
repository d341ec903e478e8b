"""Trained weights stand beside the pages: shared between them, loaded when somebody needs them, missed with a word."""

import re

import pytest
from built_book import SITE, pages_with_widgets

NOTE = "could not start"
READY = """[...document.querySelectorAll('script[type$="widget-view+json"]')].every(
    (view) => view.previousSibling?.firstChild)"""
WITH_WEIGHTS = [page for page in pages_with_widgets() if '"aside"' in (SITE / page).read_text("utf8")]


@pytest.fixture
def tab(browser):
    """A page in a context of its own, with its troubles and the weights that it asked for written down."""
    context = browser.new_context()
    page = context.new_page()
    page.troubles, page.asked = [], []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("request", lambda request: "/weights/" in request.url and page.asked.append(request.url.split("/")[-1]))
    yield page
    context.close()


@pytest.mark.parametrize("page", WITH_WEIGHTS or ["no-book"])
def test_missing_weights_leave_a_sentence_and_the_rest_of_the_page(tab, site, page):
    tab.route("**/_static/weights/*", lambda route: route.abort())
    tab.goto((site / page).as_uri())
    tab.wait_for_function(READY)
    said = [place.inner_text() for place in tab.locator(".ld-widget").all()]
    assert any(NOTE in text and "weights did not arrive" in text for text in said)
    assert tab.locator("article h1").is_visible()
    assert tab.troubles == []
    others = len([text for text in said if NOTE not in text])
    assert tab.locator(".ld-widget .ld").count() >= others


def test_pages_share_their_weights(site):
    files = {page: set(re.findall(r'"key": "(\w{16})"', (site / page).read_text("utf8"))) for page in WITH_WEIGHTS}
    later = {page for page in files if re.search(r"/(0[7-9]|1\d)_", page)}  # these take what travels with the package
    trained_here = [names for page, names in files.items() if page not in later]
    assert len(trained_here) >= 4
    assert set.intersection(*trained_here), "every page of Part I with a model shows the text's encoder"
    kept = {path.stem for path in (site / "_static" / "weights").glob("*.js")}
    assert set.union(*files.values()) <= kept


def test_a_model_that_nobody_chose_is_not_loaded(tab, site):
    page = next(page for page in WITH_WEIGHTS if "06_drift" in page)
    tab.goto((site / page).as_uri())
    tab.wait_for_function(READY)
    named = set(re.findall(r'"key": "(\w{16})"', (site / page).read_text("utf8")))
    at_first = set(tab.asked)
    assert {name.removesuffix(".js") for name in at_first} < named
    tab.locator('.ld-dream [aria-label="Model"]').first.select_option(index=1)
    tab.wait_for_timeout(1500)
    assert set(tab.asked) - at_first, "choosing another model loads its weights"
    assert tab.troubles == []
