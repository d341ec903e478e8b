"""What things cost on this machine: frames, dreams, chapters, artifacts, the player, memory (`make bench`).

A speed is the best of several short runs, because whatever else the machine does can only slow a run down.
What was not measured says why, in place of a number.
"""

import gzip
import json
import os
import platform
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..data import collection
from ..keeping import store
from ..keeping.artifacts import load_model
from ..world.cartpole import make, random_actions
from ..world.preprocessing import preprocess
from .page_bench import measure_pages
from .testing import TIMES


@dataclass(frozen=True)
class Effort:
    """How hard to measure."""

    seconds: float = 2.0  # each speed, at least
    steps: int = 8_000  # transitions that all cores collect together
    horizon: int = 20  # steps of a dream
    batch: int = 256  # dreams at once
    moves: int = 40  # of the player's slider; steps of the live dream, times five


def main(root, chapters, as_json=False, effort=Effort()):
    """Measure and print, as a table or as JSON; returns 0.

    root: the clone; chapters: {name: seconds}, what executing each took in the last build.
    """
    report = measure(load_model(), root, chapters, effort)
    print(json.dumps(report, indent=2) if as_json else as_text(report))
    return 0


def measure(model, root, chapters, effort):
    """Return {group: {figure: number, or why there is none}}; the group's name says the unit."""
    collected = frames_collected(effort)
    rendered = collected.pop("rendered (env.step, env.render)")
    dreamed = steps_imagined(model, effort)
    memory = peak_memory()  # before the browser, which is no part of the book
    return {
        "measured on": {
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "Python": platform.python_version(),
            "PyTorch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        },
        "frames a second, collected": collected,
        "environment steps a second, rendered": {"env.step and env.render, no preprocessing": rendered},
        "imagined steps a second": dreamed,
        "imagined steps for one rendered step": {name: speed / rendered for name, speed in dreamed.items()},
        "seconds a chapter, when it was last executed": with_sum(chapters, "there is no built book: make book"),
        "seconds an artifact took, when it was made": with_sum(artifact_costs(), "nothing has been made yet"),
        "seconds a step of the tests took, the last time": with_sum(test_times(root), "make test has not run here"),
        **measure_pages(root / "_build" / "html", effort.moves),
        "KB of our own JavaScript, gzip": javascript(root),
        "MB of memory at the peak of this bench": memory,
    }


def as_text(report):
    """Return the report as a plain table."""
    lines = []
    for group, figures in report.items():
        lines += ["", group]
        for name, value in figures.items():
            figure = value if isinstance(value, str) else f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
            lines.append(f"  {name}: {figure}" if isinstance(value, str) else f"  {name:<66}{figure:>10}")
    return "\n".join(lines[1:])


def with_sum(seconds, why_not):
    """Return named seconds and their sum, or why there are none."""
    return seconds | {"all": sum(seconds.values())} if seconds else {"not measured": why_not}


def fastest(work, seconds):
    """Call `work()` until the seconds are over; return how many things a second its best run did."""
    best, end = 0.0, time.perf_counter() + seconds
    while True:
        begun = time.perf_counter()
        best = max(best, work() / (time.perf_counter() - begun))
        if time.perf_counter() > end:
            return best


def frames_collected(effort):
    """Return frames a second: of the plain loop, of the surface path that the book uses, and of all cores."""
    env, rng = make("rgb_array"), np.random.default_rng(0)

    def plain(see):
        env.reset(seed=0)
        for _ in range(50):
            _, _, terminated, truncated, _ = env.step(int(random_actions((), rng)))
            see(env.render())
            if terminated or truncated:
                env.reset()
        return 50

    def surface():
        return sum(len(collection.play_episode(0, number, "random")["frames"]) for number in range(5))

    def all_cores():
        return len(collection.collect("random", effort.steps).frames)

    cores = os.cpu_count() or 1
    return {
        "rendered (env.step, env.render)": fastest(lambda: plain(lambda rgb: None), effort.seconds),
        "plain loop: env.step, env.render, preprocess; one process": fastest(lambda: plain(preprocess), effort.seconds),
        "surface path, one process": fastest(surface, effort.seconds),
        f"surface path, {cores} processes, starting them included": fastest(all_cores, 0),
    }


def steps_imagined(model, effort):
    """Return imagined steps a second, of one dream and of many at once, without and with drawing them."""
    env = make("rgb_array")
    env.reset(seed=0)
    frame = torch.from_numpy(preprocess(env.render()))
    one, many = (dream_speeds(model, frame, batch, effort) for batch in (1, effort.batch))
    return {
        "one dream at a time, states only": one[0],
        "one dream at a time, decoded to frames": one[1],
        f"{effort.batch} dreams at once, states only": many[0],
        f"{effort.batch} dreams at once, decoded to frames": many[1],
    }


@torch.no_grad()
def dream_speeds(model, frame, batch, effort):
    """Return imagined steps a second of `batch` dreams at once: (states only, decoded)."""
    actions = torch.arange(batch * effort.horizon).reshape(batch, -1) % 2  # (B, N)
    belief = model.observe(frame.expand(batch, 2, *frame.shape), actions[:, :1])  # (B, D)

    def states():
        return model.imagine(belief, actions).shape[:2].numel()

    def frames():
        return model.decode(model.imagine(belief, actions)).shape[:2].numel()

    return fastest(states, effort.seconds), fastest(frames, effort.seconds)


def test_times(root):
    """Return the seconds that each step of `make test` took when it last ran: {step: seconds}."""
    times = root / TIMES
    return json.loads(times.read_text()) if times.exists() else {}


def artifact_costs():
    """Return the seconds that making each kept data set and model took, as its file says; without damaged files."""
    costs, names = {}, Counter(path.name.split(".")[0] for path in store.files())
    for path in store.files():
        name = ".".join(path.name.split(".")[: 1 if names[path.name.split(".")[0]] == 1 else 2])
        try:
            costs[name] = store.unpack(path.suffix, path.read_bytes())[1]["meta"]["seconds"]
        except Exception:  # see store._read: a damaged file can raise anything
            continue
    return costs


# --- scripts and memory ------------------------------------------------------------------------------------------


def javascript(root):
    """Return the size of each of our scripts as a page would send it; a page holds them once, or less."""
    files = [*Path(__file__).parents[1].rglob("*.js"), *(root / "book" / "static").glob("*.js")]
    if not files:
        return {"not measured": "no script"}
    sent = {path.name: path.read_bytes() for path in files}
    sent["all, sent together"] = b"".join(sent.values())
    return {name: len(gzip.compress(script, mtime=0)) / 1000 for name, script in sent.items()}


def peak_memory():
    """Return the most memory that this process held at once, and the largest of the processes that it started."""
    try:
        import resource
    except ImportError:
        return {"not measured": "Windows does not tell"}
    unit = 1 if sys.platform == "darwin" else 1024
    who = {"this process": resource.RUSAGE_SELF, "the largest process it started": resource.RUSAGE_CHILDREN}
    peaks = {name: resource.getrusage(which).ru_maxrss * unit / 1e6 for name, which in who.items()}
    return {name: peak for name, peak in peaks.items() if peak}  # on one core no process is started
