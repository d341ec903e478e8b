"""The rollout scrubber: truth, teacher forcing and free rollout of the same window, frame by frame.

A drift curve says that a dream leaves reality; only the films, side by side and in step, say how.
The page draws everything from three traits (`sprite`, `thetas`, `lengths`), so it needs no kernel.
"""

import numpy as np
import traitlets as t

from .. import drift, rollout
from .base import BookWidget, source
from .rollout_still import rollout_still
from .sprite import pack_frames, unpack_frames

LIMIT = 2.0  # degrees: beyond it the book calls a prediction lost
FILMS = ("true", "teacher", "free")


class RolloutPlayer(BookWidget):
    """Play true, teacher-forced and free-running frames in step, above their pole-angle errors.

    Frames are (E, N, H, W) floats in [0, 1] for E episodes (windows) of N steps; index n is n + 1 steps
    after the last frame that the free rollout was shown. Angles are (E, N) in degrees, NaN where no pole
    can be read. `lengths` (E,) counts the valid steps of episodes that ended early, `labels` (E,) names
    the episodes, `horizon` (steps) says how far to show. It opens at the first step at which the dream is
    beyond 2 degrees or has lost the pole. `step`, `episode`, `horizon` and `playing` can be read and set.
    Raises ValueError for frames, angles or settings that cannot be shown.
    """

    _esm = source("common.js", "rollout_player.js")
    _css = source("common.css", "rollout_player.css")

    sprite = t.Bytes(help="all frames as one grey PNG, see sprite.py").tag(sync=True)
    thetas = t.Bytes(help="little-endian float32 (3, E, N) in degrees").tag(sync=True)
    shape = t.List(t.Int(), help="[E, N, H, W]").tag(sync=True)
    lengths = t.List(t.Int(), help="valid steps of each episode").tag(sync=True)
    labels = t.List(t.Unicode(), help="what the list of episodes shows").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    ink_is_dark = t.Bool(help="whether cart and pole are darker than their background").tag(sync=True)
    frames_per_second = t.Float().tag(sync=True)
    episode = t.Int(help="episode shown, from 0").tag(sync=True)
    horizon = t.Int(help="how many steps the curve and the films go").tag(sync=True)
    step = t.Int(help="step shown, from 1").tag(sync=True)
    playing = t.Bool(False, help="whether it is playing").tag(sync=True)

    def __init__(
        self,
        true,
        teacher,
        free,
        theta_true,
        theta_teacher,
        theta_free,
        labels=None,
        horizon=None,
        lengths=None,
        frames_per_second=8.0,
        title="",
    ):
        true = np.asarray(true)
        if true.ndim != 4 or 0 in true.shape:
            raise ValueError(
                f"true frames have shape {true.shape}; expected (E, N, H, W) with at least one episode and one step. "
                "For a single episode pass true[None]."
            )
        E, N, H, W = true.shape
        lengths = _checked_lengths(lengths, E, N)
        valid = np.arange(N) < lengths[:, None]  # (E, N)
        films = [_checked_frames(*pair, true.shape, valid) for pair in zip(FILMS, (true, teacher, free))]
        angles = (theta_true, theta_teacher, theta_free)
        thetas = np.stack([_checked_angles(*pair, (E, N), valid) for pair in zip(FILMS, angles)])  # (3, E, N)
        horizon = N if horizon is None else horizon
        _check_range("horizon", horizon, 1, N, "the number of steps given")
        if not 0 < frames_per_second <= 60:
            raise ValueError(f"frames_per_second is {frames_per_second}; expected more than 0 and at most 60.")

        sprite = pack_frames(films)
        super().__init__(
            sprite + thetas.tobytes() + repr((labels, title, horizon)).encode(),
            sprite=sprite,
            thetas=thetas.tobytes(),
            shape=[E, N, H, W],
            lengths=lengths.tolist(),
            labels=_checked_labels(labels, E),
            title=title,
            ink_is_dark=bool(np.median(films[0][valid]) > 0.5),
            frames_per_second=float(frames_per_second),
            horizon=int(horizon),
            step=_telling_step(thetas[:, 0], min(int(horizon), int(lengths[0]))),
        )

    @classmethod
    def of(cls, model, windows, labels=None, **settings):
        """Play a world model over `drift.Windows`, by the same judge that the book's curves come from."""
        modes = ("teacher_forced", "free")
        films = [windows.frames[:, windows.context + 1 :]]
        for mode in modes:
            run = getattr(rollout, mode)
            films.append(model.decode(run(model, windows.frames, windows.all_actions, windows.context)))
        judged = [drift.judge(model, windows, mode) for mode in modes]
        return cls(
            *(film.numpy() for film in films), judged[0].theta_true, *(judgement.theta for judgement in judged),
            labels=labels, lengths=np.maximum(1, windows.alive.sum(1).numpy()), **settings,
        )  # fmt: skip

    @property
    def last_step(self):
        """The last step that can be shown: the horizon, or the episode's end before it."""
        return min(self.horizon, self.lengths[self.episode])

    @t.validate("step")
    def _check_step(self, proposal):
        _check_range("step", proposal["value"], 1, self.last_step, "the horizon, or the episode's end before it")
        return proposal["value"]

    @t.validate("horizon")
    def _check_horizon(self, proposal):
        _check_range("horizon", proposal["value"], 1, self.shape[1], "the number of steps given")
        return proposal["value"]

    @t.validate("episode")
    def _check_episode(self, proposal):
        _check_range("episode", proposal["value"], 0, self.shape[0] - 1, "the last episode, counted from 0")
        return proposal["value"]

    @t.observe("horizon", "episode")
    def _pull_step_in(self, _):
        if self.step > self.last_step:
            self.step = self.last_step

    def films(self):
        """Return the three films as the page sees them, (3, E, N, H, W) floats in [0, 1]."""
        return unpack_frames(self.sprite, (len(FILMS), *self.shape))

    def angles(self):
        """Return the pole angles of the three films, (3, E, N) in degrees."""
        return np.frombuffer(self.thetas, dtype="<f4").reshape(len(FILMS), *self.shape[:2])

    def still(self):
        """Return a film strip with its error curve, for pages without JavaScript."""
        steps = slice(0, self.last_step)
        return rollout_still(self.films()[:, self.episode, steps], self.angles()[:, self.episode, steps], self.title)


def _telling_step(thetas, last):
    """First step at which the dream is beyond the limit or shows no pole, else the last; thetas (3, N)."""
    error = np.abs(thetas[2] - thetas[0])[:last]
    lost = ~(error <= LIMIT) & ~np.isnan(thetas[0, :last])
    return int(np.argmax(lost)) + 1 if lost.any() else last


def _check_range(name, value, low, high, what_high_is):
    if isinstance(value, bool) or int(value) != value or not low <= value <= high:
        raise ValueError(f"{name} is {value}; expected a whole number from {low} to {high} ({what_high_is}).")


def _checked_frames(name, frames, shape, valid):
    """Frames as float32 with the steps after an episode's end blanked, or a ValueError."""
    frames = np.array(frames, dtype=np.float32)  # a copy: blanking must not touch the caller's frames
    if frames.shape != shape:
        raise ValueError(f"{name} frames have shape {frames.shape}; expected {shape}, the shape of the true frames.")
    shown = frames[valid]
    if np.isnan(shown).any():
        raise ValueError(
            f"{name} frames hold NaN; expected numbers in [0, 1]. "
            "If the episode ended before the last step, say so with lengths=."
        )
    if shown.min() < 0 or shown.max() > 1:
        raise ValueError(
            f"{name} frames range from {shown.min():.3g} to {shown.max():.3g}; expected [0, 1]. "
            "Divide bytes by 255; clip the output of a decoder that has no sigmoid."
        )
    frames[~valid] = 0
    return frames


def _checked_angles(name, angles, shape, valid):
    """Angles as little-endian float32 with NaN after an episode's end, or a ValueError."""
    angles = np.array(angles, dtype="<f4")
    if angles.shape != shape:
        raise ValueError(f"theta_{name} has shape {angles.shape}; expected {shape}: one angle in degrees a frame.")
    if np.isinf(angles[valid]).any():
        raise ValueError(f"theta_{name} holds an infinite angle; expected degrees, or NaN where no pole is readable.")
    angles[~valid] = np.nan
    return angles


def _checked_lengths(lengths, E, N):
    if lengths is None:
        return np.full(E, N)
    lengths = np.asarray(lengths)
    if lengths.shape != (E,) or (lengths != np.rint(lengths)).any() or (lengths < 1).any() or (lengths > N).any():
        raise ValueError(f"lengths is {lengths.tolist()}; expected {E} whole numbers from 1 to {N}, one an episode.")
    return lengths.astype(int)


def _checked_labels(labels, E):
    if labels is None:
        return [f"Window {e + 1}" for e in range(E)]
    labels = [str(label) for label in labels]
    if len(labels) != E:
        raise ValueError(f"labels names {len(labels)} episodes; expected {E}, one for each episode of the frames.")
    return labels
