"""Figures at a third of their size: a figure has few colours, and a palette of 256 holds them.

The same for the still pictures that wait within a page for readers without JavaScript.
"""

import base64
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


def smaller_stills(page):
    """The HTML of a page with its still pictures made smaller."""

    def shrink(found):
        return found[1] + base64.b64encode(smaller(base64.b64decode(found[2]))).decode()

    return STILL.sub(lambda still: INLINE.sub(shrink, still[0]), page)


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
            rewrite(path, old := path.read_bytes(), smaller_stills(old.decode("utf8")).encode("utf8"))


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", shrink_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
