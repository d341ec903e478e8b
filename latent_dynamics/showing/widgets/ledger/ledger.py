"""The ledger that closes: where ln p(o) goes, for a q and a chain of the reader's choice.

ln p(o) = ELBO + KL(q || p(z | o)), by `models/linear_chain.py`; the page computes the same in chain.js.
"""

import numpy as np
import torch
import traitlets as t
from matplotlib.figure import Figure

from latent_dynamics.models.linear_chain import FAMILIES, Chain

from ...page.base import BookWidget, still_figure
from ...page.bundle import bundle, styles

SLOPES = [0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0, 1.1]
VARIANCES = [0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0]
NUMBERS = ("a", "Q", "R")


class Ledger(BookWidget):
    """A linear-Gaussian chain of a few steps, a q of the reader's choice, and where ln p(o) goes.

    a, Q and R are those of `Chain`, and each is one of those `offered`; `family` is one of `FAMILIES`; `sequence` says
    which of the `draws` sequences of readings is shown. All can be read and set. `account()` gives the figures. Raises
    ValueError for what it can't show.
    """

    _esm = bundle("widgets/ledger/ledger.js")
    _css = styles("page/common.css", "widgets/ledger/ledger.css")

    offered = t.Dict(help="values of a, Q and R that the sliders have").tag(sync=True)
    families = t.List(help="kinds of q").tag(sync=True)
    noises = t.List(help="for each sequence (T, 2) standard normal numbers: of steps and readings").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    a = t.Float(help="z_t = a z_{t-1} + w").tag(sync=True)
    Q = t.Float(help="variance of w").tag(sync=True)
    R = t.Float(help="variance of a reading").tag(sync=True)
    P = t.Float(help="variance of z_1").tag(sync=True)
    family = t.Unicode(help="kind of q").tag(sync=True)
    sequence = t.Int(help="readings shown, from 0").tag(sync=True)

    def __init__(self, a=0.95, Q=0.5, R=1.0, family="filtering", steps=6, draws=4, sequence=0, seed=3, title=""):
        if steps < 2 or draws < 1:
            raise ValueError(f"{draws} sequences of {steps} steps; expected at least 1 of at least 2")
        noises = np.random.default_rng(seed).normal(size=(draws, steps, 2)).tolist()
        traits = {
            "offered": {"a": SLOPES, "Q": VARIANCES, "R": VARIANCES}, "families": list(FAMILIES), "noises": noises,
            "title": title, "a": a, "Q": Q, "R": R, "P": 1.0, "family": family, "sequence": sequence,
        }  # fmt: skip
        super().__init__(repr(traits).encode(), **traits)

    @t.validate("a", "Q", "R", "family", "sequence")
    def _check_choice(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        offered = dict(self.offered) | {"family": self.families, "sequence": [*range(len(self.noises))]}
        if value not in offered[name]:
            raise ValueError(f"{name} is {value}; expected one of {', '.join(map(str, offered[name]))}.")
        return value

    def account(self):
        """Say where ln p(o) goes, nats: {"fit", "kl", "gap", "left"}, (T,) each, "whole", and filtering's "price"."""
        chain = Chain(self.a, self.Q, self.R, self.P)
        o = chain.from_noise(torch.tensor(self.noises[self.sequence], dtype=torch.float64)[None])
        found = chain.ledger(chain.best(self.family, o), o)
        price = chain.price_of_filtering(o.shape[1]).sum()
        return {name: part[0].numpy() for name, part in found._asdict().items()} | {"price": float(price)}

    def still(self):
        """Return the bars of each step as a figure, for pages without JavaScript."""
        return _still(self.account(), self.family, self.title)


def _still(found, family, title):
    figure = Figure(figsize=(8, 3), layout="constrained")
    axis = figure.subplots()
    steps = np.arange(1, len(found["fit"]) + 1)
    owed = found["left"] - np.r_[found["whole"], found["left"][:-1]]
    hatched = {"hatch": "///", "color": "w", "edgecolor": "#d55e00"}
    owes = ("share of \u2212ln p(o)", owed, {"color": "#6b7480"}), ("gap", found["gap"], hatched)
    pays = ("misfit", -found["fit"], {"color": "#0072b2"}), ("KL to the prior", found["kl"], {"color": "#e69f00"})
    for at, parts in ((-0.2, owes), (0.2, pays)):
        base = np.zeros(len(steps))
        for name, values, look in parts:
            axis.bar(steps + at, values, 0.36, bottom=base, label=name, **look)
            base = base + values
    axis.set(xlabel="step", ylabel="nats")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9, ncols=2)
    if title:
        figure.suptitle(title, fontsize=11)
    elbo, gap = (found["fit"] - found["kl"]).sum(), found["gap"].sum()
    return still_figure(
        figure,
        f"Bars for each step of a chain, with a {family} q. In all the readings' log-probability is "
        f"{found['whole']:.2f} nats, the ELBO {elbo:.2f}, and what lies between them {gap:.2f}.",
    )
