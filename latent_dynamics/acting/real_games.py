"""Real games, one at a time, by Gymnasium's own `step` and `render`: what a player is worth beyond our own physics."""

import gymnasium as gym
import numpy as np
import torch

from ..models.stepwise import stepwise
from ..world.preprocessing import preprocess
from .held_pushes import plans
from .planning import survival


class Dreamer:
    """A player who sees frames and carries a world model's belief; `decide` maps a belief (1, D) to a push."""

    def __init__(self, model, decide):
        self.model, self.decide = stepwise(model, ("see", "begin", "update")), decide

    def begin(self):
        """Forget the game before."""
        self.belief = self.pushed = None

    @torch.no_grad()
    def act(self, picture, _):
        """Return the next push, 0 or 1: picture (400, 600, 3) uint8, as Gymnasium renders it."""
        code = self.model.see(torch.from_numpy(preprocess(picture))[None])
        if self.belief is None:
            self.belief = self.model.begin(code)
        else:
            self.belief = self.model.update(self.belief, self.pushed, code)
        self.pushed = torch.tensor([int(self.decide(self.belief))])
        return int(self.pushed)


class Acting(Dreamer):
    """A Dreamer whose actor was trained in dreams, on the model's own D numbers."""

    def __init__(self, model, actor):
        super().__init__(model, lambda belief: actor.act(belief[:, : model.state_size])[0])


class Planning(Dreamer):
    """A Dreamer who plans by a `planning.Planner`."""

    def __init__(self, model, planner):
        super().__init__(model, self._decide)
        self.planner = planner

    def begin(self):
        super().begin()
        self.chances = None

    def _decide(self, belief):
        own = belief[:, : self.planner.model.state_size]
        self.chances = self.planner.plan(own, self.chances)
        return self.chances[0, 0] > 0.5

    @torch.no_grad()
    def planned(self):
        """Draw where the likeliest plan leads that begins with the push just made: a frame (H, W) in [0, 1]."""
        model, own = self.planner.model, self.belief[:, : self.planner.model.state_size]
        every = plans(self.planner.decisions, self.planner.held)
        every = every[every[:, 0] == self.pushed]
        best = survival(model, own, every[None]).argmax(1)
        return model.decode(model.imagine(own, every[best]))[0, -1].numpy()


class Sighted:
    """A player who is shown the true state instead of frames: `decide` maps it (S,) to a push."""

    def __init__(self, decide):
        self.decide = decide

    def begin(self):
        """There is nothing to forget."""

    def act(self, _, state):
        """Return the next push, 0 or 1: state (S,) float64."""
        return int(self.decide(state))


def play(player, environment, seed, limit=500, watch=None):
    """Play one game in a Gymnasium environment until it ends, or for `limit` steps; returns its return.

    environment: what `gymnasium.make(..., render_mode="rgb_array")` gave; watch(picture, player): called with each
    frame, after the player has seen it and decided.
    """
    observation, info = environment.reset(seed=seed)
    player.begin()
    total = 0.0
    for _ in range(limit):
        picture = environment.render()
        push = player.act(picture, np.asarray(info.get("state", observation), dtype=np.float64))
        if watch is not None:
            watch(picture, player)
        observation, reward, terminated, truncated, info = environment.step(push)
        total += float(reward)
        if terminated or truncated:
            break
    return total


def make(world):
    """Make a world's Gymnasium environment, which draws what it shows."""
    return gym.make(world.environment, render_mode="rgb_array")
