"""The pages' scripts as modules: joined by `bundle`, and checked by Deno, which knows JavaScript and the DOM."""

import json
import subprocess
from pathlib import Path

import deno
import pytest

from latent_dynamics.showing.page.bundle import DEFAULT, FOLDER, Module, NotAModule, bundle, modules_of

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "compilerOptions": {"checkJs": True, "strict": False, "lib": ["dom", "dom.iterable", "esnext"]},
    "lint": {"rules": {"tags": [], "include": ["no-redeclare", "no-unreachable", "no-unused-vars", "prefer-const"]}},
}
SCRIPTS = sorted([*FOLDER.rglob("*.js"), *ROOT.glob("tests/*/*.js")])


def complaints(command, folder, files):
    """What Deno says of files, after a look that takes no network; empty where it finds nothing."""
    settings = folder / "deno.json"
    settings.write_text(json.dumps(SETTINGS), encoding="utf8")
    words = [deno.find_deno_bin(), *command.split(), "--quiet", "--config", settings, *files]
    done = subprocess.run(words, text=True, capture_output=True, env={"NO_COLOR": "1", "DENO_DIR": str(folder)})
    return "" if done.returncode == 0 else done.stderr + done.stdout


def unused(files):
    """Exports of scripts that no other script imports: {file: [name, ...]}."""
    modules = [Module(path) for path in files]
    taken = {(path, name) for module in modules for path, names in module.takes.items() for name in names}
    taken |= {(module.path.resolve(), DEFAULT) for module in modules}  # the page takes these
    left = {m.path.name: [name for name in m.gives if (m.path.resolve(), name) not in taken] for m in modules}
    return {name: names for name, names in left.items() if names}


def test_every_name_is_there_and_is_called_as_it_wants(tmp_path):
    assert len(SCRIPTS) > 15
    assert complaints("check", tmp_path, SCRIPTS) == ""


def test_nothing_is_imported_or_made_in_vain(tmp_path):
    assert complaints("lint", tmp_path, SCRIPTS) == ""
    assert unused(SCRIPTS) == {}


def written(folder, **scripts):
    """Write scripts into a folder; return their paths."""
    paths = [folder / f"{name}.js" for name in scripts]
    for path, text in zip(paths, scripts.values(), strict=True):
        path.write_text(text, encoding="utf8")
    return paths


GOOD = "export const twice = (x) => 2 * x;\nexport function thrice(x) { return 3 * x; }\n"
TAKES = 'import { thrice, twice as two } from "./good.js";\nexport default { render: () => two(thrice(1)) };\n'


@pytest.mark.parametrize(
    ("change", "command", "complaint"),
    [
        (("two(thrice", "two(theirs"), "check", "Cannot find name 'theirs'"),
        (("thrice(1)", "thrice(1, 2)"), "check", "Expected 0-1 arguments, but got 2"),
        (("{ thrice,", "{ thrice, fourth,"), "check", "has no exported member 'fourth'"),
        (("./good.js", "./bad.js"), "check", "bad.js"),
        (("two(thrice(1))", "two(1)"), "lint", "`thrice` is never used"),
    ],
)
def test_the_checks_see_what_is_wrong(tmp_path, change, command, complaint):
    files = written(tmp_path, good=GOOD, takes=TAKES)
    assert complaints(command, tmp_path, files) == ""
    assert unused(files) == {}
    files = written(tmp_path, good=GOOD, takes=TAKES.replace(*change))
    assert complaint in complaints(command, tmp_path, files)


def test_an_export_that_nobody_takes_is_seen(tmp_path):
    assert unused(written(tmp_path, good=GOOD + "export class Four {}\n", takes=TAKES)) == {"good.js": ["Four"]}


def run(script, folder):
    """Run a joined script and what follows it; return what it prints."""
    file = folder / "joined.mjs"
    file.write_text(script, encoding="utf8")
    words = [deno.find_deno_bin(), "run", "--quiet", "--no-config", file]
    return subprocess.run(words, text=True, capture_output=True, check=True, env={"DENO_DIR": str(folder)}).stdout


def test_no_template_runs_over_lines_of_which_the_indentation_would_be_lost():
    for script in SCRIPTS:
        for number, line in enumerate(script.read_text("utf8").splitlines(), 1):
            assert line.replace("\\`", "").count("`") % 2 == 0, f"{script.name}, line {number}"


def test_each_script_has_a_scope_of_its_own(tmp_path):
    """Both have a `half`, the comment and the names of the one are not in the other's way, and each runs once."""
    one = 'const half = 0.5;\nconsole.log("once");\n// of one\nexport const quarter = half * half;\n'
    two = 'import { quarter } from "./one.js";\nconst half = 2;\nexport const both = quarter * half;\n'
    top = 'import { both } from "./two.js";\nimport { quarter as half } from "./one.js";\nconsole.log(both, half);\n'
    *_, entry = written(tmp_path, one=one, two=two, top=top)
    assert run(bundle(entry), tmp_path).split() == ["once", "0.5", "0.25"]
    assert "of one" not in bundle(entry)


@pytest.mark.parametrize(
    ("scripts", "message"),
    [
        ({"a": 'import { b } from "./b.js";\n'}, "no script b.js in"),
        ({"b": GOOD, "a": 'import { four } from "./b.js";\n'}, "a.js imports four, but b.js exports only twice"),
        ({"b": GOOD, "a": 'import all from "./b.js";\n'}, "a.js says .*which we cannot join"),
        ({"b": GOOD, "a": 'import { twice } from "lodash";\n'}, "a.js says .*which we cannot join"),
        ({"a": "export let b = 1;\n"}, "a.js says .*which we cannot join"),
        (
            {
                "b": 'import { a } from "./a.js";\nexport const b = 1;\n',
                "a": 'import { b } from "./b.js";\nexport const a = 1;\n',
            },
            "circle: .*move what both need into a third",
        ),
    ],
)
def test_what_cannot_be_joined_is_named(tmp_path, scripts, message):
    *_, entry = written(tmp_path, **scripts)
    with pytest.raises(NotAModule, match=message):
        bundle(entry)


def test_a_widget_carries_only_what_it_imports():
    names = {path.name for path in modules_of("widgets/rollout_player/rollout_player.js")}
    assert names == {"rollout_player.js", "common.js", "compare.js", "curves.js", "words.js"}
