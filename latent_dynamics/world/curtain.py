"""A cloth before the middle of the track: it hides what passes behind it, in any world.

The cloth is part of the picture, drawn over it. Who reads such a frame must tell two things apart: a frame in which
there is no cart and pole to read, and one in which the cloth hides them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from .gusty import GUSTY
from .preprocessing import DEFAULT
from .reader import CART_ROWS, POLE_ROWS, Reading, read
from .worlds import register

LEFT, RIGHT = 0.44, 0.56  # from where to where it hangs, in shares of the picture's width
CLOTH = 128  # its gray, of 255
PLAIN = 2 / 255  # by how much its shade may differ where nothing lies over it
SPECK = 0.05  # ink above this is a thing


@dataclass(frozen=True)
class CurtainReading(Reading):
    """What a reader says of frames (...) that a cloth may hide. Where it does, `valid` is False and `hidden` True."""

    hidden: torch.Tensor  # (...) bool


def columns(width):
    """Return which columns of a frame of this width the cloth covers: a slice."""
    return slice(round(LEFT * width), round(RIGHT * width))


def hide(frames, view=DEFAULT):
    """Hang the cloth before frames (..., *view.shape) uint8; returns new ones."""
    frames = frames.copy()
    covered = (slice(None), columns(view.width)) + (() if view.gray else (slice(None),))
    frames[(..., *covered)] = CLOTH
    return frames


@dataclass(frozen=True)
class Hidden:
    """Draws states as another `draw` does, behind the cloth."""

    draw: Callable

    def __call__(self, states, view=DEFAULT, workers=None):
        """Draw states (..., S): (..., *view.shape) uint8."""
        return hide(self.draw(states, view, workers), view)


def behind_a_curtain(world, name, environment=""):
    """Return the same world seen with the cloth in front of it."""
    page = world.page | {"curtain": [LEFT, RIGHT, CLOTH]}
    return replace(world, name=name, draw=Hidden(world.draw), environment=environment, page=page)


def hangs(frames):
    """Say of frames (..., H, W) in [0, 1] whether the cloth hangs in them: (...) bool."""
    cloth = torch.as_tensor(frames)[..., columns(frames.shape[-1])]
    return ((cloth - CLOTH / 255).abs() < PLAIN).flatten(-2).all(-1)


def read_behind(frames):
    """Read frames (..., 32, 100) in [0, 1], with or without the cloth: CurtainReading.

    The cloth is taken away first, and leaves nothing where it hung. Cart and pole are hidden where there is nothing
    beside it, or where what there is reaches to its edge: the rest balances elsewhere than the whole. Anything else is
    read, and may be unreadable.
    """
    frames = torch.as_tensor(frames)
    hung, covered = hangs(frames), columns(frames.shape[-1])
    bare = frames.clone()
    bare[..., covered] = torch.where(hung[..., None, None], 1.0, bare[..., covered])
    seen = read(bare)
    ink = 1 - torch.cat([bare[..., POLE_ROWS, :], bare[..., CART_ROWS, :]], -2)  # of what moves, not of the track
    none = ink.amax((-2, -1)) < SPECK
    cut = ink[..., [covered.start - 1, covered.stop]].amax((-2, -1)) > SPECK
    hidden = hung & (none | cut)
    return CurtainReading(seen.x, seen.theta, seen.valid & ~hidden, hidden)


CURTAIN = register(behind_a_curtain(GUSTY, "curtain", "LatentDynamics/CurtainCartPole-v0"))
