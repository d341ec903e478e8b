"""Plays episodes and records what the camera saw, what was done, and what came of it.

Each episode has its own random stream, made from the data set's seed and the episode's number. So the data
are the same whatever the number of processes that play them.
"""

from functools import partial

import numpy as np
from tqdm import tqdm

from ..world.cartpole import POLICIES, Screen, make
from ..world.preprocessing import DEFAULT, to_bytes
from ..world.processes import pool
from .episodes import Episodes

EPISODES_AT_ONCE = 32  # handed out together; also what is collected beyond the wanted number, at most


def play_episode(seed, number, policy):
    """Play one episode: a dict of its frames (T + 1, H, W) uint8, states (T + 1, 4), actions (T,) and so on."""
    stream = np.random.SeedSequence(entropy=seed, spawn_key=(number,))
    env, screen, act = make(), _screen(), POLICIES[policy](np.random.default_rng(stream))
    env.reset(seed=int(stream.generate_state(1)[0]))
    states, frames, steps, done = [env.unwrapped.state], [], [], False
    while not done:
        frames.append(to_bytes(screen.view(states[-1])))
        action = act(states[-1])
        _, reward, terminated, truncated, _ = env.step(action)
        states.append(env.unwrapped.state)
        steps.append((action, reward, terminated, truncated))
        done = terminated or truncated
    frames.append(to_bytes(screen.view(states[-1])))
    actions, rewards, terminated, truncated = map(np.array, zip(*steps, strict=True))
    return {
        "frames": np.stack(frames), "states": np.stack(states), "actions": actions,
        "rewards": rewards.astype(np.float32), "terminated": terminated, "truncated": truncated,
    }  # fmt: skip


def collect(policy, steps, seed=0, workers=None):
    """Play episodes 0, 1, 2, ... until they hold at least `steps` transitions.

    policy: "random" or "mixed"; workers: processes (default: as many as pay). Returns Episodes.
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
            for episode in run(partial(play_episode, seed, policy=policy), numbers):
                if have < steps:
                    played.append(episode)
                    have += len(episode["actions"])
                    bar.update(min(len(episode["actions"]), max(0, bar.total - bar.n)))
    joined = {name: np.concatenate([episode[name] for episode in played]) for name in played[0]}
    lengths = np.array([len(episode["actions"]) for episode in played])
    return Episodes(**joined, lengths=lengths, seed=seed)


def draw(states, view=DEFAULT, workers=None):
    """Draw true states as the renderer does: (..., 4) -> model frames (..., *view.shape) uint8."""
    states = np.asarray(states, dtype=np.float64)
    flat = states.reshape(-1, 4)
    if len(flat) == 0:
        return np.zeros((*states.shape[:-1], *view.shape), np.uint8)
    parts = np.array_split(flat, max(1, len(flat) // 512))
    with pool(workers, len(flat)) as run:
        frames = np.concatenate(list(run(partial(_draw_some, view=view), parts)))
    return frames.reshape(*states.shape[:-1], *view.shape)


def _draw_some(states, view):
    return np.stack([to_bytes(_screen().view(state), view) for state in states])


_SCREENS = []


def _screen():
    """One screen a process: opening one costs as much as many frames."""
    if not _SCREENS:
        _SCREENS.append(Screen())
    return _SCREENS[0]
