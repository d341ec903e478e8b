"""How much of the world it takes to learn to balance from nothing, and what is wrong with the first model of all."""

import copy

import numpy as np
import torch

from ..acting.actor_training import by_evolution
from ..acting.controllers import belief_returns, returns
from ..acting.dreamt_games import Known, where_dreams_begin
from ..acting.ensembles import AGREED, Ensemble
from ..acting.from_nothing import EARLY, ROUNDS, WHOLE_GAMES, Player, joined, learned, played, taught
from ..models.training import train
from ..world.worlds import CARTPOLE

GAMES, SEED = 40, 20_000  # that judge each round's actor, and the last one's; no step of them is learned from
LAST_GAMES = 100
FIRST, MORE = 500, 4_000  # random steps of a first model, and of one that has seen enough
EXPLORED = (250, 1000, 2000)  # random steps, beside FIRST, to see how long one must explore
MEMBERS = 3  # models of an ensemble
FAR = 2.0  # metres from the middle


def rounds(seed, cautious=True, within=EARLY, until=ROUNDS, keep=lambda name, key, make: make()):
    """Learn from nothing, by `until` steps of the world: [{"steps", "games", "dreamt", "real", "edge"}, ...].

    "games": played by then; "dreamt": see `from_nothing.learned`; "real": (GAMES,)
    returns, LAST_GAMES after the last round; "edge": share of these that end far from the middle. keep: such as
    `store.kept`, keeps each round as soon as it is over, so that a run cut off at any point goes on where it was.
    """
    games, found = played(None, until[0], [seed, 0]), []
    key = {"seed": seed, "cautious": cautious, "within": within}
    for n in range(len(until)):
        name = f"from_nothing-seed{seed}-{until[n]}"

        def make(n=n, games=games):
            return _round(games, seed, cautious, within, until, n)

        arrays, meta = keep(name, key | {"until": list(until[: n + 2])}, make)
        found.append(meta["figures"])
        games = games + _apart(arrays)
    return found


def _round(games, seed, cautious, within, until, n):
    """Learn from all games; judge, and play on: what is new, as arrays, and figures."""
    model, actor, dreamt = learned(games, seed, cautious=cautious, within=within)
    last = n + 1 == len(until)
    real, ends = belief_returns(model, actor.act, LAST_GAMES if last else GAMES, SEED)
    figures = {"steps": until[n], "games": len(games), "dreamt": round(dreamt, 1), "real": [int(one) for one in real]}
    figures["edge"] = round(float((np.abs(ends[:, 0]) > FAR).mean()), 3)
    new = [] if last else played(Player(model, actor.act), until[n + 1] - until[n], [seed, n + 1])
    fields = {name: np.concatenate([game[name] for game in new]) for name in games[0]} if new else {}
    lengths = np.array([len(game["actions"]) for game in new], dtype=np.int64)
    return fields | {"lengths": lengths}, {"figures": figures}


def _apart(arrays):
    """Take games apart that were kept end to end."""
    lengths, games = arrays["lengths"], []
    frames, steps = np.cumsum([0, *(lengths + 1)]), np.cumsum([0, *lengths])
    for n in range(len(lengths)):
        games.append({
            name: rows[slice(*(frames if name in ("frames", "states") else steps)[n : n + 2])]
            for name, rows in arrays.items() if name != "lengths"
        })  # fmt: skip
    return games


def first_models(seed):
    """Find out what a first model has wrong, and what helps: {"coins": returns, what was tried: {"dreamt", "real"}}.

    A first model has seen FIRST steps of coins, and dreams from any frame of them. Its mechanics, or its belief in what
    ends a game, are learned again from MORE steps, each alone; it dreams with caution, or as one of an ensemble; or it
    has explored less, or longer.
    """
    games = played(None, MORE, [seed, 0])
    first = joined(_upto(games, FIRST), seed)
    model = taught(first, seed)
    begins = where_dreams_begin(model, first)
    found = {"coins": {"real": [int(one) for one in returns(_coins(seed), GAMES, SEED)]}}

    def judge(name, model, begins, known=None):
        actor, dreamt = by_evolution(model, begins, WHOLE_GAMES, seed=seed, known=known)
        real, _ = belief_returns(model, actor.act, GAMES, SEED)
        found[name] = {"dreamt": round(float(dreamt[-1]), 1), "real": [int(one) for one in real]}

    judge("as it is", model, begins)
    judge("cautious", model, begins, Known(begins))
    for part in ("dreams", "goes on"):
        better = relearned(model, joined(games, seed), part, seed)
        judge(f"{part} of {MORE} steps", better, where_dreams_begin(better, first))
    members = [model] + [taught(first, seed + 1000 * n) for n in range(1, MEMBERS)]
    for agreed in AGREED:
        several = Ensemble(members, agreed)
        judge(f"ensemble, {agreed}", several, where_dreams_begin(several, first))
    for steps in EXPLORED:
        explored = joined(_upto(games, steps), seed)
        taught_by_it = taught(explored, seed)
        judge(f"{steps} steps", taught_by_it, where_dreams_begin(taught_by_it, explored))
    return found


def relearned(model, episodes, part, seed):
    """Return a copy of a model that has learned one lesson again, "dreams" or "goes on", in the units that it has."""
    model = copy.deepcopy(model).requires_grad_(True)
    model.eyes.requires_grad_(False)
    units = model.mean.clone(), model.spread.clone()
    for lesson in model.lessons(episodes.split("train"), episodes.split("validation")):
        model.mean.copy_(units[0])
        model.spread.copy_(units[1])
        if lesson.name.startswith(part):
            train(model, lesson.loss, lesson.data, lesson.validation, lesson.budget, seed, bar=False)
    return model.eval().requires_grad_(False)


def _upto(games, steps):
    """The first games, whole ones, that hold at least so many steps."""
    taken = []
    for game in games:
        if steps <= 0:
            break
        taken.append(game)
        steps -= len(game["actions"])
    return taken


def _coins(seed):
    chance = np.random.default_rng(seed)
    return lambda states: torch.from_numpy(chance.integers(0, CARTPOLE.actions, len(states)))
