"""The cache on disks that are not the reader's own: without locks, read-only, another user's, gone in between."""

import contextlib
import errno
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from latent_dynamics import store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shown with Unix's locks and rights")


@pytest.fixture
def cache(monkeypatch):
    """An empty cache folder that other users can reach, and an empty memory."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(root / "cache"))
    store._memo.clear()
    yield root / "cache"
    for folder in (root, root / "cache", root / "cache" / store.WORK):
        if folder.exists():
            folder.chmod(0o755)
    shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def as_nobody():
    """Do something with no right that the file system does not give: root is above all rights."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def without_locks(monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", flock)


def make():
    return {"x": np.arange(1000)}, {}


def fetch(make=make):
    """`kept`, as a process that has just started sees it."""
    store._memo.clear()
    return store.kept("thing", {"seed": 0}, make, "npz")[0]["x"]


def assert_kept(cache):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fetch(lambda: pytest.fail("made again"))) == 1000
    assert not list((cache / store.WORK).glob("*.part"))


codes = pytest.mark.parametrize("code", store.WITHOUT_LOCKS[:3], ids=errno.errorcode.get)


@codes
def test_a_disk_without_locks_is_named_and_written_all_the_same(cache, monkeypatch, code):
    without_locks(monkeypatch, code)
    with pytest.warns(store.ArtifactWarning, match=r"without locks .*LATENT_DYNAMICS_CACHE"):
        fetch()
    assert_kept(cache)
    (cache / store.WORK / f"{store.files()[0].name}.01234567.part").touch()  # left by a killed run
    assert len(store.clean()) == 1 and not list(cache.iterdir())


@codes
@pytest.mark.filterwarnings("ignore::latent_dynamics.keeping.store.ArtifactWarning")
def test_two_that_write_without_locks_do_not_spoil_each_others_file(cache, monkeypatch, code):
    without_locks(monkeypatch, code)
    both, whole = threading.Barrier(2, timeout=60), os.fsync

    def make_with_another():
        both.wait()
        return make()

    def fsync(file):
        both.wait()  # two unfinished files at once
        whole(file)

    monkeypatch.setattr(store.os, "fsync", fsync)
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(make_with_another))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(one) for one in found] == [1000, 1000]
    assert_kept(cache)


def test_a_folder_that_vanishes_while_something_is_made(cache):
    def vanish():
        shutil.rmtree(cache)
        return make()

    with pytest.warns(store.ArtifactWarning, match="could not be kept in .*No such file"):
        assert len(fetch(vanish)) == 1000
    fetch()
    assert_kept(cache)


@pytest.mark.filterwarnings("ignore::latent_dynamics.keeping.store.ArtifactWarning")
def test_a_folder_that_vanishes_while_another_is_waited_for(cache, capfd):
    path, found = store.path_of("thing", {"seed": 0}, "npz"), []
    with store._locked(path):
        waiting = threading.Thread(target=lambda: found.append(fetch()), daemon=True)
        waiting.start()
        end = time.monotonic() + 60
        while "Another process" not in capfd.readouterr().err:
            assert time.monotonic() < end
            time.sleep(0.01)
        shutil.rmtree(cache)
        waiting.join(30)
    assert found and len(found[0]) == 1000


def test_another_users_cache_is_read_and_what_it_lacks_is_made_without_waiting_for_it(cache):
    fetch()
    with store._locked(store.path_of("missing", {"seed": 0}, "npz")) as part:
        part.write_bytes(b"half of it")
        for file in (cache / store.WORK).iterdir():
            file.chmod(0o444)
        for folder in (cache / store.WORK, cache):
            folder.chmod(0o555)
        with as_nobody():
            assert len(fetch(lambda: pytest.fail("made again"))) == 1000
            with pytest.warns(store.ArtifactWarning, match="could not be kept in .*Permission denied"):
                assert len(store.kept("missing", {"seed": 0}, make, "npz")[0]["x"]) == 1000
            with pytest.warns(store.ArtifactWarning, match="could not be removed: Permission denied"):
                assert store.clean() == []
        assert part.read_bytes() == b"half of it" and len(store.files()) == 1


def test_a_folder_that_may_not_be_looked_into_is_named(cache):
    fetch()
    cache.parent.chmod(0)
    with as_nobody():
        with pytest.warns(store.ArtifactWarning, match="could not be kept in .*Permission denied"):
            assert len(fetch()) == 1000
        assert store.files() == [] and store.clean() == []
