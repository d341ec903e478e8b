"""Whatever a result depends on makes it stale when it changes: each setting, each source; and nothing else does."""

import ast
from dataclasses import replace

import pytest

from latent_dynamics import artifacts, judging_set, ladder
from latent_dynamics.keeping import fingerprint
from latent_dynamics.keeping.fingerprint import ROOT, closure, imports, source_of


@pytest.fixture
def edit(monkeypatch):
    """Change a source file's text, as everything here will read it: edit(file, change)."""
    texts = {}
    read = fingerprint.read
    monkeypatch.setattr(fingerprint, "read", lambda path: texts.get(path) or read(path))

    def change(file, how):
        path = ROOT / file
        assert how(read(path)) != read(path), f"{file} has changed: nothing there to edit"
        texts[path] = how(read(path))

    return change


def instead(old, new):
    return lambda text: text.replace(old, new)


def tasks():
    """Those of the first seed: others differ from them by the seed."""
    return [task for task in ladder.tasks() if task[2] == artifacts.default_seed()]


def keys():
    """All that is asked for by a key, by what it is."""
    models = {name: artifacts.model_key(name, 0) for name in artifacts.model_names()}
    eyes = artifacts._autoencoder_key(artifacts.AutoencoderSettings(), 0)[1]
    figures = {f"figures of {kind} {name}": ladder.fingerprint(kind, name, seed) for kind, name, seed in tasks()}
    return models | {"mixed": artifacts._episodes_key("mixed", 0), "eyes": eyes} | figures


@pytest.fixture(scope="module")
def before():
    return keys()


def changed(before):
    now = keys()
    return {name for name in before if now[name] != before[name]}


MODELS = set(artifacts.LADDER)
DATA, EYES = {"mixed"}, {"eyes"}
LATENT = MODELS - {"position_velocity", "autoencoder_mlp"}
SOURCES = {  # one line that matters: what must be asked for anew, beside the figures that rest on it
    "splits": ("data/episodes.py", instead('"test": (0.8, 1.0)', '"test": (0.7, 1.0)'), DATA | EYES | MODELS),
    "windows": ("data/episodes.py", instead("length - steps + 1", "length - steps"), DATA | EYES | MODELS),
    "collecting": ("data/collection.py", instead("spawn_key=(number,)", "spawn_key=(number, 1)"), DATA | EYES | MODELS),
    "policies": ("world/policies.py", instead("chance: float = 0.015", "chance: float = 0.5"), DATA | MODELS),
    "simulate": ("world/cartpole.py", instead("GRAVITY, FORCE = 9.8", "GRAVITY, FORCE = 1.6"), DATA | MODELS),
    "view": ("world/preprocessing.py", instead("top: int = 160", "top: int = 150"), DATA | EYES | MODELS),
    "from bytes": ("world/preprocessing.py", instead("/ 255", "/ 256"), DATA | EYES | MODELS),
    "training": ("models/training.py", instead("AdamW(", "SGD("), EYES | MODELS),
    "budget": ("models/training.py", instead("learning_rate: float = 2e-3", "learning_rate: float = 0"), EYES | MODELS),
    "teaching": ("models/teaching.py", instead('split("train")', 'split("test")'), EYES | MODELS),
    "interface": ("models/world_model.py", instead("self.step(belief, action)", "self.step(belief, 0)"), MODELS),
    "latent worlds": (
        "models/latent_world.py", instead("torch.stack(errors, 1)", "2 * torch.stack(errors, 1)"), LATENT,
    ),
    "the autoencoder": ("models/autoencoder.py", instead("hidden=256", "hidden=128"), EYES | MODELS),
    "one rung": ("models/recurrent.py", instead("self", "that"), {"recurrent"}),
    "reader": ("world/reader.py", instead("ink", "paint"), set()),
    "judge": ("judging/drift.py", instead("median", "mean"), set()),
    "rollouts": ("judging/rollout.py", instead("frames", "pictures"), set()),
    "references": ("judging/references.py", instead("frames", "pictures"), set()),
    "controllers": ("acting/controllers.py", instead("total", "sum_of"), set()),
}


PLANNED = {"plans", "gusty_plans"}  # kinds in which games are planned, beside who knows the world
SELF_TAUGHT = {"from_nothing", "first_models", "begun_anywhere"}  # on games of their own
ACTED = {"actors", "dream_lengths", "gusty_actors", "temperatures"}
UNJUDGED = {"causes", "gusty_plans", "model-free"} | SELF_TAUGHT | ACTED  # on no windows


def of_kinds(figures, kinds):
    return {one for one in figures if one.split()[2] in kinds}


@pytest.mark.parametrize("name", SOURCES)
def test_a_change_of_source_makes_anew_whatever_rests_on_it(before, edit, name):
    file, how, wanted = SOURCES[name]
    edit(file, how)
    found = changed(before)
    assert wanted <= found
    figures = {one for one in before if one.startswith("figures")}
    if file.startswith("models/") and name not in ("interface", "training", "budget"):
        assert {one for one in figures if rung_of(one) in wanted} <= found
    elif name == "references":
        known = {*ladder.REFERENCES, *ladder.KNOWN_OF_GUSTS, *artifacts.PREDICTORS}  # which are held to exact beliefs
        assert {one for one in figures if rung_of(one) in known} | of_kinds(figures, PLANNED) == found
    elif name == "controllers":  # of what a model believes that a push does nobody plays a game
        assert figures - of_kinds(figures, {"pushes", "causes", "pixels", "model-free"}) == found
    elif not wanted:
        assert figures - of_kinds(figures, UNJUDGED) <= found, "whatever is judged is judged anew"
    else:  # who knows the world and plays in it alone learned from no data
        known = "oracle", "exact belief", "exact physics"
        untaught = {f"figures of {kind} {who}" for kind in PLANNED for who in known}
        untaught |= of_kinds(figures, {"model-free"} | (SELF_TAUGHT if name in ("collecting", "policies") else set()))
        assert figures - untaught <= found
    if not wanted:
        assert not found & (MODELS | DATA | EYES), "judging has no part in weights"


def rung_of(figures):
    """The rung that figures are of, or that an experiment varies."""
    kind = next(kind for kind in ladder.SEEDS if figures.startswith(f"figures of {kind} "))
    name = figures.removeprefix(f"figures of {kind} ")
    return ladder.asked(kind, name, 0)[0][0]


def test_a_rungs_own_file_is_no_other_rungs_business(before, edit):
    edit("models/recurrent.py", instead("self", "that"))
    assert changed(before) & (MODELS | DATA | EYES) == {"recurrent"}


UNRELATED = [
    "keeping/store.py", "keeping/artifacts.py", "keeping/recorded.py", "judging/ladder.py", "showing/pages.py",
    "showing/plotting.py", "workshop/bench.py", "__main__.py", "__init__.py", "models/__init__.py",
]  # fmt: skip


def test_source_that_has_no_part_in_a_result_does_not_touch_it(before, edit):
    for file in UNRELATED:
        edit(file, lambda text: text + "\nMORE = 1\n")
    assert changed(before) == set()


def test_comments_docstrings_and_layout_do_not_count(before, edit):
    for file in {file for file, *_ in SOURCES.values()}:
        edit(file, lambda text: "# a comment\n" + ast.unparse(without_docstrings(text)) + "\n\n\n# another")
    assert changed(before) == set()


def without_docstrings(text):
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body[0] = ast.Expr(ast.Constant("Another docstring."))
    return tree


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setitem(artifacts.SPLITS, "test", (0.7, 1.0)),
        lambda patch: patch.setitem(artifacts.DATA_SETS, "mixed", artifacts.DataSet("mixed", 10_000)),
        lambda patch: patch.setitem(artifacts.VIEWS, "cropped gray", replace(artifacts.DEFAULT, top=128)),
        lambda patch: patch.setenv("LATENT_DYNAMICS_SEED", "5"),
    ],
    ids=["splits", "steps", "view", "seed"],
)
def test_a_setting_changed_while_we_run_makes_another_key(before, monkeypatch, change):
    change(monkeypatch)
    assert "two_frame" in changed(before)


def test_figures_depend_on_how_much_was_judged(before, monkeypatch):
    figures = {one for one in before if one.startswith("figures")}
    with monkeypatch.context() as patch:
        patch.setattr(ladder, "GAMES", 7)
        assert changed(before) == {one for one in figures if one.startswith("figures of rungs")}
    monkeypatch.setattr(judging_set, "STRIDE", 7)
    assert changed(before) == figures - of_kinds(figures, UNJUDGED)


# How imports are followed


def test_imports_are_found_wherever_they_stand_and_only_our_own():
    text = "import torch\nfrom . import drift\nfrom ..world import reader as r\nfrom ..keeping import nothing_such\n"
    text += "def f():\n    from ..data.episodes import E\n    import latent_dynamics.models.recurrent"
    found = imports("latent_dynamics.judging.ladder", text)
    assert found == {
        "latent_dynamics.judging.drift", "latent_dynamics.world.reader", "latent_dynamics.data.episodes",
        "latent_dynamics.models.recurrent", "latent_dynamics.keeping",
    }  # fmt: skip


def test_an_init_counts_if_something_that_is_no_module_is_taken_from_it():
    init = "latent_dynamics.models"
    assert init in imports("latent_dynamics.keeping.artifacts", "from ..models import Recurrent")
    assert init not in imports("latent_dynamics.keeping.artifacts", "from ..models import recurrent")
    assert imports(init, "from .recurrent import Recurrent") == {"latent_dynamics.models.recurrent"}


def test_a_closure_follows_imports_of_imports_also_inside_functions_and_round_in_a_circle():
    found = closure({"latent_dynamics.world.reader"})  # which draws frames inside a function
    assert {f"latent_dynamics.{name}" for name in ("world.rendering", "world.preprocessing", "world.cartpole")} <= found
    assert closure({"numpy", "latent_dynamics.no_such"}) == set()


def test_a_class_and_its_module_have_the_same_source_and_another_module_another():
    import latent_dynamics.models.recurrent as module

    assert source_of(module) == source_of(module.Recurrent) != source_of(artifacts.LADDER["two_frame"])


def test_no_module_goes_through_the_short_names_which_hide_what_is_meant():
    for path in ROOT.rglob("*.py"):
        assert "from latent_dynamics import" not in path.read_text(encoding="utf8"), path
