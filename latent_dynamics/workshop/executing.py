"""Executes the book's notebooks two at a time, into the cache from which Jupyter Book then takes their outputs.

Where the tests have just run them, see keeping_outputs.py, their outputs are taken from there.

Jupyter Book would execute them one after the other. A kernel gets one thread, since two that share the cores are faster
so. What two of them need, one makes while the other waits. What fails here is not kept, so that Jupyter Book executes
it again, and reports it.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

TIMEOUT = 900  # seconds a cell, as in _config.yml


def notebooks(root):
    """Return the notebooks of the table of contents, in its order."""
    named = re.findall(r"^\s*(?:- )?(?:root|file): *(\S+)", (root / "_toc.yml").read_text("utf8"), re.M)
    return [path for name in named if (path := (root / name).with_suffix(".ipynb")).exists()]


def execute(root, executed=None, workers=2):
    """Execute those of the book's notebooks whose outputs are not in its cache; returns how many that were.

    executed: folder of notebooks that have just been executed elsewhere, which need not be again.
    """
    import nbformat
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn
    from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution

    cache = get_cache(root / "_build" / ".jupyter_cache")

    def is_cached(path):
        try:
            return bool(cache.match_cache_notebook(nbformat.read(path, as_version=4)))
        except KeyError:
            return False

    def run(path):
        notebook = nbformat.read(path, as_version=4)
        done = executed and _done(executed / path.name, notebook)
        if done:
            return path, done, ExecutionResult(done, str(path.parent), done.metadata.pop("execution_seconds"))
        return path, notebook, single_nb_execution(notebook, str(path.parent), TIMEOUT, allow_errors=False)

    def keep(path, notebook, ran):  # from one thread: the cache's database takes no other
        if ran.err is None:
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": ran.time})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        bar.update()
        bar.set_postfix_str(path.stem)

    todo = [path for path in notebooks(root) if not is_cached(path)]
    with tqdm(total=len(todo), desc="executing", unit=" chapters", disable=not todo) as bar:
        with ThreadPoolExecutor(workers) as pool:
            for done in as_completed([pool.submit(run, path) for path in sorted(todo, key=_costly)]):
                keep(*done.result())
    return len(todo)


def _done(path, notebook):
    """The executed notebook at a path, if it is this one: with the same cells; else None."""
    import nbformat

    if path.exists():
        found = nbformat.read(path, as_version=4)
        return found if [cell.source for cell in found.cells] == [cell.source for cell in notebook.cells] else None


def _costly(path):
    """The order of execution: chapters 2 and 3 train most and come first, so that the last ones to run are short."""
    return not re.match(r"0[23]_", path.name), path.name


if __name__ == "__main__":
    execute(*map(Path, sys.argv[1:]))
