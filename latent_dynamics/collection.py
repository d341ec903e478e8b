"""Plays episodes and records what the camera saw, what was done, and what came of it.

Each episode has its own random stream, made from the data set's seed and the episode's number. So the data
are the same whatever the number of processes that play them.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from .cartpole import POLICIES, Screen, make
from .episodes import Episodes
from .preprocessing import DEFAULT, to_bytes

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

    policy: "random" or "mixed"; workers: processes (default: one a core). Returns Episodes.
    Raises ValueError for an unknown policy or a step count below 1.
    """
    if policy not in POLICIES:
        raise ValueError(f"no policy called {policy!r}; there are {', '.join(POLICIES)}")
    if steps < 1:
        raise ValueError(f"asked for {steps} transitions; ask for at least 1")
    played, have = [], 0
    with tqdm(total=steps, desc=f"collecting {policy}", unit=" steps") as bar, _pool(workers) as run:
        while have < steps:
            numbers = range(len(played), len(played) + EPISODES_AT_ONCE)
            for episode in run(partial(play_episode, seed, policy=policy), numbers):
                if have < steps:
                    played.append(episode)
                    have += len(episode["actions"])
                    bar.update(min(len(episode["actions"]), max(0, bar.total - bar.n)))
    return _joined(played, seed)


def collect_episodes(policy, count, seed=0, workers=None):
    """Play episodes 0 to count - 1 of a data set: Episodes. What `collect` plays of the same seed begins with them."""
    with _pool(workers) as run:
        return _joined(list(run(partial(play_episode, seed, policy=policy), range(count))), seed)


def _joined(played, seed):
    """Lay episodes end to end: Episodes."""
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
    with _pool(workers if len(parts) > 8 else 1) as run:
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


class _pool:
    """Gives `run(function, items)`: map over processes, or plainly in this one when there is only one worker.

    Processes are spawned, not forked: a fork of a process that runs torch's threads can hang.
    """

    def __init__(self, workers):
        self.workers = workers or os.cpu_count() or 1

    def __enter__(self):
        if self.workers == 1:
            return map
        self.executor = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
        return partial(self.executor.map, chunksize=2)

    def __exit__(self, kind, error, _):
        if self.workers > 1:
            self.executor.shutdown(cancel_futures=True)
        if kind is BrokenProcessPool:
            raise RuntimeError(
                "the processes that draw frames could not be started. In a script, put what it does under "
                '`if __name__ == "__main__":`, because each of them imports the script; or ask for workers=1.'
            ) from error
