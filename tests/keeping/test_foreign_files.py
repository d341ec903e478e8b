"""The cache folder may be a folder with other things in it: none is ever touched, whatever it is called."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import latent_dynamics.workshop.commands as command
from latent_dynamics import artifacts, store

ROOT = Path(store.__file__).parents[2]
OURS = "mixed-seed0.0123456789.latent_dynamics"
FILES = {  # name: content
    "letter.txt": b"Dear reader",
    "film.mkv.part": b"half a film",
    "poetry.lock": b"[[package]]",
    "empty.lock": b"",
    "foo.npz": b"PK\x03\x04 an archive of somebody else's",
    "weights.safetensors": safetensors.numpy.save({"x": np.ones(3)}),
    "x.latent_dynamics.npz": b"our ending",
    "x.latent_dynamics.safetensors": b"our ending",
    "x.latent_dynamics.npz.part": b"our ending, unfinished",
    "x.latent_dynamics.npz.lock": b"our ending, locked",
    f"{OURS}.npz": b"our name",
    f"{OURS}.npz.part": b"our name, unfinished",
    f"{OURS}.npz.lock": b"our name, locked",
    f"{OURS}.safetensors": b"",
    f"{OURS}.pickle": b"our name, another kind",
    "latent_dynamics.json": b'{"key": {}, "meta": {}, "sha256": ""}',
    ".hidden.npz": b"hidden",
    "latent_dynamics.lock": b"",
    f"{OURS[:-1]}.folder.latent_dynamics.npz/inside.npz": b"in a folder that is called like a file of ours",
    "latent_dynamics/store.py": b"a clone of the book",
    "README": b"a README",
}
IN_WORK = {f"{store.WORK}/{name}": content for name, content in FILES.items() if "/" not in name and OURS not in name}


def plant(folder, files=FILES):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "target").write_bytes(b"what a link leads to")
    (folder / "link.0123456789.latent_dynamics.npz").symlink_to(folder / "target")
    (folder / "broken.0123456789.latent_dynamics.npz").symlink_to(folder / "nowhere")


def state(folder):
    """Every file below a folder that is not a link: its content; and every link: where it leads."""
    paths = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    return {path.relative_to(folder): os.readlink(path) if path.is_symlink() else path.read_bytes() for path in paths}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path / "downloads"))
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setitem(artifacts.DATA_SETS, "mixed", artifacts.DataSet("mixed", 60))
    store._memo.clear()
    return tmp_path / "downloads"


def make_things():
    """Collect, and keep weights."""
    artifacts.load_episodes("mixed")
    store.kept("model", {"seed": 0}, lambda: ({"x": np.ones(9)}, {}), "safetensors")


def kill_a_writer(folder):
    """A process that dies while it writes a file; returns what it left."""
    code = """
        import numpy as np, time
        from latent_dynamics import store
        store.os.fsync = lambda _: time.sleep(60)
        store.kept("killed", {}, lambda: ({"x": np.ones(1000)}, {}), "npz")
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    end = time.monotonic() + 60
    while not (left := list((folder / store.WORK).glob("killed*.part"))):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    return left


def test_all_foreign_files_are_found_again_after_collecting_training_killing_and_cleaning(cache):
    plant(cache)
    before = state(cache)
    assert len(before) > 20
    make_things()
    left = kill_a_writer(cache)
    store.kept("another", {}, lambda: ({"x": np.ones(9)}, {}), "npz")  # sweeps
    assert len(store.files()) == 3 and not any(path.exists() for path in left)
    kill_a_writer(cache)
    assert before.items() <= state(cache).items()
    assert command.main(["clean", "--artifacts"]) == 0
    assert state(cache) == before, "all of theirs and none of ours is left"


def test_what_others_put_into_our_working_folder_stays_and_so_does_the_folder(cache):
    make_things()
    plant(cache, IN_WORK | {f"{store.WORK}/README": store.WORK_SAYS.encode()})
    before = {path: content for path, content in state(cache).items() if path.as_posix() in IN_WORK}
    assert len(before) > 10
    store._memo.clear()
    store.kept("another", {}, lambda: ({"x": np.ones(9)}, {}), "npz")
    assert command.main(["clean", "--artifacts"]) == 0
    assert before.items() <= state(cache).items() and not store.files()
    store._memo.clear()
    make_things()
    assert len(store.files()) == 2, "it can be worked in again"


@pytest.mark.parametrize("content", [b"", b"mine"], ids=["empty", "full"])
def test_a_folder_that_is_called_like_our_working_folder_is_not_worked_in(cache, content):
    plant(cache, {f"{store.WORK}/{OURS}.npz.part": content, f"{store.WORK}/README": b"mine"})
    before = state(cache)
    with pytest.warns(store.ArtifactWarning, match="is not a folder of ours, and is left alone"):
        make_things()
    assert command.main(["clean", "--artifacts"]) == 0
    assert state(cache) == before


def test_a_link_or_a_folder_in_a_files_place_is_left_alone(cache):
    make_things()
    paths = store.files()
    for path, put in zip(paths, (lambda path: path.symlink_to(path.parent / "target"), Path.mkdir)):
        path.unlink()
        put(path)
    (cache / "target").write_bytes(b"a letter")
    before = state(cache)
    store._memo.clear()
    with pytest.warns(store.ArtifactWarning, match="is left alone"):
        make_things()
    assert {path: content for path, content in state(cache).items() if path.parts[0] != store.WORK} == {
        path: content for path, content in before.items() if path.parts[0] != store.WORK
    }


def test_cleaning_leaves_what_is_being_written(cache):
    make_things()
    part = cache / store.WORK / f"{OURS}.npz.part"
    with store._locked(part.with_suffix("").parents[1] / f"{OURS}.npz"):
        part.write_bytes(b"half of it")
        store.clean()
        assert part.exists()
    store.clean()
    assert not (cache / store.WORK).exists()
