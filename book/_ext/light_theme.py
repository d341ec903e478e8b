"""Icons at the price of those that are used.

The theme gives every page all of Font Awesome twice: as a script that draws them, half a megabyte even when
compressed, and as fonts. Here the script goes, and its stylesheet and fonts keep the icons that a page shows.
"""

import hashlib
import logging as python_logging
import re
from pathlib import Path

import pydata_sphinx_theme
from fontTools import subset
from sphinx.errors import ExtensionError
from sphinx.util import logging

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
STYLE = "styles/pydata-sphinx-theme.css"
FONTS = "vendor/fontawesome/webfonts"
RULE = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"(\\[0-9a-f]+)"\}')  # what an icon's name stands for
SOURCES = re.compile(r"src:url\(\.\./vendor/fontawesome/webfonts/([\w-]+)\.woff2[^;}]*")  # of a font-face
SCRIPT = re.compile(r'\s*<!-- So that users can add custom icons -->\s*<script[^>]*/fontawesome\.js[^>]*></script>')
ICON = re.compile(r'<(i|span) (class="[^"]*\bfa-[^"]*")')
NAME = re.compile(r"\bfa-[a-z0-9-]+")
CODE = re.compile(r"\\([ef][0-9a-f]{3})|([\ue000-\uf8ff])")  # private characters, escaped or as they are
VERSION = re.compile(r"pydata-sphinx-theme\.css\?digest=\w+")


def lighten(app, exception):
    """Cut the theme's icons down in the built book; a theme of another make stops the build."""
    if exception or app.builder.format != "html":
        return
    out, static = Path(app.outdir), Path(app.outdir) / "_static"
    pages = [path for path in out.rglob("*.html") if not {"_static", "_sources"} & set(path.relative_to(out).parts)]
    source = THEME / STYLE  # the theme's own, or a second build would cut what is cut
    css = source.read_text(encoding="utf8") if source.exists() else ""
    check(css)
    css = only(css, names_in(pages, static, css))
    others = [path.read_text(encoding="utf8") for path in static.rglob("*.css") if path != static / STYLE]
    codes = {int(code, 16) if code else ord(letter) for code, letter in CODE.findall(css + "".join(others))}
    for old in (static / FONTS).glob("*"):
        old.unlink()
    css = SOURCES.sub(lambda found: f"src:url(../{FONTS}/{cut_font(found[1], codes, static)})", css)
    (static / STYLE).write_text(css, encoding="utf8")
    for path in (static / "scripts").glob("fontawesome.js*"):
        path.unlink()
    for path in pages:
        mend(path, digest(css.encode()))


def check(css):
    """Raise ExtensionError where the theme's files are not what this extension knows how to cut."""
    fonts = SOURCES.findall(css)
    missing = [name for name in fonts if not (THEME / FONTS / f"{name}.ttf").exists()]
    if len(RULE.findall(css)) < 1000 or len(fonts) != 3 or missing:
        raise ExtensionError(
            "light_theme.py does not know this pydata-sphinx-theme: its stylesheet was expected to hold more than 1000 "
            f"icon rules and 3 fonts, and holds {len(RULE.findall(css))} and {len(fonts)} (no .ttf: {missing}). "
            "Install the version in constraints.txt, or adapt RULE and SOURCES."
        )


def names_in(pages, static, css):
    """The icon names that pages or scripts use; a warning for each in a page that the theme does not have."""
    known = set(NAME.findall("".join(names for names, _ in RULE.findall(css))))
    styles = set(NAME.findall(RULE.sub("", css)))  # fa-solid, fa-lg and the like
    scripts = [path for path in static.rglob("*.js") if path.name != "fontawesome.js" and "mathjax" not in path.parts]
    used = {name for path in scripts for name in NAME.findall(path.read_text(encoding="utf8"))} & known
    for path in pages:
        names = {name for _, icon in ICON.findall(path.read_text(encoding="utf8")) for name in NAME.findall(icon)}
        for name in sorted(names - known - styles):
            logging.getLogger(__name__).warning("%s shows an icon that the theme does not have: %s", path.name, name)
        used |= names & known
    return used


def only(css, names):
    """The stylesheet with the icon rules of these names alone."""
    return RULE.sub(lambda rule: rule[0] if names & set(NAME.findall(rule[1])) else "", css)


def cut_font(name, codes, static):
    """Write the font with these characters only; return its file name, with a version after it."""
    python_logging.getLogger("fontTools").setLevel("WARNING")  # it tells of every table
    options = subset.Options(flavor="woff", layout_features=[], name_IDs=[])
    font = subset.load_font(THEME / FONTS / f"{name}.ttf", options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes)
    cutter.subset(font)
    target = static / FONTS / f"{name}.woff"
    subset.save_font(font, target, options)
    return f"{target.name}?v={digest(target.read_bytes())}"


def mend(path, version):
    """A page without the script, which hid icons from screen readers, and with the new stylesheet's version."""
    page = path.read_text(encoding="utf8")
    mended = VERSION.sub(f"pydata-sphinx-theme.css?digest={version}", SCRIPT.sub("", page))
    mended = re.sub(ICON.pattern + r"(?! aria-hidden)", r'<\1 \2 aria-hidden="true"', mended)
    if "fontawesome.js" in mended:
        raise ExtensionError(f"light_theme.py could not take the icon script out of {path.name}: adapt SCRIPT.")
    if mended != page:
        path.write_text(mended, encoding="utf8")


def digest(content):
    """A short hash for the end of an address, so that no browser keeps what has changed."""
    return hashlib.sha256(content).hexdigest()[:20]


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", lighten, priority=900)  # when every page and script is there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
