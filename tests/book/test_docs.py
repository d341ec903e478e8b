"""README and CONTRIBUTING tell the truth: their code runs, their files, targets and commands exist."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latent_dynamics import artifacts

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
OURS = "https://github.com/vulcan-332/latent_dynamics"
MADE = ("_build/", ".venv")  # what a command makes
KINDS = "bib|cff|css|ipynb|js|md|png|py|toml|txt|yml"


def text(name):
    return (ROOT / name).read_text(encoding="utf8")


def python_blocks(name):
    return re.findall(r"^```python\n(.*?)^```$", text(name), re.M | re.S)


def code(words):
    """What stands in backticks or in a fence: names, commands, paths."""
    return "\n".join(re.findall(r"^```\w*\n(.*?)^```$", words, re.M | re.S) + re.findall(r"(?<!`)`([^`\n]+)`", words))


def paths(words):
    """The files and folders that a document names, of the clone's root or behind an address of ours."""
    words = re.sub(rf"{OURS}/(?:blob|tree)/main/|https://colab\.research\.google\.com/github/[\w-]+/[\w-]+/blob/main/",
                   " ", words)  # fmt: skip
    words = re.sub(r"https?://[^\s)]+", " ", words)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", words)]
    named = re.findall(rf"(?<![\w./~%<>\\-])[\w.-][\w./-]*\.(?:{KINDS})(?![\w/-])", words)
    folders = re.findall(r"(?<![\w./~%<>\\-])[\w.-]+/(?:[\w.-]+/)*(?=`)", words)
    return {path for path in [*links, *named, *folders] if path and not path.startswith(MADE)}


def imports(path):
    """The modules of the package that a file imports, within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("latent_dynamics")):
            parts = (node.module or "").removeprefix("latent_dynamics").strip(".")
            yield from [parts.split(".")[0]] if parts else [alias.name for alias in node.names]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_it_names_is_there(name):
    found = paths(text(name))
    assert len(found) > 5
    missing = sorted(path for path in found if not (ROOT / path).exists())
    assert not missing, f"{name} names {', '.join(missing)}"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("see `book/` and [this](LICENSE)", {"book/", "LICENSE"}),
        ("`tests/claims/x.py`, constraints.txt.", {"tests/claims/x.py", "constraints.txt"}),
        (f"[a chapter]({OURS}/blob/main/book/x.ipynb)", {"book/x.ipynb"}),
        ("https://elsewhere.org/y.py `~/.cache/latent_dynamics/` `_build/html/index.html` i.e. this", set()),
    ],
)
def test_files_are_found_in_words(words, expected):
    assert paths(words) == expected


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_and_command_it_names_is_there(name):
    (targets,) = re.findall(r"^\.PHONY: (.*)$", text("Makefile"), re.M)
    shown = [sys.executable, "-m", "latent_dynamics", "--help"]
    listed = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^    ([a-z-]+) ", listed, re.M)
    named = code(text(name))
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", named)) <= set(targets.split())
    assert set(re.findall(r"-m latent_dynamics ([a-z][a-z-]*)", named)) <= set(commands)
    if name == "README.md":
        for target in targets.split():
            assert f"make {target}" in named, f"README does not say what `make {target}` does"
        for command in commands:
            assert f"-m latent_dynamics {command}" in named or f"make {command}" in named


def test_the_map_names_every_module_in_an_order_in_which_imports_point_up():
    rows = [re.findall(r"`latent_dynamics/(\w+)(?:\.py|/)`", row) for row in text("CONTRIBUTING.md").splitlines()
            if row.startswith("| `latent_dynamics/")]  # fmt: skip
    order = [module for row in rows for module in row]
    package = ROOT / "latent_dynamics"
    modules = {path.stem: [path] for path in package.glob("*.py") if path.stem != "__init__"}
    modules |= {name: list((package / name).glob("*.py")) for name in ("models", "widgets")}
    assert sorted(order) == sorted(modules)
    for module, files in modules.items():
        for imported in set().union(*map(imports, files)) & set(modules) - {module}:
            assert order.index(imported) < order.index(module), f"{module} imports {imported}, which is below it"


@pytest.mark.claims  # on the model that it names, which is trained if it was not
def test_the_example_of_readme_runs(capsys):
    (block,) = python_blocks("README.md")
    exec(compile(block, "README.md", "exec"), {})
    medians = np.array(re.findall(r"inf|\d+\.\d*", capsys.readouterr().out), dtype=float)
    assert len(medians) == 20 and 0 < medians[0] < medians[-1] < 3, "degrees, which grow"


def test_the_example_of_contributing_runs_and_is_judged(capsys, monkeypatch, mixed_episodes):
    """On a few real episodes in place of the whole data set."""
    monkeypatch.setattr(artifacts, "load_episodes", lambda name, split: mixed_episodes)
    (block,) = python_blocks("CONTRIBUTING.md")
    exec(compile(block, "CONTRIBUTING.md", "exec"), {})
    glide, repeat = re.findall(r"(?:Glide|RepeatLastFrame) (\[.*?\])", capsys.readouterr().out, re.S)
    glide, repeat = (np.array(re.findall(r"\d+\.\d*", part), dtype=float) for part in (glide, repeat))
    assert len(glide) == len(repeat) == 20
    assert glide[9] < repeat[9], "a cart that rolls on is nearer the truth than one that stops"


def test_the_picture_of_readme_is_small_and_described():
    alt, path = re.search(r"!\[([^\]]+)\]\(([^)]+)\)", text("README.md")).groups()
    picture = (ROOT / path).read_bytes()
    assert picture.startswith(b"GIF89a") and len(picture) < 1_000_000
    assert len(alt) > 40


def test_readme_cites_as_the_citation_file_does():
    import yaml

    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["title"] in " ".join(text("README.md").split())
