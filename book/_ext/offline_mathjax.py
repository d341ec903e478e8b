"""Formulas without a CDN: copies the part of MathJax that the pages use into the book.

The package sphinx-mathjax-offline carries all of MathJax, 24 MB; its own extension copies all of it.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

USED = (
    "tex-chtml.js",  # the program
    "input/tex/extensions",  # loaded when a formula asks for one
    "output/chtml/fonts",
    "a11y",  # spoken and explorable formulas, from the context menu
    "sre/mathmaps/base.json",
    "sre/mathmaps/en.json",
)


def copy_mathjax(app, exception):
    """Copy what is used into _static/mathjax, once."""
    if exception or app.builder.format != "html":
        return
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in USED:
        if (package / name).is_dir():
            shutil.copytree(package / name, target / name, dirs_exist_ok=True)
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(package / name, target / name)


def setup(app):
    """Register with Sphinx."""
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
