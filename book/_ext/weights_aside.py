"""Puts the trained weights of a page's widgets into files beside the pages, so that pages share them.

A page carries the state of its widgets, weights and all. Two pages of one model would make the reader load it
twice, and a model that nobody chooses would be loaded too. The files are scripts, since a page opened from the disk
may run a neighbouring script but not fetch a neighbouring file. widget_loader.js brings the weights back.
"""

import hashlib
import json
from pathlib import Path

from sphinx.util.osutil import relative_uri

STATE = "application/vnd.jupyter.widget-state+json"
FOLDER = "_static/weights"


def put_aside(app, pagename, templatename, context, doctree):
    """Replace the buffers of the page's weights by the names of the files that hold them."""
    scripts = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("js_files", {})
    for _, attributes in scripts.values():
        if attributes.get("type") == STATE:
            state = json.loads(attributes["body"])
            for model in state["state"].values():
                if model["state"].get("_weights"):  # so Weights of widgets/page_model.py call themselves
                    model["buffers"] = [_aside(app, pagename, buffer) for buffer in model["buffers"]]
            attributes["body"] = json.dumps(state).replace("</", "<\\/")


def _aside(app, pagename, buffer):
    if "data" in buffer:
        key = hashlib.sha256(buffer["data"].encode()).hexdigest()[:16]
        file = Path(app.outdir) / FOLDER / f"{key}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f'(globalThis.latentDynamicsWeights ??= {{}})["{key}"] = "{buffer.pop("data")}";\n', encoding="utf8"
        )
        buffer |= {"key": key, "aside": relative_uri(app.builder.get_target_uri(pagename), f"{FOLDER}/{key}.js")}
    return buffer


def setup(app):
    """Register with Sphinx, before myst-nb hands the state to the page."""
    app.connect("html-page-context", put_aside, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
