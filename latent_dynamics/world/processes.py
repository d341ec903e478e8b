"""Work that several processes share."""

import os
from contextlib import contextmanager

import joblib

PAYS = 4_000  # frames to draw from which on other processes, which take seconds to start, are worth it
IDLE = 30  # seconds after which a process without work goes; also where the one that started it was killed


@contextmanager
def pool(workers=None, frames=PAYS):
    """Give `run(function, items)`, an iterator over the results: over processes, or plainly in this one.

    workers: how many processes; else what the environment's LATENT_DYNAMICS_WORKERS says; else one for each core that
    this process may use, four at most, or this one alone for fewer than PAYS frames.
    joblib's processes don't import the script that started them, as Python's own do: it need not guard what it does.
    """
    workers = workers or int(os.environ.get("LATENT_DYNAMICS_WORKERS") or 0)
    workers = workers or (min(4, joblib.cpu_count()) if frames >= PAYS else 1)
    if workers == 1:
        yield map
        return
    with joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=1, idle_worker_timeout=IDLE):
        parallel = joblib.Parallel(return_as="generator", batch_size=2)
        yield lambda function, items: parallel(joblib.delayed(function)(item) for item in items)
