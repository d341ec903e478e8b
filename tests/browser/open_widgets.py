"""Opens a page of widgets in a fresh browser context whose network is cut off, and asks of it what every page owes."""

import contextlib
from unittest import mock

from IPython.display import HTML
from widget_page import page_of

PHONE = {"width": 390, "height": 844}
READY = "(widgets) => document.querySelectorAll('.ld-say:not(:empty)').length === widgets"
RENDER = "await render({ model, el: place })"  # in widget_loader.js
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

# A widget draws in the display frame after the event: between the two callbacks that stand around its own.
TIMES = """async (name) => {
    const input = document.querySelector(`[aria-label="${name}"]`);
    const frame = () => new Promise((done) => requestAnimationFrame(() => done(performance.now())));
    const times = [];
    for (let n = 0; n < 40; n++) {
        await frame();
        input.value = Number(input.min) + n % (input.max - input.min + 1);
        const before = frame();
        input.dispatchEvent(new Event("input"));
        const [start, end] = await Promise.all([before, frame()]);
        times.push(end - start);
    }
    return times;
}"""


@contextlib.contextmanager
def opener(browser, folder):
    """Yield open_page(*widgets, theme="light", **options of a context) -> page; no page may have had an error.

    The page lends the first widget's model to the test, as `window.model`: what Python would read and set.
    """
    contexts = []

    def open_page(*widgets, theme="light", **options):
        scripted = options.get("java_script_enabled", True)
        with contextlib.ExitStack() as stack:
            for kind in {type(widget) for widget in widgets if scripted}:  # with scripts nobody sees a still picture
                stack.enter_context(mock.patch.object(kind, "still", lambda _: HTML("")))
            html = page_of(*widgets, theme=theme).replace(RENDER, f"window.model ??= model; {RENDER}")
            (folder / "page.html").write_text(html, "utf8")
        contexts.append(browser.new_context(**options))
        contexts[-1].set_offline(True)
        page = contexts[-1].new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.goto((folder / "page.html").as_uri())
        if scripted:
            page.wait_for_function(READY, arg=len(widgets))
        return page

    try:
        yield open_page
        assert [page.troubles for context in contexts for page in context.pages if page.troubles] == []
    finally:
        for context in contexts:
            context.close()


def settle(page):
    """Wait until what was asked of the page is drawn."""
    page.evaluate(DRAWN)


def check_manners(page):
    """On a phone nothing overflows, all can be hit by a finger, and axe finds nothing serious."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for node in page.locator(".ld button, .ld select, .ld input").all():
        assert node.bounding_box()["height"] >= 24
    assert serious_findings(page) == []


def serious_findings(page, rules=None, without=(), within="html", except_for=None):
    """Return a sentence for each thing of which axe says that it keeps readers out.

    rules: those to ask, instead of all but `without`; within, except_for: selectors of where to look, and where not.
    """
    from axe_playwright_python.sync_playwright import Axe

    options = {"preload": False}  # or it asks for the style sheets once more, which a page from the disk may not
    options |= {"resultTypes": ["violations"]}  # to tell what is right takes it longer
    options |= {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    options |= {"rules": {rule: {"enabled": False} for rule in without}} if without else {}
    where = {"include": [[within]]} | ({"exclude": [[except_for]]} if except_for else {})
    return [
        f"{finding['id']}: {node['html'][:120]} ({node['failureSummary'][:200]})"
        for finding in Axe().run(page, where, options=options).response["violations"]
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"][:5]
    ]


def slider_time(page, name):
    """The median time from a slider's move to the new picture, in milliseconds."""
    times = sorted(page.evaluate(TIMES, name))
    assert times[len(times) // 2] > 0, "nothing was drawn"
    return times[len(times) // 2]


def spent(page, script):
    """What a script, an async function, costs a page in its own time, not the machine's: (its answer, milliseconds)."""
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def clock():
        metrics = tools.send("Performance.getMetrics")["metrics"]
        return next(entry["value"] for entry in metrics if entry["name"] == "TaskDuration")

    before = clock()
    return page.evaluate(script), 1000 * (clock() - before)
