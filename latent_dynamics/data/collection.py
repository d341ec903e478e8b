"""Plays episodes and records what the camera saw, what was done, and what came of it.

Each episode has its own random stream, made from the data set's seed and the episode's number. So the data
are the same whatever the number of processes that play them.
"""

from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from ..world.devices import made_on
from ..world.policies import POLICIES
from ..world.preprocessing import DEFAULT
from ..world.processes import pool
from ..world.worlds import CARTPOLE
from .episodes import Episodes

EPISODES_AT_ONCE = 32  # handed out to other processes together


@made_on("cpu")
def play_episode(seed, number, policy, world=CARTPOLE, view=DEFAULT):
    """Play one episode: a dict of its frames (T + 1, H, W) uint8, states (T + 1, S), actions (T,) and so on."""
    stream = np.random.SeedSequence(entropy=seed, spawn_key=(number,))
    act = policy if callable(policy) else POLICIES[policy](np.random.default_rng(stream), world)
    chance = torch.Generator()
    chance.manual_seed(int(stream.generate_state(1)[0]))
    state = world.reset(1, chance)[0]
    states, actions = [state], []
    while len(actions) < world.time_limit and not world.fallen(state):
        actions.append(_allowed(act(state), world))
        state = world.step(state, torch.tensor(actions[-1]), chance)
        states.append(state)
    states, steps = torch.stack(states).numpy(), len(actions)
    ends = np.arange(1, steps + 1) == steps
    return {
        "frames": world.draw(states, view, workers=1), "states": states, "actions": np.array(actions),
        "rewards": np.ones(steps, np.float32), "terminated": ends & bool(world.fallen(state)),
        "truncated": ends & (steps == world.time_limit),
    }  # fmt: skip


def _allowed(action, world):
    """Return a policy's action as an int; raises ValueError for what is none of the world's."""
    if np.ndim(action) or not np.isin(action, range(world.actions)):
        raise ValueError(f"the policy returned {action!r}; expected a whole number from 0 to {world.actions - 1}")
    return int(action)


def collect(policy="mixed", steps=1_000, seed=0, workers=None, world=CARTPOLE, view=DEFAULT):
    """Play episodes 0, 1, 2, ... until they hold at least `steps` transitions.

    policy: "random", "mixed", or a function of your own, from a state (S,) to an action; workers: processes (default:
    as many as pay); world: World; view: View, what is kept of the screen. Returns Episodes.
    Raises ValueError for an unknown policy or action, and for a step count below 1.
    """
    if not callable(policy) and policy not in POLICIES:
        raise ValueError(f"no policy called {policy!r}; there are {', '.join(POLICIES)}, or a function of your own")
    if steps < 1:
        raise ValueError(f"asked for {steps} transitions; ask for at least 1")
    played, have = [], 0
    named = getattr(policy, "__name__", policy)
    with tqdm(total=steps, desc=f"collecting {named}", unit=" steps") as bar, pool(workers, steps) as run:
        while have < steps:
            numbers = range(len(played), len(played) + (1 if run is map else EPISODES_AT_ONCE))
            for episode in run(partial(play_episode, seed, policy=policy, world=world, view=view), numbers):
                if have < steps:
                    played.append(episode)
                    have += len(episode["actions"])
                    bar.update(min(len(episode["actions"]), max(0, bar.total - bar.n)))
    return Episodes.from_episodes(played, seed, world, view)
