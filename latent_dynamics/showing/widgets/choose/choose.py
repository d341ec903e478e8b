"""A question with a few answers to choose from, each with its own explanation: commit first, then see.

The answers may be films, for questions such as "which of these is real?".
"""

import base64
import html
import io

import numpy as np
import traitlets as t
from PIL import Image

from ...page.bundle import bundle, styles
from ..question.question import STYLES, Question, folded_answer, paragraph, picture
from ..sprite import pack_frames, unpack_frames

MOST_FILMS = 4


class Choose(Question):
    """Ask for one of several answers, and explain each of them once the reader has committed to one.

    `options` maps each answer to its explanation: why it is right, or why it is tempting and what is wrong with it;
    `right` is the one that the run bears out. `evidence` is a sentence and `bars` a mapping of names to numbers >= 0
    (in `unit`, shown with `digits` decimals) that settle the matter; both appear with the answer. `films`, (F, N, H, W)
    floats in [0, 1], shows one film for each option. `answer` (the option's number from 0, or None), `committed`,
    `frame` (from 1) and `playing` can be read and set. Raises ValueError for what cannot be shown.
    """

    _esm = bundle("widgets/choose/choose.js")
    _css = styles(*STYLES, "widgets/choose/choose.css")

    labels = t.List(t.Unicode(), help="the answers to choose from").tag(sync=True)
    whys = t.List(t.Unicode(), help="an explanation for each").tag(sync=True)
    right = t.Int(help="which of them is right, from 0").tag(sync=True)
    bars = t.List(help="[name, number, number in words] for each bar").tag(sync=True)
    sprite = t.Bytes(help="all films as one grey picture, see sprite.py").tag(sync=True)
    shape = t.List(t.Int(), help="[F, N, H, W], or nothing where there are no films").tag(sync=True)
    frames_per_second = t.Float(12.0).tag(sync=True)
    answer = t.Int(None, allow_none=True, help="the option chosen, from 0; None before").tag(sync=True)
    frame = t.Int(1, help="frame shown of every film, from 1").tag(sync=True)
    playing = t.Bool(False, help="whether the films play").tag(sync=True)

    def __init__(self, question, options, right, evidence="", bars=None, unit="", digits=1, films=None):
        labels = list(options)
        if len(labels) < 2:
            raise ValueError(f"{len(labels)} options given; expected at least two answers, each with its explanation.")
        if right not in labels:
            raise ValueError(f"right is {right!r}; expected one of the options: {', '.join(map(repr, labels))}.")
        silent = [label for label, why in options.items() if not why.strip()]
        if silent:
            raise ValueError(f"the option {silent[0]!r} has no explanation; say why it is right or tempting.")
        films = None if films is None else _checked_films(films, len(labels))
        sprite = b"" if films is None else pack_frames(films[:, None])
        bars = _checked_bars(bars or {}, unit, digits)
        super().__init__(
            sprite + repr((question, options, right, evidence, bars)).encode(),
            question=question,
            evidence=evidence,
            labels=labels,
            whys=list(options.values()),
            right=labels.index(right),
            bars=bars,
            sprite=sprite,
            shape=[] if films is None else list(films.shape),
        )

    @t.validate("answer")
    def _check_answer(self, proposal):
        answer = proposal["value"]
        if answer is not None and not 0 <= answer < len(self.labels):
            raise ValueError(f"answer is {answer}; expected None or an option, from 0 to {len(self.labels) - 1}.")
        return answer

    @t.validate("committed")
    def _check_committed(self, proposal):
        if proposal["value"] and self.answer is None:
            raise ValueError("nothing to commit to: set answer to the number of an option first.")
        return proposal["value"]

    @t.validate("frame")
    def _check_frame(self, proposal):
        last = self.shape[1] if self.shape else 1
        if not 1 <= proposal["value"] <= last:
            raise ValueError(f"frame is {proposal['value']}; expected 1 to {last}, the length of the films.")
        return proposal["value"]

    @t.observe("answer")
    def _open_again(self, change):
        if change["new"] is None:
            self.committed = False

    def films(self):
        """Return the films as the page sees them, (F, N, H, W) floats in [0, 1], or None where there are none."""
        if not self.shape:
            return None
        F, *rest = self.shape
        return unpack_frames(self.sprite, (F, 1, *rest))[:, 0]

    def still(self):
        """Return the question with its options and, folded away, the answer, for pages without JavaScript."""
        items = "".join(f"<li>{html.escape(label)}</li>" for label in self.labels)
        asked = f"<p><strong>{html.escape(self.question)}</strong></p>{self._strip()}<ol>{items}</ol>"
        whys = "".join(
            f"<li><em>{html.escape(label)}</em>: {html.escape(why)}</li>" for label, why in zip(self.labels, self.whys)
        )
        bars = "".join(f"<li>{html.escape(f'{name}: {words}')}</li>" for name, _, words in self.bars)
        answer = paragraph(f"Right is: {self.labels[self.right]}") + f"<ol>{whys}</ol>" + paragraph(self.evidence)
        return folded_answer(asked, answer + (f"<ul>{bars}</ul>" if bars else ""))

    def _strip(self):
        """A few frames of each film, side by side, in a row for each option."""
        if not self.shape:
            return ""
        films = self.films()
        some = films[:, np.linspace(0, films.shape[1] - 1, 4).round().astype(int)]  # (F, 4, H, W)
        sheet = np.pad(some, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=0.5)
        F, four, H, W = sheet.shape
        rows = np.rint(255 * sheet.transpose(0, 2, 1, 3).reshape(F * H, four * W)).astype(np.uint8)
        png = io.BytesIO()
        Image.fromarray(rows).save(png, format="PNG", optimize=True)
        shows = f"A row of four frames for each of: {', '.join(self.labels)}"
        return picture(base64.b64encode(png.getvalue()).decode(), shows)


def _checked_films(films, options):
    films = np.asarray(films, dtype=np.float32)
    if films.ndim != 4 or 0 in films.shape:
        raise ValueError(f"films have shape {films.shape}; expected (F, N, H, W), one film for each option.")
    if len(films) != options or options > MOST_FILMS:
        raise ValueError(f"{len(films)} films given for {options} options; expected one each, at most {MOST_FILMS}.")
    if not (films.min() >= 0 and films.max() <= 1):
        raise ValueError(
            f"films range from {films.min():.3g} to {films.max():.3g}; expected [0, 1]. "
            "Divide bytes by 255; clip the output of a decoder that has no sigmoid."
        )
    return films


def _checked_bars(bars, unit, digits):
    """Bars as [name, number, words], or a ValueError."""
    for name, number in bars.items():
        if not 0 <= number < np.inf:
            raise ValueError(f"the bar {name!r} is {number}; expected a finite number that is not negative.")
    return [[name, float(number), f"{number:.{digits}f} {unit}".strip()] for name, number in bars.items()]
