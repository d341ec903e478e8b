"""README and CONTRIBUTING tell the truth: their code runs, their files, targets and commands exist."""

import pydoc
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import controllers, drift, ladder, widgets
from latent_dynamics.showing.widgets import opening
from latent_dynamics.workshop.rooms import PACKAGE, ROOMS

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
MADE = ("_build/", ".venv", "reading/")  # what a command makes
KINDS = "bib|cff|css|ipynb|js|md|png|py|toml|txt|yml"


def text(name):
    return (ROOT / name).read_text(encoding="utf8")


def python_blocks(name):
    return re.findall(r"^```python\n(.*?)^```$", text(name), re.M | re.S)


def code(words):
    """What stands in backticks or in a fence: names, commands, paths."""
    return "\n".join(re.findall(r"^```\w*\n(.*?)^```$", words, re.M | re.S) + re.findall(r"(?<!`)`([^`\n]+)`", words))


def paths(words):
    """The files and folders that a document names, of the clone's root."""
    words = re.sub(r"https?://[^\s)]+", " ", words)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", words)]
    named = re.findall(rf"(?<![\w./~%<>\\-])[\w.-][\w./-]*\.(?:{KINDS})(?![\w/-])", words)
    folders = re.findall(r"(?<![\w./~%<>\\-])[\w.-]+/(?:[\w.-]+/)*(?=`)", words)
    return {path for path in [*links, *named, *folders] if path and not path.startswith(MADE)}


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


def test_the_map_names_every_file_of_every_room():
    rows = dict(re.findall(r"^\| `latent_dynamics/(\w+)/` (.*)$", text("CONTRIBUTING.md"), re.M))
    assert list(rows) == list(ROOMS)
    for room, row in rows.items():
        files = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
        files |= {path.parent.name for path in (PACKAGE / room).glob("*/__init__.py")}
        named = re.findall(r"`(\w+)`(?=[,:]| \|)", row)
        assert sorted(named) == sorted(files), room


@pytest.mark.parametrize("name", ld.__all__)
def test_every_short_name_resolves(name):
    assert getattr(ld, name) is not None


@pytest.mark.parametrize("path", [*DOCUMENTS, *sorted(path.name for path in (ROOT / "book").glob("*.ipynb"))])
def test_every_short_name_that_a_page_uses_is_one(path):
    used = re.findall(r"(?<![\w.])ld\.([A-Za-z]\w*)", text(path if path in DOCUMENTS else f"book/{path}"))
    assert set(used) <= set(ld.__all__)


def test_help_is_a_map_of_rooms_and_short_names():
    shown = pydoc.plain(pydoc.render_doc(ld))
    for room in ROOMS:
        assert re.search(rf"^ +{room}/  \w.*\.$", shown, re.M), room
    for name in ld.__all__:
        assert re.search(rf"\bld\.{name}\b", shown), name
    assert "ld.drift: What a rollout is worth: how far the imagined pole is from the true one" in shown


def test_what_has_no_short_name_is_refused_with_those_that_there_are():
    with pytest.raises(AttributeError, match="has no 'drifts'; it has .*drift"):
        ld.drifts  # noqa: B018


def test_every_test_that_a_workflow_runs_is_there():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    named = re.findall(r"\btests/[\w/]+\.py", "".join(path.read_text(encoding="utf8") for path in workflows))
    assert len(named) >= 5 and not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.claims  # on the model that it names, which is trained if it was not
def test_the_example_of_readme_runs(capsys):
    (block,) = python_blocks("README.md")
    exec(compile(block, "README.md", "exec"), {})
    medians = np.array(re.findall(r"inf|\d+\.\d*", capsys.readouterr().out), dtype=float)
    assert len(medians) == 20 and 0 < medians[0] < medians[-1] < 3, "degrees, which grow"


@pytest.fixture
def windows(monkeypatch, mixed_episodes):
    """A few real episodes in place of those that judge."""
    cut = drift.protocols(mixed_episodes)
    monkeypatch.setattr(ladder, "windows", lambda split: {"validation": cut}[split])
    return cut


@pytest.fixture
def example(windows):
    """The model of CONTRIBUTING, and all that its block makes."""
    block, _ = python_blocks("CONTRIBUTING.md")
    names = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_example_of_contributing_runs_and_is_judged(capsys, example):
    glide, repeat = re.findall(r"(?:Glide|RepeatLastFrame) (\[.*?\])", capsys.readouterr().out, re.S)
    glide, repeat = (np.array(re.findall(r"\d+\.\d*", part), dtype=float) for part in (glide, repeat))
    assert len(glide) == len(repeat) == 20
    assert glide[9] < repeat[9], "a cart that rolls on is nearer the truth than one that stops"


def test_the_example_of_contributing_is_played_and_dreams(example, windows, mixed_episodes):
    model = example["Glide"]()
    player = widgets.RolloutPlayer.of(model, windows["intervened"][:2])
    assert player.shape == [2, 20, 32, 100] and player.still().data
    long_enough = np.flatnonzero(mixed_episodes.lengths > 25)
    dream = widgets.Dream.of({"glide": model}, mixed_episodes, long_enough[:1], opening=10)
    frames, dreamt, *_ = opening(model, dream.starts[0], 10)
    assert frames.shape == dreamt.shape == (11, 32, 100) and not torch.equal(dreamt[0], dreamt[-1])
    assert dream.still().data and dream.page_models[0].in_kernel, "it has no functions of a single step"


def test_the_example_of_contributing_holds_a_pole_up_longer_than_a_coin_does(example):
    """Act on what it packs into its belief: the last frame's pole, and how fast the picture moves."""

    def act(belief):
        return (ld.reader.measure(belief[:, :3200].unflatten(1, (32, 100))).theta > 0).long()

    steps, ends = controllers.belief_returns(example["Glide"](), act, episodes=5, limit=60)
    rng = np.random.default_rng(0)
    coin = controllers.returns(lambda states: ld.cartpole.random_actions(len(states), rng), episodes=5, limit=60)
    assert steps.mean() > coin.mean() and ends.shape == (5, 4)


def test_the_world_of_contributing_runs_and_is_its_own(capsys):
    _, block = python_blocks("CONTRIBUTING.md")
    assert len(block.strip().splitlines()) <= 15
    exec(compile(block, "CONTRIBUTING.md", "exec"), {})
    moon, earth = re.findall(r"(?:moon|cartpole) (\[.*?\])", capsys.readouterr().out, re.S)
    moon, earth = (np.array(re.findall(r"\d+\.\d*", part), dtype=float) for part in (moon, earth))
    assert len(moon) == 20 and moon[19] < 0.5 * earth[19], "physics with another gravity drifts away"


def test_the_picture_of_readme_is_small_and_described():
    alt, path = re.search(r"!\[([^\]]+)\]\(([^)]+)\)", text("README.md")).groups()
    picture = (ROOT / path).read_bytes()
    assert picture.startswith(b"GIF89a") and len(picture) < 1_000_000
    assert len(alt) > 40


def test_readme_cites_as_the_citation_file_does():
    import yaml

    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["title"] in " ".join(text("README.md").split())
