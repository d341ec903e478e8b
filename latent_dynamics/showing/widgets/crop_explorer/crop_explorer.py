"""The crop explorer: drag the crop over a real screen and see, at once, what the model would see.

A crop is one line of code, and nothing warns you when it is a bad one. Here its price is on the table while you
choose it. The page works everything out from the screens themselves, so it needs no kernel.
"""

import base64
import io

import numpy as np
import traitlets as t
from matplotlib.figure import Figure
from PIL import Image

from latent_dynamics.world.preprocessing import DEFAULT, RAW, SCREEN, View, background_share, to_bytes

from ...page.base import BookWidget, noscript_figure, within
from ...page.bundle import bundle, styles

BLOCK_ROWS = (1, 2, 4, 5, 8, 10, 12, 16, 20)  # what the page offers; a block's sum stays exact in float32
BLOCK_COLUMNS = (1, 2, 3, 4, 5, 6, 8, 10, 12)  # divisors of the screen's 600 columns
POLE = (202, 152, 101)  # the renderer's brown
NEAR = 12  # colours closer than this, summed over the channels, count as the same


class CropExplorer(BookWidget):
    """Choose the crop and its blocks on rendered screens, and see the shrunk frame and what was cut off.

    `screens` are (S, 400, 600, 3) uint8 as `env.render()` gives them, `labels` (S,) names them, `view` is the
    `preprocessing.View` to open with; frames are gray whatever it says of colour. `top`, `bottom` (screen rows),
    `block_rows`, `block_columns` (screen pixels) and `screen` (index) can be read and set, the first four also
    together as `view`. Raises ValueError for screens, labels or crops that cannot be shown.
    """

    _esm = bundle("widgets/crop_explorer/crop_explorer.js")
    _css = styles("page/common.css", "widgets/crop_explorer/crop_explorer.css")

    sheet = t.Bytes(help="all screens below each other, as one PNG").tag(sync=True)
    labels = t.List(t.Unicode(), help="what the list of screens shows").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    blocks = t.List(help="[block heights, block widths] on offer").tag(sync=True)
    presets = t.List(help="[words, traits that it sets] of each button").tag(sync=True)
    screen = t.Int(help="screen shown, from 0").tag(sync=True)
    top = t.Int(help="first screen row kept").tag(sync=True)
    bottom = t.Int(help="first screen row cut off again").tag(sync=True)
    block_rows = t.Int(help="screen rows averaged into one").tag(sync=True)
    block_columns = t.Int(help="screen columns averaged into one").tag(sync=True)

    def __init__(self, screens, labels=None, view=RAW, screen=0, title=""):
        screens = _checked_screens(screens)
        sheet = _pack(screens)
        crop = _traits(view)
        super().__init__(
            sheet + repr((labels, title, crop, screen)).encode(),
            sheet=sheet,
            labels=_checked_labels(labels, len(screens)),
            title=title,
            blocks=[list(BLOCK_ROWS), list(BLOCK_COLUMNS)],
            presets=[["The whole screen", _traits(RAW)], ["The book's crop", _traits(DEFAULT)]],
            screen=screen,
            **crop,
        )

    @property
    def view(self):
        """The crop and its blocks as a `preprocessing.View`; set it to change all four traits at once."""
        rows = self.bottom - self.top
        return View(self.top, self.bottom, height=rows // self.block_rows, width=SCREEN[1] // self.block_columns)

    @view.setter
    def view(self, view):
        _check_crop(**_traits(view))
        with self.hold_trait_notifications():
            for name, value in _traits(view).items():
                setattr(self, name, value)

    @t.validate("top", "bottom", "block_rows", "block_columns")
    def _check_crop(self, proposal):
        names = ("top", "bottom", "block_rows", "block_columns")
        _check_crop(**{name: getattr(self, name) for name in names} | {proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    @t.validate("screen")
    def _check_screen(self, proposal):
        return within(proposal, 0, len(self.labels) - 1, "the last screen, from 0")

    def pixels(self):
        """Return the screens as the page sees them, (S, 400, 600, 3) uint8."""
        return np.asarray(Image.open(io.BytesIO(self.sheet)).convert("RGB")).reshape(-1, *SCREEN)

    def frame(self):
        """Return the shrunk frame that the page shows, (H, W) uint8."""
        return to_bytes(self.pixels()[self.screen], self.view)

    def facts(self):
        """Return the figures that the page shows below the frame; see `crop_facts`."""
        return crop_facts(self.pixels()[self.screen], self.view)

    def still(self):
        """Return the screen with two crops and the frames they give, for pages without JavaScript."""
        other = RAW if _traits(self.view) == _traits(DEFAULT) else DEFAULT
        return _still(self.pixels()[self.screen], (self.view, other), self.title)


def crop_facts(rgb, view):
    """Return what a view keeps of one screen (400, 600, 3), as a dictionary.

    `numbers` of the frame; `touching`, how many of them hold any of the pole; `background`, the plain share of the
    crop; `pole` and `cart`, the share of each on the screen that the crop keeps (NaN where the screen has none).
    """
    pole, cart = _ink(rgb)
    rows = slice(view.top, view.bottom)
    blocks = pole[rows].reshape(view.height, -1, view.width, SCREEN[1] // view.width)
    return {
        "numbers": view.height * view.width,
        "touching": int(blocks.any((1, 3)).sum()),
        "background": float(background_share(rgb[rows])),
        "pole": float(pole[rows].sum() / pole.sum()) if pole.any() else np.nan,
        "cart": float(cart[rows].sum() / cart.sum()) if cart.any() else np.nan,
    }


def _ink(rgb):
    """Tell which pixels of a screen show the pole and which the cart: two (400, 600) bool arrays."""
    rgb = rgb.astype(int)
    pole = abs(rgb - POLE).sum(-1) < NEAR
    dark = rgb.sum(-1) < NEAR
    return pole, dark & ~dark.all(1, keepdims=True)  # a row that is dark all the way is the track


def _traits(view):
    """Return a view's crop as the widget's traits."""
    rows, columns = (view.bottom - view.top) // view.height, SCREEN[1] // view.width
    return {"top": view.top, "bottom": view.bottom, "block_rows": rows, "block_columns": columns}


def _check_crop(top, bottom, block_rows, block_columns):
    View(top, bottom, height=1, width=1)  # says so if these rows are not on the screen
    for name, value, offered in (
        ("block_rows", block_rows, BLOCK_ROWS),
        ("block_columns", block_columns, BLOCK_COLUMNS),
    ):
        if value not in offered:
            raise ValueError(f"{name} is {value}; the explorer offers {', '.join(map(str, offered))}.")
    if (bottom - top) % block_rows:
        raise ValueError(
            f"{bottom - top} x {SCREEN[1]} screen pixels do not fall into whole blocks of {block_rows} x "
            f"{block_columns}; choose divisors, or set all at once: explorer.view = View(...)"
        )


def _checked_screens(screens):
    screens = np.asarray(screens)
    if screens.dtype != np.uint8 or screens.ndim != 4 or len(screens) == 0 or screens.shape[1:] != SCREEN:
        raise ValueError(
            f"screens are {screens.dtype} of shape {screens.shape}; expected uint8 (S, 400, 600, 3) with at least "
            "one screen, as env.render() gives them. For a single screen pass screen[None]."
        )
    return screens


def _checked_labels(labels, S):
    if labels is None:
        return [f"Screen {s + 1}" for s in range(S)]
    labels = [str(label) for label in labels]
    if len(labels) != S:
        raise ValueError(f"labels names {len(labels)} screens; expected {S}, one for each.")
    return labels


def _pack(screens):
    """Pack screens (S, 400, 600, 3) into one PNG without loss: of few colours a palette's, else a full one."""
    codes = screens.reshape(-1, SCREEN[1], 3) @ np.array([1 << 16, 1 << 8, 1])  # (S * 400, 600), a number a colour
    colours, index = np.unique(codes, return_inverse=True)
    if len(colours) <= 256:
        image = Image.fromarray(index.reshape(codes.shape).astype(np.uint8), mode="P")
        image.putpalette(np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1).astype(np.uint8).tobytes())
    else:
        image = Image.fromarray(screens.reshape(-1, *SCREEN[1:]))
    png = io.BytesIO()
    image.save(png, format="PNG", optimize=True)
    return png.getvalue()


def _still(rgb, views, title):
    """Draw the screen with both crops, and each one's frame; return HTML."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subfigures(1, 2)
    screen, frames = left.subplots(), right.subplots(2, 1, height_ratios=[view.bottom - view.top for view in views])
    screen.imshow(rgb, extent=(0, SCREEN[1], SCREEN[0], 0))
    screen.set_title("the screen", fontsize=9)
    for view, axis, colour, line in zip(views, frames, ("#57606a", "#0072b2"), ("--", "-"), strict=True):
        screen.hlines((view.top, view.bottom), 0, SCREEN[1], color=colour, linestyle=line, linewidth=2)
        box = (0, SCREEN[1], view.bottom, view.top)
        axis.imshow(to_bytes(rgb, view), cmap="gray", vmin=0, vmax=255, extent=box, interpolation="nearest")
        axis.set_title(f"rows {view.top} to {view.bottom} in {view.height} x {view.width} numbers", fontsize=9)
        axis.spines[:].set(color=colour, linestyle=line, linewidth=2)
    for axis in (screen, *frames):
        axis.set(xticks=[], yticks=[])
    if title:
        figure.suptitle(title, fontsize=11)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    told = " ".join(f"{which}, {_in_words(rgb, view)}." for which, view in zip(("Above", "Below"), views, strict=True))
    scene = "A CartPole screen, almost all of it white, with two crops drawn on it. Beside it the frames they give."
    return noscript_figure(base64.b64encode(png.getvalue()).decode(), f"{scene} {told}")


def _in_words(rgb, view):
    """Say what a view keeps of a screen."""
    facts = crop_facts(rgb, view)
    kept = "" if np.isnan(facts["pole"]) else f"; it keeps {_percent(facts['pole'])} of the pole"
    return (
        f"rows {view.top} to {view.bottom}: {_percent(facts['background'])} of the crop is plain background, and "
        f"{facts['touching']} of {facts['numbers']:,} numbers touch the pole{kept}"
    )


def _percent(share):
    """Only what is whole is called so: 99.97% is not 100%."""
    return "100%" if share == 1 else f"{min(99.9, 100 * share):.1f}%"
