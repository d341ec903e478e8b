"""The prior/posterior stepper: an episode frame by frame, as a model expects it and as it then believes it.

What prior and posterior say of cart and pole is drawn from them, decoded and read here; the page only shows it.
"""

import numpy as np
import torch
import traitlets as t
from matplotlib.figure import Figure

from latent_dynamics.models.elbo import unroll
from latent_dynamics.models.gaussian import Gaussian
from latent_dynamics.world.gusty import GUST_STEPS
from latent_dynamics.world.reader import degrees, read

from ...page.base import BookWidget, still_figure, within
from ...page.bundle import bundle, styles

SETTLED, SHOWN = 8, 24  # frames seen before the first one shown, and frames shown
NEAR = 8  # frames within which gusts can't be told apart
SAMPLES = 200  # latents drawn of each belief, decoded and read
NUMBERS = ("prior", "posterior")


class Stepper(BookWidget):
    """Frames of an episode, and before each what a model expects, after it what it believes, and its surprise.

    states (T, S) of a world; `prior` and `posterior` (T, 4): mean and standard deviation of the cart's position in
    centimetres and of the pole's angle in degrees; `seen` (T, 2): what is read off each frame; `kl` (T,): nats; `gusts`
    (T,): newtons that blew on the way to a frame. `moment`, from 0, is 2 t before frame t is seen and 2 t + 1 after;
    `revealed` says whether gusts are shown. Both can be read and set. Raises ValueError for lengths that differ.
    """

    _esm = bundle("widgets/stepper/stepper.js")
    _css = styles("page/common.css", "page/world.css", "widgets/stepper/stepper.css")

    world = t.Dict(help="what the page's world has other than CartPole, see world.js").tag(sync=True)
    states = t.List(help="T true states").tag(sync=True)
    prior = t.List(help="T times [cm, std, degrees, std]").tag(sync=True)
    posterior = t.List(help="T times [cm, std, degrees, std]").tag(sync=True)
    seen = t.List(help="T times [cm, degrees]").tag(sync=True)
    kl = t.List(help="T surprises, nats").tag(sync=True)
    gusts = t.List(help="T gusts, newtons").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    moment = t.Int(help="2 t before frame t is seen, 2 t + 1 after").tag(sync=True)
    revealed = t.Bool(False, help="whether gusts are shown").tag(sync=True)

    def __init__(self, states, prior, posterior, seen, kl, gusts, world, moment=None, revealed=False, title=""):
        parts = {"states": states, "prior": prior, "posterior": posterior, "seen": seen, "kl": kl, "gusts": gusts}
        lengths = {name: len(part) for name, part in parts.items()}
        if len(set(lengths.values())) > 1 or len(states) < 2:
            raise ValueError(f"lengths are {lengths}; expected the same for all, at least 2")
        rounded = {name: np.round(np.asarray(part, dtype=float), 4).tolist() for name, part in parts.items()}
        opening = 2 * int(np.argmax(kl)) + 1 if moment is None else moment  # where it was most surprised
        traits = rounded | {"world": dict(world.page), "title": title, "moment": opening, "revealed": revealed}
        super().__init__(repr(traits).encode(), **traits)

    @t.validate("moment")
    def _check_moment(self, proposal):
        return within(proposal, 0, 2 * len(self.kl) - 1)

    @classmethod
    def of(cls, model, episodes, gusts=2, title=""):
        """Make one of a model with a latent at each step, and of the first window of episodes with so many gusts.

        No two of them are near each other. Raises ValueError where there is no such window.
        """
        frames, actions, states = map(torch.from_numpy, episodes.windows(SETTLED + SHOWN - 1, stride=5))
        world = episodes.world
        begins = (world.entry(states, "gust") != 0) & (world.entry(states, "left") == GUST_STEPS - 1)
        inside = begins[:, SETTLED + 3 : -6].sum(1)
        near = begins.unfold(1, NEAR, 1).sum(-1).amax(1) > 1  # two within so many frames
        fits = torch.nonzero((inside == gusts) & (begins.sum(1) == gusts) & ~near)
        if not len(fits):
            raise ValueError(f"no window of {SETTLED + SHOWN} frames with {gusts} gusts; pass more episodes")
        row = int(fits[0])
        beliefs = _beliefs(model, frames[row], actions[row])
        shown = states[row, SETTLED:]
        gust = world.entry(shown, "gust")
        return cls(shown.tolist(), **beliefs, gusts=gust.tolist(), world=world, title=title)

    def still(self):
        """Return surprise over frames, and angles before and after each, as a figure for pages without JavaScript."""
        return _still(self)


@torch.no_grad()
def _beliefs(model, frames, actions):
    """Prior, posterior, what is seen, and KL, from the frame SETTLED on."""
    codes = model.observed(model.see(frames)[None])
    walk = unroll(model, codes, actions[None], torch.zeros(1, len(frames), model.latent))  # along the mean of q
    both = {name: _read(model, Gaussian(*(part[0, SETTLED:] for part in getattr(walk, name)))) for name in NUMBERS}
    found = read(frames[SETTLED:])
    seen = torch.stack([100 * found.x, degrees(found.theta)], -1).tolist()
    return both | {"seen": seen, "kl": walk.kl[0, SETTLED:].sum(-1).tolist()}


def _read(model, belief):
    """Mean and spread of what latents drawn from a Gaussian (T, Z) are decoded to: (T, 4)."""
    latents = belief.draw(torch.randn(SAMPLES, *belief.mean.shape, generator=torch.Generator().manual_seed(0)))
    found = read(model.decode(latents[..., :2]))
    numbers = torch.stack([100 * found.x, degrees(found.theta)], -1)  # (SAMPLES, T, 2)
    return torch.stack([numbers.mean(0), numbers.std(0)], -1).flatten(1).tolist()


def _still(stepper):
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    top, low = figure.subplots(2, 1, sharex=True)
    frame = np.arange(1, len(stepper.kl) + 1)
    for name, colour, mark, at in (("prior", "#d55e00", "s", -0.12), ("posterior", "#0072b2", "o", 0.12)):
        values = np.array(getattr(stepper, name))
        top.errorbar(frame + at, values[:, 2], 2 * values[:, 3], fmt=mark, color=colour, markersize=3, label=name)
    top.plot(frame, np.array(stepper.seen)[:, 1], "kx", markersize=5, label="read off the frame")
    top.set_ylabel("pole, degrees")
    top.legend(frameon=False, fontsize=8, ncols=3)
    low.bar(frame, stepper.kl, color="#d55e00")
    low.set(xlabel="frame", ylabel="KL, nats")
    for axis in (top, low):
        axis.spines[["top", "right"]].set_visible(False)
    if stepper.title:
        figure.suptitle(stepper.title, fontsize=11)
    most, usual = int(np.argmax(stepper.kl)), np.median(stepper.kl)
    return still_figure(
        figure,
        "Pole angles that a model expects before each frame and believes after it, and its surprise below. Most it is "
        f"surprised by frame {most + 1}: {stepper.kl[most]:.1f} nats, where {usual:.1f} are usual.",
    )
