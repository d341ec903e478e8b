"""`make book`: executes what is out of date, builds the pages, and says what each chapter cost."""

import datetime
import hashlib
import json
import re
import shutil
import time
from pathlib import Path

from .running import ROOT, need, need_clone, run


def book(options=None, root=ROOT, executed=None) -> int:
    """Build the book, and say where it is and what each chapter cost; non-zero if anything failed.

    executed: folder of notebooks that today's source has just executed; all others are executed here, where need be.
    """
    need_clone(root)
    need("jupyter-book", "1.")
    need("jupyter-cache")
    start = time.time()
    stamp = Stamp(root)
    stamp.forget_what_is_out_of_date()
    stamp.write(state="building")
    code = 1
    try:
        given = [str(executed)] if executed else []
        run(["-P", str(Path(__file__).with_name("executing.py")), str(root), *given], root, threads=1)
        build = "from jupyter_book.cli.main import main; main()"  # it cannot be started with -m
        code = run(["-c", build, "build", str(root), "-W", "-n", "--keep-going"], root)
    finally:
        # Sphinx gives a page's warnings only when it reads it: after a failure, it must read all of them again.
        if code:
            shutil.rmtree(root / "_build" / ".doctrees", ignore_errors=True)
        stamp.write(state="built" if code == 0 else "failed")
    _print_costs(root, start)
    for report in sorted((root / "_build" / "html" / "reports").rglob("*.err.log")):
        if report.stat().st_mtime >= start:
            print(f"FAILED: {report.stem.removesuffix('.err')}; its traceback is in {report}")
    if code:
        print("The book did not build: see the warnings above.")
    else:
        print(f"The book: {(root / '_build' / 'html' / 'index.html').as_uri()}")
    return code


class Stamp:
    """What the outputs in jupyter-cache were made with: it compares notebooks only, so package and weights are on us.

    Kept beside the cache, as JSON: the fingerprint of the package when the last build began, and the checksum of every
    artifact when it ended, kept or shipped.
    """

    def __init__(self, root):
        from ..keeping import store

        self.build, self.store, self.shipped = root / "_build", store, root / "latent_dynamics" / "keeping" / "shipped"
        self.path = self.build / ".latent_dynamics.json"
        self.package = _fingerprint_of_package(root)

    def forget_what_is_out_of_date(self):
        """Remove the outputs of earlier builds, with a line that says why, unless what made them is unchanged."""
        reason = self.reason()
        if reason and (self.build / ".jupyter_cache").exists():
            print(f"Executing every chapter again: {reason}.")
            shutil.rmtree(self.build / ".jupyter_cache")
            shutil.rmtree(self.build / ".doctrees", ignore_errors=True)

    def reason(self):
        """Why the outputs cannot be trusted any more; None if they can."""
        try:
            last = json.loads(self.path.read_text())
            state, package, artifacts = last["state"], last["package"], last["artifacts"]
        except (OSError, ValueError, KeyError, TypeError):
            return "nothing tells what the last build was made with"
        if state == "building":
            return "the last build was killed"
        if package != self.package:
            return "the helper package changed"
        now = self.artifacts()
        changed = [name for name, content in artifacts.items() if now.get(name) != content]
        return f"changed or missing in {self.store.folder()}: {', '.join(changed)}" if changed else None

    def artifacts(self):
        figures = (self.shipped / "figures").glob("*.json")
        paths = [*self.store.files(), *self.store.files(self.shipped), *figures]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def write(self, state):
        self.build.mkdir(exist_ok=True)
        self.path.write_text(json.dumps({"state": state, "package": self.package, "artifacts": self.artifacts()}))


def _fingerprint_of_package(root):
    """The hash of the package's source without comments and layout; of the very text, where a notebook shows some."""
    from ..keeping.fingerprint import shape_of

    notebooks = "".join(path.read_text(encoding="utf8") for path in sorted(root.glob("book/*.ipynb")))
    shown = set(".".join(re.findall(r"\bsource\(([\w.]+)\)", notebooks)).split("."))
    parts = []
    for path in sorted(path for kind in ("py", "js", "css") for path in (root / "latent_dynamics").rglob(f"*.{kind}")):
        text = path.read_text(encoding="utf8")
        as_it_is = path.suffix != ".py" or shown & set(re.findall(r"^(?:def|class) (\w+)", text, re.MULTILINE))
        parts.append([path.relative_to(root).as_posix(), text if as_it_is else shape_of(text)])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _print_costs(root, start):
    """What executing each chapter took, this time or when its outputs were last made."""
    found = costs(root)
    for name, (seconds, when) in found.items():
        print(f"{seconds:8.1f} s  {name}{'' if when >= start else '  (as before)'}")
    if found:
        print(f"{sum(seconds for seconds, _ in found.values()):8.1f} s  all chapters")


def costs(root):
    """What executing each chapter took when its outputs were last made, and when that was: {name: (seconds, time)}."""
    if not (root / "_build" / ".jupyter_cache").exists():
        return {}
    from jupyter_cache import get_cache

    records = get_cache(root / "_build" / ".jupyter_cache").list_cache_records()
    latest = {Path(record.uri): record for record in sorted(records, key=lambda record: record.created)}
    return {
        path.stem: (record.data["execution_seconds"], record.created.replace(tzinfo=datetime.UTC).timestamp())
        for path, record in sorted(latest.items())
        if path.exists()
    }
