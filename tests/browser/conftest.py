"""The built book in a real browser whose network is cut off, over http and from the disk."""

import os

import pytest
from built_book import SITE, built_pages, pages_with_players, pages_with_widgets

from latent_dynamics.workshop.browser import NoBrowser, chromium, served

LOCAL = ("file:", "data:", "blob:", "about:", "http://127.0.0.1:")
PAGES = {"any_page": built_pages, "widget_page": pages_with_widgets, "a_player_page": lambda: pages_with_players()[-1:]}
READY = """() => {  // no promise: that would count as true
    const places = [...document.querySelectorAll('.ld-widget')];
    const views = document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]');
    return places.length === views.length && places.every((place) => place.firstChild);
}"""


def pytest_generate_tests(metafunc):
    """Run each test that asks for one of PAGES on every such page, or once where no book is built."""
    for name, pages in PAGES.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, pages() or ["no-book"])


@pytest.fixture(scope="session")
def site():
    """The folder of the built book."""
    if not built_pages():
        pytest.fail(f"There is no built book in {SITE}: run `make book` first, or set LATENT_DYNAMICS_SITE.")
    return SITE


@pytest.fixture(scope="session")
def http_root(site):
    """The address at which the built book is served."""
    with served(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all tests; where there is none, skip, but never in CI."""
    try:
        with chromium() as browser:
            yield browser
    except NoBrowser as reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(reason))


@pytest.fixture
def visit(browser, site, http_root):
    """A function that opens a page of the book in a fresh, cut-off browser context; see `Visit`."""
    contexts = []

    def open_page(path, over="file", body=None, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.troubles, page.asked = troubles, _ = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
        page.on("console", lambda message: message.type == "error" and troubles.append(f"console: {message.text}"))

        def gate(route):
            if not route.request.url.startswith(LOCAL):
                troubles.append(f"outside request: {route.request.url}")
                route.abort()
            elif body is not None and route.request.resource_type == "document":
                route.fulfill(body=body, content_type="text/html; charset=utf-8")
            else:
                route.continue_()

        context.route("**/*", gate)
        page.goto((site / path).as_uri() if over == "file" else http_root + path)
        if options.get("java_script_enabled", True):
            page.evaluate("async () => { await window.MathJax?.startup?.promise }")
            page.wait_for_function(READY)
        return page

    yield open_page
    for context in contexts:
        context.close()
