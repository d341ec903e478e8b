"""The rollout scrubber: truth, teacher forcing and free rollout of the same window, frame by frame.

A drift curve says that a dream leaves reality; only the films, side by side and in step, say how. Several models
can be put into it, a reader's own beside the book's: then the reader chooses whose films to see, one's or two's, and
all are compared; exact physics may be outlined in their dreams. The page draws everything from four traits (`sprite`,
`thetas`, `lengths`, `reference`), so it needs no kernel.
"""

from collections.abc import Mapping

import numpy as np
import torch
import traitlets as t

from latent_dynamics.judging import references, rollout
from latent_dynamics.world.reader import degrees, read

from ...page.base import BookWidget, unnoticed
from ...page.bundle import bundle, styles
from ..sprite import pack_films, unpack_films
from .rollout_still import rollout_still

LIMIT = 2.0  # degrees: beyond it the book calls a prediction lost
FILMS = ("true", "teacher", "free")
PREDICTED = ("teacher", "free", "theta_teacher", "theta_free")  # what is given for each model
LAST_MODEL = "the last model, counted from 0"
INTERFACE = ("filter", "observe", "imagine", "decode")  # what a rollout asks of a model; see world_model.py


class RolloutPlayer(BookWidget):
    """Play true, teacher-forced and free-running frames in step, above their pole-angle errors.

    Frames are (E, N, H, W) floats in [0, 1] for E episodes (windows) of N steps; index n is n + 1 steps
    after the last frame that the free rollout was shown. Angles are (E, N) in degrees, NaN where no pole
    can be read. For several models, give `teacher`, `free` and their angles as {name: array}; the truth is one for all.
    `lengths` (E,) counts the valid steps of episodes that ended early, `labels` (E,) names the episodes, `horizon`
    (steps) says how far to show. `beside` is the number of a model whose dream is shown below the first one's, -1 for
    none; `reference` (2, E, N) where to outline the pole in each dream: x in metres, theta in degrees, NaN for nowhere.
    It opens with the first model, at the first step at which its dream is beyond 2 degrees or has lost the pole.
    `model`, `beside` and `episode` (from 0), `step` (from 1), `horizon` and `playing` can be read and set. Raises
    ValueError for frames, angles or settings that cannot be shown.
    """

    _esm = bundle("widgets/rollout_player/rollout_player.js")
    _css = styles("page/common.css", "widgets/rollout_player/rollout_player.css")

    sprite = t.Bytes(help="frames (1 + 2M, E, N, H, W) as one grey picture, see sprite.py").tag(sync=True)
    thetas = t.Bytes(help="little-endian float32 (1 + 2M, E, N) in degrees").tag(sync=True)
    reference = t.Bytes(help="little-endian float32 (2, E, N) in metres and degrees, or nothing").tag(sync=True)
    names = t.List(t.Unicode(), help="what the list calls the M models").tag(sync=True)
    shape = t.List(t.Int(), help="[E, N, H, W]").tag(sync=True)
    lengths = t.List(t.Int(), help="valid steps of each episode").tag(sync=True)
    labels = t.List(t.Unicode(), help="what the list of episodes shows").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    ink_is_dark = t.Bool(help="whether cart and pole are darker than their background").tag(sync=True)
    frames_per_second = t.Float().tag(sync=True)
    model = t.Int(0, help="model shown, from 0").tag(sync=True)
    beside = t.Int(-1, help="model shown below it, from 0; -1 for none").tag(sync=True)
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
        beside=-1,
        reference=None,
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
        predicted = _by_model(teacher=teacher, free=free, theta_teacher=theta_teacher, theta_free=theta_free)
        films, thetas = [_checked_frames("true", true, true.shape, valid)], [_checked_angles("true", theta_true, valid)]
        for name, given in predicted.items():
            whose = f" of {name!r}" if name else ""
            for film in FILMS[1:]:
                films.append(_checked_frames(film, given[film], true.shape, valid, whose))
                thetas.append(_checked_angles(film, given[f"theta_{film}"], valid, whose))
        thetas = np.stack(thetas)  # (1 + 2M, E, N): the truth, then teacher forcing and free rollout of each model
        horizon = N if horizon is None else horizon
        _check_range("horizon", horizon, 1, N, "the number of steps given")
        if not 0 < frames_per_second <= 60:
            raise ValueError(f"frames_per_second is {frames_per_second}; expected more than 0 and at most 60.")

        sprite, names = pack_films(films), list(predicted)
        _check_range("beside", beside, -1, len(names) - 1, LAST_MODEL)
        reference = b"" if reference is None else _checked_reference(reference, valid).tobytes()
        super().__init__(
            sprite + thetas.tobytes() + reference + repr((names, labels, title, horizon)).encode(),
            sprite=sprite,
            thetas=thetas.tobytes(),
            reference=reference,
            names=names,
            beside=int(beside),
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
    @unnoticed()
    def of(cls, models, windows, labels=None, physics=False, **settings):
        """Play a world model, or {name: world model}, over `drift.Windows`, judged as the book's curves are.

        With `physics`, exact physics from the same context frames is outlined in the dreams.
        """
        several = isinstance(models, Mapping)
        runs = {name: _run(model, windows, name) for name, model in (models if several else {"": models}).items()}
        if physics:
            settings = {"reference": _exact_physics(windows), **settings}
        predicted = {what: {name: run[what] for name, run in runs.items()} for what in PREDICTED}
        return cls(
            true=windows.frames[:, windows.context + 1 :].numpy(),
            theta_true=degrees(windows.world.entry(windows.states[:, 1:], "theta")).numpy(),
            **(predicted if several else {what: given[""] for what, given in predicted.items()}),
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

    @t.validate("model", "beside")
    def _check_model(self, proposal):
        name = proposal["trait"].name
        _check_range(name, proposal["value"], -(name == "beside"), len(self.names) - 1, LAST_MODEL)
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
        """Return truth, teacher forcing and free rollout of the model shown, as the page sees them: (3, E, N, H, W)."""
        return unpack_films(self.sprite, (1 + 2 * len(self.names), *self.shape))[self._rows(self.model)]

    def angles(self, model=None):
        """Return the pole angles of these films (or of another model's, by number), (3, E, N) in degrees."""
        thetas = np.frombuffer(self.thetas, dtype="<f4").reshape(-1, *self.shape[:2])
        return thetas[self._rows(self.model if model is None else model)]

    @staticmethod
    def _rows(model):
        return [0, 1 + 2 * model, 2 + 2 * model]

    def still(self):
        """Return a film strip with its error curve, for pages without JavaScript."""
        shown = np.s_[:, self.episode, : self.last_step]
        others = {name: self.angles(m)[shown] for m, name in enumerate(self.names) if m != self.model}
        return rollout_still(self.films()[shown], self.angles()[shown], self.title, self.names[self.model], others)


@torch.no_grad()
def _run(model, windows, name):
    """What a model predicts for windows: frames (E, N, H, W) and angles (E, N) of both ways to run it.

    The angles are those of the very frames that are shown: a model that draws by chance draws once.
    """
    missing = [method for method in INTERFACE if not callable(getattr(model, method, None))]
    if missing:
        raise ValueError(
            f"the model {name!r} is a {type(model).__name__} without {', '.join(missing)}; expected what answers to "
            "the interface of latent_dynamics.world_model.WorldModel. For several models pass {name: model}."
        )
    given = {}
    for film, run in (("teacher", rollout.teacher_forced), ("free", rollout.free)):
        frames = model.decode(run(model, windows.frames, windows.all_actions, windows.context))
        seen = read(frames)
        given[film] = frames.numpy()
        given[f"theta_{film}"] = torch.where(seen.valid, degrees(seen.theta), torch.nan).numpy()
    return given


def _exact_physics(windows):
    """Where exact physics from the context frames has cart and pole, (2, E, N), until it lets the pole fall."""
    world, actions = windows.world, windows.all_actions
    states = rollout.free(references.ExactPhysics(world=world), windows.frames, actions, windows.context)
    where = np.stack([world.entry(states, "x").numpy(), degrees(world.entry(states, "theta")).numpy()])
    where[:, world.fallen(states).cumsum(1).bool().numpy()] = np.nan
    return where


def _by_model(**given):
    """Sort {what: {name: array}} into {name: {what: array}}; arrays alone are one model without a name."""
    dicts = {what: value for what, value in given.items() if isinstance(value, Mapping)}
    if not dicts:
        return {"": given}
    if len(dicts) < len(given):
        alone = ", ".join(what for what in given if what not in dicts)
        raise ValueError(
            f"{alone}: one array, but {', '.join(dicts)} names models; give {{name: array}} for each of them."
        )
    names = list(given["teacher"])
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"the models are called {names}; expected at least one model, and a name for each.")
    for what, value in dicts.items():
        if set(value) != set(names):
            raise ValueError(f"{what} is of the models {list(value)}; expected {names}, those of the teacher frames.")
    return {name: {what: value[name] for what, value in dicts.items()} for name in names}


def _telling_step(thetas, last):
    """First step at which the dream is beyond the limit or shows no pole, else the last; thetas (3, N)."""
    error = np.abs(thetas[2] - thetas[0])[:last]
    lost = ~(error <= LIMIT) & ~np.isnan(thetas[0, :last])
    return int(np.argmax(lost)) + 1 if lost.any() else last


def _check_range(name, value, low, high, what_high_is):
    if isinstance(value, bool) or int(value) != value or not low <= value <= high:
        raise ValueError(f"{name} is {value}; expected a whole number from {low} to {high} ({what_high_is}).")


def _checked_frames(name, frames, shape, valid, whose=""):
    """Frames as float32 with the steps after an episode's end blanked, or a ValueError."""
    frames = np.array(frames, dtype=np.float32)  # a copy: blanking must not touch the caller's frames
    if frames.shape != shape:
        raise ValueError(
            f"{name} frames{whose} have shape {frames.shape}; expected {shape}, the shape of the true frames."
        )
    shown = frames[valid]
    if np.isnan(shown).any():
        raise ValueError(
            f"{name} frames{whose} hold NaN; expected numbers in [0, 1]. "
            "If the episode ended before the last step, say so with lengths=."
        )
    if shown.min() < 0 or shown.max() > 1:
        raise ValueError(
            f"{name} frames{whose} range from {shown.min():.3g} to {shown.max():.3g}; expected [0, 1]. "
            "Divide bytes by 255; clip the output of a decoder that has no sigmoid."
        )
    frames[~valid] = 0
    return frames


def _checked_angles(name, angles, valid, whose=""):
    """Angles as little-endian float32 with NaN after an episode's end, or a ValueError."""
    angles = np.array(angles, dtype="<f4")
    if angles.shape != valid.shape:
        raise ValueError(
            f"theta_{name}{whose} has shape {angles.shape}; expected {valid.shape}: one angle in degrees a frame."
        )
    if np.isinf(angles[valid]).any():
        raise ValueError(
            f"theta_{name}{whose} holds an infinite angle; expected degrees, or NaN where no pole is readable."
        )
    angles[~valid] = np.nan
    return angles


def _checked_reference(reference, valid):
    """Positions as little-endian float32 with NaN after an episode's end, or a ValueError."""
    reference = np.array(reference, dtype="<f4")
    if reference.shape != (2, *valid.shape):
        raise ValueError(
            f"reference has shape {reference.shape}; expected {(2, *valid.shape)}: x in metres and theta in degrees, "
            "one of each a frame."
        )
    reference[:, ~valid] = np.nan
    return reference


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
