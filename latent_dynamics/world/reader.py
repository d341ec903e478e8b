"""The one reader of angles: cart position and pole angle, read off any frame by its ink.

Real, decoded or imagined, every frame is read the same way: the cart is where the ink of its rows balances, the
pole is the weighted straight line through the balance points of its rows. No learned net is used, because a net
answers confidently when it is shown mush. The reader says "no pole" instead.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch

from .cartpole import PIXELS_PER_METRE, THETA_LIMIT, X_LIMIT

TOP, ROW, COLUMN = 160, 5, 6  # the default view: its first screen row, and the screen pixels of a model pixel
AXLE_ROW = 292.5  # screen row about which the pole turns
POLE_ROWS = slice(0, 24)  # above the cart's roof
CART_ROWS = slice(29, 31)  # below the pole's end and below the track's line
CART_WIDTH, POLE_WIDTH = 51 / COLUMN, 12 / COLUMN  # columns; the pole a little more, since it leans
FAINT = 0.02  # ink below this is a decoder's haze, not a thing
LEAST_SHOWN = 0.4  # share of the pole or the cart that the picture must show
SLACK = 1.5  # by how much a decoder's ink may differ from a real frame's
WHOLE = 0.999  # share above which nothing is cut off: it is rounded


@dataclass(frozen=True)
class Reading:
    """What a reader says of frames (...). Where there is no pole to read, `valid` is False."""

    x: torch.Tensor  # (...) metres
    theta: torch.Tensor  # (...) radians, right is positive
    valid: torch.Tensor  # (...) bool


@dataclass(frozen=True)
class InkReading(Reading):
    """What the ink of frames (...) says, and how much of it there is."""

    ink: torch.Tensor  # (...) how much ink the pole would have were it whole in the picture, in pixels
    smear: torch.Tensor  # (...) columns: how far the ink lies from the line, root mean square
    cart_ink: torch.Tensor  # (...) how much ink the cart's rows would have, in pixels
    shown: torch.Tensor  # (...) which share of the pole, or of the cart where that is less, the picture shows


def measure(frames):
    """Read frames (..., 32, 100) in [0, 1] without judging whether there is anything to read."""
    ink = 1 - torch.as_tensor(frames, dtype=torch.float64)
    if ink.shape[-2:] != (32, 100):
        raise ValueError(f"the reader got frames of shape {tuple(ink.shape)}; it reads (..., 32, 100) model frames")
    ink = torch.where(ink > FAINT, ink, 0.0)
    columns = torch.arange(100, dtype=torch.float64) + 0.5  # centre of each model pixel
    moments = ink @ torch.stack([torch.ones(100, dtype=torch.float64), columns, columns.square()], -1)  # (..., 32, 3)
    pole = moments[..., POLE_ROWS, :]
    whole = is_whole(pole[..., 1] / pole[..., 0].clamp(min=1e-9))  # rows cut off at the edge balance elsewhere
    weight, first, second = (pole * whole[..., None]).unbind(-1)  # each (..., 24): ink, where it balances, its spread
    centre = first / weight.clamp(min=1e-9)
    total = weight.sum(-1).clamp(min=1e-9)
    up = (AXLE_ROW - TOP - (torch.arange(24, dtype=torch.float64) + 0.5) * ROW) / COLUMN  # in columns
    mean_up, mean_centre = (weight * up).sum(-1) / total, first.sum(-1) / total
    du, dc = up - mean_up[..., None], centre - mean_centre[..., None]
    slope = (weight * du * dc).sum(-1) / (weight * du * du).sum(-1).clamp(min=1e-9)
    line = mean_centre[..., None] + slope[..., None] * du  # (..., 24): its column in each row
    smear = ((second - 2 * line * first + line.square() * weight).sum(-1).clamp(min=0) / total).sqrt()
    cart_ink, cart_first, _ = moments[..., CART_ROWS, :].sum(-2).unbind(-1)
    x = uncut(cart_first / cart_ink.clamp(min=1e-9))
    pole_shown = is_whole(line).double().mean(-1)
    cart_shown = ((x + CART_WIDTH / 2).clamp(max=100) - (x - CART_WIDTH / 2).clamp(min=0)) / CART_WIDTH
    return InkReading(
        x=(x - 50) * COLUMN / PIXELS_PER_METRE, theta=torch.atan(slope), valid=total > 0,
        ink=weight.sum(-1) / pole_shown.clamp(min=LEAST_SHOWN), smear=smear,
        cart_ink=cart_ink / cart_shown.clamp(min=LEAST_SHOWN), shown=torch.minimum(pole_shown, cart_shown),
    )  # fmt: skip


def is_whole(middle):
    """Say whether a row of the pole that balances at a column `middle` can lie in the picture whole."""
    return (middle >= POLE_WIDTH / 2) & (middle <= 100 - POLE_WIDTH / 2)


def uncut(balance):
    """Return the middle of the cart, from the column at which what the picture shows of it balances.

    Of a cart cut off at the edge a part is left, from its inner end to the edge: it balances half-way between them,
    however dark it is.
    """
    return balance + (balance - (100 - CART_WIDTH / 2)).clamp(min=0) - (CART_WIDTH / 2 - balance).clamp(min=0)


@cache
def limits():
    """Return what real frames look like to the reader, and how far it is off on them: pairs of numbers by name.

    "ink", "smear" and "cart_ink" are the 1st and 99th percentiles over frames that the renderer draws of all that an
    episode visits: carts on the whole track, poles up to the 12 degrees at which it ends; less those of which the
    picture shows too little. "error" and "error_cut" are root mean square errors (metres, radians) where all is in the
    picture, and where the edge cuts some of it off. Computed once, from 2,000 frames.
    """
    states, frames = real_frames(2000)
    seen = measure(frames)
    enough, whole = seen.shown > LEAST_SHOWN, seen.shown > WHOLE
    found = {name: np.percentile(getattr(seen, name)[enough], [1, 99]) for name in ("ink", "smear", "cart_ink")}
    off = torch.stack([seen.x, seen.theta], -1) - states[:, [0, 2]]
    valid = _has_pole(seen, found, SLACK)
    for name, rows in {"error": valid & whole, "error_cut": valid & ~whole}.items():
        found[name] = off[rows].square().mean(0).sqrt()
    return {name: tuple(map(float, pair)) for name, pair in found.items()}


def real_frames(count):
    """Draw states (count, 4) all over what an episode visits: the states, and their frames (count, 32, 100)."""
    from .rendering import draw  # only here: the reader itself needs no renderer

    states = np.random.default_rng(0).uniform(-1, 1, (count, 4)) * [X_LIMIT, 0, THETA_LIMIT, 0]
    return torch.from_numpy(states), torch.from_numpy(draw(states, workers=1)) / 255.0


def errors(seen):
    """Return by how much readings of real frames are off, (..., 2): metres, radians; inf where there is no pole."""
    whole, cut = (torch.tensor(limits()[name], dtype=torch.float64) for name in ("error", "error_cut"))
    error = torch.where((seen.shown > WHOLE)[..., None], whole, cut)
    return torch.where(seen.valid[..., None], error, math.inf)


def rounded_reading(x, theta):
    """Return x and theta (..., 2) as the corners show them that the renderer truncates to whole pixels."""
    middle = x * PIXELS_PER_METRE + 300
    cart = torch.trunc(middle - 25) + torch.trunc(middle + 25) + 1  # twice its middle
    sin, cos = torch.sin(theta), torch.cos(theta)
    right = up = 0.0  # from the middle of the pole's lower end to that of its upper end, twice
    for side in (-5, 5):
        for height, sign in ((-5, -1), (120, 1)):
            right = right + sign * torch.trunc(cos * side + sin * height + middle)
            up = up + sign * torch.trunc(cos * height - sin * side + 107.5)
    return torch.stack([(cart / 2 - 300) / PIXELS_PER_METRE, torch.atan2(right, up)], -1)


@cache
def rounded_error():
    """Return what rounded corners leave of the reader's error, root mean square: metres, radians."""
    states, frames = real_frames(2000)
    seen = measure(frames)
    off = torch.stack([seen.x, seen.theta], -1) - rounded_reading(states[:, 0], states[:, 2])
    return tuple(off[seen.shown > WHOLE].square().mean(0).sqrt().tolist())


def read(frames, slack=SLACK):
    """Read frames (..., 32, 100): x in metres, theta in radians, and whether there is a pole and a cart at all.

    Ink that is missing, doubled or smeared counts as no pole, and so does a pole or cart of which the picture's edge
    leaves too little. `slack` widens the percentiles of `limits`, since a decoder blurs even where it is right: ink may
    fall short or run over by this factor, smear may grow by it.
    """
    seen = measure(frames)
    return replace(seen, valid=_has_pole(seen, limits(), slack))


def _has_pole(seen, real, slack):
    """Say of which readings the ink is that of one cart and one pole, by the limits of real frames: (...) bool."""
    enough = (seen.ink > real["ink"][0] / slack) & (seen.cart_ink > real["cart_ink"][0] / slack)
    not_doubled = (seen.ink < real["ink"][1] * slack) & (seen.cart_ink < real["cart_ink"][1] * slack)
    straight = seen.smear < real["smear"][1] * slack
    return enough & not_doubled & straight & (seen.shown > LEAST_SHOWN)


def degrees(radians):
    """Turn radians into degrees."""
    return radians * (180 / math.pi)
