"""Gives a cell's caption to its pictures alone.

myst-nb makes a figure of all that a captioned cell shows. Where the cell says a sentence as well, that would be another
figure, with a number and the same caption.
"""

from docutils import nodes


def only_pictures(app, doctree):
    """Take what holds no picture out of its figure."""
    for figure in list(doctree.findall(nodes.figure)):
        if not any(figure.findall(nodes.image)):
            shown = [node for node in figure.children if not isinstance(node, nodes.caption | nodes.legend)]
            figure.replace_self(shown)


def setup(app):
    """Register with Sphinx; figures are numbered later."""
    app.connect("doctree-read", only_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
