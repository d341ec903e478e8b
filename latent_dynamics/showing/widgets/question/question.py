"""What the book's questions share: the reader commits to an answer, and only then sees what was measured.

The answer never leaves the page. The browser keeps it under `key`, so that a reload shows it again.
"""

import html

import traitlets as t
from IPython.display import HTML

from ...page.base import BookWidget

STYLES = ("page/common.css", "widgets/question/question.css")


class Question(BookWidget):
    """A question whose answer is hidden until `committed`; subclasses say what an answer is."""

    key = t.Unicode(help="the name under which the browser keeps the answer").tag(sync=True)
    question = t.Unicode().tag(sync=True)
    evidence = t.Unicode(help="what the run says, shown with the answer").tag(sync=True)
    committed = t.Bool(False, help="whether the reader has answered, and sees the answer").tag(sync=True)

    def __init__(self, content, **traits):
        if not traits["question"].strip():
            raise ValueError("question is empty; expected the sentence that is asked.")
        super().__init__(content, **traits)
        self.key = self.model_id


def paragraph(text):
    """Return a text as an HTML paragraph, or nothing where there is no text."""
    return f"<p>{html.escape(text)}</p>" if text else ""


def folded_answer(asked, answer):
    """Show what is asked and, folded away, the answer: HTML that stands only where no script runs."""
    folded = f"<details><summary>Show the answer</summary>{answer}</details>"
    return HTML(f'<noscript><div class="ld-still">{asked}{folded}</div></noscript>')


def picture(png_base64, alt):
    """Return an <img> of a base64 PNG."""
    return f'<img alt="{html.escape(alt, quote=True)}" style="max-width:100%" src="data:image/png;base64,{png_base64}">'
