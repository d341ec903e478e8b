"""`make test`: proves everything, and closes with a summary."""

import json
import os
import shutil
import time

from .browser import NoBrowser, chromium
from .building import book
from .running import ROOT, need, need_clone, run

TIMES = "_build/.test_times.json"  # what each step took, when the tests last ran
EXECUTED = "_build/executed"  # the notebooks as nbval has run them, from which the book takes their outputs


def test(options=None, root=ROOT, long=False) -> int:
    """Run every step, even after one that failed, and close with a summary; non-zero if any failed."""
    need_clone(root)
    for package in ("ruff", "pytest", "nbval", "playwright"):
        need(package)
    results, executed = {}, root / EXECUTED
    shutil.rmtree(executed, ignore_errors=True)
    for name, command in steps(long).items():
        print(f"\n=== {name} ===", flush=True)
        begun, why_not = time.monotonic(), cannot(name, results)
        if why_not:
            print(f"Not run: {why_not}")
            results[name] = ("FAILED" if os.environ.get("CI") or "book" in why_not else "skipped"), 0.0, why_not
            continue
        if command is None:
            code = book(root=root, executed=executed)
        else:
            code = run(command, root, threads=1 if "-n" in command else None)
        results[name] = ("FAILED" if code else "ok"), time.monotonic() - begun, ""
    print("\n=== summary ===")
    for name, (result, seconds, why_not) in results.items():
        print(f"{result:8}{name:12}{seconds:8.1f} s{'  ' + why_not if why_not else ''}")
    print(f"{'':20}{sum(seconds for _, seconds, _ in results.values()):8.1f} s")
    took = {name: round(seconds, 1) for name, (_, seconds, _) in results.items()}
    (root / TIMES).write_text(json.dumps(took))
    return int(any(result == "FAILED" for result, *_ in results.values()))


def test_all(options) -> int:
    """`test`, and the tests marked long."""
    return test(long=True)


def steps(long=False):
    """Return what `test` runs, {name: arguments of this Python}: cheap steps first, the book before what reads it.

    Two tests run at a time, on a core each; what measures speed runs alone, last. None stands for building the book, of
    the outputs that the notebooks had when they were tested.
    """
    pytest = ["-m", "pytest"]
    two = [*pytest, "-n", "2", "--dist", "loadgroup"]
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900", "book"]
    in_order = ["--no-loadscope-reorder"]  # else the longest, which wait for what others train, come first
    kept = ["-p", "latent_dynamics.workshop.keeping_outputs", "--keep-outputs", EXECUTED]
    found = {
        "lint": ["-m", "ruff", "check", "."],
        "unit": [*two, "tests", "--ignore=tests/browser", "-m", "not claims and not long and not timed"],
        "notebooks": [*pytest, "-n", "2", "--dist", "loadfile", *in_order, *kept, *nbval],  # each from top to bottom
        "book": None,
        "claims": [*pytest, "-n", "2", "--dist", "loadfile", "tests/claims", "tests/book", "-m", "claims and not long"],
        "browser": [*two, "tests/browser", "-m", "not long and not timed"],
        "timed": [*pytest, "tests", "-m", "timed"],
    }
    return found | ({"long": [*two, "tests", "-m", "long"]} if long else {})


def cannot(step, results):
    """Say why a step cannot be run; empty if it can."""
    if step != "browser":
        return ""
    if results["book"][0] == "FAILED":
        return "there is no built book to look at"
    try:
        with chromium():
            return ""
    except NoBrowser as reason:
        return str(reason)
