"""`python -m latent_dynamics ...`: what the Makefile's targets call, so that they are the same on every system."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from .building import book, costs
from .running import ROOT, need, need_clone, run
from .testing import test, test_all

ACTS = ("plan", "actor", "clone", "expert", "coin")


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
    training = command("train", train, "train every rung and seed, and write what travels with the package")
    training.add_argument("names", nargs="*", help="of rungs, experiments or references: these only (default: all)")
    training.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="let the workers of this Dask scheduler do it")
    playing = command("play", play, "play real games from rendered frames with a rung of the ladder")
    playing.add_argument("rung", help="its name, such as position_velocity")
    playing.add_argument("--act", choices=ACTS, default="plan", help="how it decides (default: %(default)s)")
    playing.add_argument("--world", choices=("cartpole", "gusty"), default="cartpole", help="default: %(default)s")
    playing.add_argument("--games", type=int, default=10, help="default: %(default)s")
    playing.add_argument("--seed", type=int, default=0, help="of the first game; the next has the next")
    playing.add_argument("--film", metavar="OUT.gif", help="write the first game beside what is believed and planned")
    reading = command("lab", lab, "open copies of the chapters in JupyterLab; its own options may follow")
    reading.epilog = (
        "Whatever follows goes on to JupyterLab. On another machine or in a container: lab --no-browser --ip=0.0.0.0; "
        "as root also --allow-root. All of them: python -m jupyterlab --help."
    )
    serving = command("serve", serve, "serve the built book on this machine")
    serving.add_argument("--address", default="127.0.0.1", help="of this machine, to listen on (default: %(default)s)")
    serving.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    command("picture", picture, "record the picture in README.md again")
    command("rooms", rooms, "draw the rooms in CONTRIBUTING.md again")
    cleaning = command("clean", clean, "remove the built book; data and trained models stay")
    cleaning.add_argument("--artifacts", action="store_true", help="remove the kept data and trained models too")

    options, others = parser.parse_known_args(arguments)
    options.others = [other for other in others if other != "--"]
    if options.others and options.run is not lab:
        parser.error(f"unrecognized arguments: {' '.join(options.others)}")
    if cache := os.environ.get("LATENT_DYNAMICS_CACHE"):  # for all that a command starts, wherever that works
        os.environ["LATENT_DYNAMICS_CACHE"] = str(Path(cache).expanduser().absolute())
    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        return 130


def bench(options) -> int:
    """Measure speed and memory."""
    from . import bench

    chapters = {name: seconds for name, (seconds, _) in costs(ROOT).items()}
    return bench.main(ROOT, chapters, options.json)


def ladder(options) -> int:
    """Print the ladder: errors under interventions, survival, a controller's return, and what each rung costs."""
    from ..judging import ladder

    print(ladder.table(), ladder.table_of_beliefs(), sep="\n\n")
    stale = ladder.stale()
    if stale:
        print("\n".join(["", *stale, "The table is not of today's source, settings and data: run `make train`."]))
    return int(bool(stale))


def train(options, root=ROOT) -> int:
    """Train the whole ladder, or what is named, in a folder of its own: an interrupted run goes on where it was."""
    need_clone(root)
    if os.environ.get("LATENT_DYNAMICS_SEED", "0") != "0":
        sys.exit("What travels with the package begins with seed 0: unset LATENT_DYNAMICS_SEED, then train.")
    work = root / "_build" / "training"
    os.environ["LATENT_DYNAMICS_CACHE"] = str(work)
    from ..judging import ladder
    from ..keeping import store
    from .training import train_all

    try:
        train_all(options.names, scheduler=options.scheduler)
    except ValueError as unknown:
        sys.exit(str(unknown))
    if ladder.stale():  # what is named was trained, and more is to come: what is kept so far is worth keeping
        print("\n".join(ladder.stale()))
        return 0
    shutil.rmtree(work, ignore_errors=True)
    size = sum(path.stat().st_size for path in store.SHIPPED.rglob("*") if path.is_file()) / 1e6
    print(f"{ladder.table()}\nWritten to {store.SHIPPED}: {size:.1f} MB")
    return 0


def play(options) -> int:
    """Play real games; prints each return, the mean and its interval."""
    from .playing import main

    try:
        main(options.rung, options.act, options.world, options.games, options.seed, options.film)
    except ValueError as reason:
        sys.exit(str(reason))
    return 0


def lab(options) -> int:
    """Open the reader's own copies of the chapters in JupyterLab."""
    from .reading import lay_out

    need_clone(ROOT)
    need("jupyterlab")
    reading = ROOT / "reading"
    print(f"Your copies of the chapters are in {reading}; what you change there stays.")
    for name in lay_out(ROOT / "book", reading):
        print(f"You have changed {name}, and the book has a newer one: rename yours to get that too.")
    return run(["-m", "jupyterlab", reading.name, *options.others], ROOT)


def serve(options) -> int:
    """Serve the built book on this machine, and only to it unless another address is named."""
    html = ROOT / "_build" / "html"
    if not html.exists():
        sys.exit("There is no built book to serve. Build it first: python -m latent_dynamics book")
    where = ["--bind", options.address, "--directory", str(html)]
    return run(["-m", "http.server", str(options.port), *where], ROOT)


def picture(options) -> int:
    """Record README's picture: the live dream of the built book's first page, step by step, in a headless browser."""
    from .browser import NoBrowser
    from .recording import record_dream

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


def rooms(options) -> int:
    """Draw CONTRIBUTING's picture of the rooms and of what they take from each other."""
    from .rooms import drawing

    path = ROOT / "book" / "static" / "rooms.svg"
    path.write_text(drawing(), encoding="utf8")
    print(path)
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
        from ..keeping import store

        size = sum(path.stat().st_size for path in store.files()) / 1e6
        print(f"Removed {len(store.clean())} data sets and models ({size:.1f} MB) from {store.folder()}")
    return 0
