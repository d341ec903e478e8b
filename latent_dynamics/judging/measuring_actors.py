"""What actors that were trained in dreams are worth: in the dream they were trained in, and in the real environment."""

import time

import torch

from ..acting.actor_training import WAYS, Evolution, by_evolution
from ..acting.controllers import belief_returns
from ..acting.dreamt_games import dreamt_return, where_dreams_begin
from ..acting.from_nothing import EARLY
from ..world.worlds import CARTPOLE

GAMES, SEED = 100, 20_000  # that an actor plays, from starts that nothing was chosen on: a planner's, too
FEWER = 40  # games, where many actors are compared
LENGTHS = (30, 60, 120, 200, 500)  # steps of the dreams that one is trained in
TEMPERATURES = (0.0, 0.5, 1.0, 1.5, 2.0)  # of the noise in its dreams


def by_rung(model, episodes, seed):
    """Train an actor each way in a model's dreams: {way: what `judged` finds, "seconds", "history"}."""
    begins, found = where_dreams_begin(model, episodes), {}
    for way, (train, budget) in WAYS.items():
        begun = time.perf_counter()
        actor, history = train(model, begins, budget(), seed=seed)
        seconds = round(time.perf_counter() - begun, 1)
        found[way] = judged(model, actor, episodes) | {"seconds": seconds, "history": _short(history)}
    return found


def by_length(model, episodes, seed):
    """Evolve actors in dreams of several lengths: {length: what `judged` finds}."""
    begins, found = where_dreams_begin(model, episodes), {}
    for steps in LENGTHS:
        actor, _ = by_evolution(model, begins, Evolution(steps=steps), seed=seed)
        found[str(steps)] = judged(model, actor, episodes, games=FEWER)
    return found


def by_temperature(model, episodes, seed, world, temperatures=TEMPERATURES, games=FEWER):
    """Evolve actors in dreams of several temperatures, and play in a world of chance: {temperature: figures}."""
    begins = where_dreams_begin(model, episodes)
    return {
        str(tau): judged(
            model, by_evolution(model, begins, temperature=tau, seed=seed)[0], episodes, tau, games, world
        )
        for tau in temperatures
    }


@torch.no_grad()
def judged(model, actor, episodes, temperature=0.0, games=GAMES, world=CARTPOLE):
    """Let an actor play whole games in the dream and in the real environment.

    Returns "dreamt", how many steps the model expects of games that begin as recorded ones did, and "real", returns.
    """
    begins = where_dreams_begin(model, episodes, EARLY)
    chance = torch.Generator().manual_seed(SEED)
    some = begins[torch.randperm(len(begins), generator=chance)[:games]]
    dreamt = dreamt_return(model, actor.act, some, world.time_limit, temperature, chance)
    real, _ = belief_returns(model, lambda beliefs: actor.act(beliefs[:, : model.state_size]), games, SEED, world=world)
    return {"dreamt": round(float(dreamt.mean()), 1), "real": [int(one) for one in real]}


def _short(values):
    return [round(float(one), 1) for one in values]
