"""The artifact store under fire: damaged, foreign and stale files, full disks, two processes at once, kill -9."""

import contextlib
import errno
import io
import os
import random
import subprocess
import sys
import textwrap
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from latent_dynamics import store

KEY = {"settings": {"size": 3}, "seed": 0, "data": {"name": "mixed", "source": "aa"}, "source": "a"}
ARRAYS = {
    "frames": np.arange(600, dtype=np.uint8).reshape(6, 10, 10),
    "weights": np.linspace(-1, 1, 700, dtype=np.float32),
    "scale": np.array(0.5),
    "empty": np.zeros((0, 4), dtype=np.int64),
}
ROOT = Path(store.__file__).parents[2]
kinds = pytest.mark.parametrize("kind", store.KINDS)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and an empty memory, for each test."""
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path / "cache"))
    store._memo.clear()
    return tmp_path / "cache"


class Maker:
    """A `make` that counts its calls."""

    def __init__(self, arrays=ARRAYS):
        self.arrays, self.calls = arrays, 0

    def __call__(self):
        self.calls += 1
        return self.arrays, {"history": [0.5, 0.25], "shape": (1, 2)}


def fetch(make, kind="npz", key=KEY, name="mixed"):
    """`kept`, as a process that has just started sees it."""
    store._memo.clear()
    return store.kept(name, key, make, kind)


def assert_good(found, expected=ARRAYS):
    arrays, meta = found
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array)
    assert meta["history"] == [0.5, 0.25] and meta["shape"] == [1, 2] and meta["seconds"] >= 0


def unfinished(cache):
    return list((cache / store.WORK).glob("*.part"))


def the_file():
    (path,) = store.files()
    return path


@contextlib.contextmanager
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@kinds
def test_made_once_then_read_back_the_same(kind):
    make = Maker()
    with no_warning():
        first, second = fetch(make, kind), fetch(make, kind)
        third = store.kept("mixed", KEY, make, kind)  # from memory
    assert make.calls == 1
    for found in (first, second, third):
        assert_good(found)
    assert first[1] == second[1]


def test_callers_get_their_own_copies():
    make = Maker()
    arrays, meta = fetch(make)
    arrays["weights"][:] = 7
    meta["history"].clear()
    assert_good(store.kept("mixed", KEY, make, "npz"))


@kinds
def test_find_gives_nothing_before_the_artifact_after_and_never_makes(kind, cache):
    with no_warning():
        assert store.find("mixed", KEY, kind) is None
        assert not cache.exists()  # no folder, no lock
        made = fetch(Maker(), kind)
        assert_good(store.find("mixed", KEY, kind))  # from memory
        store._memo.clear()
        found = store.find("mixed", KEY, kind)  # from disk
    assert_good(found)
    assert found[1] == made[1]
    before = sorted(cache.iterdir())
    for other in (KEY | {"source": "b"}, KEY | {"seed": 1}):
        assert store.find("mixed", other, kind) is None and store.find("other", KEY, kind) is None
    assert sorted(cache.iterdir()) == before


@kinds
def test_find_takes_no_damaged_file_and_leaves_it_to_who_can_make_it_again(kind):
    fetch(Maker(), kind)
    path, whole = the_file(), the_file().read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    store._memo.clear()
    with pytest.warns(store.ArtifactWarning, match=rf"{path.name} is damaged"):
        assert store.find("mixed", KEY, kind) is None
    assert path.read_bytes() == whole[: len(whole) // 2]
    with pytest.warns(store.ArtifactWarning, match="damaged"):
        assert_good(fetch(Maker(), kind))


def test_what_was_found_once_is_remembered_and_each_caller_has_a_copy():
    fetch(Maker())
    store._memo.clear()
    arrays, meta = store.find("mixed", KEY, "npz")
    the_file().unlink()
    arrays["weights"][:] = 7
    meta["history"].clear()
    assert_good(store.find("mixed", KEY, "npz"))
    assert_good(store.kept("mixed", KEY, lambda: pytest.fail("made again"), "npz"))


@kinds
def test_truncated_at_any_length_is_noticed_and_remade(kind):
    make = Maker()
    fetch(make, kind)
    path, whole = the_file(), the_file().read_bytes()
    lengths = {100, 200, len(whole) // 2, len(whole) - 100, len(whole) - 1}
    for calls, length in enumerate(sorted(lengths), start=2):
        path.write_bytes(whole[:length])
        with pytest.warns(store.ArtifactWarning, match=rf"{path.name} is damaged .*Making it again"):
            assert_good(fetch(make, kind))
        assert make.calls == calls
        with no_warning():
            assert_good(fetch(make, kind))


@kinds
@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 40])
def test_too_short_to_tell_whose_it_is_a_file_is_left_alone_and_the_run_goes_on(kind, length):
    make = Maker()
    fetch(make, kind)
    path, short = the_file(), the_file().read_bytes()[:length]
    path.write_bytes(short)
    with pytest.warns(store.ArtifactWarning, match="is not a file of latent_dynamics"):
        assert_good(fetch(make, kind))
    assert path.read_bytes() == short


@kinds
def test_a_flipped_bit_never_changes_what_is_read(kind):
    make = Maker()
    fetch(make, kind)
    path, whole = the_file(), the_file().read_bytes()
    spots = random.Random(0).sample(range(len(whole)), 150)
    remade = 0
    for spot in spots:
        path.write_bytes(whole[:spot] + bytes([whole[spot] ^ 1 << spot % 8]) + whole[spot + 1 :])
        before = make.calls
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert_good(fetch(make, kind))
        assert any(issubclass(warning.category, store.ArtifactWarning) for warning in caught) == (make.calls > before)
        remade += make.calls - before
    assert remade > 100  # the rest are bytes that mean nothing, such as a zip's time stamps
    if kind == "safetensors":  # flips inside the tensors themselves, which the format does not notice
        path.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
        with pytest.warns(store.ArtifactWarning, match="checksum"):
            assert_good(fetch(make, kind))


@kinds
def test_a_foreign_file_in_its_place_is_left_alone_and_the_run_goes_on_from_memory(kind):
    make = Maker()
    fetch(make, kind)
    path = the_file()
    archive = io.BytesIO()
    np.savez(archive, x=np.ones(3))
    foreign = [b"<html>404</html>", safetensors.numpy.save({"x": np.ones(3)}), archive.getvalue()]
    for content in foreign:
        path.write_bytes(content)
        with pytest.warns(store.ArtifactWarning) as said:
            assert_good(fetch(make, kind))
        assert f"{path} is not a file of latent_dynamics" in str(said[0].message)
        assert "is left alone. This run goes on from memory" in str(said[1].message)
        with no_warning():
            assert_good(store.kept("mixed", KEY, make, kind))
        assert path.read_bytes() == content
    assert make.calls == 1 + len(foreign)


@kinds
def test_another_artifact_under_this_name_is_noticed(kind):
    make = Maker()
    fetch(make, kind)
    path = the_file()
    fetch(Maker(), kind, key=KEY | {"seed": 1})
    (other,) = (file for file in store.files() if file != path)
    other.replace(path)
    with pytest.warns(store.ArtifactWarning, match="holds another artifact"):
        assert_good(fetch(make, kind))
    assert make.calls == 2


@kinds
@pytest.mark.parametrize(
    "newer", [{"source": "b"}, {"data": {"name": "mixed", "source": "bb"}}], ids=["its own", "of its data"]
)
def test_stale_file_is_replaced_not_joined(kind, newer):
    fetch(Maker(), kind)
    other = {"x": np.ones(2)}
    with pytest.warns(store.ArtifactWarning, match="is stale"):
        assert_good(fetch(Maker(other), kind, key=KEY | newer), other)
    assert len(store.files()) == 1


def test_other_settings_or_seeds_live_side_by_side():
    with no_warning():
        for key in (KEY, KEY | {"seed": 1}, KEY | {"settings": {"size": 4}}):
            fetch(Maker(), key=key)
    assert len(store.files()) == 3


def test_object_arrays_are_refused_both_ways(cache):
    with pytest.raises(TypeError, match="'x' holds Python objects"):
        fetch(lambda: ({"x": np.array([{}], dtype=object)}, {}))
    make = Maker()
    fetch(make)
    path, whole = the_file(), the_file().read_bytes()
    with zipfile.ZipFile(path, "w") as archive:  # one of ours, in which somebody hid a pickle
        archive.writestr(f"{store.RECORD}.json", zipfile.ZipFile(io.BytesIO(whole)).read(f"{store.RECORD}.json"))
        with archive.open("x.npy", "w") as file:
            np.lib.format.write_array(file, np.array([{}], dtype=object))
    with pytest.warns(store.ArtifactWarning, match="damaged .*allow_pickle"):
        assert_good(fetch(make))


def test_bad_requests_say_what_is_wrong():
    with pytest.raises(ValueError, match="file name"):
        store.kept("../mixed", KEY, Maker(), "npz")
    with pytest.raises(ValueError, match="npz, safetensors"):
        store.kept("mixed", KEY, Maker(), "pickle")
    with pytest.raises(ValueError, match="file name"):
        store.find("../mixed", KEY, "npz")


def test_the_folder_moves_with_the_environment(monkeypatch, tmp_path):
    assert store.folder() == tmp_path / "cache"
    monkeypatch.delenv("LATENT_DYNAMICS_CACHE")
    assert store.folder().is_absolute() and "latent_dynamics" in str(store.folder())


def test_a_folder_that_is_another_for_each_process_is_refused(monkeypatch):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", "cache")
    with pytest.raises(ValueError, match=r"LATENT_DYNAMICS_CACHE is 'cache'.* full path, such as .*/cache"):
        fetch(Maker())


def test_no_folder_runs_from_memory(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path / "file" / "cache"))
    make = Maker()
    with pytest.warns(store.ArtifactWarning, match=r"could not be kept in .*LATENT_DYNAMICS_CACHE"):
        assert_good(fetch(make))
    with no_warning():
        assert_good(store.kept("mixed", KEY, make, "npz"))
    assert make.calls == 1


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_full_or_read_only_disk_runs_from_memory(monkeypatch, cache, call, code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    make = Maker()
    with monkeypatch.context() as broken:
        broken.setattr(store.os, call, fail)
        with pytest.warns(store.ArtifactWarning, match=f"{os.strerror(code)}.*LATENT_DYNAMICS_CACHE"):
            assert_good(fetch(make))
    assert store.files() == [] and not unfinished(cache)
    assert_good(store.kept("mixed", KEY, make, "npz"))
    assert make.calls == 1


def test_a_read_only_folder_can_still_be_read(monkeypatch):
    make = Maker()
    fetch(make)
    monkeypatch.setattr(store, "_locked", lambda path: pytest.fail("a lock was asked for"))
    with no_warning():
        assert_good(fetch(make))


def test_an_error_in_make_leaves_nothing_behind():
    def fail():
        raise OSError("the maker's own")

    with pytest.raises(OSError, match="the maker's own"), no_warning():
        fetch(fail)
    assert store.files() == []
    assert_good(fetch(Maker()))


# A process of its own that makes one artifact, a few megabytes, slowly enough to be caught at it.
WORKER = """
    import sys, time, warnings
    from pathlib import Path
    import numpy as np
    from latent_dynamics import store

    warnings.simplefilter("error", store.ArtifactWarning)
    log, seed, kind, pause = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])

    def make():
        with open(log, "a") as file:
            file.write("made\\n")
        end = time.monotonic() + pause
        while time.monotonic() < end and not log.with_suffix(".go").exists():
            time.sleep(0.01)
        return {"x": np.random.default_rng(seed).normal(size=400_000)}, {}

    arrays, meta = store.kept("worker", {"seed": seed}, make, kind)
    assert np.array_equal(arrays["x"], np.random.default_rng(seed).normal(size=400_000))
    print("done")
"""


def start(log, seed=0, kind="safetensors", pause=0.0):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WORKER), str(log), str(seed), kind, str(pause)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "done" in out, err
    return err


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def test_two_processes_make_once(tmp_path):
    log = tmp_path / "log"
    first = start(log, pause=60)
    wait_for(log.exists)
    second = start(log)
    assert "Another process is making worker" in second.stderr.readline()
    log.with_suffix(".go").touch()
    assert "Another process" not in finish(first)
    finish(second)
    assert log.read_text() == "made\n"


def assert_survives(cache, log, finished, kind="safetensors"):
    """After a kill: finished files untouched, nothing half-written under a final name, no lock stuck."""
    for path, content in finished.items():
        assert path.read_bytes() == content
    begun = time.monotonic()
    finish(start(log, seed=1, kind=kind))  # the killed one again; a warning of the store would be an error there
    assert time.monotonic() - begun < 30
    assert not unfinished(cache)
    with no_warning():
        fetch(lambda: pytest.fail("a finished artifact was made again"), "safetensors", {"seed": 0}, "worker")


def test_kill_in_the_middle_of_making(cache, tmp_path):
    finish(start(tmp_path / "log0"))
    finished = {path: path.read_bytes() for path in store.files()}
    log = tmp_path / "log1"
    process = start(log, seed=1, pause=60)
    wait_for(log.exists)
    process.kill()
    process.communicate()
    assert store.files() == list(finished)
    assert_survives(cache, log, finished)


def test_kill_in_the_middle_of_writing(cache, tmp_path):
    finish(start(tmp_path / "log0"))
    finished = {path: path.read_bytes() for path in store.files()}
    worker = textwrap.dedent(WORKER).replace("arrays, meta", "store.os.fsync = lambda _: time.sleep(60)\narrays, meta")
    command = [sys.executable, "-c", worker, str(tmp_path / "log1"), "1", "safetensors", "0"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    wait_for(lambda: unfinished(cache))
    process.kill()
    process.wait()
    assert store.files() == list(finished) and unfinished(cache)
    finish(start(tmp_path / "log2", seed=2))  # whoever comes next sweeps what the dead run left
    assert not unfinished(cache)
    assert_survives(cache, tmp_path / "log1", finished)


@pytest.mark.long
@pytest.mark.timeout(3600)
@kinds
def test_kill_campaign(cache, tmp_path, kind):
    """Kill at many random times from start to finish; every time the next run must succeed, without a warning."""
    finish(start(tmp_path / "log0"))
    finished = {path: path.read_bytes() for path in store.files()}
    begun = time.monotonic()
    finish(start(tmp_path / "log2", seed=2, kind=kind))
    whole_run = time.monotonic() - begun
    chance = random.Random(0)
    others = set(store.files())
    for _ in range(60):
        process = start(tmp_path / "log1", seed=1, kind=kind, pause=0.05)
        # Mostly late, where the writing is; the interpreter's own start teaches nothing.
        time.sleep(chance.uniform(0.5, 1.3) * whole_run)
        process.kill()
        process.communicate()
        assert_survives(cache, tmp_path / "log1", finished, kind)
        (made,) = set(store.files()) - others
        made.unlink()
