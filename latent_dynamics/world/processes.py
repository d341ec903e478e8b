"""Work that several processes share."""

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context


class pool:
    """Gives `run(function, items)`: map over processes, or plainly in this one when there is only one worker.

    Processes are spawned, not forked: a fork of a process that runs torch's threads can hang.
    """

    def __init__(self, workers):
        self.workers = workers or os.cpu_count() or 1

    def __enter__(self):
        if self.workers == 1:
            return map
        self.executor = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
        return partial(self.executor.map, chunksize=2)

    def __exit__(self, kind, error, _):
        if self.workers > 1:
            self.executor.shutdown(cancel_futures=True)
        if kind is BrokenProcessPool:
            raise RuntimeError(
                "the processes that draw frames could not be started. In a script, put what it does under "
                '`if __name__ == "__main__":`, because each of them imports the script; or ask for workers=1.'
            ) from error
