"""`lab` opens the reader's own copies: renewed while they are as they were laid, never overwritten once changed."""

import json
import re
import subprocess
from pathlib import Path

import pytest

import latent_dynamics.workshop.commands as command
from latent_dynamics.workshop.reading import lay_out

ROOT = Path(__file__).parents[2]


def notebook(text, outputs=()):
    cell = {"cell_type": "code", "metadata": {}, "source": [text], "outputs": list(outputs), "execution_count": None}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def book(tmp_path):
    """A book of two chapters and a table, and things that do not belong to it."""
    for name, text in {
        "1.ipynb": notebook("1"), "2.ipynb": notebook("2"), "data/table.csv": "1", "_ext/roles.py": "",
        ".ipynb_checkpoints/1.ipynb": "",
    }.items():  # fmt: skip
        (tmp_path / "book" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "book" / name).write_text(text)
    return tmp_path / "book"


def seen(reading):
    return {path.relative_to(reading).as_posix() for path in reading.rglob("*") if path.is_file()} - {".laid.json"}


def test_copies_are_renewed_until_the_reader_changes_them(book):
    reading = book.parent / "reading"
    assert lay_out(book, reading) == [] and seen(reading) == {"1.ipynb", "2.ipynb", "data/table.csv"}
    ran = notebook("1", [{"output_type": "stream", "name": "stdout", "text": "1"}])
    (reading / "1.ipynb").write_text(ran)
    mine = notebook("2, and mine")
    (reading / "2.ipynb").write_text(mine)
    (reading / "notes.md").write_text("mine")
    assert lay_out(book, reading) == []
    assert (reading / "1.ipynb").read_text() == ran, "outputs stay as long as the chapter is the same"
    (book / "data" / "table.csv").write_text("2")
    for n in (1, 2):
        (book / f"{n}.ipynb").write_text(notebook(f"{n}, better"))
    for _ in range(2):
        assert lay_out(book, reading) == ["2.ipynb"]
        assert (reading / "1.ipynb").read_text() == notebook("1, better")
        assert (reading / "2.ipynb").read_text() == mine and (reading / "data" / "table.csv").read_text() == "2"
    (reading / "2.ipynb").rename(reading / "mine.ipynb")
    assert lay_out(book, reading) == [] and (reading / "2.ipynb").read_text() == notebook("2, better")
    assert (reading / "mine.ipynb").read_text() == mine and (reading / "notes.md").read_text() == "mine"


def test_what_the_book_has_no_more_goes_unless_it_was_changed(book):
    reading = book.parent / "reading"
    lay_out(book, reading)
    (reading / "2.ipynb").write_text("no notebook any more")
    for name in ("1.ipynb", "2.ipynb"):
        (book / name).unlink()
    assert lay_out(book, reading) == lay_out(book, reading) == [] and seen(reading) == {"2.ipynb", "data/table.csv"}


@pytest.mark.parametrize("written", ["", "{"], ids=["empty", "half"])
def test_a_lost_list_overwrites_nothing(book, written):
    reading = book.parent / "reading"
    lay_out(book, reading)
    (reading / ".laid.json").write_text(written)
    (book / "1.ipynb").write_text(notebook("1, better"))
    assert lay_out(book, reading) == ["1.ipynb"] and (reading / "1.ipynb").read_text() == notebook("1")


def test_git_sees_no_copy_and_links_lead_somewhere(tmp_path):
    ignored = subprocess.run(["git", "check-ignore", "reading/01.ipynb"], cwd=ROOT, capture_output=True, text=True)
    assert ignored.stdout == "reading/01.ipynb\n"
    lay_out(ROOT / "book", tmp_path / "reading")
    chapters = sorted((tmp_path / "reading").glob("*.ipynb"))
    assert len(chapters) > 15
    for path in chapters:
        cells = json.loads(path.read_text("utf8"))["cells"]
        words = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        for link in re.findall(r"\]\((?!http|#)([^)\s#]+)", words) + re.findall(r"<(data/[^>]+)>", words):
            assert (path.parent / link).exists(), f"{path.name} leads to {link}"


def test_lab_opens_the_copies_and_passes_on_what_is_jupyters(book, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(command, "ROOT", book.parent)
    monkeypatch.setattr(command, "need_clone", lambda root: None)
    monkeypatch.setattr(command, "run", lambda arguments, root: asked.append(arguments) or 3)
    flags = ["--allow-root", "--ip=0.0.0.0", "--no-browser"]
    assert command.main(["lab"]) == command.main(["lab", *flags]) == command.main(["lab", "--", *flags]) == 3
    assert asked == [["-m", "jupyterlab", "reading"], *2 * [["-m", "jupyterlab", "reading", *flags]]]
    with pytest.raises(SystemExit):
        command.main(["book", "--allow-root"])
    assert "unrecognized arguments: --allow-root" in capsys.readouterr().err


def test_serve_listens_where_it_is_told(tmp_path, monkeypatch):
    asked = []
    (tmp_path / "_build" / "html").mkdir(parents=True)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "run", lambda arguments, root: asked.append(arguments[-4:-2]) or 0)
    command.main(["serve"])
    command.main(["serve", "--address", "0.0.0.0"])
    assert asked == [["--bind", "127.0.0.1"], ["--bind", "0.0.0.0"]]
