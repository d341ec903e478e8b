"""Plays episodes and records what the camera saw, what was done, and what came of it.

Each episode has its own random stream, made from the data set's seed and the episode's number. So the data
are the same whatever the number of processes that play them.
"""

from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from ..world.policies import POLICIES
from ..world.processes import pool
from ..world.worlds import CARTPOLE
from .episodes import Episodes

EPISODES_AT_ONCE = 32  # handed out together; also what is collected beyond the wanted number, at most


def play_episode(seed, number, policy, world=CARTPOLE):
    """Play one episode: a dict of its frames (T + 1, H, W) uint8, states (T + 1, S), actions (T,) and so on."""
    stream = np.random.SeedSequence(entropy=seed, spawn_key=(number,))
    act, chance = POLICIES[policy](np.random.default_rng(stream), world), torch.Generator()
    chance.manual_seed(int(stream.generate_state(1)[0]))
    state = world.reset(1, chance)[0]
    states, actions = [state], []
    while len(actions) < world.time_limit and not world.fallen(state):
        actions.append(act(state))
        state = world.step(state, torch.tensor(actions[-1]), chance)
        states.append(state)
    states, steps = torch.stack(states).numpy(), len(actions)
    ends = np.arange(1, steps + 1) == steps
    return {
        "frames": world.draw(states, workers=1), "states": states, "actions": np.array(actions),
        "rewards": np.ones(steps, np.float32), "terminated": ends & bool(world.fallen(state)),
        "truncated": ends & (steps == world.time_limit),
    }  # fmt: skip


def collect(policy, steps, seed=0, workers=None, world=CARTPOLE):
    """Play episodes 0, 1, 2, ... until they hold at least `steps` transitions.

    policy: "random" or "mixed"; workers: processes (default: as many as pay); world: World. Returns Episodes.
    Raises ValueError for an unknown policy or a step count below 1.
    """
    if policy not in POLICIES:
        raise ValueError(f"no policy called {policy!r}; there are {', '.join(POLICIES)}")
    if steps < 1:
        raise ValueError(f"asked for {steps} transitions; ask for at least 1")
    played, have = [], 0
    with tqdm(total=steps, desc=f"collecting {policy}", unit=" steps") as bar, pool(workers, steps) as run:
        while have < steps:
            numbers = range(len(played), len(played) + EPISODES_AT_ONCE)
            for episode in run(partial(play_episode, seed, policy=policy, world=world), numbers):
                if have < steps:
                    played.append(episode)
                    have += len(episode["actions"])
                    bar.update(min(len(episode["actions"]), max(0, bar.total - bar.n)))
    joined = {name: np.concatenate([episode[name] for episode in played]) for name in played[0]}
    lengths = np.array([len(episode["actions"]) for episode in played])
    return Episodes(**joined, lengths=lengths, seed=seed, world=world)
