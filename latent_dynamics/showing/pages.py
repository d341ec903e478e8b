"""What a notebook says with computed figures in it, and how it shows the package's own source.

No number in the book's prose is typed: sentences that carry one are printed by the code that computed it.
"""

import ast
import inspect
import textwrap
import time

from IPython.display import Markdown, display

from ..keeping import store

_started = time.perf_counter()


def say(text):
    """Print a paragraph of Markdown; put the run's figures into it with an f-string."""
    display(Markdown(textwrap.dedent(text).strip()))


def table(header, rows, caption=""):
    """Print a table: header and rows are lists of cells; numbers are shown as they are given."""
    cells = [[str(cell).replace("|", r"\|") for cell in row] for row in (header, *rows)]
    lines = [" | ".join(cells[0]), " | ".join(["---"] * len(header)), *map(" | ".join, cells[1:])]
    display(Markdown("\n".join(f"| {line} |" for line in lines) + (f"\n\n{caption}" if caption else "")))


def source(thing, docstring=False):
    """Show a function's or class's source from the package, so that the page can't differ from what ran."""
    display(Markdown(f"```python\n{shown_source(thing, docstring)}\n```"))


def shown_source(thing, docstring=False):
    """Return what `source` shows of a function or class, as text."""
    text = textwrap.dedent(inspect.getsource(thing))
    return (text if docstring else _without_docstrings(text)).rstrip()


def _without_docstrings(text):
    lines, drop = text.splitlines(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) and len(node.body) > 1:
            first = node.body[0]
            drop.update(range(first.lineno - 1, first.end_lineno))
            if first.end_lineno < len(lines) and not lines[first.end_lineno].strip():
                drop.add(first.end_lineno)
    return "\n".join(line for number, line in enumerate(lines) if number not in drop)


def time_taken():
    """Say how long this notebook has run so far, in seconds; put it into the last cell."""
    say(f"This run of the notebook took {time.perf_counter() - _started:.0f} seconds on the machine that ran it.")


def made_in():
    """Say which data sets and models this notebook has loaded so far, and how long each took when it was made."""
    asked = {path: meta["seconds"] for (path, _), (_, meta) in store.loaded().items()}
    came = {path.name.split(".")[0]: taken for path, taken in asked.items() if path.parent == store.SHIPPED}
    made = {path.name.split(".")[0]: taken for path, taken in asked.items() if path.parent != store.SHIPPED}
    if not asked:
        return say("Nothing has been collected or trained for this notebook yet.")
    lines = []
    if made:
        lines.append(f"Made once, and kept from then on: {_listed(made)}; {sum(made.values()):.0f} seconds in all.")
    if came:
        lines.append(f"Came trained with the package, with the seconds that its training took: {_listed(came)}.")
    say("\n\n".join([":::{dropdown} What was made, and what it took", *lines, ":::"]))


def _listed(seconds):
    return ", ".join(f"`{name}` {taken:.0f} s" for name, taken in seconds.items())
