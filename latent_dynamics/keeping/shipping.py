"""The trained set that travels with the package: nobody should have to train for half an hour to open a late chapter.

Weights of one seed in half precision, the encoder that rungs share stored once, and the figures of all seeds as JSON.
`python -m latent_dynamics train` makes all of it again. Part I never uses it: it trains in front of the reader.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import safetensors.numpy

from .store import write_whole

FOLDER = Path(__file__).parent / "shipped"
METRICS = FOLDER / "metrics.json"
SHARED = "weights/eyes."  # what such weights are called in each rung
given = {}  # what this process has taken from here: {name: seconds that its training took}


def digest(key):
    """What a key is told apart by in the shipped files."""
    return hashlib.sha256(json.dumps(json.loads(json.dumps(key)), sort_keys=True).encode()).hexdigest()


def find(name, key):
    """Give (arrays, meta) of a shipped rung if its training depended on exactly this key; else None.

    Raises OSError for a file that is damaged, or an encoder that is missing.
    """
    if not (FOLDER / f"{name}.safetensors").exists():
        return None
    arrays, meta = _read(name)
    if meta["key"] != digest(key):
        return None
    if meta["encoder"]:
        arrays |= {SHARED + part: array for part, array in _read(meta["encoder"])[0].items()}
    given[name] = float(meta["seconds"])
    return {part: _wide(array) for part, array in arrays.items()}, {"seconds": given[name]}


def _read(name):
    path = FOLDER / f"{name}.safetensors"
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {part: file.get_tensor(part) for part in file.keys()}, file.metadata()
    except (OSError, safetensors.SafetensorError) as error:
        raise OSError(
            f"{path}, which came with the package, cannot be read ({error}). Install the package again; in a clone, "
            "`git checkout latent_dynamics/shipped` brings it back, and `python -m latent_dynamics train` makes it anew"
        ) from None


def put(name, key, arrays, seconds):
    """Write a rung's weights: halves the precision, and shares the encoder with every rung that has the same.

    Returns the set of files that hold them.
    """
    FOLDER.mkdir(exist_ok=True)
    encoder = {part.removeprefix(SHARED): _half(array) for part, array in arrays.items() if part.startswith(SHARED)}
    content = b"".join(array.tobytes() for _, array in sorted(encoder.items()))
    whose = f"encoder-{hashlib.sha256(content).hexdigest()[:8]}" if encoder else ""
    files = {_save(whose, encoder)} if encoder else set()
    own = {part: _half(array) for part, array in arrays.items() if not part.startswith(SHARED)}
    meta = {"key": digest(key), "encoder": whose, "seconds": str(seconds)}
    return files | {_save(name, own, meta)}


def _save(name, arrays, meta=None):
    path = FOLDER / f"{name}.safetensors"
    write_whole(path, safetensors.numpy.save(arrays, metadata=meta))
    return path


def metrics():
    """What `ladder.train_all` has measured: {"recipes", "rungs", "experiments", "references"}; seeds are text."""
    return json.loads(METRICS.read_text(encoding="utf8"))


def put_metrics(found):
    """Write what `metrics` gives."""
    write_whole(METRICS, (json.dumps(found, separators=(",", ":")) + "\n").encode())


def _half(array):
    return array.astype(np.float16) if array.dtype in (np.float32, np.float64) else array


def _wide(array):
    return array.astype(np.float32) if array.dtype == np.float16 else array
