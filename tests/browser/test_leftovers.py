"""What a figure leaves behind when it is drawn anew, as JupyterLab does on every run of a cell: nothing."""

import pytest
from gallery import MAKERS
from open_widgets import DRAWN
from widget_page import page_of

# Counts what outlives a figure's own nodes: listeners of the page and of models, observers, clocks.
COUNTER = """(() => {
  const live = window.live = new Set();
  const names = new Map();
  const id = (thing) => names.get(thing) ?? names.set(thing, names.size).get(thing);
  const note = (Kind, begin, end, name) => {
    for (const [method, mark] of [[begin, "add"], [end, "delete"]]) {
      const act = Kind.prototype[method];
      Kind.prototype[method] = function (...given) {
        const key = name(this, given);
        if (key) live[mark](key);
        return act.apply(this, given);
      };
    }
  };
  const inside = (target) => target instanceof Element && ![document.body, document.documentElement].includes(target);
  note(EventTarget, "addEventListener", "removeEventListener",
    (target, [event, act]) => !inside(target) && `${target?.constructor.name} ${event} ${id(act)}`);
  for (const Kind of [ResizeObserver, MutationObserver, IntersectionObserver]) {
    note(Kind, "observe", "disconnect", (observer) => `${Kind.name} ${id(observer)}`);
  }
  const pairs = { requestAnimationFrame: "cancelAnimationFrame", setTimeout: "clearTimeout" };
  for (const [begin, end] of Object.entries(pairs)) {
    const [start, stop] = [window[begin], window[end]];
    window[begin] = (act, ...rest) => {
      const number = start((...values) => { live.delete(`${begin} ${number}`); act(...values); }, ...rest);
      live.add(`${begin} ${number}`);
      return number;
    };
    window[end] = (number) => { live.delete(`${begin} ${number}`); stop(number); };
  }
})();"""
# In the page: the models' listeners, and the widget's render and place in the test's hands.
HOOKS = {
    "const listeners = {};": "const listeners = {}; (window.listeners ??= []).push(listeners);",
    "await render({ model, el: place });": "window.figure = { model, show: () => render({ model, el: place }) };",
}
LIVE = """() => [...window.live, ...window.listeners.flatMap((events) =>
    Object.entries(events).flatMap(([event, acts]) => acts.map(() => `model ${event}`)))].sort()"""


@pytest.fixture
def open_figure(browser, tmp_path):
    """A function that opens a page with a widget that is not drawn yet."""
    page = browser.new_page()

    def open_page(widget):
        html = page_of(widget)
        for before, after in HOOKS.items():
            assert html.count(before) == 1
            html = html.replace(before, after)
        (tmp_path / "page.html").write_text(html, encoding="utf8")
        page.add_init_script(COUNTER)
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_function("window.figure")
        return page

    yield open_page
    page.close()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_figure_that_goes_takes_all_its_listeners_along(open_figure, kind):
    """Drawn, drawn again as it is when a cell runs twice, played, and put away: all is as it was before."""
    page = open_figure(MAKERS[kind]())
    before = page.evaluate(LIVE)
    page.evaluate("async () => { window.ends = [await figure.show()]; }")
    during = page.evaluate(LIVE)
    assert len(during) > len(before), "a figure listens at least to its model"
    page.evaluate("async () => { ends.push(await figure.show()); ends[0](); }")
    if page.evaluate("figure.model.get('playing') === false"):
        page.evaluate("figure.model.set('playing', true)")
    page.evaluate(DRAWN)
    page.evaluate("ends[1]()")
    left = page.evaluate(LIVE)
    page.evaluate(DRAWN)
    assert [name for name in left if name not in before] == []
    assert page.evaluate(LIVE) == before
