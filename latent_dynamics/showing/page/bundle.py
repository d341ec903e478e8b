"""Joins a widget's modules into one, because a page opened from disk can import one module and no neighbours.

Each script says with `import` and `export` what it takes and gives, as editors, type checkers and browsers understand
it. Here each becomes a function with a scope of its own, which returns what it exports. Comments and indentation stay
at home.
"""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FOLDER = Path(__file__).parents[1]  # of all that is shown
IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";\n', re.M)
EXPORT = re.compile(r"^export (default )?(?=(?:(?:async )?function\*?|const|class) (\w+)|\{)", re.M)
COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*.*?\*/)\n", re.M | re.S)  # whole lines
INDENT = re.compile(r"^ +", re.M)  # of no line within a template, which a test sees to
DEFAULT = "$default"
JOINED = """`import { a, b } from "./file.js";`, exported functions, constants and classes, and `export default`"""


class NotAModule(ValueError):
    """A script takes what nobody gives, or says so in a way that we cannot join."""


class Module:
    """One script: what it takes, {path: {name there: name here}}; what it gives, a list of names; and its own text."""

    def __init__(self, path):
        if not path.is_file():
            raise NotAModule(f"there is no script {path.name} in {path.parent}; expected a path from its importer")
        self.path, text = path, COMMENT.sub("", path.read_text(encoding="utf8"))
        self.takes = {(path.parent / where).resolve(): _names(what) for what, where in IMPORT.findall(text)}
        self.gives = [DEFAULT if default else name for default, name in EXPORT.findall(text)]
        text = EXPORT.sub(lambda found: f"const {DEFAULT} = " if found[1] else "", IMPORT.sub("", text))
        odd = re.search(r"^(import|export)\b.*", text, re.M)
        if odd:
            raise NotAModule(f"{path.name} says {odd[0]!r}, which we cannot join; at a line's start we read {JOINED}")
        self.text = text

    def check(self, modules):
        """Raise NotAModule where it takes a name that the other script does not give."""
        for path, names in self.takes.items():
            missing = [name for name in names if name not in modules[path].gives]
            if missing:
                gives = ", ".join(modules[path].gives)
                raise NotAModule(f"{self.path.name} imports {missing[0]}, but {path.name} exports only {gives}")


def bundle(entry):
    """Return the script `entry` (a path, relative to the folder `showing`) with all that it imports, as one module.

    Raises NotAModule for a file or a name that is not there, and for files that import each other in a circle.
    """
    modules = modules_of(entry)
    order = _ordered(modules)
    name = {path: f"${number}" for number, path in enumerate(order)}
    parts = [_scope(modules[path], name) for path in order]
    if DEFAULT in modules[order[-1]].gives:
        parts.append(f"export default {name[order[-1]]}.{DEFAULT};\n")
    return "".join(parts)


def modules_of(entry):
    """Return {path: Module} of a script and of all that it imports, however indirectly, itself first."""
    wanted, modules = [(FOLDER / entry).resolve()], {}
    while wanted:
        path = wanted.pop()
        if path not in modules:
            modules[path] = Module(path)
            wanted += modules[path].takes
    for module in modules.values():
        module.check(modules)
    return modules


def styles(*names):
    """Return style sheets (paths relative to the folder `showing`) as one, in this order."""
    return "\n".join((FOLDER / name).read_text(encoding="utf8") for name in names)


def _ordered(modules):
    """Paths in an order in which each module stands behind all that it imports; the first of `modules` is last."""
    try:
        return list(TopologicalSorter({path: list(module.takes) for path, module in modules.items()}).static_order())
    except CycleError as circle:
        names = " -> ".join(path.name for path in circle.args[1])
        raise NotAModule(f"scripts import each other in a circle: {names}; move what both need into a third") from None


def _scope(module, name):
    takes = "".join(f"const {{ {_pairs(names)} }} = {name[path]};\n" for path, names in module.takes.items())
    gives = f"return {{ {', '.join(module.gives)} }};\n"
    return f"const {name[module.path]} = (() => {{\n{takes}{INDENT.sub('', module.text)}{gives}}})();\n"


def _names(listed):
    """'a, b as c' -> {'a': 'a', 'b': 'c'}."""
    pairs = [part.split(" as ") for part in listed.replace("\n", " ").split(",") if part.strip()]
    return {pair[0].strip(): pair[-1].strip() for pair in pairs}


def _pairs(names):
    return ", ".join(there if there == here else f"{there}: {here}" for there, here in names.items())
