"""What the built pages cost a reader: bytes, seconds until widgets answer, milliseconds a frame (see `make bench`)."""

import gzip
import json

import numpy as np

from .browser import NoBrowser, chromium, served

READY = """[...document.querySelectorAll('script[type$="widget-view+json"]')].every(
    (view) => view.previousSibling?.firstChild)"""
SLIDE = """async (root, moves) => {
    const slider = root.querySelector('[aria-label="Step"]');
    const sentence = root.querySelector('[aria-live=polite]');  // it is written last, when the films are drawn
    const waits = [];
    for (let i = 0; i < moves; i++) {
        await new Promise((done) => setTimeout(done, 30 + (7 * i) % 16));  // at any moment of a display frame
        const step = Number(slider.value) % Number(slider.max) + 1;
        const begun = performance.now();
        slider.value = step;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        const drawn = () => sentence.textContent.startsWith(`step ${step}:`);
        while (!drawn() && performance.now() < begun + 1000) await new Promise(requestAnimationFrame);
        waits.push(performance.now() - begun);
    }
    return waits;
}"""
EXPOSE = (
    "Object.assign(window, { dreamStep, newTry, pushWorld, pageModels, makeWorld, "
    "dreamModels: (window.dreamModels ??= []) }); "
)
DREAM = """async (steps) => {
    const [model] = window.dreamModels;
    const net = await pageModels(model).of(0);
    const { state, actions } = model.get("starts")[0];
    const run = newTry(makeWorld(model.get("world")), state, actions);
    const times = [];
    for (let n = 0; n < steps + 10; n++) {
        pushWorld(run, n % 2);
        const begun = performance.now();
        await dreamStep(net, run, 0, model.get("limits"));
        times.push(performance.now() - begun);
    }
    return times.slice(10);
}"""


def measure_pages(html, moves):
    """Return {group: {figure: number, or why there is none}} of the built book in the folder `html`."""
    pages = sorted(html.glob("book/*.html"))
    why_not = {"not measured": "there is no built book: make book"}
    if not pages:
        return {"the built pages": why_not}
    try:
        with chromium() as browser, served(html) as address:
            return _measured(browser, address, html, pages, moves)
    except NoBrowser as reason:
        return {"the built pages": {"not measured": str(reason)}}


def _measured(browser, address, html, pages, moves):
    visits = {page.stem: visit(browser, f"{address}{page.relative_to(html).as_posix()}") for page in pages}
    texts = {page: page.read_text("utf8") for page in pages}
    return {
        "KB of a page over the wire, gzip": {name: seen["bytes"] / 1000 for name, seen in visits.items()},
        "seconds from a page's load to its last widget": {n: s["ready"] for n, s in visits.items() if s["widgets"]},
        "trouble on all pages": {
            "requests to the outside": sum(seen["outside"] for seen in visits.values()),
            "page errors": sum(seen["errors"] for seen in visits.values()),
        },
        "milliseconds from the player's slider to its frame": slide(browser, texts, moves),
        "milliseconds of a dream's step, with decoding and reading": dream(browser, address, html, texts, moves),
    }


def visit(browser, url):
    """Open a page as a reader does, and count what came over the wire."""
    context = browser.new_context()
    page, seen = context.new_page(), {"bytes": 0, "outside": 0, "errors": 0}
    sizes, home = {}, url.split("/book/")[0]

    def gate(route):
        if route.request.url.startswith((home, "data:", "blob:")):
            return route.continue_()
        seen["outside"] += 1
        return route.abort()

    def count(response):
        if response.url.startswith(home) and response.ok:
            sizes[response.url] = len(gzip.compress(response.body(), mtime=0))

    context.route("**/*", gate)
    page.on("response", count)
    page.on("pageerror", lambda _: seen.update(errors=seen["errors"] + 1))
    page.goto(url)
    page.wait_for_function(READY)
    loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    seen["ready"] = max(0.001, page.evaluate(f"performance.now() - {loaded}") / 1000)
    seen["widgets"] = page.locator(".ld-widget").count()
    page.wait_for_timeout(500)
    context.close()
    return seen | {"bytes": sum(sizes.values())}


def slide(browser, texts, moves):
    """Move the slider of the first rollout player in the book, and wait for its frames each time."""
    found = next((page for page, text in texts.items() if "rollout_player.RolloutPlayer" in text), None)
    if found is None:
        return {"not measured": "no page has a rollout player"}
    page = browser.new_page()
    page.goto(found.as_uri())
    page.wait_for_function(READY)
    waits = page.locator(".ld-rollout").first.evaluate(SLIDE, moves)
    page.close()
    return _summary(waits)


def dream(browser, address, html, texts, moves):
    """Time the steps of the first live dream in the book, the function alone."""
    found = next((page for page, text in texts.items() if "dream.Dream" in text), None)
    if found is None:
        return {"not measured": "no page has a live dream"}
    page = browser.new_page()
    exposed = json.dumps(EXPOSE)[1:-1] + "async function render({ model, el }) { window.dreamModels.push(model);"
    text = texts[found].replace(
        "async function render({ model, el }) {\\n  const session", exposed + "\\n  const session"
    )
    url = f"{address}{found.relative_to(html).as_posix()}"
    page.route(url, lambda route: route.fulfill(body=text, content_type="text/html; charset=utf-8"))
    page.goto(url)
    page.wait_for_function("window.dreamModels?.length")
    times = page.evaluate(DREAM, 5 * moves)
    page.close()
    return _summary(times)


def _summary(times):
    return {f"median of {len(times)}": float(np.median(times)), "95th percentile": float(np.quantile(times, 0.95))}
