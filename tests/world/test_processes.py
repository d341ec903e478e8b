"""Scripts that start processes finish, or refuse at once with a sentence; however they were started, none hangs."""

import os
import signal
import subprocess
import sys
import time

import joblib
import pytest

from latent_dynamics.world import processes

LOADS = """
from latent_dynamics import artifacts
artifacts.DATA_SETS["random"] = artifacts.DataSet("random", 60)
print(len(artifacts.load_episodes("random")), "episodes")
"""
AS_NOTEBOOK = """
import sys
sys.modules["__main__"].__file__ = {script!r}  # as VS Code's interactive window and IPython's %run leave it
"""
STARTS_ITS_OWN = (
    LOADS
    + """
import multiprocessing
process = multiprocessing.get_context("spawn").Process(target=print)
process.start()
process.join()
"""
)


@pytest.fixture
def environment(tmp_path):
    """An empty cache, and two processes for every job, however small."""
    moved = {"LATENT_DYNAMICS_CACHE": str(tmp_path / "cache"), "LATENT_DYNAMICS_WORKERS": "2"}
    return os.environ | moved | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def run(arguments, environment, **said):
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, **said)


@pytest.mark.parametrize("started", ["script", "command", "standard input", "notebook"])
def test_a_script_without_a_guard_finishes(started, environment, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(LOADS)
    ran = {
        "script": lambda: run([str(script)], environment),
        "command": lambda: run(["-c", LOADS], environment),
        "standard input": lambda: run(["-"], environment, input=LOADS),
        "notebook": lambda: run(["-c", AS_NOTEBOOK.format(script=str(script)) + LOADS], environment),
    }[started]()
    assert ran.returncode == 0 and ran.stdout.count("episodes") == 1, ran.stderr


def test_a_process_of_the_scripts_own_that_imports_it_is_told_at_once_and_makes_nothing(environment, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(STARTS_ITS_OWN)
    ran = run([str(script)], environment)
    said = ran.stderr.strip().splitlines()[-1]
    assert said.startswith("RuntimeError: 'random-seed0' was asked for by a process that is still being started")
    assert 'put what it does under `if __name__ == "__main__":`' in said


HANGS = """
import os, time
from latent_dynamics.world import processes
from latent_dynamics.world.processes import pool

processes.IDLE = 5  # seconds: who waits for thirty learns no more

def slow(number):
    os.write(1, f"{os.getpid()}\\n".encode())  # whole, or two processes' numbers mix
    time.sleep(1)

if __name__ == "__main__":
    with pool(workers=2) as run:
        list(run(slow, range(100)))
"""


def alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_processes_are_gone_soon_after_the_one_that_started_them_was_killed(environment, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(HANGS)
    with subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        children = {int(parent.stdout.readline()) for _ in range(4)}
        parent.send_signal(signal.SIGKILL)
    assert children and all(map(alive, children))
    end = time.monotonic() + 60
    while any(map(alive, children)):
        assert time.monotonic() < end, f"{children} live on"
        time.sleep(1)


def pids(workers=None, frames=processes.PAYS):
    with processes.pool(workers, frames) as run:
        return set(run(lambda _: os.getpid(), range(8)))


def test_few_frames_are_drawn_in_this_process(monkeypatch):
    monkeypatch.delenv("LATENT_DYNAMICS_WORKERS", raising=False)
    assert pids(frames=processes.PAYS - 1) == {os.getpid()}
    assert pids(workers=1, frames=10**9) == {os.getpid()}


def test_as_many_processes_as_asked_for_else_one_for_each_core_that_is_ours_and_four_at_most(monkeypatch):
    asked = []

    class Parallel:
        def __init__(self, **_):
            asked.append(joblib.parallel.get_active_backend()[1])

    monkeypatch.setattr(joblib, "Parallel", Parallel)
    monkeypatch.delenv("LATENT_DYNAMICS_WORKERS", raising=False)
    for cores in (2, 64):
        monkeypatch.setattr(joblib, "cpu_count", lambda cores=cores: cores)
        with processes.pool():
            pass
    with processes.pool(workers=7, frames=1):
        pass
    monkeypatch.setenv("LATENT_DYNAMICS_WORKERS", "3")
    with processes.pool(frames=1):
        pass
    assert asked == [2, 4, 7, 3]


def test_each_process_is_left_one_thread():
    with processes.pool(workers=2) as run:
        assert set(run(threads, range(2))) == {1}


def threads(_):
    import torch

    return torch.get_num_threads()


def test_results_come_in_the_order_of_the_items_and_an_error_comes_back():
    with processes.pool(workers=2) as run:
        assert list(run(abs, range(-9, 0))) == list(range(9, 0, -1))
        with pytest.raises(ZeroDivisionError):
            list(run((1).__truediv__, [0]))


@pytest.mark.parametrize("wrong", ["abc", "0", "-3", "2.5", "62"])
def test_another_number_of_processes_than_can_be_is_refused_by_name(wrong, monkeypatch):
    monkeypatch.setattr(processes, "MOST", 61)  # as on Windows
    with pytest.raises(ValueError, match=f"workers is '{wrong}': expected a whole number of processes from 1 to 61"):
        processes.workers_wanted(wrong)
    monkeypatch.setenv("LATENT_DYNAMICS_WORKERS", wrong)
    with pytest.raises(ValueError, match=f"environment's LATENT_DYNAMICS_WORKERS is '{wrong}'"):
        processes.workers_wanted()
    assert processes.workers_wanted(3) == 3  # what is asked for here counts more
