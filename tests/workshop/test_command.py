"""`python -m latent_dynamics book` on a book of one chapter: what it redoes, what it notices, how it fails."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

import latent_dynamics.workshop.commands as command
from latent_dynamics import store
from latent_dynamics.workshop import building, running, testing
from latent_dynamics.workshop.browser import NoBrowser

SETTINGS = {
    "_config.yml": "title: Small\nonly_build_toc_files: true\nexecute: {execute_notebooks: cache}\n"
    "sphinx: {config: {html_js_files: []}}\n",
    "_toc.yml": "format: jb-book\nroot: intro\nchapters:\n  - file: chapter\n",
    "intro.md": "# Small\n",
    "latent_dynamics/__init__.py": "answer = 1\n",
}


@pytest.fixture
def small_book(tmp_path, monkeypatch):
    """A clone of nothing but one chapter, which counts its executions in a file."""
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path / "cache"))
    for name, text in SETTINGS.items():
        path = tmp_path / "book" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_chapter(tmp_path / "book", "")
    return tmp_path / "book"


def write_chapter(root, code):
    count = f"with open({str(root / 'executions')!r}, 'a') as file:\n    file.write('x')"
    cells = [nbformat.v4.new_markdown_cell("# Chapter"), nbformat.v4.new_code_cell(f"{count}\n{code}")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root / "chapter.ipynb")


def executions(root):
    return len((root / "executions").read_text())


def keep(value):
    store._memo.clear()
    store.kept("model", {"seed": 1}, lambda: ({"x": np.array(value)}, {}), "npz")


def run_by_nbval(root):
    """Run the chapter as `test` does, by nbval, and keep what it said; returns the folder of executed notebooks."""
    kept = ["-p", "latent_dynamics.workshop.keeping_outputs", "--keep-outputs", str(root / "executed")]
    nbval = ["-P", "-m", "pytest", "-q", *kept, "--nbval-lax", "--nbval-current-env"]
    nbval += ["-p", "no:cacheprovider", "chapter.ipynb"]
    subprocess.run([sys.executable, *nbval], cwd=root, env=os.environ | {"PYTHONPATH": str(running.ROOT)})
    return root / "executed"


def test_only_what_changed_is_redone(small_book, capfd):
    keep(1.0)
    write_chapter(small_book, "print(21 * 2)")
    executed = run_by_nbval(small_book)
    assert executions(small_book) == 1
    assert building.book(root=small_book, executed=executed) == 0
    assert executions(small_book) == 1, "what nbval has run is not run again"
    assert "<span></span>42" in (small_book / "_build" / "html" / "chapter.html").read_text()
    out = capfd.readouterr().out
    assert (small_book / "_build" / "html" / "index.html").as_uri() in out and " s  chapter\n" in out
    keep(1.0)
    store.kept("new", {}, lambda: ({"x": np.zeros(1)}, {}), "npz")  # a new artifact is no change
    (small_book / "latent_dynamics" / "__init__.py").write_text('"""Says more."""\n\nanswer  =  1  # now\n')
    assert building.book(root=small_book) == 0
    assert executions(small_book) == 1, "comments and layout change no output, and nor does what is new"
    assert "(as before)" in capfd.readouterr().out

    path = store.files()[0]
    path.write_bytes(path.read_bytes() + b"other weights")
    assert building.book(root=small_book) == 0
    assert executions(small_book) == 2 and "model." in capfd.readouterr().out

    (small_book / "latent_dynamics" / "widget.js").write_text("// new")
    assert reason(small_book) == "the helper package changed"


def test_a_failing_chapter_fails_the_build_until_it_is_mended(small_book, capfd):
    write_chapter(small_book, "1 / 0")
    assert not run_by_nbval(small_book).exists(), "what failed leaves nothing"
    for _ in range(2):  # Sphinx alone forgets a page's failure once it has read it
        assert building.book(root=small_book) != 0
        out = capfd.readouterr().out
        report = next(line for line in out.splitlines() if line.startswith("FAILED: chapter")).split(" in ")[-1]
        assert "ZeroDivisionError" in Path(report).read_text()
    write_chapter(small_book, "1 / 1")
    assert building.book(root=small_book) == 0


def reason(root):
    return building.Stamp(root).reason()


def test_every_reason_to_distrust_the_outputs(small_book):
    assert "nothing tells" in reason(small_book)
    keep(1.0)
    building.Stamp(small_book).write("building")
    assert "killed" in reason(small_book)
    for state in ("built", "failed"):
        building.Stamp(small_book).write(state)
        assert reason(small_book) is None
    (small_book / "latent_dynamics" / "__pycache__").mkdir()
    (small_book / "latent_dynamics" / "__pycache__" / "x.pyc").touch()
    assert reason(small_book) is None
    figures = small_book / "latent_dynamics" / "keeping" / "shipped" / "figures" / "rungs-best-seed0.json"
    figures.parent.mkdir(parents=True)
    for text in ("{}", "[]"):
        figures.write_text(text)
        assert text == "{}" or "rungs-best-seed0.json" in reason(small_book)
        building.Stamp(small_book).write("built")
    shutil.rmtree(store.folder())
    assert "changed or missing" in reason(small_book)
    (small_book / "_build" / ".latent_dynamics.json").write_text("{")
    assert "nothing tells" in reason(small_book)


def test_a_comment_counts_where_a_notebook_shows_it(small_book):
    package = small_book / "latent_dynamics"
    (small_book / "book").mkdir()
    (small_book / "book" / "page.ipynb").write_text("source(ld.models.Shown.step)")
    seen = []
    for comment in ("# one", "# two"):
        for name in ("Shown", "Hidden"):
            for written in ("# one", comment):
                (package / f"{name}.py").write_text(f"class {name}:\n    {written}\n    step = 1\n")
                seen.append(building._fingerprint_of_package(small_book))
    assert seen[5] != seen[4] and seen[7] == seen[6]


def run_tests(monkeypatch, tmp_path, failing):
    """`test-all` with every step replaced: only `failing` fails. Returns its code and the commands it ran."""
    ran = []

    def run(arguments, root, threads=None):
        assert threads == (1 if "-n" in arguments else None), "two that share two cores take one each"
        ran.append(" ".join(arguments))
        return int(failing in ran[-1])

    monkeypatch.setattr(testing, "book", lambda **_: int(failing == "book "))
    monkeypatch.setattr(testing, "run", run)
    monkeypatch.setattr(testing, "TIMES", tmp_path / "times.json")
    monkeypatch.setattr(testing, "EXECUTED", str(tmp_path / "executed"))
    return command.main(["test-all"]), ran


def test_a_failed_step_fails_the_tests_but_not_the_other_steps(monkeypatch, tmp_path, capsys):
    code, ran = run_tests(monkeypatch, tmp_path, failing="nothing")
    assert code == 0 and len(ran) == 7 and "FAILED" not in capsys.readouterr().out
    code, ran = run_tests(monkeypatch, tmp_path, failing="ruff")
    assert code == 1 and len(ran) == 7 and "FAILED  lint" in capsys.readouterr().out
    code, ran = run_tests(monkeypatch, tmp_path, failing="book ")
    assert code == 1 and not any("pytest tests/browser" in line for line in ran)  # it would look at old pages
    assert "FAILED  browser" in capsys.readouterr().out


def test_a_machine_without_a_browser_is_told_so_and_never_in_ci(monkeypatch, tmp_path, capsys):
    def no_browser():
        raise NoBrowser("no Chromium")

    monkeypatch.setattr(testing, "chromium", no_browser)
    monkeypatch.delenv("CI", raising=False)
    code, ran = run_tests(monkeypatch, tmp_path, failing="nothing")
    assert code == 0 and not any("pytest tests/browser" in line for line in ran)
    assert re.search(r"skipped browser .* no Chromium", capsys.readouterr().out)
    monkeypatch.setenv("CI", "true")
    code, _ = run_tests(monkeypatch, tmp_path, failing="nothing")
    assert code == 1 and "FAILED  browser" in capsys.readouterr().out


def test_errors_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="not a clone"):
        building.book(root=tmp_path)
    with pytest.raises(SystemExit, match="no-such-package is not installed .* pip install"):
        running.need("no-such-package")
    with pytest.raises(SystemExit, match="is another program"):
        running.need("jupyter-book", "2.")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="Build it first"):
        command.main(["serve"])


def test_clean_touches_only_what_is_ours(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path))
    monkeypatch.setattr(command, "ROOT", tmp_path)
    (tmp_path / "_build" / "html").mkdir(parents=True)
    (tmp_path / "_build" / "training").mkdir()
    (tmp_path / "letter.txt").touch()
    keep(1.0)
    assert command.main(["clean"]) == 0 and len(store.files()) == 1
    assert [path.name for path in (tmp_path / "_build").iterdir()] == ["training"], "an unfinished training stays"
    assert command.main(["clean", "--artifacts"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert "Removed 1 data sets and models" in capsys.readouterr().out


def test_a_command_gives_all_that_it_starts_the_same_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", "cache")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "ladder", lambda options: os.chdir("/") or print(store.folder()))
    assert command.main(["ladder"]) == 0
    assert os.environ["LATENT_DYNAMICS_CACHE"] == str(tmp_path / "cache")
