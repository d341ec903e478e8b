"""What the commands share: this Python on the clone's package, and a word about what is missing."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALL = 'pip install -c constraints.txt -e ".[book,test]"'


def run(arguments, root, threads=None) -> int:
    """Run this Python with the arguments, in the clone, on the clone's package; returns the exit code.

    threads: how many torch may use; what shares the cores with others is faster with one.
    """
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),  # kernels start elsewhere, and must import this package and no other
        "JUPYTER_PREFER_ENV_PATH": "1",  # a kernel of the user's, also called python3, would lack it
    }
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    sys.stdout.flush()
    return subprocess.run([sys.executable, *arguments], cwd=root, env=environment).returncode


def need_clone(root):
    """Exit with a sentence unless `root` is a clone of the book's repository."""
    if not (root / "_config.yml").exists():
        sys.exit(f"{root} is not a clone of the book's repository, which this command needs (no _config.yml there).")


def need(package, version=""):
    """Exit with a sentence unless a package is installed, in a version that begins so."""
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"{package} is not installed in {sys.prefix}. In the clone, run: {INSTALL}")
    if not found.startswith(version):
        sys.exit(f"{package} {found} is another program; the book needs {version}x. In the clone, run: {INSTALL}")
