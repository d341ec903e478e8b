"""The rooms of the package: who may take from whom, and the drawing of it in CONTRIBUTING."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from latent_dynamics.workshop import rooms

ROOT = Path(__file__).parents[2]


def test_no_room_takes_from_one_below_it():
    assert rooms.upward() == []


def test_every_file_has_a_room():
    outside = {path.relative_to(rooms.PACKAGE).parts[0] for path in rooms.PACKAGE.rglob("*.py")} - set(rooms.ROOMS)
    assert outside == {"__init__.py", "__main__.py"}


def test_no_two_files_take_from_each_other():
    files = {path.relative_to(rooms.PACKAGE).with_suffix("").parts: path for path in rooms.PACKAGE.rglob("*.py")}
    list(TopologicalSorter({name: rooms.imports(path) for name, path in files.items()}).static_order())


def test_the_drawing_in_contributing_is_that_of_today():
    assert "book/static/rooms.svg" in (ROOT / "CONTRIBUTING.md").read_text("utf8")
    drawn = (ROOT / "book" / "static" / "rooms.svg").read_text("utf8")
    assert drawn == rooms.drawing(), "draw it again: python -m latent_dynamics rooms"


@pytest.fixture
def house(tmp_path):
    """A small package of two rooms."""
    package = tmp_path / "latent_dynamics"
    for room in rooms.ROOMS:
        (package / room).mkdir(parents=True)
    return package


@pytest.mark.parametrize(
    "line",
    [
        "from ..judging.drift import judge",
        "from ..judging import drift",
        "from latent_dynamics.judging.drift import judge",
    ],
)
def test_an_import_upward_is_found(house, line):
    (house / "judging" / "drift.py").write_text("def judge(): pass\n")
    (house / "world" / "cartpole.py").write_text(f"def step():\n    {line}\n")
    assert rooms.upward(house) == ["world/ takes from judging/, which is below it"]
    (house / "world" / "cartpole.py").write_text("import numpy\n")
    assert rooms.upward(house) == []


def test_a_circle_is_found(house):
    (house / "world" / "one.py").write_text("from .two import b\n")
    (house / "world" / "two.py").write_text("from .one import a\n")
    files = {path.relative_to(house).with_suffix("").parts: path for path in house.rglob("*.py")}
    with pytest.raises(CycleError):
        list(TopologicalSorter({name: rooms.imports(path, house) for name, path in files.items()}).static_order())
