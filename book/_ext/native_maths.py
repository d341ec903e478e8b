"""Formulas in the browser's own language on pages that must be light: MathML in place of MathJax, 0.3 MB.

For the few formulas of a front page only: what they look like depends on the reader's fonts. And MathJax is left out of
every page that has no formula for it; Sphinx would load it wherever a page below in the table of contents has one.
"""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

UNDER = re.compile(  # a letter, what docutils put under it, and a hat, tilde, bar or dot
    r'<munderover>(<mi>[^<]*</mi>)((?:(?!</munderover>).)*)<mo stretchy="false">([ˆ˜ˉ˙~^¯])</mo></munderover>'
)


def mathml(tex, block=False):
    r"""Turn TeX into MathML. Raises MathError for what docutils cannot read.

    docutils puts the index of `\hat z_t` under the letter; here it goes to where it belongs.
    """
    markup = re.sub(r">\s+<", "><", tex2mathml(tex, as_block=block)).strip()
    return UNDER.sub(r'<msub><mover accent="true">\1<mo stretchy="false">\3</mo></mover>\2</msub>', markup)


def formulas(doctree):
    """The formulas of a page."""
    return list(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block)))


def convert(app, doctree, docname):
    """Replace the formulas of the pages in `native_maths`."""
    if docname not in app.config.native_maths or app.builder.format != "html":
        return
    for node in formulas(doctree):
        block = isinstance(node, nodes.math_block)
        try:
            parts = re.split(r"\\qquad", node.astext()) if block else [node.astext()]  # which a phone may put in lines
            markup = "".join(mathml(part, block) for part in parts)
        except MathError as error:
            message = "%s: MathML cannot say %r (%s). Write it more simply, or take the page out of native_maths."
            logging.getLogger(__name__).warning(message, docname, node.astext(), error, location=node)
            continue
        tag = "div" if block else "span"
        node.replace_self(nodes.raw("", f'<{tag} class="native-maths">{markup}</{tag}>', format="html"))


def leave_out(app, pagename, templatename, context, doctree):
    """Leave MathJax out of a page that has no formula."""
    if doctree is None or not formulas(doctree):
        scripts = context.get("script_files", [])
        unused = app.config.mathjax_path
        context["script_files"] = [one for one in scripts if unused not in str(getattr(one, "filename", one))]


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("native_maths", [], "html")
    app.connect("doctree-resolved", convert)
    app.connect("html-page-context", leave_out, priority=900)  # after MathJax has been put in
    return {"parallel_read_safe": True, "parallel_write_safe": True}
