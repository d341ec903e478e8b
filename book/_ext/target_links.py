"""Lets a link name a target of another page: `[survival](how_we_judge.ipynb#judge-survival)` finds `(judge-survival)=`.

MyST follows such a link to headings alone. JupyterLab, which knows no targets, opens the notebook at its beginning.
"""


def remember(app, doctree):
    """Note a page's explicit targets where MyST looks up what a link may name: (line, id, title) by name."""
    known = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for name, explicit in doctree.nametypes.items():
        if explicit and doctree.nameids.get(name):
            known.setdefault(name, (None, doctree.nameids[name], name))


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-read", remember)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
