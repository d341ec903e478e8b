"""A page of widgets alone, as the book's build would leave it: for tests that need no built book."""

import html as escape
import json
import re
from pathlib import Path

from ipywidgets import Widget, embed

ROOT = Path(__file__).parents[2]
LOADER = ROOT / "book" / "static" / "widget_loader.js"
PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Widgets</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ max-width: 48rem; margin: 1rem auto; padding: 0 0.5rem; font-family: sans-serif; }}
html[data-theme="dark"] body {{ background: #14181e; color: #ddd; }}</style>
</head><body><main><article><h1>Widgets</h1>
{places}
</article></main>
<script type="application/vnd.jupyter.widget-state+json">{state}</script>
<script>{loader}</script>
</body></html>"""


def page_of(*widgets, theme="light"):
    """Return the HTML of a page that shows these widgets, each with its still picture."""
    data = embed.embed_data(views=list(widgets), drop_defaults=False, state=_with_neighbours(widgets))
    places = []
    for widget, view in zip(widgets, data["view_specs"], strict=True):
        still = widget.still().data if hasattr(widget, "still") else ""
        script = f'<script type="application/vnd.jupyter.widget-view+json">{json.dumps(view)}</script>'
        places.append(f'<div class="cell_output">{script}{still}</div>')
    state = json.dumps(data["manager_state"]).replace("</", "<\\/")
    loader = LOADER.read_text(encoding="utf8")
    return PAGE.format(theme=escape.escape(theme), places="\n".join(places), state=state, loader=loader)


def _with_neighbours(widgets):
    """The state of these widgets and of all models that they name."""
    everything, found = Widget.get_manager_state()["state"], {}
    wanted = [widget.model_id for widget in widgets]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = everything[name]
            wanted += re.findall(r"IPY_MODEL_(\w+)", json.dumps(everything[name]["state"]))
    return found
