"""Keeps what was expensive to make, data sets and trained weights, and finds it again.

First in the user's cache folder, then in what travels with the package; the files are the same. Everything here defends
one promise: `kept` gives back exactly what `make` made, whatever happened to the disk in between. A file is written
whole or not at all, carries its full key and a checksum of its content, and is made again, with a warning that names
it, when either does not fit. Loading never unpickles, so nothing loaded can run code.

The cache folder may hold other things. A file is ours by its name and by how it begins, both; no other is ever
overwritten or removed. Locks and unfinished files lie in a folder of their own, which says in a file what it is.
"""

import contextlib
import copy
import errno
import glob
import hashlib
import io
import json
import multiprocessing
import os
import re
import secrets
import sys
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import platformdirs
import safetensors.numpy
from filelock import FileLock, Timeout

KINDS = ("npz", "safetensors")
VERSIONS = ("source", "splits")  # entries of a key that say which version a file is, not which artifact
RECORD = "latent_dynamics"  # under this name a file carries its key, meta and checksum, before all else
BEGINNINGS = {  # of our files' records, and where in the file
    ".npz": (30, f'{RECORD}.json{{"key": '.encode()),
    ".safetensors": (8, f'{{"__metadata__":{{"{RECORD}":"{{\\"key\\": '.encode()),
}
OUR_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]*\.[0-9a-f]{{10}}\.{RECORD}\.({'|'.join(KINDS)})")
UNFINISHED = re.compile(rf"({OUR_NAME.pattern})(?:\.[0-9a-f]{{8}})?\.(?:part|lock)")
WORK = f"{RECORD}.work"  # a folder in the cache folder, for locks and unfinished files
WORK_SAYS = "Locks and unfinished files of latent_dynamics; what else lies here is left alone.\n"
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # a file system says it has none
SHIPPED = Path(__file__).parent / "shipped"

_memo: dict[tuple, tuple[dict[str, np.ndarray], dict]] = {}


class ArtifactWarning(UserWarning):
    """A kept file was unusable, or could not be kept; the message says which, why, and what happens now."""


# Where files are, and whose


def folder() -> Path:
    """The folder of kept files: the user's cache folder, or what LATENT_DYNAMICS_CACHE says, a full path."""
    moved = os.environ.get("LATENT_DYNAMICS_CACHE")
    if not moved:
        return Path(platformdirs.user_cache_dir("latent_dynamics", appauthor=False))
    where = Path(moved).expanduser()
    if not where.is_absolute():
        raise ValueError(
            f"LATENT_DYNAMICS_CACHE is {moved!r}: another folder wherever a process starts, and notebooks start in "
            f"theirs. Give it the full path, such as {where.absolute()}."
        )
    return where


def files(where=None) -> list[Path]:
    """Every kept file, or every one in another folder, in order of name (finished ones only, and only ours)."""
    where = where or folder()
    names = glob.glob(f"*.{RECORD}.*", root_dir=where)  # none in a folder that may not be looked into
    return sorted(path for name in names if _ours(path := where / name))


def _ours(path):
    """Whether a file is one that was written here: by its name and by how it begins."""
    if not OUR_NAME.fullmatch(path.name):
        return False
    at, begins = BEGINNINGS[path.suffix]
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(at + len(begins))[at:] == begins
    except OSError:
        return False


def clean():
    """Remove every kept file, lock and unfinished file that is ours and not being written; returns the kept files."""
    removed, work = [], folder() / WORK
    for path in files():
        try:
            path.unlink(missing_ok=True)
            removed.append(path)
        except OSError as error:
            _warn(f"{path} could not be removed: {error.strerror or error}.")
    with contextlib.suppress(OSError):
        if _is_work(work):
            for path in [*_in_work(work, ".part"), *_in_work(work, ".lock")]:
                if _is_free(_lock_of(path)) is not False:
                    path.unlink(missing_ok=True)
            if [path.name for path in work.iterdir()] == ["README"]:
                (work / "README").unlink()
                work.rmdir()
    return removed


def loaded():
    """What this process has asked for so far: {(path, hash of key): (arrays, meta)}, in the order of asking."""
    return dict(_memo)


# Asking


def find(name, key, kind, shipped=False, fits=None):
    """Give what `kept` would give if it is in memory, on disk or shipped; None if it would have to be made."""
    path, version, key = _asked(name, key, kind)
    found, problem = _found(path, version, key, shipped, fits)
    if problem and not problem.startswith("is stale"):
        _warn(f"{path} {problem}.")
    return found and _copies(found)


def copies(name, key, kind):
    """Yield what `find` may give: from the cache, and from what travels with the package."""
    path, version, key = _asked(name, key, kind)
    for place in (path, SHIPPED / path.name):
        found, _ = _remembered(place, version, key, None)
        if found:
            yield _copies(found)


def shipped(name, key, kind, fits=None):
    """Give what travels with the package under this name and key; None if nothing does, or if it is damaged."""
    path, version, key = _asked(name, key, kind)
    found, _ = _remembered(SHIPPED / path.name, version, key, fits)
    return found and _copies(found)


def kept(name, key, make, kind, shipped=False, fits=None):
    """Give `make()`'s result, made at most once: from memory, else from disk, else made now and kept.

    `name` is for humans ("mixed", "autoencoder-mixed-seed0"). `key` is a JSON-able dict of all that the result
    depends on; entries called "source" or "splits", at any depth, are left out of the file's name, so that a new
    version replaces the old file. `make()` returns `(arrays, meta)`: a dict of numpy arrays and a JSON-able
    dict. `kind` is "npz" (compressed, for data) or "safetensors" (for weights). `shipped`: whether what travels with
    the package will do where the disk has nothing. `fits(meta)`, if given, may refuse a file as stale.

    Returns `(arrays, meta)`, the caller's own copies; `meta["seconds"]` is what making took when it was made.
    Warns (`ArtifactWarning`) when a file is stale, foreign or damaged, and makes it again; warns too when the disk
    cannot be written, and goes on from memory. Raises ValueError for a bad name or kind, TypeError for object arrays,
    and RuntimeError in a process that is still being started.
    """
    path, version, key = _asked(name, key, kind)
    found, _ = _found(path, version, key, shipped, fits)  # reading needs no lock: a file appears whole or not at all
    if not found:
        found = _memo[path, version] = _make(path, version, key, make, fits)
    return _copies(found)


def path_of(name, key, kind, where=None):
    """Return where an artifact is kept: in the cache folder, or in another."""
    return (where or folder()) / f"{name}.{digest(_identity(key))[:10]}.{RECORD}.{kind}"


def _asked(name, key, kind):
    """Where an artifact is kept, the hash of its key, and the key as a file can hold it."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(
            f"{name!r} was asked for by a process that is still being started, and imports the script for it. In a "
            'script that starts processes, put what it does under `if __name__ == "__main__":`.'
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(f"an artifact's name is a file name of letters, digits, '_', '.' and '-', not {name!r}")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    key = json.loads(json.dumps(key))  # what a file can hold and give back: tuples become lists, keys text
    return path_of(name, key, kind), digest(key), key


def _copies(artifact):
    arrays, meta = artifact
    return {label: array.copy() for label, array in arrays.items()}, copy.deepcopy(meta)


def _found(path, version, key, shipped, fits):
    """An artifact from the cache, or from what travels with the package; and what is wrong with the kept file."""
    found, problem = _remembered(path, version, key, fits)
    if found or not shipped:
        return found, problem
    came = SHIPPED / path.name
    found, damage = _remembered(came, version, key, fits)
    if damage and not damage.startswith("is stale"):
        _warn(
            f"{came}, which came with the package, {damage}. Install the package again; in a clone, "
            f"`git checkout {SHIPPED.relative_to(SHIPPED.parents[2])}` brings it back."
        )
    if found and problem and not problem.startswith("is stale"):
        _warn(f"{path} {problem}. What came with the package takes its place; to make it again, remove it.")
    return found, None if found else problem


def _remembered(path, version, key, fits):
    """`((arrays, meta), None)` from memory or from a file, or `(None, what is wrong with the file)`."""
    found, problem = (_memo[path, version], None) if (path, version) in _memo else _read(path, key)
    if found and fits and not fits(found[1]):
        return None, "is stale: what it was made with is gone"
    if found:
        _memo[path, version] = found
    return found, problem


def _make(path, version, key, make, fits):
    with _locked(path) as part:
        found, problem = _remembered(path, version, key, fits)  # again: another process may have made it meanwhile
        if found:
            return found
        if problem:
            _warn(f"{path} {problem}. Making it again.")
        arrays, meta = _made(path.name, make)
        if part:
            try:
                _write(path, pack(path.suffix, arrays, meta, key), part)
            except OSError as error:
                _warn_disk(path, error)
    return arrays, meta


def _made(filename, make):
    start = time.perf_counter()
    arrays, meta = make()
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(
                f"{filename}: array {name!r} holds Python objects, which could be kept only as a pickle. "
                "Return plain numbers or text."
            )
    # Through JSON here too, so that the first run sees the very meta that later ones will read.
    return arrays, json.loads(json.dumps(meta | {"seconds": round(time.perf_counter() - start, 2)}))


# Locks and unfinished files


@contextlib.contextmanager
def _locked(path):
    """Hold the artifact's lock, waiting for another process that makes it; yields where to write it first, or None.

    The operating system drops the lock when its holder dies, so a killed run never blocks the next. Where no lock can
    be had, two may make the same: each writes a file of its own, and whoever finishes last is kept.
    """
    work = path.parent / WORK
    try:
        _claim(work)
        _sweep(work)
    except OSError as error:
        _warn_disk(path, error)
        yield None
        return
    lock = _lock(work / f"{path.name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"Another process is making {path.name}: waiting for it.", file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):
            lock.acquire()
    except OSError as error:
        if error.errno in WITHOUT_LOCKS:
            _warn(
                f"{path.parent} is on a file system without locks ({error.strerror}), as some network drives are: two "
                "processes may make the same thing at once, and whoever finishes last is kept. To have locks, set the "
                "environment variable LATENT_DYNAMICS_CACHE to a folder on a disk of this machine."
            )
    try:
        yield work / f"{path.name}.{secrets.token_hex(4)}.part"
    finally:
        with contextlib.suppress(OSError):
            lock.release()


def _lock(path):
    return FileLock(path, fallback_to_soft=False)  # a soft lock outlives its holder


def _lock_of(path):
    return path.with_name(f"{UNFINISHED.fullmatch(path.name)[1]}.lock")


def _is_free(lock):
    """Whether nobody holds a lock; None where that cannot be known."""
    try:
        with _lock(lock).acquire(blocking=False):
            return True
    except Timeout:
        return False
    except OSError:
        return None


def _claim(work):
    """Make the folder for locks and unfinished files, and say in it whose it is; raises OSError if it is another's."""
    work.mkdir(parents=True, exist_ok=True)
    note = work / "README"
    if set(work.iterdir()) <= {note} and not (note.exists() and note.stat().st_size):  # new, or killed right here
        with open(os.open(note, os.O_WRONLY | os.O_CREAT), "w", encoding="utf8") as file:  # never emptied: others read
            file.write(WORK_SAYS)
    if not _is_work(work):
        raise FileExistsError(None, f"{work.name} there is not a folder of ours, and is left alone")


def _is_work(work):
    try:
        return not work.is_symlink() and (work / "README").read_text(encoding="utf8") == WORK_SAYS
    except (OSError, UnicodeDecodeError):
        return False


def _in_work(work, suffix):
    return [path for path in work.glob(f"*{suffix}") if UNFINISHED.fullmatch(path.name) and path.is_file()]


def _sweep(work):
    """Remove half-written files that killed runs left: those whose lock nobody holds."""
    for part in _in_work(work, ".part"):
        if _is_free(_lock_of(part)):
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _write(path, content, part):
    """Write a file wholly or not at all; raises OSError where the disk refuses, or another's file is in the way."""
    if os.path.lexists(path) and not _ours(path):
        raise FileExistsError(None, "what has its name there is not a file of latent_dynamics, and is left alone")
    write_whole(path, content, part)


def write_whole(path, content, part=None):
    """Write bytes to a file wholly or not at all, by way of `part`; raises OSError where the disk refuses."""
    part = part or path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the final name on an empty file
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


# The files' format


def ship(name, key, kind, arrays, meta):
    """Write an artifact to what travels with the package, its floats in half precision; returns its path."""
    path, version, key = _asked(name, key, kind)
    path = SHIPPED / path.name
    SHIPPED.mkdir(exist_ok=True)
    _memo.pop((path, version), None)
    arrays = {label: halved(array) for label, array in arrays.items()}
    write_whole(path, pack(path.suffix, arrays, meta | {"precision": "half"}, key))
    return path


def halved(array):
    """Return floats in half precision, and anything else as it is."""
    return array.astype(np.float16) if array.dtype in (np.float32, np.float64) else array


def pack(suffix, arrays, meta, key):
    """Return a file's bytes: a record of key, meta and checksum as JSON, then the arrays."""
    record = json.dumps({"key": key, "meta": meta, "sha256": checksum(arrays, meta, key)})
    if suffix == ".safetensors":
        return safetensors.numpy.save(arrays, metadata={RECORD: record})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # as numpy.savez_compressed does it, but our record comes first
        archive.writestr(zipfile.ZipInfo(f"{RECORD}.json"), record)
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return buffer.getvalue()


def unpack(suffix, data):
    """Arrays and record of a file's bytes; raises, in many ways, if they are not such a file."""
    if suffix == ".safetensors":
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])  # the library reads it from files only
        return safetensors.numpy.load(data), json.loads(header["__metadata__"][RECORD])
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = dict(archive)
    return arrays, json.loads(arrays.pop(f"{RECORD}.json"))


def _read(path, key):
    """`((arrays, meta), None)`, or `(None, what is wrong with the file)`; nothing is wrong with one that is absent."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, f"cannot be read ({error.strerror or error})"
    at, begins = BEGINNINGS[path.suffix]
    if not data[at:].startswith(begins):
        return None, "is not a file of latent_dynamics"
    try:
        arrays, record = unpack(path.suffix, data)
        theirs, meta, written = record["key"], record["meta"], record["sha256"]
        intact = written == checksum(arrays, meta, theirs)
    except Exception as error:  # a damaged file can make its reader raise anything: zlib, zip, JSON, Unicode, memory...
        return None, f"is damaged ({type(error).__name__}: {error})"
    if not intact:
        return None, "is damaged (its content does not have the checksum that it was written with)"
    if theirs != key:
        same = _identity(theirs) == _identity(key)
        return None, "is stale: made by other source or from other data" if same else "holds another artifact"
    return (arrays, meta), None


def _identity(key):
    """The key without its versions: which artifact it is."""
    if isinstance(key, dict):
        return {name: _identity(value) for name, value in key.items() if name not in VERSIONS}
    return [_identity(value) for value in key] if isinstance(key, list) else key


def digest(value):
    """The sha256 of a JSON-able value, as hexadecimal text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def checksum(arrays, meta=None, key=None):
    """The sha256 of arrays, and of the meta and key that belong to them, as hexadecimal text."""
    found = hashlib.sha256(digest([key, meta]).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _warn_disk(path, error):
    _warn(
        f"{path.name} could not be kept in {path.parent}: {error.strerror or error}. This run goes on from memory, and "
        "the next will make it again. To keep it, free the disk or set the environment variable LATENT_DYNAMICS_CACHE "
        "to a folder that can be written."
    )


def _warn(message):
    warnings.warn(message, ArtifactWarning, stacklevel=4)
