"""`make train`: trains and judges the whole ladder, and writes what travels with the package.

Each model's weights and figures are written where they ship as soon as it is finished, and what is there is not made
again: a run that was cut off at any point has lost one model, and goes on where it was.
"""

import os
from importlib.util import find_spec

import joblib
import torch
from tqdm import tqdm

from ..judging import judging_set, ladder
from ..keeping import recorded
from ..keeping.artifacts import (
    MODELS,
    default_seed,
    load_autoencoder,
    load_balance_eyes,
    load_episodes,
    ship,
)


def train_all(names=(), workers=None):
    """Train and judge all tasks of the ladder, or those whose rung or name is among `names`. Returns how many were due.

    One model on each core. Raises ValueError for a name that no task has.
    """
    every = ladder.tasks()
    wanted = [task for task in every if not names or {task[1], ladder.asked(*task)[0][0]} & set(names)]
    unknown = set(names) - {one for task in every for one in (task[1], ladder.asked(*task)[0][0])}
    if unknown:
        raise ValueError(f"nothing is called {', '.join(sorted(unknown))}; there are the rungs {', '.join(MODELS)}")
    due = [task for task in wanted if recorded.recorded(*task, ladder.fingerprint(*task)) is None]
    missing = {library for kind, *_ in due if (library := ladder.KINDS[kind].library) and find_spec(library) is None}
    for library in sorted(missing):
        print(f"left out what is measured with {library}, which is not installed: pip install -e '.[study]'")
    due = [task for task in due if ladder.KINDS[task[0]].library not in missing]
    with joblib.parallel_config("loky", n_jobs=workers or joblib.cpu_count(), inner_max_num_threads=1):
        _done(_prepare, sorted({seed for _, _, seed in due}), "eyes", "seeds")
        data = {(ladder.data_of(kind, name), seed) for kind, name, seed in due}
        _done(_collect, sorted(one for one in data if one[0]), "data", "data sets")
        _done(_measure, due, "ladder", "models")
    rungs = list(MODELS)
    files = set().union(*(ship(name, default_seed()) for name in names or rungs if name in rungs))
    if not names:
        recorded.forget(every, files)
    return len(due)


def _done(work, items, label, unit):
    """Do `work` for each item, on all cores, under a progress bar."""
    results = joblib.Parallel(return_as="generator_unordered")(joblib.delayed(work)(item) for item in items)
    for _ in tqdm(results, total=len(items), desc=label, unit=f" {unit}"):
        pass


def _alone():
    """Keep to one core: each has a model of its own."""
    torch.set_num_threads(1)
    os.environ["LATENT_DYNAMICS_WORKERS"] = "1"


def _prepare(seed):
    """Train a seed's eyes, which its models share, and collect the episodes that judge."""
    _alone()
    load_balance_eyes(seed=seed, data_seed=seed)
    load_autoencoder(seed=seed, shipped=False, data_seed=seed)
    if seed == default_seed():
        for split in judging_set.EPISODES:
            judging_set.collected(split)


def _collect(data):
    """Collect a data set of a seed that models are trained on."""
    _alone()
    load_episodes(data[0], seed=data[1])


def _measure(task):
    """Train and judge one model in a process of its own, and write what was found."""
    _alone()
    kind, name, seed = task
    if ladder.KINDS[kind].names[name] == (name, {}) and seed == default_seed():  # just as a reader will load it
        ship(name, seed)
    recorded.put_figures(*task, ladder.measure(*task), ladder.fingerprint(*task))
