"""What the weight of the KL, and how sharply pictures are demanded, do to a latent: two sliders over trained models."""

import numpy as np
import traitlets as t
from matplotlib.figure import Figure

from ...page.base import BookWidget, still_figure, within
from ...page.bundle import bundle, styles

USED = 0.05  # nats a step above which a number of the latent counts as used


class Collapse(BookWidget):
    """Choose a KL weight and a sigma, and see what such a model keeps in its latent and what it imagines.

    cells: {(weight, sigma): figures of `measuring_belief.measured`}, one for each pair of both lists; futures: (F, N)
    degrees, what may really come of the window that their fans were drawn for. `weight` and `sigma`, numbers of the
    settings from 0, can be read and set. Raises ValueError where a pair is missing, or fans are as long as no future.
    """

    _esm = bundle("widgets/collapse/collapse.js")
    _css = styles("page/common.css", "widgets/collapse/collapse.css")

    title = t.Unicode().tag(sync=True)
    weights = t.List(t.Float(), help="of the KL, ascending").tag(sync=True)
    sigmas = t.List(t.Float(), help="of a reading, in units of the readings' spread, ascending").tag(sync=True)
    cells = t.List(help="[weight][sigma] -> {kl, swapped, crps, fan}").tag(sync=True)
    futures = t.List(help="(F, N) degrees, the true ones").tag(sync=True)
    used = t.Float(USED).tag(sync=True)
    weight = t.Int(help="which weight is shown, from 0").tag(sync=True)
    sigma = t.Int(help="which sigma is shown, from 0").tag(sync=True)

    def __init__(self, cells, futures, title="", weight=0, sigma=0):
        weights, sigmas = (sorted({pair[which] for pair in cells}) for which in (0, 1))
        missing = [pair for pair in ((w, s) for w in weights for s in sigmas) if pair not in cells]
        if missing or not cells:
            raise ValueError(f"no model of weight and sigma {missing}; give one for each pair of weights and sigmas")
        futures = np.asarray(futures, dtype=float)
        shown = [[_shown(cells[w, s]) for s in sigmas] for w in weights]
        lengths = {len(line) for row in shown for cell in row for line in cell["fan"]}
        if futures.ndim != 2 or lengths != {futures.shape[1]}:
            raise ValueError(f"fans of {sorted(lengths)} steps, futures {futures.shape}; expected (F, N), all of N")
        traits = {
            "title": title, "weights": weights, "sigmas": sigmas, "cells": shown,
            "futures": futures.round(2).tolist(), "weight": weight, "sigma": sigma,
        }  # fmt: skip
        super().__init__(repr(traits).encode(), **traits)

    @t.validate("weight", "sigma")
    def _check_choice(self, proposal):
        return within(proposal, 0, len(getattr(self, proposal["trait"].name + "s")) - 1)

    def still(self):
        """Return what it opens with as a figure, for pages without JavaScript."""
        cell = self.cells[self.weight][self.sigma]
        figure = Figure(figsize=(7, 3), layout="constrained")
        bars, fan = figure.subplots(1, 2)
        bars.bar(range(1, len(cell["kl"]) + 1), cell["kl"], color="#0072b2")
        bars.set(xlabel="number of the latent", ylabel="KL, nats a step", ylim=(0, self.most()))
        steps = np.arange(1, len(self.futures[0]) + 1)
        for line in self.futures:
            fan.plot(steps, line, "--", color="#1b1f24", linewidth=0.8)
        for line in cell["fan"]:
            fan.plot(steps, line, color="#d55e00", linewidth=0.8)
        fan.set(xlabel="step", ylabel="pole angle, degrees")
        return still_figure(figure, self.said())

    def most(self):
        """The KL of the fullest number of a latent in any cell, nats a step: the height of the bars' axis."""
        return max(max(cell["kl"]) for row in self.cells for cell in row)

    def said(self):
        """Say what the chosen model keeps in its latent."""
        cell = self.cells[self.weight][self.sigma]
        used = sum(kl > USED for kl in cell["kl"])
        return (
            f"KL weight {self.weights[self.weight]:g}, sigma {self.sigmas[self.sigma]:g}: the latent carries "
            f"{sum(cell['kl']):.2f} nats a step, in {used} of its {len(cell['kl'])} numbers."
        )


def _shown(figures):
    """What the page needs of a model's figures; what could not be read in a fan is left out of it."""
    latent = figures["latent"]
    fan = [line for line in figures["fan"]["theta"] if None not in line]
    return {
        "kl": sorted(latent["kl"], reverse=True), "swapped": latent["swapped"], "nats": latent["nats"],
        "crps": figures["crps"][9], "fan": fan,
    }  # fmt: skip
