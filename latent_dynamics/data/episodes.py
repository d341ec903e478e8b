"""The data set: whole episodes, split by episode, and cut into transitions or windows.

An episode of T steps has T + 1 frames. Everywhere in this book `actions[t]` is taken at frame t and leads to
frame t + 1; `rewards[t]` and `terminated[t]` are what the environment said on arriving there.
"""

from dataclasses import dataclass, fields

import numpy as np

from ..world.preprocessing import from_bytes
from ..world.worlds import CARTPOLE, World, world_called

SPLITS = {"train": (0.0, 0.7), "validation": (0.7, 0.8), "test": (0.8, 1.0)}


@dataclass(frozen=True)
class Episodes:
    """E episodes, laid end to end. F frames in all, F - E steps."""

    frames: np.ndarray  # (F, H, W) uint8
    states: np.ndarray  # (F, S) float64: the world's true states; for judging only
    actions: np.ndarray  # (F - E,) int64
    rewards: np.ndarray  # (F - E,) float32
    terminated: np.ndarray  # (F - E,) bool: the pole fell or the cart left the track
    truncated: np.ndarray  # (F - E,) bool: the time limit of 500 steps ended the episode
    lengths: np.ndarray  # (E,) int64: steps of each episode
    seed: int = 0  # decides which episode falls into which split
    world: World = CARTPOLE  # where they were played

    def __post_init__(self):
        if len(self.lengths) == 0:
            raise ValueError("an empty data set: it holds no episode; collect at least one")
        steps, frames = int(self.lengths.sum()), int((self.lengths + 1).sum())
        rows_of_steps = dict.fromkeys(("actions", "rewards", "terminated", "truncated"), steps)
        for name, wanted in {"frames": frames, "states": frames, **rows_of_steps}.items():
            if len(getattr(self, name)) != wanted:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows; the episode lengths call for {wanted}")

    def __len__(self):
        return len(self.lengths)

    @property
    def first_frames(self):
        """Where each episode's frames begin: (E,)."""
        return np.concatenate([[0], np.cumsum(self.lengths + 1)[:-1]])

    @property
    def first_steps(self):
        """Where each episode's steps begin: (E,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)[:-1]])

    @property
    def before(self):
        """The number of the frame at which each action was taken: (F - E,)."""
        return np.arange(len(self.actions)) + np.repeat(np.arange(len(self)), self.lengths)

    @property
    def episode_of_frame(self):
        """The number of the episode to which each frame belongs: (F,)."""
        return np.repeat(np.arange(len(self)), self.lengths + 1)

    def __getitem__(self, index):
        """One episode, as a data set of one; or several, from a slice or a list of numbers."""
        if np.isscalar(index):
            index = [index]
        chosen = np.arange(len(self))[index]
        frames = np.isin(self.episode_of_frame, chosen)
        steps = np.isin(np.repeat(np.arange(len(self)), self.lengths), chosen)
        return Episodes(
            self.frames[frames], self.states[frames], self.actions[steps], self.rewards[steps],
            self.terminated[steps], self.truncated[steps], self.lengths[np.sort(chosen)], self.seed, self.world,
        )  # fmt: skip

    def split(self, name):
        """Return the episodes of "train", "validation" or "test". No episode is in two of them."""
        if name not in SPLITS:
            raise ValueError(f"no split called {name!r}; there are {', '.join(SPLITS)}")
        order = np.random.default_rng(self.seed).permutation(len(self))
        low, high = (round(share * len(self)) for share in SPLITS[name])
        return self[np.sort(order[low:high])]

    def transitions(self):
        """Return (o, a, o', r, terminated, truncated), a row a step: frames are uint8 (F - E, H, W)."""
        return (
            self.frames[self.before], self.actions, self.frames[self.before + 1],
            self.rewards, self.terminated, self.truncated,
        )  # fmt: skip

    def window_starts(self, steps, stride=1):
        """Return where windows of `steps` steps begin: frame numbers (M,), step numbers (M,), episode numbers (M,).

        No window crosses from one episode into the next.
        """
        if steps < 1:
            raise ValueError(f"a window of {steps} steps; it needs at least 1")
        if steps > self.lengths.max():
            raise ValueError(f"no episode is {steps} steps long; the longest has {self.lengths.max()}")
        starts = [np.arange(0, max(0, length - steps + 1), stride) for length in self.lengths]
        episode = np.repeat(np.arange(len(self)), [len(s) for s in starts])
        offset = np.concatenate(starts)
        return self.first_frames[episode] + offset, self.first_steps[episode] + offset, episode

    def windows(self, steps, stride=1):
        """Return frames (M, steps + 1, H, W) float32, actions (M, steps), states (M, steps + 1, S)."""
        frame, step, _ = self.window_starts(steps, stride)
        at_frames, at_steps = frame[:, None] + np.arange(steps + 1), step[:, None] + np.arange(steps)
        return from_bytes(self.frames[at_frames]), self.actions[at_steps], self.states[at_frames]

    def arrays(self):
        """Return every field by name: what is saved. The world is saved by its name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)} | {
            "world": np.array(self.world.name)
        }

    @classmethod
    def from_arrays(cls, arrays):
        """Rebuild the data set from `arrays()`."""
        return cls(**arrays | {"seed": int(arrays["seed"]), "world": world_called(str(arrays["world"]))})
