"""What a notebook prints comes from what ran."""

import pytest

from latent_dynamics import pages, store


@pytest.fixture
def shown(monkeypatch):
    seen = []
    monkeypatch.setattr(pages, "display", lambda markdown: seen.append(markdown.data))
    return seen


def test_a_source_is_the_packages_own_without_its_docstring(shown):
    pages.source(pages.say)
    assert "display(Markdown(" in shown[0] and "Print a paragraph" not in shown[0]
    pages.source(pages.say, docstring=True)
    assert "Print a paragraph" in shown[1]


def test_a_source_without_docstrings_still_compiles():
    text = 'class A:\n    """Doc."""\n\n    def f(self):\n        """Doc."""\n        return 1\n\n'
    text += '    def g(self):\n        """Only."""\n'
    short = pages._without_docstrings(text)
    compile(short, "short", "exec")
    assert "Doc." not in short and "Only." in short  # a body of nothing but its docstring must keep it


def test_a_table_has_as_many_cells_in_each_row(shown):
    pages.table(["a", "b"], [[1, 2], [3, 4]], "words")
    lines = shown[0].splitlines()
    assert [line.count("|") for line in lines[:4]] == [3] * 4 and lines[-1] == "words"


def test_what_was_made_is_listed_with_its_seconds(shown, monkeypatch):
    from pathlib import Path

    monkeypatch.setattr(store, "loaded", lambda: {(Path("mixed-seed0.abc.npz"), "key"): ({}, {"seconds": 9.4})})
    pages.made_in()
    assert "`mixed-seed0` 9 s" in shown[0]
