"""The parent of all the book's widgets, because a built page asks more of a widget than a notebook does.

A built page is compared with the one built before it, so a widget's id and its printed form must come
from its content: ipywidgets draws ids at random and prints the object's address.
"""

import base64
import hashlib
import html
import io
import random
from collections import Counter
from contextlib import contextmanager

import anywidget
import ipywidgets
import numpy as np
from IPython.display import HTML

from latent_dynamics.models.training import seeded

_ids_given = Counter()


def _model_id(content):
    """Name `content` by its hash; a second widget of equal content gets a name of its own."""
    digest = hashlib.sha256(content).hexdigest()
    _ids_given[digest] += 1
    return hashlib.sha256(f"{digest} {_ids_given[digest]}".encode()).hexdigest()[:32]


@contextmanager
def unnoticed(seed=0):
    """Give what is drawn inside random streams of its own, and leave the reader's as they were."""
    before = random.getstate(), np.random.get_state()
    with seeded(seed):
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


class BookWidget(anywidget.AnyWidget):
    """An anywidget whose ids depend on `content` (bytes) alone and which has a still picture.

    To make one and to draw its still picture takes nothing from the reader's random streams.
    """

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        for name in {"__init__", "still"} & set(vars(cls)):
            setattr(cls, name, unnoticed()(vars(cls)[name]))

    def __init__(self, content, **traits):
        name = _model_id(type(self).__name__.encode() + content)
        layout = ipywidgets.Layout(model_id=_model_id(b"layout of " + name.encode()))
        super().__init__(model_id=name, layout=layout, **traits)

    def __repr__(self):
        return f"{type(self).__name__}()"

    def still(self):
        """Return the still picture as HTML that only a page without JavaScript shows."""
        raise NotImplementedError(f"{type(self).__name__} has no still picture; write its still().")


def within(proposal, low, high, what=""):
    """Return the value that a trait is about to take; raises ValueError unless it is from `low` to `high`."""
    name, value = proposal["trait"].name, proposal["value"]
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; expected a whole number from {low} to {high}" + (what and f" ({what})"))
    return value


def still_figure(figure, alt):
    """Wrap a matplotlib figure, always as the same bytes, so that it stands only where no script runs."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    return noscript_figure(base64.b64encode(png.getvalue()).decode(), alt)


def noscript_figure(png_base64, alt):
    """Wrap a picture (base64 PNG) so that it stands only where no script runs."""
    return HTML(
        f'<noscript><figure class="ld-still"><img alt="{html.escape(alt, quote=True)}" '
        f'style="max-width:100%" src="data:image/png;base64,{png_base64}"></figure></noscript>'
    )
