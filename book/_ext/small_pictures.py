"""Figures at a third of their size: a figure has few colours, and a palette of 256 holds them.

The still pictures that wait within a page for readers without JavaScript are put beside it: only they load them.
"""

import base64
import hashlib
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

TOLERANCE = 1.0  # mean change of a colour value, of 255: beyond it the picture stays as it is
STILL = re.compile(r"<noscript>.*?</noscript>", re.DOTALL)
INLINE = re.compile(r"(data:image/png;base64,)([A-Za-z0-9+/=]{1000,})")


def smaller(png):
    """The bytes of a PNG with a palette; as they were if it has one, would look different or would not be smaller."""
    with Image.open(io.BytesIO(png)) as picture:
        holes = "A" in picture.getbands() and picture.getchannel("A").getextrema()[0] < 255
        if picture.mode not in ("RGB", "RGBA") or holes:
            return png
        picture = picture.convert("RGB")
    small = picture.quantize(256, dither=Image.Dither.NONE)
    change = np.abs(np.asarray(picture, dtype=np.int16) - np.asarray(small.convert("RGB"), dtype=np.int16))
    if change.mean() > TOLERANCE:
        return png
    file = io.BytesIO()
    small.save(file, format="PNG", optimize=True)
    return min(png, file.getvalue(), key=len)


def stills_aside(page, folder, address):
    """The HTML of a page whose still pictures have become files in `folder`, which the page finds at `address`."""

    def put(found):
        picture = smaller(base64.b64decode(found[2]))
        name = f"{hashlib.sha256(picture).hexdigest()[:32]}.png"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture)
        return f"{address}{name}"

    return STILL.sub(lambda still: INLINE.sub(put, still[0]), page)


def rewrite(path, old, new):
    """Write a file if it has changed."""
    if new != old:
        path.write_bytes(new)


def shrink_all(app, exception):
    """Shrink the pictures of the built book."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for path in sorted((out / "_images").glob("*.png")):
        rewrite(path, old := path.read_bytes(), smaller(old))
    for name in sorted(app.env.found_docs):
        path = out / f"{name}.html"
        if path.exists():
            address = "../" * name.count("/") + "_images/"
            page = stills_aside((old := path.read_bytes()).decode("utf8"), out / "_images", address)
            rewrite(path, old, page.encode("utf8"))


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", shrink_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
