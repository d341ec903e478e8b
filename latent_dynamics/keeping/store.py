"""Keeps what was expensive to make: data sets and trained weights, in the user's cache folder.

Everything here defends one promise: `kept` gives back exactly what `make` made, whatever happened to the disk
in between. A file is written whole or not at all, carries the full key and a checksum of its content, and is
made again, with a warning that names it, when either does not fit. Loading never unpickles, so nothing loaded
can run code.
"""

import contextlib
import copy
import hashlib
import io
import json
import os
import re
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import platformdirs
import safetensors.numpy
from filelock import FileLock, Timeout

KINDS = ("npz", "safetensors")
VERSIONS = ("recipe", "fingerprint")  # entries of a key that say which version a file is, not which artifact
RECORD = "latent_dynamics"  # under this name a file carries its key, meta and checksum

_memo: dict[tuple, tuple[dict[str, np.ndarray], dict]] = {}


class ArtifactWarning(UserWarning):
    """A kept file was unusable, or could not be kept; the message says which, why, and what happens now."""


def folder() -> Path:
    """The folder of kept files: the user's cache folder, or what LATENT_DYNAMICS_CACHE says."""
    moved = os.environ.get("LATENT_DYNAMICS_CACHE")
    return Path(moved).expanduser() if moved else Path(platformdirs.user_cache_dir("latent_dynamics", appauthor=False))


def files() -> list[Path]:
    """Every kept file, in order of name (finished ones only)."""
    return sorted(path for kind in KINDS for path in folder().glob(f"*.{kind}"))


def loaded():
    """What this process has asked for so far: {(path, hash of key): (arrays, meta)}, in the order of asking."""
    return dict(_memo)


def fingerprint(path: Path) -> str:
    """The sha256 of a file, as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find(name, key, kind):
    """Give what `kept` would give if it is in memory or on disk; None if it would have to be made."""
    asked, key = _asked(name, key, kind)
    if asked not in _memo:
        found, _ = _read(asked[0], key)
        if not found:
            return None
        _memo[asked] = found
    return _copies(_memo[asked])


def kept(name, key, make, kind):
    """Give `make()`'s result, made at most once: from memory, else from disk, else made now and kept.

    `name` is for humans ("mixed", "autoencoder-mixed-seed0"). `key` is a JSON-able dict of all that the result
    depends on; entries called "recipe" or "fingerprint", at any depth, are left out of the file's name, so that a
    new version replaces the old file. `make()` returns `(arrays, meta)`: a dict of numpy arrays and a JSON-able
    dict. `kind` is "npz" (compressed, for data) or "safetensors" (for weights).

    Returns `(arrays, meta)`, the caller's own copies; `meta["seconds"]` is what making took when it was made.
    Warns (`ArtifactWarning`) when a file is stale, foreign or damaged, and makes it again; warns too when the disk
    cannot be written, and goes on from memory. Raises ValueError for a bad name or kind, TypeError for object arrays.
    """
    asked, key = _asked(name, key, kind)
    if asked not in _memo:
        _memo[asked] = _load_or_make(asked[0], key, make)
    return _copies(_memo[asked])


def _asked(name, key, kind):
    """What an artifact is remembered by, (path, hash of key); and the key as a file can hold it."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(f"an artifact's name is a file name of letters, digits, '_', '.' and '-', not {name!r}")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    key = json.loads(json.dumps(key))  # what a file can hold and give back: tuples become lists, keys text
    path = folder() / f"{name}.{_hash(_identity(key))[:10]}.{kind}"
    return (path, _hash(key)), key


def _copies(artifact):
    arrays, meta = artifact
    return {label: array.copy() for label, array in arrays.items()}, copy.deepcopy(meta)


def _load_or_make(path, key, make):
    found, _ = _read(path, key)  # reading needs no lock: a file appears whole or not at all
    if found:
        return found
    with _locked(path) as may_write:
        found, problem = _read(path, key)  # again: while we waited, another process may have made it
        if found:
            return found
        if problem:
            _warn(f"{path} {problem}. Making it again.")
        arrays, meta = _made(path.name, make)
        if may_write:
            _write(path, arrays, meta, key)
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


@contextlib.contextmanager
def _locked(path):
    """Hold the artifact's lock, waiting for another process that makes it; yields whether the folder can be written.

    The operating system drops the lock when its holder dies, so a killed run never blocks the next.
    """
    lock = _lock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(f"Another process is making {path.name}: waiting for it.", file=sys.stderr, flush=True)
            lock.acquire()
    except OSError as error:
        _warn_disk(path, error)
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _lock(path):
    return FileLock(path.with_name(path.name + ".lock"))


def _sweep(directory):
    """Remove half-written files that killed runs left: those whose lock nobody holds."""
    for part in directory.glob("*.part"):
        with contextlib.suppress(Timeout, OSError), _lock(part.with_suffix("")).acquire(blocking=False):
            part.unlink(missing_ok=True)


def _write(path, arrays, meta, key):
    try:
        write_whole(path, _pack(path.suffix, arrays, meta, key))
    except OSError as error:
        _warn_disk(path, error)


def write_whole(path, content):
    """Write bytes to a file wholly or not at all; raises OSError where the disk refuses."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the final name on an empty file
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _pack(suffix, arrays, meta, key):
    record = json.dumps({"key": key, "meta": meta, "sha256": _checksum(arrays, meta, key)})
    if suffix == ".safetensors":
        return safetensors.numpy.save(arrays, metadata={RECORD: record})
    if RECORD in arrays:
        raise ValueError(f"an array may not be called {RECORD!r}: the file's own record has that name")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, **{RECORD: np.array(record)})
    return buffer.getvalue()


def unpack(suffix, data):
    """Arrays and record of a file's bytes; raises, in many ways, if they are not such a file."""
    if suffix == ".safetensors":
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])  # the library reads it from files only
        return safetensors.numpy.load(data), header.get("__metadata__", {}).get(RECORD)
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = dict(archive)
    record = arrays.pop(RECORD, None)
    return arrays, None if record is None else str(record)


def _read(path, key):
    """`((arrays, meta), None)`, or `(None, what is wrong with the file)`; nothing is wrong with one that is absent."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, f"cannot be read ({error.strerror or error})"
    try:
        arrays, record = unpack(path.suffix, data)
        if record is None:
            return None, "is not a file of latent_dynamics"
        record = json.loads(record)
        theirs, meta, checksum = record["key"], record["meta"], record["sha256"]
        intact = checksum == _checksum(arrays, meta, theirs)
    except Exception as error:  # a damaged file can make its reader raise anything: zlib, zip, JSON, Unicode, memory...
        return None, f"is damaged ({type(error).__name__}: {error})"
    if not intact:
        return None, "is damaged (its content does not have the checksum that it was written with)"
    if theirs != key:
        same = _identity(theirs) == _identity(key)
        return None, "is stale: made by another recipe or from other data" if same else "holds another artifact"
    return (arrays, meta), None


def _identity(key):
    """The key without its versions: which artifact it is."""
    if isinstance(key, dict):
        return {name: _identity(value) for name, value in key.items() if name not in VERSIONS}
    return [_identity(value) for value in key] if isinstance(key, list) else key


def _hash(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _checksum(arrays, meta, key):
    digest = hashlib.sha256(_hash([key, meta]).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _warn_disk(path, error):
    _warn(
        f"{path.name} could not be kept in {path.parent}: {error.strerror or error}. This run goes on from memory, and "
        "the next will make it again. To keep it, free the disk or set the environment variable LATENT_DYNAMICS_CACHE "
        "to a folder that can be written."
    )


def _warn(message):
    warnings.warn(message, ArtifactWarning, stacklevel=4)
