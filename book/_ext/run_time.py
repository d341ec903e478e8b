"""Puts the measured run time of a notebook where its page says `<span class="run-time">...</span>`.

A typed run time would be a guess about the author's machine; this one was measured in the run that made the
page. What stands inside the span is what a reader of the notebook itself sees.
"""

import re

MARKER = re.compile(r'<span class="run-time">.*?</span>', re.DOTALL)


def in_words(seconds):
    """Round seconds to what a reader needs: seconds up to a minute and a half, minutes beyond."""
    if seconds < 90:
        return f"{max(1, round(seconds))} second{'s' if round(seconds) > 1 else ''}"
    return f"{round(seconds / 60)} minutes"


def fill_in(app, pagename, templatename, context, doctree):
    """Replace the marker in the page's body, if this page was executed."""
    execution = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("exec_data") or {}
    if execution.get("runtime") and "body" in context:
        words = f"{in_words(execution['runtime'])}, measured when this page was built"
        context["body"] = MARKER.sub(f'<span class="run-time">{words}</span>', context["body"])


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
