"""Gives bibliography entries the role that their list needs.

docutils marks the list as role="list" and its entries as role="doc-biblioentry", which ARIA has since
deprecated: a screen reader finds a list without items in it.
"""


def mend(app, pagename, templatename, context, doctree):
    """Make each entry of the list a list item."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
