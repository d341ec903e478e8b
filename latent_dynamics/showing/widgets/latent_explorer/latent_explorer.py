"""The latent explorer: turn the numbers of z by hand and see, at once, what the decoder draws.

Most of the space that z lives in corresponds to no picture. One only believes it after having left the thin part
that does.
"""

import base64
import io

import numpy as np
import torch
import traitlets as t
from matplotlib.figure import Figure

from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees, limits, measure, read
from latent_dynamics.world.worlds import CARTPOLE

from ...page.base import BookWidget, noscript_figure, within
from ...page.bundle import bundle, styles
from ...page.page_model import page_function, rounded
from ..start_states import labels_of

KEPT = 200  # training latents that travel with the page


class LatentExplorer(BookWidget):
    """A slider for each number of z, the decoded frame, what the reader makes of it, and how far z is from real ones.

    `autoencoder` has encode and decode, frames (B, 32, 100) to z (B, D) and back; `states` (S, 4) are true states whose
    frames z can be put back to, `labels` (S,) names them; `latents` (M, D) are those of the training frames: they set
    the unit of each slider, a standard deviation, and its reach. It opens with one number moved so far that the pole is
    lost, unless `moved` (D,) says otherwise. `frame` (index of the state) and `moved` (D numbers, in standard
    deviations from that frame's own z) can be read and set; `z` is what they give. Raises ValueError for what it
    cannot show.
    """

    _esm = bundle("widgets/latent_explorer/latent_explorer.js")
    _css = styles("page/common.css", "page/world.css", "widgets/latent_explorer/latent_explorer.css")

    functions = t.Dict(help="{encode, decode}: graph and weights of each").tag(sync=True)
    limits = t.Dict(help="what real frames look like to the reader").tag(sync=True)
    world = t.Dict(help="what the page's world has other than CartPole, see world.js").tag(sync=True)
    states = t.List(help="S true states").tag(sync=True)
    labels = t.List(t.Unicode(), help="what the list of real frames shows").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    mean = t.List(t.Float(), help="D means of the training latents").tag(sync=True)
    spread = t.List(t.Float(), help="their D standard deviations").tag(sync=True)
    reach = t.List(help="[least, most] of each number, in standard deviations from the mean").tag(sync=True)
    seen = t.Bytes(help="float16 (200, D): training latents, in standard deviations from the mean").tag(sync=True)
    usual = t.Float(help="within which 19 of 20 other training latents lie from the nearest of these").tag(sync=True)
    frame = t.Int(help="real frame shown, from 0").tag(sync=True)
    moved = t.List(t.Float(), help="by how much each number is moved from the real frame's").tag(sync=True)

    def __init__(self, autoencoder, states, latents, labels=None, frame=0, moved=None, title="", world=CARTPOLE):
        self._true = world
        states, latents = _checked(states, latents, world)
        self._eyes = rounded(autoencoder)
        mean, spread = latents.mean(0), latents.std(0)
        standard = (latents - mean) / spread
        kept = _far_apart(standard, min(KEPT, len(standard)))
        seen = standard[kept].astype("<f2")
        blank = torch.zeros(1, *np.shape(world.draw(states[:1], workers=1))[1:])
        with torch.no_grad():
            code = self._eyes.encode(blank)
        encode, decode = page_function(self._eyes.encode, blank), page_function(self._eyes.decode, code)
        traits = {
            "functions": {"encode": encode, "decode": decode},
            "limits": {name: list(pair) for name, pair in limits().items()},
            "world": dict(world.page),
            "states": states.tolist(),
            "labels": labels_of(labels, states, world),
            "title": title,
            "mean": mean.tolist(),
            "spread": spread.tolist(),
            "reach": np.stack([standard.min(0), standard.max(0)], 1).tolist(),
            "seen": seen.tobytes(),
            "usual": _usual(standard, kept),
            "frame": frame,
        }
        self._codes = self._encode(states)
        traits["moved"] = _checked_moves(moved, len(mean)) if moved is not None else self._telling(traits)
        super().__init__(repr(traits).encode(), **traits)

    @t.validate("frame")
    def _check_frame(self, proposal):
        return within(proposal, 0, len(self.states) - 1)

    @t.validate("moved")
    def _check_moved(self, proposal):
        return _checked_moves(proposal["value"], len(self.spread))

    @property
    def z(self):
        """The latent that the page shows, (D,) float32."""
        return self._codes[self.frame] + np.float32(self.moved) * np.float32(self.spread)

    def picture(self):
        """Return what the decoder draws of `z`, (32, 100) in [0, 1]."""
        return self._decode(self.z[None])[0]

    def distance(self):
        """Return how far `z` is from the nearest training latent that the page has, in standard deviations."""
        here = (self.z - np.array(self.mean)) / self.spread
        seen = np.frombuffer(self.seen, "<f2").reshape(-1, len(self.spread)).astype(float)
        return float(np.sqrt(((seen - here) ** 2).sum(1)).min())

    def still(self):
        """Return the real frame beside the one decoded from the moved z, for pages without JavaScript."""
        real = from_bytes(self._true.draw(np.array([self.states[self.frame]]), workers=1))[0]
        return _still(real, self.picture(), self._story(), self.title)

    @torch.no_grad()
    def _encode(self, states):
        return self._eyes.encode(torch.from_numpy(from_bytes(self._true.draw(states, workers=1)))).numpy()

    @torch.no_grad()
    def _decode(self, z):
        return self._eyes.decode(torch.from_numpy(np.float32(z))).numpy()

    def _telling(self, traits):
        """Choose one number and how far to move it: to where the reader loses the pole and most ink is still there."""
        code, reach = self._codes[traits["frame"]], np.array(traits["reach"])
        now = (code - traits["mean"]) / traits["spread"]
        moves = [
            np.eye(len(now))[i] * step
            for i, (low, high) in enumerate(reach)
            for step in np.arange(-60, 61) * 0.05
            if low <= now[i] + step <= high
        ]
        drawn = self._decode(code + np.array(moves) * traits["spread"])
        seen, enough = read(drawn), measure(drawn).ink.numpy()
        score = np.where(seen.valid.numpy(), -1.0, seen.smear.numpy() * np.minimum(enough, traits["limits"]["ink"][1]))
        return [round(float(value), 2) + 0.0 for value in moves[int(score.argmax())]]

    def _story(self):
        """Say what has been moved and what came of it."""
        found = read(self.picture())
        moved = [f"number {i + 1} by {by:+.1f}" for i, by in enumerate(self.moved) if by]
        change = f"Moved: {', '.join(moved)} standard deviations" if moved else "Nothing is moved"
        drawn = f"a pole at {float(degrees(found.theta)):+.1f} degrees" if found.valid else "no pole that can be read"
        return (
            f"{change}; the decoder draws {drawn}. The nearest training latent is {self.distance():.1f} standard "
            f"deviations away; for real frames that is mostly within {self.usual:.1f}."
        )


def _far_apart(points, count):
    """Return the rows of `count` points, each as far as can be from those before it: few that cover them all."""
    rows, apart = [0], np.full(len(points), np.inf)
    while len(rows) < count:
        apart = np.minimum(apart, ((points - points[rows[-1]]) ** 2).sum(1))
        rows.append(int(apart.argmax()))
    return rows


def _usual(standard, kept):
    """Return the distance within which 19 of 20 other training latents lie from the nearest one kept."""
    others = torch.from_numpy(np.delete(standard, kept, 0)[:: max(1, len(standard) // 2000)])
    near = torch.cdist(others, torch.from_numpy(standard[kept])).min(1).values if len(others) else torch.zeros(1)
    return float(near.quantile(0.95))


def _checked(states, latents, world):
    states, latents = np.asarray(states, dtype=float), np.asarray(latents, dtype=float)
    if states.ndim != 2 or states.shape[1] != world.size or len(states) == 0 or not np.isfinite(states).all():
        raise ValueError(
            f"states have shape {states.shape}; expected finite (S, {world.size}): {', '.join(world.state_names)}. "
            "For a single one pass state[None]."
        )
    if latents.ndim != 2 or len(latents) < 2:
        raise ValueError(f"latents have shape {latents.shape}; expected (M, D), those of at least two training frames.")
    if not (latents.std(0) > 0).all():
        raise ValueError("a number of the latents never changes; leave it out, or train longer")
    return states, latents


def _checked_moves(moved, D):
    moved = [float(value) for value in moved]
    if len(moved) != D or not np.isfinite(moved).all():
        raise ValueError(f"moved is {moved}; expected {D} finite numbers, one for each number of z.")
    return moved


def _still(real, drawn, story, title):
    figure = Figure(figsize=(8, 1.9), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, picture, name in zip(axes, (real, drawn), ("a real frame", "drawn from its z, moved"), strict=True):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect=5 / 6)
        axis.set(xticks=[], yticks=[])
        axis.set_title(name, fontsize=10)
    if title:
        figure.suptitle(title, fontsize=11)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    alt = f"Two frames side by side: a real one, and one decoded from its latent after a change by hand. {story}"
    return noscript_figure(base64.b64encode(png.getvalue()).decode(), alt)
