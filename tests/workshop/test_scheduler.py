"""Training on a Dask cluster: the same results as in processes, and a worker that dies loses nothing that was done."""

import os
import signal

import pytest
import torch
from distributed import LocalCluster

from latent_dynamics.workshop import training


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        yield local


def doing(folder, dies=()):
    """Work on a number: a few steps of a seeded training, written to a file; whoever is told to dies at the first try.

    It is made here and not in the module, so that it travels whole: workers need not find these tests.
    """

    def work(number):
        with (folder / "tries").open("a") as file:
            file.write(f"{number}\n")
        if number in dies and not (folder / f"died {number}").exists():
            (folder / f"died {number}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        torch.manual_seed(number)
        weight = torch.zeros(3, requires_grad=True)
        for _ in range(20):
            loss = (torch.randn(8, 3) @ weight - 1).square().mean()
            (slope,) = torch.autograd.grad(loss, weight)
            weight = (weight - 0.1 * slope).detach().requires_grad_()
        said = f"{weight.tolist()} {torch.get_num_threads()} {os.environ['LATENT_DYNAMICS_CACHE']}"
        (folder / f"{number}.txt").write_text(said)

    return work


def results(folder, dies=(), scheduler=None, count=6):
    folder.mkdir()
    with training.everybody(2, scheduler):
        done = [doing(folder, dies), list(range(count)), "test", "numbers", lambda n: (folder / f"{n}.txt").exists()]
        training._done(*done)
    return [(folder / f"{number}.txt").read_text() for number in range(count)]


def test_a_cluster_finds_what_processes_find_under_a_progress_bar(tmp_path, monkeypatch, cluster, capsys):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", "/somewhere")
    here = results(tmp_path / "here")
    there = results(tmp_path / "there", scheduler=cluster.scheduler_address)
    assert here == there and len(set(here)) == 6
    assert here[0].endswith("1 /somewhere"), "one thread each, and one cache for all"
    assert capsys.readouterr().err.count("6/6") >= 2, "a bar each"


def test_a_worker_that_is_killed_loses_nothing_that_was_finished(tmp_path, monkeypatch, cluster):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", "/somewhere")
    found = results(tmp_path / "killed", dies=(3,), scheduler=cluster.scheduler_address)
    assert found == results(tmp_path / "whole")
    tries = (tmp_path / "killed" / "tries").read_text().split()
    assert tries.count("3") >= 2, "it was begun again elsewhere"
    assert all(tries.count(str(number)) == 1 for number in (0, 1, 2, 4, 5)), "what was finished is not done again"


def test_where_no_scheduler_answers_one_is_told_what_was_expected():
    with pytest.raises(ValueError, match="no Dask scheduler answers at 'tcp://127.0.0.1:9', such as tcp://"):
        with training.everybody(scheduler="tcp://127.0.0.1:9"):
            raise AssertionError("it must not come to this")
