"""The widgets in JupyterLab with a live kernel: what moves in the page Python reads back, and the other way round."""

import contextlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbformat import v4, write

pytestmark = pytest.mark.xdist_group("lab")  # they share one JupyterLab
ROOT = Path(__file__).parents[2]
SETTINGS = {
    "apputils-extension/kernels-settings": {"kernelInfoTimeout": 60_000},  # a busy machine starts kernels slowly
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are in the page, seen or not
    "completer-extension/manager": {"autoCompletion": False},
}
PREPARATION = """
import numpy as np, torch
from latent_dynamics.judging.references import RepeatLastFrame
from latent_dynamics.showing.widgets import RolloutPlayer
from latent_dynamics.showing.widgets.dream.dream import Dream
from latent_dynamics.models.world_model import WorldModel

def films(episodes=2, steps=6, height=8, width=10):
    frames = np.random.default_rng(0).random((3, episodes, steps, height, width))
    truth = np.zeros((episodes, steps))
    return [*frames, truth, truth + 0.1, truth + np.linspace(0.5, 4, steps)]

class Fades(WorldModel):
    'Sees a frame and forgets it bit by bit; torch.sort is nothing that the page could compute.'
    state_size = 3200
    def see(self, frames): return frames.flatten(1)
    def begin(self, code): return code + 0 * torch.sort(code, 1)[0]
    def update(self, belief, action, code): return code
    def step(self, belief, action): return 0.999 * belief
    def decode(self, states): return states.unflatten(-1, self.frame_shape)

class Plain(WorldModel):
    'A model of the plain interface: the last frame, shifted by the pushes.'
    state_size = 3200
    def filter(self, frames, actions): return frames.flatten(2)
    def imagine(self, belief, actions, samples=None):
        moves = (2 * actions - 1).cumsum(1)
        return torch.stack([torch.roll(belief, int(n), 1) for n in moves[0]], 1)
    def decode(self, states): return states.unflatten(-1, self.frame_shape)

def dream(models, **settings):
    return Dream(models, np.zeros((2, 4)) + [0, 0.1, 0.02, 0], np.tile([0, 1, 1], (2, 1)), **{"opening": 3, **settings})
"""


class Notebook:
    """An open notebook: runs cells, and collects the errors that come from the book's modules."""

    def __init__(self, page):
        self.page, self.troubles, self.cells = page, [], page.locator(".jp-CodeCell")
        page.on("pageerror", lambda error: self._note(f"{error}\n{error.stack}"))
        page.on("console", lambda m: m.type == "error" and self._note(f"{m.text} {m.location.get('url', '')}"))

    def _note(self, text):
        if "blob:" in text or "anywidget" in text or "latent" in text:
            self.troubles.append(text)

    def start(self, code, title=None):
        """Put code into the last cell and start it; returns the cell, whose place a new one takes."""
        cell = self.cells.nth(self.cells.count() - 1)
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")
        return cell

    def run(self, code):
        """Run code in a new cell, and return the cell."""
        number = self.cells.count() - 1
        self.start(code)
        cell = self.cells.nth(number)
        cell.locator(".jp-InputPrompt", has_text=re.compile("[0-9]]:")).wait_for()
        return cell

    def python(self, expression):
        """What Python says that an expression is."""
        cell = self.run(f"import json; print(json.dumps({expression}))")
        return json.loads(cell.locator(".jp-OutputArea-output").inner_text())

    def wait_for_python(self, expression, wanted):
        """Wait until Python knows of it: what a page sends may overtake a cell, or be overtaken."""
        deadline = time.monotonic() + 10
        while (found := self.python(expression)) != wanted:
            assert time.monotonic() < deadline, f"{expression} is {found}, and not {wanted}"

    def show(self, code):
        """Run code that displays a widget, and return the widget's root."""
        root = self.run(code).locator(".ld")
        root.locator(".ld-say:not(:empty)").wait_for()
        return root


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A JupyterLab with settings of its own: the address at which it is served, and the folder that it serves."""
    find = importlib.import_module if os.environ.get("CI") else pytest.importorskip
    find("jupyterlab")
    folder = tmp_path_factory.mktemp("lab")
    for name, settings in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), "utf8")
    (folder / "root").mkdir()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"]
            + [f"--ServerApp.root_dir={folder / 'root'}", "--LabApp.news_url=None"],
            env=_environment(folder), stdout=log, stderr=log, cwd=ROOT,
        )  # fmt: skip
        try:
            yield _address(process, folder), folder / "root"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment(folder):
    """The environment of a server whose files all lie in `folder`, and whose kernel imports this package."""
    names = ("JUPYTER_CONFIG", "JUPYTER_DATA", "JUPYTER_RUNTIME", "JUPYTERLAB_SETTINGS", "JUPYTERLAB_WORKSPACES")
    places = {f"{name}_DIR": str(folder / name.partition("_")[2].lower()) for name in names}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **places, "IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": path}


def _address(process, folder, patience=60):
    """Wait until the server says where it is."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(ValueError):  # half written
                told = json.loads(file.read_text("utf8"))
                return f"{told['url']}lab/tree/{{}}?token={told['token']}"
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{(folder / 'log').read_text('utf8')[-3000:]}")


@pytest.fixture(scope="module")
def notebook(browser, server):
    """A new notebook whose kernel has run the preparation."""
    address, root = server
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    write(v4.new_notebook(cells=[v4.new_code_cell("")], metadata={"kernelspec": kernel}), root / "live.ipynb")
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    context.route("**/*", lambda route: route.continue_() if _is_local(route.request.url) else route.abort())
    context.set_default_timeout(60_000)
    notebook = Notebook(context.new_page())
    notebook.page.goto(address.format("live.ipynb"))
    notebook.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    notebook.run(PREPARATION)
    yield notebook
    context.close()


def _is_local(address):
    return address.startswith(("http://127.0.0.1:", "data:", "blob:"))


def step(root):
    """The step that a widget's slider stands on."""
    return int(root.get_by_label("Step", exact=True).input_value())


def expect_step(root, wanted):
    """Wait until a player stands on a step."""
    there = "([root, wanted]) => root.querySelector('[aria-label=Step]').value === wanted"
    root.page.wait_for_function(there, arg=[root.element_handle(), str(wanted)])


def say(root, words):
    """Wait until a widget says so."""
    root.locator(".ld-say", has_text=words).wait_for()


def press(root, name, wanted):
    """Push a button of a dream, and wait for the step that it leads to."""
    root.get_by_role("button", name=name).click()
    say(root, f"Step {wanted}:")


def test_the_player_moves_in_the_page_and_in_python(notebook):
    root = notebook.show("player = RolloutPlayer(*films())\nplayer")
    assert step(root) == notebook.python("player.step") == 4
    root.focus()
    notebook.page.keyboard.press("ArrowRight")
    expect_step(root, 5)
    notebook.wait_for_python("player.step", 5)
    root.get_by_label("Step", exact=True).fill("2")
    notebook.wait_for_python("player.step", 2)
    notebook.run("player.step = 6")
    expect_step(root, 6)
    assert notebook.troubles == []


def test_two_displays_of_a_player_stay_in_step(notebook):
    first = notebook.show("player = RolloutPlayer(*films())\nplayer")
    second = notebook.show("player")
    second.get_by_label("Step", exact=True).fill("3")
    expect_step(first, 3)
    first.get_by_label("Step", exact=True).fill("1")
    expect_step(second, 1)
    assert notebook.troubles == []


MODELS = """
model = Fades()
live = dream({"a model of mine": model, "nothing moves": RepeatLastFrame()})
live"""


def show_dream(notebook, code=MODELS):
    """Run code that displays a dream, and return its root once Python has dreamt the opening."""
    root = notebook.show(code)
    say(root, "Step 3:")
    return root


def test_the_kernel_and_the_page_dream_side_by_side(notebook):
    root = show_dream(notebook)
    assert notebook.python("[page.in_kernel for page in live.page_models]") == [True, False]
    press(root, "One step forward", 4)
    press(root, "Push right", 5)
    notebook.wait_for_python("[len(live.history[name]) for name in ('actions', 'theta_true', 'theta_dream')]", [5] * 3)
    assert notebook.python("live.history['actions'][-1]") == 1
    root.get_by_label("Model", exact=True).select_option("nothing moves")
    press(root, "One step forward", 6)
    notebook.wait_for_python("[live.model, len(live.history['actions'])]", [1, 6])
    assert notebook.python("len(set(live.history['theta_dream']))") == 1, "nothing moved"
    assert notebook.troubles == []


def test_python_opens_the_eyes_of_a_dream(notebook):
    root = show_dream(notebook)
    notebook.wait_for_python("live.history['looked']", [False] * 3)
    notebook.run("live.look_every = 1")
    root.locator(".ld-slider-value", has_text="every step").wait_for()
    notebook.wait_for_python("live.history['looked']", [True] * 3)
    notebook.run("live.step = 2")
    say(root, "Step 2:")
    assert notebook.troubles == []


def test_a_model_of_the_plain_interface_dreams(notebook):
    root = show_dream(notebook, "live = dream({'plain': Plain()})\nlive")
    press(root, "Push right", 4)
    press(root, "Push right", 5)
    notebook.wait_for_python("live.history['actions'][3:]", [1, 1])
    assert notebook.troubles == []


def test_two_displays_of_a_dream_show_one_try_and_either_may_go(notebook):
    first = show_dream(notebook)
    second = notebook.show("live")
    press(first, "One step forward", 4)
    say(second, "Step 4:")
    first.locator("xpath=ancestor::*[contains(@class, 'jp-CodeCell')]").locator(".jp-InputPrompt").click()
    first.page.get_by_role("menubar").get_by_text("Edit").click()
    first.page.get_by_text("Clear Cell Output").click()
    first.wait_for(state="detached")
    notebook.run("live.look_every = 1")
    notebook.wait_for_python("live.history['looked']", [True] * 4)
    press(second, "One step forward", 5)
    assert notebook.troubles == []


def test_a_models_own_error_is_shown_and_forgotten(notebook):
    root = show_dream(notebook)
    notebook.run("def fail(*_): raise ValueError('it fell asleep')\nmodel.step = fail")
    root.get_by_role("button", name="One step forward").click()
    say(root, "The dream stopped: ValueError: it fell asleep.")
    notebook.run("del model.step")
    press(root, "One step forward", 4)
    notebook.wait_for_python("len(live.history['actions'])", 4)
    assert notebook.troubles == []


def test_the_widgets_follow_the_theme_of_the_lab(notebook):
    player = notebook.show("player = RolloutPlayer(*films())\nplayer")
    dream = show_dream(notebook)
    width = trace_width(dream)
    for theme in ("Dark", "Light"):
        choose_theme(notebook.page, theme)
        for root in (player, dream):
            assert (brightness(root, "backgroundColor") < 60) == (theme == "Dark")
            assert (brightness(root, "color") > 200) == (theme == "Dark")
        assert trace_width(dream) == width
    assert notebook.troubles == []


def choose_theme(page, name):
    """Choose a theme by the menu of JupyterLab, and wait until its colours are there."""
    page.get_by_role("menubar").get_by_text("Settings").click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(f"JupyterLab {name}", exact=True).click()
    page.wait_for_function(THEMED, arg=name)


THEMED = """(name) => document.body.dataset.jpThemeName === `JupyterLab ${name}`
    && getComputedStyle(document.body).getPropertyValue("--jp-layout-color1")"""


def brightness(node, of):
    """How bright a colour of a node is, from 0 to 255."""
    return node.evaluate("(node, of) => Math.max(...getComputedStyle(node)[of].match(/\\d+/g).slice(0, 3))", of)


def trace_width(root):
    """How wide the curve of a dream is drawn, in pixels."""
    return int(root.locator(".ld-trace").get_attribute("width"))


HURRY = """() => {
    window.slow = setTimeout;
    setTimeout = (act, ms, ...rest) => slow(act, ms === 10000 ? 300 : ms, ...rest);
}"""


def test_a_kernel_that_does_not_answer_is_not_waited_for(notebook):
    root = show_dream(notebook)
    kernel = notebook.python("__import__('os').getpid()")
    notebook.page.evaluate(HURRY)
    os.kill(kernel, signal.SIGSTOP)
    try:
        root.get_by_role("button", name="One step forward").click()
        say(root, "Python has not answered for 10 seconds")
    finally:
        os.kill(kernel, signal.SIGCONT)
        notebook.page.evaluate("() => { setTimeout = slow; }")
    press(root, "One step forward", 4)
    assert notebook.troubles == []


def test_a_kernel_that_died_is_named_and_its_successor_works(notebook):
    root = show_dream(notebook)
    notebook.start("import os; os._exit(1)")
    notebook.page.get_by_role("button", name="Ok").click()
    root.get_by_role("button", name="One step forward").click()
    say(root, "its kernel is gone")
    notebook.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    notebook.run(PREPARATION)
    press(show_dream(notebook), "One step forward", 4)
    notebook.wait_for_python("len(live.history['actions'])", 4)
    assert notebook.troubles == []
