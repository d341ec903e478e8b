"""The data set: whole episodes, split by episode, and cut into transitions or windows.

An episode of T steps has T + 1 frames. Everywhere in this book `actions[t]` is taken at frame t and leads to
frame t + 1; `rewards[t]` and `terminated[t]` are what the environment said on arriving there.
"""

import json
from dataclasses import MISSING, asdict, dataclass, fields, replace

import numpy as np

from ..world.preprocessing import DEFAULT, View, from_bytes
from ..world.worlds import CARTPOLE, World, world_called
from . import own

SPLITS = {"train": (0.0, 0.7), "validation": (0.7, 0.8), "test": (0.8, 1.0)}


@dataclass(frozen=True)
class Episodes:
    """E episodes, laid end to end. F frames in all, F - E steps."""

    frames: np.ndarray  # (F, H, W) uint8
    states: np.ndarray  # (F, S) float64: the world's true states, for judging only; (F, 0) where nobody knows them
    actions: np.ndarray  # (F - E,) int64
    rewards: np.ndarray  # (F - E,) float32
    terminated: np.ndarray  # (F - E,) bool: the pole fell or the cart left the track
    truncated: np.ndarray  # (F - E,) bool: the time limit of 500 steps ended the episode
    lengths: np.ndarray  # (E,) int64: steps of each episode
    seed: int = 0  # decides which episode falls into which split
    world: World = CARTPOLE  # where they were played
    view: View = DEFAULT  # what the frames show of the screen
    numbers: np.ndarray | None = None  # (E,) int64: each one's number in the whole data set, to which its split belongs
    of: int | None = None  # how many episodes the whole data set has
    part: str = ""  # which split of it these are

    def __post_init__(self):
        if len(self.lengths) == 0:
            raise ValueError("an empty data set: it holds no episode; collect at least one")
        if self.frames.dtype != np.uint8:
            raise TypeError(f"frames are {self.frames.dtype}; expected bytes, uint8 from 0 to 255")
        if (self.numbers is None) != (self.of is None):
            raise ValueError("episodes' `numbers` say nothing without `of`, how many the whole data set has; give both")
        if self.numbers is None:
            object.__setattr__(self, "numbers", np.arange(len(self.lengths)))
            object.__setattr__(self, "of", len(self.lengths))
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

    @property
    def know_the_truth(self):
        """Whether the true states are known."""
        return self.states.shape[1] > 0

    def __getitem__(self, index):
        """One episode, as a data set of one; or several, in any order, as numpy chooses from an array of them."""
        chosen = np.atleast_1d(np.arange(len(self))[index])
        frames = _rows(self.first_frames[chosen], self.lengths[chosen] + 1)
        steps = _rows(self.first_steps[chosen], self.lengths[chosen])
        return replace(
            self, frames=self.frames[frames], states=self.states[frames], lengths=self.lengths[chosen],
            numbers=self.numbers[chosen], **{name: getattr(self, name)[steps] for name in own.OF_STEPS},
        )  # fmt: skip

    def split(self, name):
        """Return the episodes of "train", "validation" or "test". No episode is in two of them.

        An episode's split belongs to its number in the whole data set: some of the episodes, chosen before, are split
        as all of them are. Raises ValueError for a split of a split, and where no episode is left.
        """
        if name not in SPLITS:
            raise ValueError(f"no split called {name!r}; there are {', '.join(SPLITS)}")
        if self.part:
            raise ValueError(f"these episodes are the split {self.part!r} already; take {name!r} of the whole data set")
        order = np.random.default_rng(self.seed).permutation(self.of)
        low, high = (round(share * self.of) for share in SPLITS[name])
        chosen = np.flatnonzero(np.isin(self.numbers, order[low:high]))
        if len(chosen) == 0:
            raise ValueError(f"none of these {len(self)} episodes lies in the split {name!r}; take more of them")
        return replace(self[chosen], part=name)

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
        """Return every field by name: what is saved. The world is saved by its name, the view as JSON."""
        told = {"world": self.world.name, "view": json.dumps(asdict(self.view))}
        return {field.name: np.asarray(told.get(field.name, getattr(self, field.name))) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays):
        """Rebuild the data set from `arrays()`; what has a default may be missing.

        Raises ValueError where another is missing, or does not fit the others.
        """
        needed = [field.name for field in fields(cls) if field.default is MISSING]
        if missing := [name for name in needed if name not in arrays]:
            raise ValueError(f"no array called {missing[0]!r}; there are {', '.join(map(repr, arrays)) or 'none'}")
        kinds = {
            "seed": int, "of": int, "part": str, "world": lambda name: world_called(str(name)),
            "view": lambda told: View(**json.loads(str(told))),
        }  # fmt: skip
        named = [field.name for field in fields(cls) if field.name in arrays]
        return cls(**{name: kinds.get(name, np.asarray)(arrays[name]) for name in named})

    @classmethod
    def from_npz(cls, path):
        """Read what `np.savez(path, **episodes.arrays())` wrote; nothing in it can run code."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls.from_arrays(arrays)

    @classmethod
    def from_episodes(cls, episodes, seed=0, world=CARTPOLE, view=DEFAULT):
        """Join episodes of one's own: dicts of arrays, as data/own.py describes them.

        Without `states`, only what needs no truth can be judged. Raises ValueError or TypeError, which name the field
        and the episode that are wrong.
        """
        checked = [own.checked(episode, number, world, view) for number, episode in enumerate(episodes)]
        if not checked:
            raise ValueError("an empty data set: it holds no episode; give at least one")
        joined = {name: np.concatenate([episode[name] for episode in checked]) for name in checked[0]}
        lengths = np.array([len(episode["actions"]) for episode in checked])
        return cls(**joined, lengths=lengths, seed=seed, world=world, view=view)

    @classmethod
    def from_steps(cls, steps, **settings):
        """Join steps: a list of dicts of frame, action, reward, terminated, truncated and next_frame (own.of_steps)."""
        return cls.from_episodes(own.of_steps(steps), **settings)

    @classmethod
    def from_hdf5(cls, path, **settings):
        """Read an HDF5 file with a group an episode (own.of_hdf5)."""
        return cls.from_episodes(own.of_hdf5(path), **settings)

    @classmethod
    def from_minari(cls, dataset, **settings):
        """Take a Minari data set whose observations are pictures (own.of_minari)."""
        return cls.from_episodes(own.of_minari(dataset), **settings)


def _rows(first, count):
    """Return the rows of several stretches, one after the other: where they begin and how long they are -> (M,)."""
    return np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
