"""`make lab`: the reader's own copies of the chapters, in a folder that git ignores.

A notebook that has been run is a changed file; in the clone itself, `git pull` would refuse to overwrite it.
"""

import hashlib
import json
import shutil

LAID = ".laid.json"  # in the folder of copies: what each held when it was laid there


def lay_out(book, reading):
    """Copy the book's files, each unless the reader changed the copy; returns the names of changed ones that are old.

    What the book has no more goes too, unless it was changed. A notebook is changed where a cell is; its outputs are
    the run's.
    """
    reading.mkdir(exist_ok=True)
    try:
        laid = json.loads((reading / LAID).read_text(encoding="utf8"))
    except (OSError, ValueError):
        laid = {}
    new, old = {name: content(book / name) for name in files(book)}, []
    for name in sorted(laid.keys() | new.keys()):
        copy = reading / name
        held = content(copy) if copy.exists() else None
        if held not in (None, laid.get(name), new.get(name)):  # changed by the reader
            old += [name] if name in new and laid.get(name) != new[name] else []
        elif name not in new:
            copy.unlink(missing_ok=True)
            del laid[name]
        else:
            if held != new[name]:
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(book / name, copy)
            laid[name] = new[name]
    (reading / LAID).write_text(json.dumps(laid, indent=1), encoding="utf8")
    return old


def files(book):
    """Return what belongs to the chapters, pictures and data among them: names within the folder."""
    paths = [path.relative_to(book) for path in book.rglob("*") if path.is_file()]
    return [path.as_posix() for path in paths if not any(part.startswith((".", "_")) for part in path.parts)]


def content(path):
    """Return the hash of a file; of a notebook, that of its cells without their outputs."""
    held = path.read_bytes()
    if path.suffix == ".ipynb":
        try:
            cells = json.loads(held)["cells"]
            held = json.dumps([[cell["cell_type"], "".join(cell["source"])] for cell in cells]).encode()
        except (ValueError, KeyError, TypeError):
            pass  # no notebook any more: its bytes will do
    return hashlib.sha256(held).hexdigest()
