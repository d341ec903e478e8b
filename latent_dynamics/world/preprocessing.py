"""From the screen to the model's frame: crop, grayscale, shrink; and back for show.

A rendered CartPole frame is 400 x 600 pixels of almost nothing. The model gets the band in which cart and
pole live, in gray, each block of 5 x 6 pixels averaged into one: 32 x 100 numbers.
"""

from dataclasses import dataclass

import numpy as np

SCREEN = (400, 600, 3)  # rows, columns, colours of a rendered frame
GRAY = (77, 150, 29)  # ITU-R BT.601 luma weights, in 256ths: whole numbers keep every sum below exact


@dataclass(frozen=True)
class View:
    """What of the screen a model sees."""

    top: int = 160  # first screen row kept
    bottom: int = 320  # first screen row cut off again
    gray: bool = True  # one channel instead of three
    height: int = 32  # rows of the model frame
    width: int = 100  # columns of the model frame

    def __post_init__(self):
        if not 0 <= self.top < self.bottom <= SCREEN[0]:
            raise ValueError(f"rows {self.top}:{self.bottom} are not within the screen's 0:{SCREEN[0]}")
        if not (1 <= self.height <= self.bottom - self.top and 1 <= self.width <= SCREEN[1]):
            raise ValueError(
                f"a model frame of {self.height} x {self.width} pixels, made of {self.bottom - self.top} x {SCREEN[1]} "
                "of the screen's; it can have from 1 to as many"
            )

    @property
    def shape(self):
        """The model frame's shape: (H, W), or (H, W, 3) in colour."""
        return (self.height, self.width) if self.gray else (self.height, self.width, 3)


DEFAULT = View()
COLOUR = View(gray=False)
RAW = View(top=8, bottom=392, gray=False)  # the whole screen but for 8 blank rows above and below


def to_bytes(rgb, view=DEFAULT):
    """Turn rendered frames into model frames of whole bytes: (..., 400, 600, 3) uint8 -> (..., H, W) uint8.

    All sums are of whole numbers and exact in float32, so any memory layout of `rgb` gives the same bytes. Where the
    screen's pixels do not fall into whole blocks, those on a border count for both, by their shares (`by_shares`).
    Raises ValueError for a wrong shape and TypeError for a wrong type.
    """
    rgb = np.asarray(rgb)
    if rgb.dtype != np.uint8:
        raise TypeError(
            f"preprocess got {rgb.dtype} pixels; "
            "it expects the uint8 frames of env.render()"
        )
    if rgb.ndim < 3 or rgb.shape[-3:] != SCREEN:
        raise ValueError(
            f"preprocess got shape {rgb.shape}; "
            "it expects (..., 400, 600, 3), as env.render() gives it"
        )
    if (view.bottom - view.top) % view.height or SCREEN[1] % view.width:
        return by_shares(rgb[..., view.top : view.bottom, :, :], view)
    block_rows, block_columns = (
        (view.bottom - view.top) // view.height,
        SCREEN[1] // view.width,
    )
    band = rgb[..., view.top : view.bottom, :, :]
    band = band.reshape(
        *rgb.shape[:-3], view.height, block_rows, SCREEN[1], 3
    )
    # Rows are added before colours are mixed: that leaves a fifth of the
    # numbers. (..., H, 600) a channel
    channels = [
        np.add.reduce(band[..., c], axis=-2, dtype=np.uint16)
        for c in range(3)
    ]
    planes = [sum(
        w * plane.astype(np.float32)
        for w, plane in zip(GRAY, channels, strict=True)
    )]
    if not view.gray:
        planes = [256 * plane.astype(np.float32) for plane in channels]
    sums = [
        sum(plane[..., j::block_columns] for j in range(block_columns))
        for plane in planes
    ]
    frames = np.stack(sums, -1) / (256 * block_rows * block_columns)
    frames = np.rint(frames).astype(np.uint8)  # (..., H, W, channels)
    return frames[..., 0] if view.gray else frames


def by_shares(band, view):
    """Shrink a band of the screen (..., rows, 600, 3) to a view whose blocks are not whole: (..., H, W) uint8."""
    rows, columns = shares(band.shape[-3], view.height), shares(SCREEN[1], view.width)
    planes = [band[..., c].astype(np.uint16) for c in range(3)]
    planes = [sum(w * plane for w, plane in zip(GRAY, planes, strict=True))] if view.gray else planes
    sums = [rows @ plane.astype(np.float64) @ columns.T for plane in planes]  # (..., H, W) each
    frames = np.rint(np.stack(sums, -1) / (256 if view.gray else 1)).astype(np.uint8)
    return frames[..., 0] if view.gray else frames


def shares(pixels, blocks):
    """Return which share of each block each pixel of a line makes up: (blocks, pixels), rows of sum 1."""
    size, at = pixels / blocks, np.arange(pixels)
    begin = size * np.arange(blocks)[:, None]
    return np.clip(np.minimum(at + 1, begin + size) - np.maximum(at, begin), 0, 1) / size


def from_bytes(frames):
    """Turn stored bytes into what models read: uint8 0..255 -> float32 in [0, 1], 1 is white.

    Raises TypeError for anything but bytes: floats in [0, 1] would be divided once too often.
    """
    frames = np.asarray(frames)
    if frames.dtype != np.uint8:
        raise TypeError(f"stored frames are bytes, uint8 from 0 to 255; these are {frames.dtype}")
    return frames.astype(np.float32) / 255


def preprocess(rgb, view=DEFAULT):
    """Turn rendered frames into model frames: (..., 400, 600, 3) uint8 -> (..., H, W) float32 in [0, 1]."""
    return from_bytes(to_bytes(rgb, view))


def for_show(frames, scale=6):
    """Enlarge model frames for a viewer: (..., H, W) in [0, 1] -> (..., scale H, scale W) uint8."""
    pixels = np.rint(np.clip(np.asarray(frames), 0, 1) * 255).astype(np.uint8)
    return pixels.repeat(scale, -2).repeat(scale, -1)


def background_share(rgb, tolerance=0):
    """Return the share of pixels, per frame, that show the plain white background: (...,) in [0, 1]."""
    return (np.asarray(rgb) >= 255 - tolerance).all(-1).mean((-2, -1))
