"""What is measured of a latent trained without pixels: whether it lives, what it holds, what it is good for."""

import numpy as np
import torch

from ..acting import controllers
from ..acting.exhaustive import planner
from . import probes
from .measuring import measured as drifted
from .measuring import played

GAMES = 40  # that a controller on the belief plays
PLANNED = 12, 200  # games that a planner plays, and the steps after which it is stopped


def measured(model, windows, splits, seed):
    """Measure a model of the class JEPA.

    windows: of both protocols; splits: Episodes for training and for validation, on which probes and a controller are
    trained and judged. Returns drift and cost, as `measuring.measured` does; "return" and "accuracy" of the controller;
    "planned", the mean return of a planner and its interval; "first" and "last", the spread of each number of z before
    and after training; "rank", how many numbers z fills (see `effective_rank`); "missed", "told" and "curve", what the
    loss said of prediction, of pushes and of the mean spread after each epoch; and "probes" (see `probed`).
    """
    beliefs = [controllers.beliefs_of(model, part) for part in splits]
    z = beliefs[0][:, : model.latent_size]
    games, limit = PLANNED
    steps, _ = controllers.belief_returns(model, planner(model), games, limit=limit)
    told = {"missed": "missed", "told": "told", "curve": "spread"}
    said = {name: model.history.get(f"prediction validation {term}", np.empty(0)) for name, term in told.items()}
    return drifted(model, windows) | played(model, splits, seed, GAMES) | {
        "planned": [round(value, 1) for value in controllers.mean_interval(steps)],
        "first": model.first_spread.tolist(), "last": z.std(0).tolist(), "rank": effective_rank(z),
        "probes": probed(model, beliefs, splits, seed),
    } | {name: [float(f"{value:.4g}") for value in values] for name, values in said.items()}  # fmt: skip


def effective_rank(z):
    """Return how many directions z (M, Z) fills: e to the entropy of its covariance's spectrum (Roy & Vetterli 2007).

    It asks for shares alone, and so does not notice that z shrinks.
    """
    shares = torch.linalg.eigvalsh(torch.cov(z.double().T)).clamp(min=0)
    shares = shares / shares.sum().clamp(min=1e-300)
    return float(torch.exp(-(shares * shares.clamp(min=1e-300).log()).sum()))


def probed(model, beliefs, splits, seed):
    """Return what small networks read of the true state: {name: {"explained": (S,), "missed": (S,)}}.

    "raw" reads z as it is, "standardised" z in units of its spread, "belief" all of the belief, standardised.
    "explained" is the share of variance on validation episodes, "missed" the median error in the state's units.
    """
    truths = [torch.from_numpy(part.states).float() for part in splits]
    Z, found = model.latent_size, {}
    for name, size in (("raw", Z), ("standardised", Z), ("belief", model.state_size)):
        probe = probes.mlp_probe(beliefs[0][:, :size], truths[0], seed, standardised=name != "raw")
        guess = probe(beliefs[1][:, :size])
        found[name] = {
            "explained": [round(float(value), 4) for value in probes.r_squared(guess, truths[1])],
            "missed": [float(f"{value:.4g}") for value in (guess - truths[1]).abs().median(0).values],
        }
    return found
