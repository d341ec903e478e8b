"""What a rollout is worth: how far the imagined pole is from the true one, step by step.

Two protocols, always both. *Replayed* windows follow the recorded actions, which an expert chose by looking at
the state: they betray it. *Intervened* windows put the simulator back into the window's true state and drive it by
coin tosses: what a model gets right there, it knows of the physics.

What is scored ends when the truth falls, or leaves the picture. Poles that fall early are the fast ones, which are hard
to predict: late steps are scored on what stayed slow (`informative_censoring` says how much). So a curve over steps is
compared with another curve on the same windows, and not with its own beginning.
"""

import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from ..models.training import evaluating, seeded
from ..world.cartpole import random_actions
from ..world.devices import at_home, made_on
from ..world.preprocessing import DEFAULT, View, from_bytes
from ..world.reader import degrees, limits, read
from ..world.worlds import CARTPOLE, World
from . import rollout, statistics


@dataclass(frozen=True)
class Windows:
    """B windows: K context steps, then up to N steps to be predicted, until the truth falls or leaves the picture."""

    pixels: torch.Tensor  # (B, K + N + 1, H, W) uint8; after the truth has fallen, its last frame again
    actions_before: torch.Tensor  # (B, K) int64
    actions: torch.Tensor  # (B, N) int64
    states: torch.Tensor  # (B, N + 1, S) float64: the truth at the end of the context, and after each step
    alive: torch.Tensor  # (B, N) bool: after step h, at h - 1, the truth is still up and can be read off its frame
    episode: np.ndarray  # (B,) from which episode; windows of one are not independent
    protocol: str  # "replayed" or "intervened"
    world: World = CARTPOLE  # where they were played
    view: View = DEFAULT  # what the frames show of the screen

    @property
    def frames(self):
        """What models see: (B, K + N + 1, H, W) float32 in [0, 1]; made when asked for, since it is large."""
        return torch.from_numpy(from_bytes(self.pixels))

    @property
    def context(self):
        return self.actions_before.shape[1]

    @property
    def horizon(self):
        return self.actions.shape[1]

    @property
    def all_actions(self):
        return torch.cat([self.actions_before, self.actions], 1)

    def __len__(self):
        return len(self.episode)

    def __getitem__(self, rows):
        """Some of the windows; of one, whose number is given, the batch axis stays."""
        rows, whole = as_rows(rows), ("protocol", "world", "view")
        return replace(self, **{name: value[rows] for name, value in vars(self).items() if name not in whole})


def as_rows(index):
    """Return an index that keeps the batch axis: of one number a list of one."""
    return [int(index)] if np.ndim(index) == 0 and not isinstance(index, slice) else index


def _starts(episodes, context, stride, least=1):
    """Frame and step numbers where a window may begin, so that `least` steps are left after the context."""
    if len(episodes) == 0 or context + least > episodes.lengths.max():
        raise ValueError(f"no episode is longer than {context} context steps; the longest has {episodes.lengths.max()}")
    return episodes.window_starts(context + least, stride)


def _check(context, horizon):
    if context < 0 or horizon < 1:
        raise ValueError(f"{context} context steps and a horizon of {horizon}; they must be at least 0 and 1")


@made_on("cpu")
def replayed_windows(episodes, context=10, horizon=50, stride=10):
    """Cut windows that follow the recorded actions. A window that outlives its episode is censored there.

    Where nobody knows the true states, what is read off the real frames takes their place, and a warning says so.
    """
    _check(context, horizon)
    frame, first_step, episode = _starts(episodes, context, stride)
    left = episodes.lengths[episode] - (first_step - episodes.first_steps[episode])  # steps from the window's start
    at = np.minimum(np.arange(context + horizon + 1), left[:, None])  # (B, K + N + 1): stay on the last frame
    at_action = np.minimum(np.arange(context + horizon), left[:, None] - 1)
    true = torch.from_numpy(episodes.states) if episodes.know_the_truth else _read_off(episodes)  # (F, S)
    states = true[torch.from_numpy((frame[:, None] + at)[:, context:])]
    within = torch.from_numpy(np.arange(context + 1, context + horizon + 1) <= left[:, None])
    actions = torch.from_numpy(episodes.actions[first_step[:, None] + at_action])
    seen = _can_be_read(episodes.frames, episodes.view)[frame[:, None] + at][:, context + 1 :]
    return Windows(
        pixels=torch.from_numpy(episodes.frames[frame[:, None] + at]),
        actions_before=actions[:, :context], actions=actions[:, context:], states=states,
        alive=_so_far(within & ~episodes.world.fallen(states[:, 1:]) & seen), episode=episode, protocol="replayed",
        world=episodes.world, view=episodes.view,
    )  # fmt: skip


def _read_off(episodes):
    """Return what the reader finds in the frames of episodes whose states nobody knows: (F, S), NaN for the rest."""
    x_off, theta_off = limits(episodes.view)["error"]
    warnings.warn(
        "These episodes carry no true states: errors are those against what is read off the real frames (itself off by "
        f"{degrees(theta_off):.2g} degrees and {100 * x_off:.2g} cm), and only replayed windows can be cut.",
        stacklevel=3,
    )
    parts = [_look(episodes.frames[i : i + 2048], episodes.view) for i in range(0, len(episodes.frames), 2048)]
    x, theta = (torch.cat([getattr(part, name) for part in parts]) for name in ("x", "theta"))
    known = episodes.world.state(x=x, theta=theta)
    seen = episodes.world.state(x=torch.ones(1), theta=torch.ones(1)).bool()  # which entries a frame shows
    return torch.where(seen, known, torch.nan)


@made_on("cpu")
def intervened_windows(episodes, context=10, horizon=20, stride=10, seed=0):
    """Cut windows whose context is recorded, and whose future is driven by actions that ignore the state.

    Raises ValueError for episodes whose true states nobody knows: the simulator is put back into them.
    """
    _check(context, horizon)
    if not episodes.know_the_truth:
        raise ValueError(
            "these episodes carry no true states, into which the simulator could be put back: "
            "give them (`states`), or judge by replayed windows"
        )
    frame, first_step, episode = _starts(episodes, context, stride)
    world, rng, chance = episodes.world, np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    actions = torch.from_numpy(random_actions((len(frame), horizon), rng, world.actions))
    start = torch.from_numpy(episodes.states[frame + context])  # (B, S)
    states = torch.cat([start[:, None], world.simulate(start, actions, chance)], 1)
    up = _so_far(~world.fallen(states[:, 1:]))
    last_up = up.sum(1)  # index, in `states`, of the last state before the fall
    shown = torch.minimum(torch.arange(1, horizon + 1), last_up[:, None])  # (B, N)
    drawn = world.draw(torch.gather(states, 1, shown[..., None].expand(-1, -1, world.size)).numpy(), episodes.view)
    before = frame[:, None] + np.arange(context + 1)
    frames = np.concatenate([episodes.frames[before], drawn], 1)
    return Windows(
        pixels=torch.from_numpy(frames),
        actions_before=torch.from_numpy(episodes.actions[first_step[:, None] + np.arange(context)]),
        actions=actions, states=states, alive=_so_far(up & _can_be_read(drawn, episodes.view)), episode=episode,
        protocol="intervened", world=world, view=episodes.view,
    )  # fmt: skip


def _so_far(good):
    """Say where all steps up to this one were good: (B, N) bool -> (B, N) bool."""
    return good.cumprod(1).bool()


def _can_be_read(pixels, view=DEFAULT, batch=2048):
    """Say of real frames (..., *view.shape) uint8 whether the picture shows enough of cart and pole: (...) bool."""
    flat = pixels.reshape(-1, *view.shape)
    seen = [_look(flat[i : i + batch], view).valid for i in range(0, len(flat), batch)]
    return torch.cat(seen).reshape(pixels.shape[: pixels.ndim - len(view.shape)])


def _look(pixels, view):
    return read(from_bytes(pixels), view=view)


def informative_censoring(windows):
    """Return how fast the poles turn at first whose truth ends before the horizon, and those that last: (deg/s, deg/s).

    Medians of |theta_dot|; NaN where there are no such windows. Were they alike, a truth that ends would say nothing
    about how hard its window is.
    """
    speed = degrees(windows.world.entry(windows.states[:, 0], "theta_dot").abs()).numpy()
    lasts = windows.alive[:, -1].numpy()
    return tuple(float(np.median(speed[rows])) if rows.any() else float("nan") for rows in (~lasts, lasts))


class Survival(NamedTuple):
    """When an error first exceeds a limit."""

    steps: float  # the median step by Kaplan & Meier (1958); inf where fewer than half ever fail
    ended: float  # share of the windows whose truth fell or left the picture before
    lasted: float  # share of the windows that were right to the horizon

    @property
    def censored(self):
        """The share of windows that did not fail while they could be seen."""
        return self.ended + self.lasted


@dataclass(frozen=True)
class Judgement:
    """Errors of a model over windows. Where the truth has fallen nothing is scored (NaN)."""

    theta_error: np.ndarray  # (B, N) degrees, absolute; inf where no pole can be read
    x_error: np.ndarray  # (B, N) centimetres, absolute; inf where no cart can be read
    theta: np.ndarray  # (B, N) degrees: what the reader finds; NaN where there is no pole
    theta_true: np.ndarray  # (B, N) degrees
    alive: np.ndarray  # (B, N) bool
    episode: np.ndarray  # (B,)
    pixel_error: np.ndarray | None = None  # (B, N) root mean square over the pixels that move in this window

    def median(self, quantity="theta", rows=slice(None)):
        """Return the median error at each step, over windows whose truth is up: (N,) degrees or centimetres."""
        error = {"theta": self.theta_error, "x": self.x_error}[quantity][rows]
        return _column_medians(error, self.alive[rows])

    def skill(self):
        """Return 1 - error / error of a pole that always stands, at each step: 1 perfect, 0 worthless."""
        return 1 - self.median() / _column_medians(abs(self.theta_true), self.alive)

    def pole_there(self):
        """Return the share of frames, at each step, in which cart and pole can still be read: (N,)."""
        there = np.isfinite(self.theta) & self.alive
        return there.sum(0) / np.maximum(self.alive.sum(0), 1)

    def survival(self, limit=2.0, rows=slice(None)):
        """Return when the error first exceeds `limit` degrees: Survival(steps, ended, lasted).

        A window whose truth ends first is censored, not counted as a success. Kaplan & Meier's estimate takes the
        censored to be like the others; poles that fall early are the fast ones, so it flatters every model a little.
        """
        if limit <= 0:
            raise ValueError(f"a limit of {limit} degrees; it must be above 0")
        when, failed = (one[rows] for one in self.first_beyond(limit))
        lasted = ~failed & self.alive[rows, -1]
        return Survival(kaplan_meier_median(when, failed), float((~failed & ~lasted).mean()), float(lasted.mean()))

    def first_beyond(self, limit):
        """Return of each window the first step beyond `limit` degrees, or its last one scored; whether it failed."""
        beyond = (self.theta_error > limit) & self.alive
        failed = beyond.any(1)
        return np.where(failed, beyond.argmax(1) + 1, self.alive.sum(1)), failed

    def interval(self, figure, level=0.95, draws=300, seed=0):
        """Bootstrap a figure(rows) over episodes, the independent units: (low, high)."""
        rng, names = np.random.default_rng(seed), np.unique(self.episode)
        groups = {name: np.flatnonzero(self.episode == name) for name in names}
        chosen = [np.concatenate([groups[n] for n in rng.choice(names, len(names))]) for _ in range(draws)]
        tail = (1 - level) / 2
        return tuple(np.quantile([figure(rows) for rows in chosen], [tail, 1 - tail], axis=0, method="nearest"))


def _column_medians(values, keep):
    """The median of each column (B, N) -> (N,) over the rows kept there; NaN where there are none."""
    columns = zip(values.T, keep.T, strict=True)
    return np.array([np.median(column[rows]) if rows.any() else np.nan for column, rows in columns])


def kaplan_meier_median(when, failed):
    """Return the first step at which the estimated share of survivors is at most a half; inf if none is."""
    share = 1.0
    for t in np.unique(when[failed]):
        share *= 1 - (failed & (when == t)).sum() / (when >= t).sum()
        if share <= 0.5 + 1e-9:  # the product is rounded
            return float(t)
    return float("inf")


@torch.no_grad()
@made_on("cpu")
def judge(model, windows, mode="free", batch=128, pixels=False, reader=read, seed=0):
    """Run a model over windows and read its frames: "free" rollout or "teacher_forced". Returns Judgement.

    A stochastic model is judged by its mean path; `fan` reads its samples. pixels: whether `pixel_error` is measured
    too, which takes about as long as the reading; reader: `reader.read`, or `closest_picture.read` for other eyes;
    seed: of whatever a model draws at random. The model may be on any device and in any precision and mode; each part
    of it is left in the mode that it was in.
    """
    run = {"free": rollout.free, "teacher_forced": rollout.teacher_forced}
    if mode not in run:
        raise ValueError(f"no mode called {mode!r}; there are {', '.join(run)}")
    _check_judged(model, windows)
    look = _reader_of(windows, reader)
    x, theta, pixel_error = (torch.full(windows.alive.shape, torch.nan) for _ in range(3))
    with seeded(seed), evaluating(model):
        for rows in _batches(len(windows), batch):
            part = windows[rows]
            states = run[mode](model, part.frames, part.all_actions, part.context)  # (batch, N, D)
            frames = drawn(model, states[part.alive])  # what comes after the truth's fall is not scored
            seen = look(frames)
            x[rows] = _where(part.alive, torch.where(seen.valid, seen.x, torch.nan))
            theta[rows] = _where(part.alive, torch.where(seen.valid, degrees(seen.theta), torch.nan))
            if pixels:
                pixel_error[rows] = _where(part.alive, moving_pixel_error(frames, part))
    return score(x.numpy(), theta.numpy(), windows, pixel_error.numpy() if pixels else None)


@torch.no_grad()
@made_on("cpu")
def fan(model, windows, samples, batch=32, reader=read, seed=0):
    """Draw `samples` futures of each window from a stochastic model, and read them: x metres, theta degrees.

    Both (B, samples, N), NaN where there is no pole or the truth has ended. The same seed draws the same futures.
    """
    _check_judged(model, windows)
    x, theta = (torch.full((len(windows), windows.horizon, samples), torch.nan) for _ in range(2))
    generator, look = generator_of(model, seed), _reader_of(windows, reader)
    with seeded(seed), evaluating(model):
        for rows in _batches(len(windows), batch):
            part = windows[rows]
            states = rollout.free(model, part.frames, part.all_actions, part.context, samples, generator)
            seen = look(drawn(model, states.transpose(1, 2)[part.alive]))  # (B, S, N, D) -> (M, S)
            alive = part.alive[..., None].expand(-1, -1, samples)
            x[rows] = _where(alive, torch.where(seen.valid, seen.x, torch.nan))
            theta[rows] = _where(alive, torch.where(seen.valid, degrees(seen.theta), torch.nan))
    return x.transpose(1, 2).numpy(), theta.transpose(1, 2).numpy()


def drawn(model, states):
    """Draw states (..., D) where the model is, and bring the frames back: (..., H, W), in single precision or finer."""
    with at_home(model):
        frames = model.decode(states).cpu()
    return frames.float() if frames.dtype in (torch.float16, torch.bfloat16) else frames


def generator_of(model, seed):
    """Return a random stream on the model's device."""
    with at_home(model) as bring:
        return torch.Generator(bring(torch.zeros(())).device).manual_seed(seed)


def _reader_of(windows, reader):
    return reader if windows.view == DEFAULT else partial(reader, view=windows.view)


def _check_judged(model, windows):
    """Raise a clear error where there are no windows, or a model was fitted to windows of another protocol."""
    if len(windows) == 0:
        raise ValueError("there are no windows to judge by; take a shorter context or more episodes")
    if getattr(model, "protocol", windows.protocol) != windows.protocol:
        raise ValueError(
            f"{type(model).__name__} was fitted to {model.protocol} windows, and these are {windows.protocol}: "
            "fit it to windows of the protocol that it is judged by"
        )


def _batches(count, batch):
    """Split rows into batches that are as even as they can be: none is left alone unless batches are of one or two."""
    return np.array_split(np.arange(count), -(-count // batch))


def _where(alive, values):
    """Put values of the steps that are alive where they belong: (B, N) with NaN elsewhere."""
    return torch.full(alive.shape, torch.nan).masked_scatter(alive, values.float())


def moving_pixel_error(frames, windows, least=0.05):
    """Return the root mean square error of predicted frames, over the pixels that move: (M,).

    frames (M, H, W): predictions of the M steps that are alive; moving are the pixels of a window whose true shade
    changes by more than `least` between the last frame seen and the end. The others every model gets right.
    """
    future = windows.frames[:, windows.context :]  # (B, N + 1, H, W)
    moving = future.amax(1) - future.amin(1) > least  # (B, H, W)
    moving = moving[:, None].expand(-1, windows.horizon, *moving.shape[1:])[windows.alive].flatten(1)
    error = (frames - future[:, 1:][windows.alive]).flatten(1).square() * moving
    return (error.sum(1) / moving.sum(1).clamp(min=1)).sqrt()


def score(x, theta, windows, pixel_error=None):
    """Score readings against the truth: x (B, N) metres, theta (B, N) degrees with NaN for no pole."""
    truth, alive, lost = windows.states[:, 1:], windows.alive.numpy(), np.isnan(theta)
    x_true, theta_true = (windows.world.entry(truth, name).numpy() for name in ("x", "theta"))
    theta_true = degrees(theta_true)
    theta_error = np.where(lost, np.inf, abs(theta - theta_true))
    x_error = np.where(lost, np.inf, 100 * abs(x - x_true))
    return Judgement(
        theta_error=np.where(alive, theta_error, np.nan), x_error=np.where(alive, x_error, np.nan),
        theta=theta, theta_true=theta_true, alive=alive, episode=windows.episode, pixel_error=pixel_error,
    )  # fmt: skip


def protocols(episodes, context=10, horizon=50, stride=10, seed=0):
    """Cut the windows of both protocols: {"replayed": Windows of up to `horizon` steps, "intervened": of up to 20}.

    Of episodes whose true states nobody knows, only the first.
    """
    replayed = {"replayed": replayed_windows(episodes, context, horizon, stride)}
    if not episodes.know_the_truth:
        return replayed
    return replayed | {"intervened": intervened_windows(episodes, context, min(horizon, 20), stride, seed)}


def evaluate(model, windows, teacher_forced=True, reader=read, pixels=True):
    """Judge a world model by the windows that `protocols` cuts.

    {name: Windows} -> {name: figures}, in plain numbers that JSON can hold.
    Figures: "theta" (degrees), "x" (centimetres), "skill", "pole_there"
    (share of frames), "pixels" (see `moving_pixel_error`) and
    "teacher_forced" (degrees, each from the real frames before it) are
    lists of N medians, one a step; "steps_1" and "steps_2" are the median
    first steps beyond 1 and 2 degrees, with the shares of windows that did
    not fail: "ended_2" whose truth ended before, "lasted_2" that were right
    to the horizon, and "censored_2" both; "interval_2" is the 95 % interval
    over episodes; "windows" holds what each window scored, packed: see
    `statistics.unpacked`. None: no pole, or more than half never. Models
    whose `filter` is slow may leave out `teacher_forced`, and `pixels`.
    """
    return {
        protocol: _figures(model, cut, teacher_forced, reader, pixels)
        for protocol, cut in windows.items()
    }


def _figures(model, windows, teacher_forced, reader, pixels):
    free = judge(model, windows, pixels=pixels, reader=reader)
    figures = {
        "theta": free.median(), "x": free.median("x"), "skill": free.skill(), "pole_there": free.pole_there(),
    }  # fmt: skip
    if pixels:
        figures["pixels"] = _column_medians(free.pixel_error, free.alive)
    if teacher_forced:
        figures["teacher_forced"] = judge(model, windows, "teacher_forced", reader=reader).median()
    for limit in (1, 2):
        survival = free.survival(float(limit))
        figures |= {f"{name}_{limit}": getattr(survival, name) for name in ("steps", "ended", "lasted", "censored")}
    figures["interval_2"] = free.interval(lambda rows: free.survival(2.0, rows)[0])
    return {name: plain(value) for name, value in figures.items()} | {"windows": statistics.packed(free)}


def plain(value):
    """Round to four digits, as JSON can hold it: None for what is not finite."""
    if np.ndim(value):
        return [plain(one) for one in value]
    return float(f"{value:.4g}") if np.isfinite(value) else None
