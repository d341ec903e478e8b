"""From nothing to a balanced pole: random games, a model, an actor of its dreams, better games, and again.

Nothing but frames, pushes, and whether a game ended comes from the world; every step in it is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..data.episodes import Episodes
from ..models.position_velocity import PositionVelocity
from ..models.stepwise import stepwise
from ..models.training import one_thread, seeded, train
from ..world.preprocessing import from_bytes
from ..world.worlds import CARTPOLE
from .actor_training import Evolution, by_evolution
from .dreamt_games import Known, where_dreams_begin

ROUNDS = (500, 1000, 1500, 2000, 3000, 5000, 7500, 10_000)  # real steps played when it learns anew
COINS = (0.0, 0.6)  # share of a game's pushes that are coins, drawn evenly from here
EARLY = 20  # frames of a game among which dreams begin: where games begin, and not where the last actor drifted to
WHOLE_GAMES = Evolution(steps=500, generations=20)  # it dreams of as many steps as a game has


@dataclass
class Player:
    """Who sees one frame after another, carries a model's belief, and lets an actor push."""

    model: PositionVelocity
    act: Callable  # maps a belief (1, D) to a push (1,)

    def begin(self):
        """Forget the game before."""
        self.belief = None

    @torch.no_grad()
    def push(self, frame, before):
        """Return the next push: frame (1, H, W) uint8, before: the push that led to it."""
        model = stepwise(self.model, ("see", "begin", "update"))
        code = model.see(torch.from_numpy(from_bytes(frame)))
        if self.belief is None:
            self.belief = model.begin(code)
        else:
            self.belief = model.update(
                self.belief, torch.tensor([before]), code
            )
        return int(self.act(self.belief)[0])


def played(player, steps, seed, coins=COINS, world=CARTPOLE):
    """Play games of exactly so many steps in all, the last one broken off: a list of dicts, as Episodes' fields are.

    player: Player, or None for coins alone; coins: see COINS.
    """
    rng, games = np.random.default_rng(seed), []
    while steps > 0:
        games.append(_game(player, min(steps, world.time_limit), rng, coins, world))
        steps -= len(games[-1]["actions"])
    return games


def _game(player, limit, rng, coins, world):
    chance = torch.Generator().manual_seed(int(rng.integers(2**31)))
    state, share = world.reset(1, chance)[0], rng.uniform(*coins)
    states, frames, actions = [state], [world.draw(state[None].numpy(), workers=1)], []
    if player:
        player.begin()
    while len(actions) < limit and not world.fallen(state):
        push = int(rng.integers(world.actions))
        if player:
            asked = player.push(frames[-1], actions[-1] if actions else 0)
            push = asked if rng.random() >= share else push
        actions.append(push)
        state = world.step(state, torch.tensor(push), chance)
        states.append(state)
        frames.append(world.draw(state[None].numpy(), workers=1))
    fell, ends = bool(world.fallen(state)), np.arange(1, len(actions) + 1) == len(actions)
    return {
        "frames": np.concatenate(frames), "states": torch.stack(states).numpy(), "actions": np.array(actions),
        "rewards": np.ones(len(actions), np.float32), "terminated": ends & fell, "truncated": ends & (not fell),
    }  # fmt: skip


def joined(games, seed, world=CARTPOLE):
    """Return Episodes of played games; `seed` decides their split: a fifth, "test", was counted and teaches nothing."""
    return Episodes.from_episodes(games, seed, world)


def taught(episodes, seed):
    """Train a PositionVelocity, eyes too, on the training split of these games; no pen, nobody looks at its dreams."""
    parts = [episodes.split(name) for name in ("train", "validation")]
    with one_thread(), seeded(seed):
        model = PositionVelocity()
        model.eyes.fit(torch.from_numpy(from_bytes(parts[0].frames)))
        model.eyes.requires_grad_(False)
        for lesson in model.lessons(*parts):
            train(model, lesson.loss, lesson.data, lesson.validation, lesson.budget, seed, bar=False)
    return model.eval().requires_grad_(False)


def learned(
    games, seed, budget=WHOLE_GAMES, cautious=True, within=EARLY
):
    """Learn a model from games, and an actor in its dreams: (model, Actor, dreamt).

    dreamt: steps that dreams of the last generation were expected to last, in the mean; cautious: whether a dream is
    over outside of what games have met; within: see `where_dreams_begin`.
    """
    episodes = joined(games, seed)
    model = taught(episodes, seed)
    met = where_dreams_begin(model, episodes)
    known = Known(met) if cautious else None
    begins = where_dreams_begin(model, episodes, within)
    actor, dreamt = by_evolution(
        model, begins, budget, seed=seed, known=known
    )
    return model, actor, float(dreamt[-1])
