"""What takes too long for every day: chapters alone and in any order, and everything retrained on another seed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from latent_dynamics import store

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
OTHER_SEED = 1

pytestmark = [pytest.mark.long, pytest.mark.timeout(2 * 3600)]


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """An empty cache, and kernels that import this package."""
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)


def execute(path):
    """Run a chapter from top to bottom; raises if a cell does."""
    begun = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(path.parent)}}).execute()
    print(f"{path.stem}: {time.monotonic() - begun:.0f} s")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_alone_from_an_empty_cache(path):
    execute(path)


def test_chapters_in_reversed_order_from_an_empty_cache():
    for path in reversed(CHAPTERS):
        execute(path)


def test_every_claim_holds_on_another_seed(monkeypatch):
    """The claims read LATENT_DYNAMICS_SEED, and so collect and train all that they test anew.

    Left out are those that read recorded figures alone and would say the same again (mark `recorded`); `make train`
    measures these figures anew. Chapter 7: that a second frame cures no drift, and what a coarse velocity is worth to a
    player. Chapter 8: what dreams, depth and noise in training buy over seeds. Chapter 9: what memory, eyes, structure
    and filter buy over seeds, and who balances. The ladder: how the last rung stands to the references and to the other
    rungs, by both readers, how many ends it expects, and that the record is whole and up to date.
    """
    monkeypatch.setenv("LATENT_DYNAMICS_SEED", str(OTHER_SEED))
    which = ["tests", "--ignore=tests/browser", "-m", "claims and not long and not recorded"]
    assert subprocess.run([sys.executable, "-m", "pytest", *which], cwd=ROOT).returncode == 0
    assert store.files(), "the claims kept nothing: do they use the artifacts?"
