"""Which pages the built book has, and what a widget of it shows: shared by the browser tests."""

import os
import re
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("LATENT_DYNAMICS_SITE", ROOT / "_build" / "html"))
VIEW = "application/vnd.jupyter.widget-view+json"


def built_pages():
    """Every page of the built book, as paths within it; pages that only lead on to another are left out."""
    pages = [page for page in SITE.rglob("*.html") if "_static" not in page.parts and "_sources" not in page.parts]
    pages = [page for page in pages if 'http-equiv="Refresh"' not in page.read_text("utf8")]
    return sorted(page.relative_to(SITE).as_posix() for page in pages)


def pages_with_widgets():
    """Those of the pages that display a widget."""
    return [page for page in built_pages() if VIEW in (SITE / page).read_text("utf8")]


def front_page(site=SITE):
    """The page to which the front door leads on."""
    return re.search(r'url=([^"]*)"', (site / "index.html").read_text("utf8"))[1]


def repository(site=SITE):
    """The address of the repository that the book was built from, by its front page; nothing if it has none."""
    front = (site / front_page(site)).read_text("utf8")
    found = re.search(r'<a href="([^"]*)"[^>]*\bbtn-source-repository-button', front)
    return found[1] if found else ""


def pages_with_players():
    """Those with a rollout player among their widgets."""
    return [page for page in pages_with_widgets() if "RolloutPlayer" in (SITE / page).read_text("utf8")]


@contextmanager
def changes(root, *parts):
    """Assert that within the block each named part of a widget changes: "canvas", "curve", "sentence"."""
    before = look(root)
    yield
    deadline = 40
    while unchanged := [part for part in parts if look(root)[part] == before[part]]:
        root.page.wait_for_timeout(50)
        deadline -= 1
        assert deadline, f"the {' and the '.join(unchanged)} did not change"


def drawn(page):
    """Wait until what was asked for has been drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def look(root):
    """What a widget shows, once it has drawn: pixels of its canvases, its curve, its spoken sentence."""
    return root.evaluate("""async (root) => {
        for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
        return {
            canvas: [...root.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()).join(),
            curve: [...root.querySelectorAll('svg.ld-curve path')].map((path) => path.outerHTML).join(),
            sentence: root.querySelector('[aria-live=polite]').textContent,
        };
    }""")
