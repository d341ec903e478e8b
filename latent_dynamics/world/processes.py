"""Work that several processes share."""

import os
import sys
from contextlib import contextmanager

import joblib

PAYS = 4_000  # frames to draw from which on other processes, which take seconds to start, are worth it
IDLE = 30  # seconds after which a process without work goes; also where the one that started it was killed
MOST = 61 if sys.platform == "win32" else 1_000  # Windows cannot wait for more
VARIABLE = "LATENT_DYNAMICS_WORKERS"


def workers_wanted(workers=None, frames=PAYS):
    """Return how many processes to use: what is asked for, by argument or by LATENT_DYNAMICS_WORKERS; else what pays.

    That is one for each core that this process may use (its affinity and its container's quota count), four at most,
    or this process alone for fewer than PAYS frames. Raises ValueError for anything but a whole number from 1 to MOST.
    """
    asked = os.environ.get(VARIABLE) if workers is None else workers
    if asked in (None, ""):
        return min(4, joblib.cpu_count()) if frames >= PAYS else 1
    try:
        count = int(asked)
    except (TypeError, ValueError):
        count = 0
    if not 1 <= count <= MOST or str(count) != str(asked).strip():
        where = f"the environment's {VARIABLE}" if workers is None else "workers"
        raise ValueError(f"{where} is {asked!r}: expected a whole number of processes from 1 to {MOST}")
    return count


@contextmanager
def pool(workers=None, frames=PAYS):
    """Give `run(function, items)`, an iterator over the results: over processes, or plainly in this one.

    workers: how many processes (default: see `workers_wanted`).
    joblib's processes don't import the script that started them, as Python's own do: it need not guard what it does.
    """
    workers = workers_wanted(workers, frames)
    if workers == 1:
        yield map
        return
    with joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=1, idle_worker_timeout=IDLE):
        parallel = joblib.Parallel(return_as="generator", batch_size=2)
        yield lambda function, items: parallel(joblib.delayed(function)(item) for item in items)
