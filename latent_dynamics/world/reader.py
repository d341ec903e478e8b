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
from .preprocessing import DEFAULT, GRAY, SCREEN, View

AXLE_ROW = 292.5  # screen row about which the pole turns
ROOF, BELOW, GROUND = 280, 305, 315  # screen rows: the pole lies above the first, the cart alone between the others
CART_WIDTH, POLE_WIDTH = 51, 12  # screen columns; the pole a little more, since it leans
FAINT = 0.02  # ink below this is a decoder's haze, not a thing
LEAST_SHOWN = 0.4  # share of the pole or the cart that the picture must show
SLACK = 1.5  # by how much a decoder's ink may differ from a real frame's
WHOLE = 0.999  # share above which nothing is cut off: it is rounded


@dataclass(frozen=True)
class Layout:
    """Where cart and pole lie in the model frames of a view."""

    row: float  # screen rows of a model pixel
    column: float  # screen columns of a model pixel
    pole: slice  # rows above the cart's roof
    cart: slice  # rows below the pole's end and below the track's line

    @property
    def cart_width(self):
        """How many columns the cart covers."""
        return CART_WIDTH / self.column

    @property
    def pole_width(self):
        """How many columns the pole covers in a row."""
        return POLE_WIDTH / self.column


@cache
def layout(view):
    """Return the Layout of a View. Raises ValueError for one that shows too little to read an angle and a position."""
    row, column = (view.bottom - view.top) / view.height, SCREEN[1] / view.width
    pole = slice(0, math.floor((ROOF - view.top) / row))
    cart = slice(math.ceil((BELOW - view.top) / row), math.floor((GROUND - view.top) / row))
    if cart.start >= cart.stop:  # coarse rows: the one that holds the middle of the cart's lower part
        cart = slice(middle := math.floor(((BELOW + GROUND) / 2 - view.top) / row), middle + 1)
    if pole.stop < 3 or cart.stop > view.height or view.top + cart.start * row < BELOW - 5:
        raise ValueError(
            f"screen rows {view.top} to {view.bottom} in {view.height} rows do not show what a reader needs: three "
            f"rows of the pole above screen row {ROOF}, and one of the cart alone, about {BELOW} to {GROUND}"
        )
    return Layout(row, column, pole, cart)


TOP, ROW, COLUMN = DEFAULT.top, layout(DEFAULT).row, layout(DEFAULT).column
POLE_ROWS, CART_ROWS = layout(DEFAULT).pole, layout(DEFAULT).cart


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


def measure(frames, view=DEFAULT):
    """Read frames (..., *view.shape) in [0, 1] without judging whether there is anything to read."""
    where, width = layout(view), view.width
    frames = torch.as_tensor(frames, dtype=torch.float64)
    if frames.shape[frames.ndim - len(view.shape) :] != view.shape:
        size = ", ".join(map(str, view.shape))
        raise ValueError(f"the reader got frames of shape {tuple(frames.shape)}; it reads (..., {size}) model frames")
    ink = 1 - (frames if view.gray else frames @ (torch.tensor(GRAY, dtype=torch.float64) / 256))
    ink = torch.where(ink > FAINT, ink, 0.0)
    columns = torch.arange(width, dtype=torch.float64) + 0.5  # centre of each model pixel
    moments = ink @ torch.stack([torch.ones(width, dtype=torch.float64), columns, columns.square()], -1)  # (..., H, 3)
    pole = moments[..., where.pole, :]
    whole = is_whole(pole[..., 1] / pole[..., 0].clamp(min=1e-9), view)  # rows cut off at the edge balance elsewhere
    weight, first, second = (pole * whole[..., None]).unbind(-1)  # (..., rows) each: ink, where it balances, its spread
    centre = first / weight.clamp(min=1e-9)
    total = weight.sum(-1).clamp(min=1e-9)
    rows = torch.arange(pole.shape[-2], dtype=torch.float64) + 0.5
    up = (AXLE_ROW - view.top - rows * where.row) / where.column  # in columns
    mean_up, mean_centre = (weight * up).sum(-1) / total, first.sum(-1) / total
    du, dc = up - mean_up[..., None], centre - mean_centre[..., None]
    slope = (weight * du * dc).sum(-1) / (weight * du * du).sum(-1).clamp(min=1e-9)
    line = mean_centre[..., None] + slope[..., None] * du  # (..., rows): its column in each row
    smear = ((second - 2 * line * first + line.square() * weight).sum(-1).clamp(min=0) / total).sqrt()
    cart_ink, cart_first, _ = moments[..., where.cart, :].sum(-2).unbind(-1)
    x, cart = uncut(cart_first / cart_ink.clamp(min=1e-9), view), where.cart_width
    pole_shown = is_whole(line, view).double().mean(-1)
    cart_shown = ((x + cart / 2).clamp(max=width) - (x - cart / 2).clamp(min=0)) / cart
    return InkReading(
        x=(x - width / 2) * where.column / PIXELS_PER_METRE, theta=torch.atan(slope), valid=total > 0,
        ink=weight.sum(-1) / pole_shown.clamp(min=LEAST_SHOWN), smear=smear,
        cart_ink=cart_ink / cart_shown.clamp(min=LEAST_SHOWN), shown=torch.minimum(pole_shown, cart_shown),
    )  # fmt: skip


def is_whole(middle, view=DEFAULT):
    """Say whether a row of the pole that balances at a column `middle` can lie in the picture whole."""
    half = layout(view).pole_width / 2
    return (middle >= half) & (middle <= view.width - half)


def uncut(balance, view=DEFAULT):
    """Return the middle of the cart, from the column at which what the picture shows of it balances.

    Of a cart cut off at the edge a part is left, from its inner end to the edge: it balances half-way between them,
    however dark it is.
    """
    half = layout(view).cart_width / 2
    return balance + (balance - (view.width - half)).clamp(min=0) - (half - balance).clamp(min=0)


@cache
def limits(view: View = DEFAULT):
    """Return what real frames look like to the reader, and how far it is off on them: pairs of numbers by name.

    "ink", "smear" and "cart_ink" are the 1st and 99th percentiles over frames that the renderer draws of all that an
    episode visits: carts on the whole track, poles up to the 12 degrees at which it ends; less those of which the
    picture shows too little. "error" and "error_cut" are root mean square errors (metres, radians) where all is in the
    picture, and where the edge cuts some of it off. Computed once for a view, from 2,000 frames.
    """
    states, seen = _measured(view)
    enough, whole = seen.shown > LEAST_SHOWN, seen.shown > WHOLE
    found = {name: np.percentile(getattr(seen, name)[enough], [1, 99]) for name in ("ink", "smear", "cart_ink")}
    off = torch.stack([seen.x, seen.theta], -1) - states[:, [0, 2]]
    valid = _has_pole(seen, found, SLACK)
    for name, rows in {"error": valid & whole, "error_cut": valid & ~whole}.items():
        found[name] = off[rows].square().mean(0).sqrt()
    return {name: tuple(map(float, pair)) for name, pair in found.items()}


@cache
def _measured(view, count=2000):
    """Draw states and measure their frames, in parts that fit memory: states (count, 4), InkReading (count,)."""
    some = max(1, count * math.prod(DEFAULT.shape) // math.prod(view.shape))
    states = _states(count)
    seen = [measure(_drawn(part, view), view) for part in states.split(some)]
    return states, InkReading(**{name: torch.cat([getattr(one, name) for one in seen]) for name in vars(seen[0])})


def real_frames(count, view=DEFAULT):
    """Draw states (count, 4) all over what an episode visits: the states, and their frames (count, *view.shape)."""
    return (states := _states(count)), _drawn(states, view)


def _states(count):
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (count, 4)) * [X_LIMIT, 0, THETA_LIMIT, 0])


def _drawn(states, view):
    from .rendering import draw  # only here: the reader itself needs no renderer

    return torch.from_numpy(draw(states.numpy(), view, workers=1)) / 255.0


def errors(seen, view=DEFAULT):
    """Return by how much readings of real frames are off, (..., 2): metres, radians; inf where there is no pole."""
    whole, cut = (torch.tensor(limits(view)[name], dtype=torch.float64) for name in ("error", "error_cut"))
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
def rounded_error(view=DEFAULT):
    """Return what rounded corners leave of the reader's error, root mean square: metres, radians."""
    states, seen = _measured(view)
    off = torch.stack([seen.x, seen.theta], -1) - rounded_reading(states[:, 0], states[:, 2])
    return tuple(off[seen.shown > WHOLE].square().mean(0).sqrt().tolist())


def read(frames, slack=SLACK, view=DEFAULT):
    """Read frames (..., *view.shape): x in metres, theta in radians, and whether there is a pole and a cart at all.

    Ink that is missing, doubled or smeared counts as no pole, and so does a pole or cart of which the picture's edge
    leaves too little. `slack` widens the percentiles of `limits`, since a decoder blurs even where it is right: ink may
    fall short or run over by this factor, smear may grow by it.
    """
    seen = measure(frames, view)
    return replace(seen, valid=_has_pole(seen, limits(view), slack))


def _has_pole(seen, real, slack):
    """Say of which readings the ink is that of one cart and one pole, by the limits of real frames: (...) bool."""
    enough = (seen.ink > real["ink"][0] / slack) & (seen.cart_ink > real["cart_ink"][0] / slack)
    not_doubled = (seen.ink < real["ink"][1] * slack) & (seen.cart_ink < real["cart_ink"][1] * slack)
    straight = seen.smear < real["smear"][1] * slack
    return enough & not_doubled & straight & (seen.shown > LEAST_SHOWN)


def degrees(radians):
    """Turn radians into degrees."""
    return radians * (180 / math.pi)
