"""`python -m latent_dynamics ...`: what the Makefile's targets call, so that they are the same on every system."""

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALL = 'pip install -c constraints.txt -e ".[book,test]"'


def main(arguments=None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m latent_dynamics", description="Build, test and read the book.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name, run, text):
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    command("book", book, "execute every chapter and build the book; again: only what changed")
    command("test", test, "lint, unit tests, book, claims, notebooks, browser")
    command("test-all", test_all, "the same, and the long tests")
    measuring = command("bench", bench, "measure speed and memory")
    measuring.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command("ladder", ladder, "print what each rung of the ladder is worth, as measured for this version")
    command("train", train, "train every rung and seed from nothing, and write what travels with the package")
    command("lab", lab, "open the chapters in JupyterLab")
    serving = command("serve", serve, "serve the built book on this machine")
    serving.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    command("picture", picture, "record the picture in README.md again")
    cleaning = command("clean", clean, "remove the built book; data and trained models stay")
    cleaning.add_argument("--artifacts", action="store_true", help="remove the kept data and trained models too")

    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        return 130


# --- the book ---------------------------------------------------------------------------------------------------------


def book(options=None, root=ROOT) -> int:
    """Build the book, and say where it is and what each chapter cost; non-zero if anything failed."""
    _need_clone(root)
    _need("jupyter-book", "1.")
    start = time.time()
    stamp = Stamp(root)
    stamp.forget_what_is_out_of_date()
    stamp.write(state="building")
    code = 1
    try:
        build = "from jupyter_book.cli.main import main; main()"  # it cannot be started with -m
        code = _run(["-c", build, "build", str(root), "-W", "-n", "--keep-going"], root)
    finally:
        # Sphinx gives a page's warnings only when it reads it: after a failure, it must read all of them again.
        if code:
            shutil.rmtree(root / "_build" / ".doctrees", ignore_errors=True)
        stamp.write(state="built" if code == 0 else "failed")
    _print_costs(root, start)
    for report in sorted((root / "_build" / "html" / "reports").rglob("*.err.log")):
        if report.stat().st_mtime >= start:
            print(f"FAILED: {report.stem.removesuffix('.err')}; its traceback is in {report}")
    if code:
        print("The book did not build: see the warnings above.")
    else:
        print(f"The book: {(root / '_build' / 'html' / 'index.html').as_uri()}")
    return code


class Stamp:
    """What the outputs in jupyter-cache were made with: it compares notebooks only, so package and weights are on us.

    Kept beside the cache, as JSON: the fingerprint of the package when the last build began, and the checksum of every
    artifact when it ended, kept or shipped.
    """

    def __init__(self, root):
        from latent_dynamics import store

        self.build, self.store, self.shipped = root / "_build", store, root / "latent_dynamics" / "keeping" / "shipped"
        self.path = self.build / ".latent_dynamics.json"
        self.package = _fingerprint_of_package(root)

    def forget_what_is_out_of_date(self):
        """Remove the outputs of earlier builds, with a line that says why, unless what made them is unchanged."""
        reason = self.reason()
        if reason and (self.build / ".jupyter_cache").exists():
            print(f"Executing every chapter again: {reason}.")
            shutil.rmtree(self.build / ".jupyter_cache")
            shutil.rmtree(self.build / ".doctrees", ignore_errors=True)

    def reason(self):
        """Why the outputs cannot be trusted any more; None if they can."""
        try:
            last = json.loads(self.path.read_text())
            state, package, artifacts = last["state"], last["package"], last["artifacts"]
        except (OSError, ValueError, KeyError, TypeError):
            return "nothing tells what the last build was made with"
        if state == "building":
            return "the last build was killed"
        if package != self.package:
            return "the helper package changed"
        now = self.artifacts()
        changed = [name for name, content in artifacts.items() if now.get(name) != content]
        return f"changed or missing in {self.store.folder()}: {', '.join(changed)}" if changed else None

    def artifacts(self):
        figures = (self.shipped / "figures").glob("*.json")
        paths = [*self.store.files(), *self.store.files(self.shipped), *figures]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def write(self, state):
        self.build.mkdir(exist_ok=True)
        self.path.write_text(json.dumps({"state": state, "package": self.package, "artifacts": self.artifacts()}))


def _fingerprint_of_package(root):
    """The hash of the package's source without comments and layout; of the very text, where a notebook shows some."""
    from latent_dynamics.keeping.fingerprint import shape_of

    notebooks = "".join(path.read_text(encoding="utf8") for path in sorted(root.glob("book/*.ipynb")))
    shown = set(".".join(re.findall(r"\bsource\(([\w.]+)\)", notebooks)).split("."))
    parts = []
    for path in sorted(path for kind in ("py", "js", "css") for path in (root / "latent_dynamics").rglob(f"*.{kind}")):
        text = path.read_text(encoding="utf8")
        as_it_is = path.suffix != ".py" or shown & set(re.findall(r"^(?:def|class) (\w+)", text, re.MULTILINE))
        parts.append([path.relative_to(root).as_posix(), text if as_it_is else shape_of(text)])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _print_costs(root, start):
    """What executing each chapter took, this time or when its outputs were last made."""
    costs = _costs(root)
    for name, (seconds, when) in costs.items():
        print(f"{seconds:8.1f} s  {name}{'' if when >= start else '  (as before)'}")
    if costs:
        print(f"{sum(seconds for seconds, _ in costs.values()):8.1f} s  all chapters")


def _costs(root):
    """What executing each chapter took when its outputs were last made, and when that was: {name: (seconds, time)}."""
    if not (root / "_build" / ".jupyter_cache").exists():
        return {}
    from jupyter_cache import get_cache

    records = get_cache(root / "_build" / ".jupyter_cache").list_cache_records()
    latest = {Path(record.uri): record for record in sorted(records, key=lambda record: record.created)}
    return {
        path.stem: (record.data["execution_seconds"], record.created.replace(tzinfo=datetime.UTC).timestamp())
        for path, record in sorted(latest.items())
        if path.exists()
    }


# --- the tests --------------------------------------------------------------------------------------------------------


def test(options=None, root=ROOT, long=False) -> int:
    """Run every step, even after one that failed, and close with a summary; non-zero if any failed."""
    _need_clone(root)
    for package in ("ruff", "pytest", "nbval", "playwright"):
        _need(package)
    pytest = ["-m", "pytest"]
    two = [*pytest, "-n", "2", "--dist", "loadgroup"]  # two at a time; what measures speed runs alone, later
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900", "--dist", "loadfile", "book"]
    steps = {  # cheap first; the book comes before what reads its models or its pages
        "lint": ["-m", "ruff", "check", "."],
        "unit": [*two, "tests", "--ignore=tests/browser", "-m", "not claims and not long and not timed"],
        "book": None,
        "claims": [*pytest, "tests", "--ignore=tests/browser", "-m", "claims and not long"],
        "notebooks": [*two, *nbval],  # each from top to bottom
        "browser": [*two, "tests/browser", "-m", "not long and not timed"],
        "timed": [*pytest, "tests", "-m", "timed"],
    }
    if long:
        steps["long"] = [*two, "tests", "-m", "long"]
    results = {}
    for name, command in steps.items():
        print(f"\n=== {name} ===", flush=True)
        if name == "browser" and results["book"][0]:
            print("Not run: there is no built book to look at.")
            results[name] = 1, 0.0
            continue
        begun = time.monotonic()
        code = book(root=root) if command is None else _run(command, root, threads=1 if "-n" in command else None)
        results[name] = code, time.monotonic() - begun
    print("\n=== summary ===")
    for name, (code, seconds) in results.items():
        print(f"{'ok' if code == 0 else 'FAILED':8}{name:12}{seconds:8.1f} s")
    print(f"{'':20}{sum(seconds for _, seconds in results.values()):8.1f} s")
    return int(any(code for code, _ in results.values()))


def test_all(options) -> int:
    """`test`, and the tests marked long."""
    return test(long=True)


def bench(options) -> int:
    """Measure speed and memory."""
    from latent_dynamics import bench

    chapters = {name: seconds for name, (seconds, _) in _costs(ROOT).items()}
    return bench.main(ROOT, chapters, options.json)


def ladder(options) -> int:
    """Print the ladder: errors under interventions, survival, a controller's return, and what each rung costs."""
    from latent_dynamics import ladder

    print(ladder.table())
    stale = ladder.stale()
    if stale:
        print("\n".join(["", *stale, "The table is not of today's source, settings and data: run `make train`."]))
    return int(bool(stale))


def train(options, root=ROOT) -> int:
    """Train the whole ladder, in a folder of its own: an interrupted run goes on where it was."""
    _need_clone(root)
    if os.environ.get("LATENT_DYNAMICS_SEED", "0") != "0":
        sys.exit("What travels with the package begins with seed 0: unset LATENT_DYNAMICS_SEED, then train.")
    work = root / "_build" / "training"
    os.environ["LATENT_DYNAMICS_CACHE"] = str(work)
    from latent_dynamics import ladder, store

    ladder.train_all()
    shutil.rmtree(work)
    size = sum(path.stat().st_size for path in store.SHIPPED.rglob("*") if path.is_file()) / 1e6
    print(f"{ladder.table()}\nWritten to {store.SHIPPED}: {size:.1f} MB")
    return 0


# --- looking, and cleaning up -----------------------------------------------------------------------------------------


def lab(options) -> int:
    """Open the chapters in JupyterLab."""
    _need_clone(ROOT)
    _need("jupyterlab")
    return _run(["-m", "jupyterlab", "book"], ROOT)


def serve(options) -> int:
    """Serve the built book on this machine, and only to it."""
    html = ROOT / "_build" / "html"
    if not html.exists():
        sys.exit("There is no built book to serve. Build it first: python -m latent_dynamics book")
    return _run(["-m", "http.server", str(options.port), "--bind", "127.0.0.1", "--directory", str(html)], ROOT)


def picture(options) -> int:
    """Record README's picture: the live dream of the built book's first page, step by step, in a headless browser."""
    from latent_dynamics.workshop.browser import NoBrowser
    from latent_dynamics.workshop.recording import record_dream

    page = ROOT / "_build" / "html" / "book" / "intro.html"
    if not page.exists():
        sys.exit("There is no built book to record. Build it first: python -m latent_dynamics book")
    path = ROOT / "book" / "static" / "readme.gif"
    try:
        words = record_dream(page, path)
    except NoBrowser as reason:
        sys.exit(f"The picture is recorded in a browser: {reason}")
    print(f"{path} ({path.stat().st_size / 1000:.0f} KB): {words}")
    return 0


def clean(options) -> int:
    """Remove the built book and, if asked, what the cache folder keeps; touches no file that is not ours."""
    unfinished = ROOT / "_build" / "training"
    for path in sorted((ROOT / "_build").glob("*")):
        if path == unfinished and not options.artifacts:
            print(f"Keeping an unfinished training, {path}; `clean --artifacts` removes it too")
            continue
        print(f"Removing {path}")
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not any((ROOT / "_build").glob("*")):
        shutil.rmtree(ROOT / "_build", ignore_errors=True)
    if options.artifacts:
        from latent_dynamics import store

        size = sum(path.stat().st_size for path in store.files()) / 1e6
        print(f"Removed {len(store.clean())} data sets and models ({size:.1f} MB) from {store.folder()}")
    return 0


# --- shared -----------------------------------------------------------------------------------------------------------


def _run(arguments, root, threads=None) -> int:
    """Run this Python with the arguments, in the clone, on the clone's package; returns the exit code.

    threads: how many torch may use; what shares the cores with others is faster with one.
    """
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),  # kernels start elsewhere, and must import this package and no other
        "JUPYTER_PREFER_ENV_PATH": "1",  # a kernel of the user's, also called python3, would lack it
    }
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    sys.stdout.flush()
    return subprocess.run([sys.executable, *arguments], cwd=root, env=environment).returncode


def _need_clone(root):
    if not (root / "_config.yml").exists():
        sys.exit(f"{root} is not a clone of the book's repository, which this command needs (no _config.yml there).")


def _need(package, version=""):
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"{package} is not installed in {sys.prefix}. In the clone, run: {INSTALL}")
    if not found.startswith(version):
        sys.exit(f"{package} {found} is another program; the book needs {version}x. In the clone, run: {INSTALL}")
