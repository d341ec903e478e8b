"""The what-if fan: one state, two first pushes, and the futures that follow, in truth and in a model's dream.

A model that knows what a push does must dream two futures that part as the true ones do. The fan shows at which step
they part, and how far.
"""

import numpy as np
import torch
import traitlets as t
from matplotlib.figure import Figure

from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees, limits, read
from latent_dynamics.world.worlds import CARTPOLE

from ...page.base import BookWidget, still_figure, unnoticed, within
from ...page.bundle import bundle, styles
from ...page.page_model import PageModel, rounded
from ..start_states import checked_states

PUSHES = ("left", "right")


class WhatIf(BookWidget):
    """Push left or push right first: both futures side by side, from exact physics and from a world model.

    `model` is any WorldModel; `states` (S, 4) are true states to start from, upright ones, and `labels` (S,) names
    them. The model sees the one frame of that state, and is told every push. `horizon` is how many steps the futures
    go, `step` the one shown (0 is the start), `start` the index of the state, `plan` that of what follows the first
    push, in `plans`; the last three can be read and set. `futures()` gives the angles. Raises ValueError for what it
    cannot show.
    """

    _esm = bundle("widgets/what_if/what_if.js")
    _css = styles("page/common.css", "page/world.css", "widgets/what_if/what_if.css")

    page_model = t.Unicode(help="names the PageModel that dreams").tag(sync=True)
    limits = t.Dict(help="what real frames look like to the reader").tag(sync=True)
    world = t.Dict(help="what the page's world has other than CartPole, see world.js").tag(sync=True)
    states = t.List(help="S true states").tag(sync=True)
    labels = t.List(t.Unicode(), help="what the list of states shows").tag(sync=True)
    plans = t.List(help="[words, pushes of the one, pushes of the other], each N numbers: 0 is left").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    start = t.Int(help="state shown, from 0").tag(sync=True)
    plan = t.Int(help="what follows the first push, from 0").tag(sync=True)
    step = t.Int(help="step shown; 0 is the start").tag(sync=True)

    def __init__(
        self, model, states, labels=None, horizon=12, start=0, plan=0, step=1, seed=0, title="", world=CARTPOLE
    ):
        states = checked_states(states, world)
        if horizon < 2:
            raise ValueError(f"a horizon of {horizon} steps; the futures need at least 2 to part")
        page = PageModel.of(model)
        self._true = world
        self._world = page.model if page.in_kernel else rounded(model)
        traits = {
            "page_model": f"IPY_MODEL_{page.model_id}",
            "limits": {name: list(pair) for name, pair in limits().items()},
            "world": dict(world.page),
            "states": states.tolist(),
            "labels": _labels(labels, states, world),
            "plans": _plans(horizon, seed),
            "title": title,
            "start": start,
            "plan": plan,
            "step": step,
        }
        super().__init__(repr(traits).encode(), **traits)

    @t.validate("start", "plan", "step")
    def _check_choice(self, proposal):
        last = {"start": len(self.states) - 1, "plan": len(self.plans) - 1, "step": self.horizon}
        return within(proposal, 0, last[proposal["trait"].name])

    @property
    def horizon(self):
        """How many steps the futures go."""
        return len(self.plans[0][1])

    @unnoticed()
    def futures(self):
        """Return the pole's angles in degrees after a first push left and right: {"truth", "dream"}, each (2, N + 1).

        Index 0 is the start. NaN after a true pole has fallen, and where the dream shows no pole to read.
        """
        truth = self._true_states()
        angles = degrees(self._true.entry(truth, "theta")).numpy()
        gone = self._true.fallen(truth).numpy()
        after_fall = (np.cumsum(gone, 1) - gone) > 0
        seen = read(self._dream())
        return {
            "truth": np.where(after_fall, np.nan, angles),
            "dream": torch.where(seen.valid, degrees(seen.theta), torch.nan).numpy(),
        }

    def still(self):
        """Return the fan of angles as a figure, for pages without JavaScript."""
        return _still(self.futures(), self.step, self.title)

    def _pushes(self):
        return torch.tensor(self.plans[self.plan][1:])  # (2, N)

    def _begin(self):
        return torch.tensor([self.states[self.start]] * 2, dtype=torch.float64)  # (2, 4)

    def _true_states(self):
        return torch.cat(
            [self._begin()[:, None], self._true.simulate(self._begin(), self._pushes())], 1
        )  # (2, N + 1, 4)

    @torch.no_grad()
    def _dream(self):
        frames = torch.from_numpy(from_bytes(self._true.draw(self._begin().numpy(), workers=1)))
        belief = self._world.begin(self._world.see(frames))
        beliefs = torch.cat([belief[:, None], self._world.imagine(belief, self._pushes())], 1)
        return self._world.decode(beliefs)  # (2, N + 1, 32, 100)


def _plans(horizon, seed):
    """Return what is offered after the first push: [words, pushes of the one, pushes of the other]."""
    alternating = [n % 2 for n in range(1, horizon)]
    tosses = np.random.default_rng(seed).integers(0, 2, horizon - 1).tolist()
    return [
        ["both alternate, alike", [0, *alternating], [1, *alternating]],
        ["the same coin tosses for both", [0, *tosses], [1, *tosses]],
        ["each keeps pushing its way", [0] * horizon, [1] * horizon],
    ]


def _labels(labels, states, world):
    if labels is None:
        turning = np.stack([world.entry(states, name) for name in ("theta", "theta_dot")], 1)
        words = "pole {:+.1f}\u00b0, turning {:+.0f}\u00b0 a second"
        shown = [(round(tilt, 1) + 0.0, round(turning) + 0.0) for tilt, turning in np.degrees(turning)]
        return [words.format(*pair).replace("-", "\u2212") for pair in shown]  # without a minus zero
    if len(labels) != len(states):
        raise ValueError(f"labels names {len(labels)} states; expected {len(states)}, one for each.")
    return [str(label) for label in labels]


def _still(futures, step, title):
    figure = Figure(figsize=(8, 3), layout="constrained")
    axis = figure.subplots()
    steps = np.arange(futures["truth"].shape[1])
    for who, line in (("truth", "-"), ("dream", "--o")):
        for angles, push, colour in zip(futures[who], PUSHES, ("#0072b2", "#a65a00"), strict=True):
            axis.plot(steps, angles, line, color=colour, markersize=3, label=f"{who}, pushed {push} first")
    axis.axvline(step, color="#57606a", linewidth=1)
    axis.set(xlabel="step", ylabel="pole angle, degrees")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return still_figure(figure, _story(futures))


def _story(futures):
    """Say in words how far the futures part, one step on and at the last step at which both are told."""
    gap = {who: angles[1] - angles[0] for who, angles in futures.items()}
    told = np.flatnonzero(np.isfinite(gap["truth"]) & np.isfinite(gap["dream"]))
    parts = [
        f"At step {n} the true pole that was pushed right stands {_further(gap['truth'][n])}, the dreamt one "
        f"{_further(gap['dream'][n])}."
        for n in (sorted({told[1], told[-1]}) if len(told) > 1 else [])
    ]
    scene = "Pole angles over the steps after a first push left or right, in exact physics and as a model dreams them."
    return " ".join([scene, *parts])


def _further(gap):
    if abs(gap) < 0.005:
        return "where the other stands"
    return f"{abs(gap):.2f} degrees further {'right' if gap > 0 else 'left'} than the other"
