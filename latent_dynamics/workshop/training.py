"""`make train`: trains and judges the whole ladder, and writes what travels with the package.

Each model's weights and figures are written where they ship as soon as it is finished, and what is there is not made
again: a run that was cut off at any point has lost one model, and goes on where it was. It runs in processes of this
machine, or on a Dask cluster whose machines all see this folder.
"""

import os
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

import joblib
import torch
from tqdm import tqdm

from ..judging import judging_set, ladder, predicting
from ..keeping import recorded
from ..keeping.artifacts import (
    MODELS,
    default_seed,
    load_autoencoder,
    load_balance_eyes,
    load_episodes,
    ship,
)
from ..world.processes import workers_wanted
from .running import ROOT

TABLE = "book/data/metrics_and_control.csv"  # of the study of chapter 17, for who wants to ask it something else


def train_all(names=(), workers=None, scheduler=None):
    """Train and judge all tasks of the ladder, or those whose rung or name is among `names`. Returns how many were due.

    workers: processes, a model in each (default: see `workers_wanted`); scheduler: address of a Dask scheduler whose
    workers do it instead, such as "tcp://10.0.0.1:8786". Raises ValueError for a name that no task has, and where no
    scheduler can be reached.
    """
    every = ladder.tasks()
    wanted = [task for task in every if not names or {task[1], ladder.asked(*task)[0][0]} & set(names)]
    unknown = set(names) - {one for task in every for one in (task[1], ladder.asked(*task)[0][0])}
    if unknown:
        raise ValueError(f"nothing is called {', '.join(sorted(unknown))}; there are the rungs {', '.join(MODELS)}")
    due = [task for task in wanted if not _is_measured(task)]
    missing = {library for kind, *_ in due if (library := ladder.KINDS[kind].library) and find_spec(library) is None}
    for library in sorted(missing):
        print(f"left out what is measured with {library}, which is not installed: pip install -e '.[study]'")
    due = [task for task in due if ladder.KINDS[task[0]].library not in missing]
    with everybody(workers, scheduler):
        _done(_prepare, sorted({seed for _, _, seed in due}), "eyes", "seeds")
        data = {(ladder.data_of(kind, name), seed) for kind, name, seed in due}
        _done(_collect, sorted(one for one in data if one[0]), "data", "data sets")
        _done(_measure, due, "ladder", "models", _is_measured)
    rungs = list(MODELS)
    files = set().union(*(ship(name, default_seed()) for name in names or rungs if name in rungs))
    if not names:
        recorded.forget(every, files)
        predicting.write_csv(ladder.study(), ROOT / TABLE)
    return len(due)


@contextmanager
def everybody(workers=None, scheduler=None):
    """Let joblib's work be done inside by processes of this machine, or by the workers of a Dask scheduler."""
    if scheduler is None:
        with joblib.parallel_config("loky", n_jobs=workers_wanted(workers), inner_max_num_threads=1):
            yield
        return
    if find_spec("distributed") is None:
        raise ValueError("a scheduler needs the extra `cluster`: pip install -e '.[cluster]', here and on its workers")
    from distributed import Client

    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as reason:
        raise ValueError(f"no Dask scheduler answers at {scheduler!r}, such as tcp://10.0.0.1:8786: {reason}") from None
    with client, joblib.parallel_config("dask"):
        yield


def _done(work, items, label, unit, is_done=None):
    """Do `work` for each item, wherever there are hands, under a progress bar.

    is_done: says of an item that it was done, by a worker that died before it could tell.
    """
    alone = joblib.delayed(partial(_alone, work, is_done, os.environ.get("LATENT_DYNAMICS_CACHE")))
    results = joblib.Parallel(return_as="generator_unordered")(alone(item) for item in items)
    for _ in tqdm(results, total=len(items), desc=label, unit=f" {unit}"):
        pass


def _alone(work, is_done, cache, item):
    """Do one piece of work on one core: each has a model of its own. All keep data and models in the same folder."""
    torch.set_num_threads(1)
    os.environ["LATENT_DYNAMICS_WORKERS"] = "1"
    if cache:
        os.environ["LATENT_DYNAMICS_CACHE"] = cache
    if not (is_done and is_done(item)):
        work(item)


def _prepare(seed):
    """Train a seed's eyes, which its models share, and collect the episodes that judge."""
    load_balance_eyes(seed=seed, data_seed=seed)
    load_autoencoder(seed=seed, shipped=False, data_seed=seed)
    if seed == default_seed():
        for split in judging_set.EPISODES:
            judging_set.collected(split)


def _collect(data):
    """Collect a data set of a seed that models are trained on."""
    load_episodes(data[0], seed=data[1])


def _is_measured(task):
    return recorded.recorded(*task, ladder.fingerprint(*task)) is not None


def _measure(task):
    """Train and judge one model in a process of its own, and write what was found."""
    kind, name, seed = task
    if ladder.KINDS[kind].names[name] == (name, {}) and seed == default_seed():  # just as a reader will load it
        ship(name, seed)
    recorded.put_figures(*task, ladder.measure(*task), ladder.fingerprint(*task))
