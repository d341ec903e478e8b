"""Figures that travel with the package: what was measured of a trained model, and of what exactly it was measured.

A JSON file for each model and seed, written as soon as it was judged, so that a run cut off at any point loses one.
"""

import json
import re

from . import store

FOLDER = store.SHIPPED / "figures"


def put_figures(kind, name, seed, figures, fingerprint):
    """Write what was measured of a model; returns the file.

    kind: such as "rungs"; figures: a JSON-able dict; fingerprint: a JSON-able value of all that they depend on.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = _path(kind, name, seed)
    record = {"kind": kind, "name": name, "seed": seed, "fingerprint": store.digest(fingerprint), "figures": figures}
    store.write_whole(path, (json.dumps(record, separators=(",", ":")) + "\n").encode())
    return path


def figures(kind=None):
    """Return what was measured: {kind: {name: {seed: figures}}}, or {name: {seed: figures}} of one kind."""
    found = {}
    for record in _records():
        found.setdefault(record["kind"], {}).setdefault(record["name"], {})[record["seed"]] = record["figures"]
    return found if kind is None else found.get(kind, {})


def recorded(kind, name, seed, fingerprint):
    """Return one model's figures if they were measured under exactly this fingerprint; else None."""
    path = _path(kind, name, seed)
    record = json.loads(path.read_text(encoding="utf8")) if path.exists() else {"fingerprint": None}
    return record["figures"] if record["fingerprint"] == store.digest(fingerprint) else None


def stale(expected):
    """Return a sentence for each recorded figure that is missing, of another fingerprint, or that nobody expects.

    expected: {(kind, name, seed): fingerprint}, as `put_figures` was given it.
    """
    wanted = {which: store.digest(fingerprint) for which, fingerprint in expected.items()}
    have = {(record["kind"], record["name"], record["seed"]): record["fingerprint"] for record in _records()}
    said = []
    for which in sorted(wanted.keys() | have.keys()):
        if wanted.get(which) != have.get(which):
            what = "none is recorded" if which not in have else "recorded of other settings, data or source"
            what = "nobody asks for it any more" if which not in wanted else what
            said.append(f"figures of {which[1]}, {which[0]}, seed {which[2]}: {what}")
    return said


def forget(tasks, files):
    """Remove what has travelled with the package and is no longer wanted: figures of no task, and weights in no file.

    tasks: (kind, name, seed) of all that is measured; files: paths that `artifacts.ship` returned.
    """
    for path in set(FOLDER.glob("*.json")) - {_path(*task) for task in tasks}:
        path.unlink()
    for path in set(store.files(store.SHIPPED)) - set(files):
        path.unlink()


def _path(kind, name, seed):
    return FOLDER / f"{kind}-{re.sub(r'[^a-z0-9]+', '_', name.lower())}-seed{seed}.json"


def _records():
    return [json.loads(path.read_text(encoding="utf8")) for path in sorted(FOLDER.glob("*.json"))]
