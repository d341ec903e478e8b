"""What a result depends on of this package's source: one hash, found by following imports.

A module counts whole, and with it every module of the package that it imports, also inside functions, and theirs.
Comments, docstrings and layout don't count. Nobody raises a number by hand.
"""

import ast
import hashlib
import importlib.util
import inspect
import json
from functools import cache
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
ROOT = Path(__file__).parents[1]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_of(*things):
    """Return the hash of the source that classes, functions or modules depend on: hexadecimal text."""
    names = {thing.__name__ if inspect.ismodule(thing) else thing.__module__ for thing in things}
    parts = [[name, shape_of(read(_file(name)))] for name in sorted(closure(names))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def closure(names):
    """Return the names of modules, and of all modules of this package that they import, directly or not."""
    found, ahead = set(), [name for name in names if _file(name)]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += imports(name, read(_file(name)))
    return found


@cache
def imports(name, text):
    """Return the modules of this package that a module's text imports; an `__init__` if something is taken from it."""
    package = name if _file(name).name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            where = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            inside = [f"{where}.{alias.name}" for alias in node.names]
            found |= {one if _file(one) else where for one in inside}
    return {one for one in found if _file(one)}


@cache
def _file(name):
    """The file of a module of this package; None for any other name, and for a folder without an `__init__`."""
    first, *rest = name.split(".")
    path = ROOT.joinpath(*rest)
    both = path.with_suffix(".py") if rest else path, path / "__init__.py"
    return next((file for file in both if first == PACKAGE and file.is_file()), None)


@cache  # for the life of the process, which goes on running what it has imported, whatever is edited meanwhile
def read(file):
    """Return a source file's text."""
    return file.read_text(encoding="utf8")


@cache
def shape_of(text):
    """Return the hash of source without comments, docstrings and layout: the same in every version of Python."""
    return hashlib.sha256(json.dumps(_shape(ast.parse(text))).encode()).hexdigest()


def _shape(node):
    if isinstance(node, list):
        return [_shape(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
        fields["body"] = node.body[1:]
    return [type(node).__name__, *([name, _shape(value)] for name, value in fields.items())]
