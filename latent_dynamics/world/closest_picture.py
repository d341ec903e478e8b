"""A second reader, which shares nothing with the first: the state whose true picture is closest to a frame.

The world's own renderer draws states on a fine grid, once. A frame is compared with these pictures, pixel by pixel,
first coarsely and then near the best. It judges what `reader.read` judges, so that the order of two models need not
depend on whose eyes looked.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch

from ..world.rendering import draw
from .cartpole import PIXELS_PER_METRE
from .preprocessing import DEFAULT
from .reader import COLUMN, LEAST_SHOWN, POLE_ROWS, Reading, real_frames

FINE = 12  # positions drawn within a column: half a screen pixel apart
STEP = math.radians(0.25)  # between two angles that are drawn
FURTHEST = 100  # angles drawn to each side: 25 degrees
REACH = 10  # columns to each side of the axle that cart and pole may cover
BESIDE = 2  # columns beyond the screen where the axle is looked for too
COARSE = 8  # every so many angles are tried everywhere
LEVELS = (((-12, -9, -6, -3, 0, 3, 6, 9, 12), (-8, -6, -4, -2, 0, 2, 4, 6, 8)), (range(-3, 4), range(-3, 4)))
SHARP = 0.01  # pictures that are farther by this, in squared pixels, than the closest count e times less
CART = slice(24, 32)  # rows of the cart, and of the pole's end before it


@dataclass(frozen=True)
class Closest(Reading):
    """A reading (...), and how well the closest picture explains the frame."""

    left: torch.Tensor  # (...) squared distance in the pole's or the cart's rows, by the squared ink of the picture
    shown: torch.Tensor  # (...) which share of the closest picture's ink lies on the screen


@cache
def pictures():
    """Draw the grid: ink (FINE, angles, 32, 2 REACH + 1), beyond what is always there, about the axle's column."""
    place = (np.arange(FINE) + 0.5) * COLUMN / FINE / PIXELS_PER_METRE  # metres to the right of the screen's middle
    angle = np.arange(-FURTHEST, FURTHEST + 1) * STEP
    states = np.zeros((FINE, len(angle), 4))
    states[..., 0], states[..., 2] = place[:, None], angle
    drawn = torch.from_numpy(draw(states, workers=1))[..., 50 - REACH : 51 + REACH].float() / 255
    return soft(empty()[:, :1] - drawn)


def soft(ink):
    """Mix ink (..., W) with that of the columns beside it.

    Frames and pictures are compared so. What a decoder blurs would else be drawn to pictures whose edges fall between
    two columns, since these are the least sharp.
    """
    beside = torch.nn.functional.pad(ink, (1, 1))
    return 0.5 * ink + 0.25 * (beside[..., 2:] + beside[..., :-2])


@cache
def empty():
    """Return the picture of a world without cart and pole: (32, 100)."""
    away = draw(np.array([10.0, 0, 0, 0]), workers=1)
    return torch.from_numpy(away).float() / 255


def measure(frames, batch=16):
    """Find the closest pictures of frames (..., 32, 100) without judging whether they are close: Closest."""
    frames = torch.as_tensor(frames)
    if frames.shape[-2:] != (32, 100):
        raise ValueError(f"the reader got frames of shape {tuple(frames.shape)}; it reads (..., 32, 100) model frames")
    ink = soft(empty() - frames.reshape(-1, 32, 100).float())
    ink = ink[..., 1:-1]  # what lies beside the outermost columns is not known
    padded = torch.nn.functional.pad(ink, (REACH + BESIDE + 1, REACH + BESIDE + 1))
    patches = padded.unfold(-1, 2 * REACH + 1, 1).transpose(1, 2)  # (M, columns, 32, 2 REACH + 1), a view
    amounts = ink.square().sum(-1)  # (M, 32)
    found = [_closest(*some) for some in zip(patches.split(batch), amounts.split(batch))] or [torch.zeros(0, 5)]
    x, theta, *left, shown = torch.cat(found).double().reshape(*frames.shape[:-2], 5).unbind(-1)
    return Closest(x, theta, valid=shown > LEAST_SHOWN, left=torch.maximum(*left), shown=shown)


@cache
def limit():
    """Return how much real frames leave unexplained once each pixel is mixed with its neighbours, as a decoder does.

    The 99th percentile over 500 frames that the renderer draws of all that an episode visits.
    """
    seen = measure(1 - soft(1 - real_frames(500)[1]))
    return float(seen.left[seen.valid].quantile(0.99))


def read(frames, slack=1.5, view=DEFAULT):
    """Read frames (..., 32, 100): x in metres, theta in radians, and whether any true picture is like them.

    x to about 2.5 m and theta to 25 degrees, to both sides; the means of the closest pictures, since the renderer
    truncates to whole pixels and many states share one picture. Where the closest picture leaves more unexplained than
    `slack` times the `limit` of blurred real frames, or shows too little of pole or cart, there is no pole.
    Raises ValueError for a view of one's own: its pictures are of the default one.
    """
    if view != DEFAULT:
        raise ValueError(f"the reader by pictures knows {DEFAULT} only, not {view}; `reader.read` reads others too")
    seen = measure(frames)
    return replace(seen, valid=seen.valid & (seen.left < slack * limit()))


def _closest(patches, amounts):
    """Find the closest pictures of frames as patches (M, columns, 32, w) with squared ink (M, 32): (M, 5)."""
    place, angle = _everywhere(patches)  # in steps of the grid
    for places, angles in LEVELS:
        place = (place[:, None] + torch.tensor(places)).clamp(0, FINE * patches.shape[1] - 1)  # (M, P)
        angle = (angle[:, None] + torch.tensor(angles)).clamp(0, 2 * FURTHEST)  # (M, A)
        away = _distance(patches, place, angle).flatten(1)  # (M, P A)
        best = away.argmin(1)
        where = best // angle.shape[1], best % angle.shape[1]
        near = torch.softmax(-away / SHARP, 1).unflatten(1, (place.shape[1], angle.shape[1]))
        mean_place, mean_angle = (near.sum(2) * place).sum(1), (near.sum(1) * angle).sum(1)
        place, angle = (axis.gather(1, at[:, None])[:, 0] for axis, at in zip((place, angle), where))
    seen, whole = patches[torch.arange(len(patches)), place // FINE], pictures()[place % FINE, angle]  # (M, 32, w)
    drawn = whole * _visible(place // FINE, patches.shape[1])[:, None]
    beside = amounts - seen.square().sum(-1)  # (M, 32): ink where the picture has none
    left, size = beside + (seen - drawn).square().sum(-1), drawn.square().sum(-1)  # (M, 32)
    parts = [left[:, rows].sum(1) / size[:, rows].sum(1).clamp(min=1e-6) for rows in (POLE_ROWS, CART)]
    shown = [drawn[:, rows].sum((1, 2)) / whole[:, rows].sum((1, 2)) for rows in (POLE_ROWS, CART)]
    x = ((mean_place + 0.5) / FINE - BESIDE - 50) * COLUMN / PIXELS_PER_METRE
    return torch.stack([x, (mean_angle - FURTHEST) * STEP, *parts, torch.minimum(*shown)], 1)


@cache
def _kernels():
    """The pictures of every COARSE-th angle, blurred over a column, and their ink squared: (A, 32 w), (A, columns)."""
    kernels = pictures()[:, FURTHEST % COARSE :: COARSE].mean(0)  # (A, 32, w)
    columns = 100 + 2 * BESIDE
    seen = _visible(torch.arange(columns), columns)  # (columns, w)
    return kernels.flatten(1), kernels.square().sum(1) @ seen.T


def _everywhere(patches):
    """Compare with few angles at every column: the best place and angle, in steps of the grid, (M,) each."""
    kernels, size = _kernels()
    away = size.T - 2 * patches.flatten(2) @ kernels.T  # (M, columns, A)
    best = away.flatten(1).argmin(1)
    column, angle = best // len(kernels), best % len(kernels)
    return column * FINE + FINE // 2, angle * COARSE + FURTHEST % COARSE


def _visible(column, columns):
    """Which columns of a patch about an axle are compared, of those on the screen: (...,) -> (..., w), 1 or 0."""
    at = column[..., None] - BESIDE + torch.arange(-REACH, REACH + 1)
    return ((at > 0) & (at < columns - 2 * BESIDE - 1)).float()


def _distance(patches, place, angle):
    """Squared distance to the pictures of every place (M, P) with every angle (M, A), less a constant: (M, P, A)."""
    rows = torch.arange(len(patches))[:, None]
    seen = patches[rows, place // FINE].flatten(2)  # (M, P, 32 w)
    drawn = pictures()[(place % FINE)[:, :, None], angle[:, None, :]]  # (M, P, A, 32, w)
    shown = _visible(place // FINE, patches.shape[1])  # (M, P, w)
    size = torch.einsum("mpaw,mpw->mpa", _sizes()[(place % FINE)[:, :, None], angle[:, None, :]], shown)
    return size - 2 * torch.einsum("mpak,mpk->mpa", drawn.flatten(3), seen)


@cache
def _sizes():
    """How much squared ink each column of each picture holds: (FINE, angles, w)."""
    return pictures().square().sum(2)
