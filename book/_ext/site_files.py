"""What a published book needs beside its pages: descriptions, cards for links, a map, a page for lost readers.

All addresses follow from that of the repository (repository.py): GitHub publishes github.com/USER/BOOK as
USER.github.io/BOOK. `html: baseurl` in _config.yml overrules it. Without either, only the descriptions and the page for
lost readers are written.
"""

import re
from html import escape
from itertools import takewhile
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from docutils import nodes

HERE = Path(__file__).parent
CARD = "_static/card.png"
FORMULA = "\ufffc"  # stands for one, as in "object replacement character"
CITED = re.compile(r"\s*\[[A-Za-z+]+\d\d\w?(?:, [A-Za-z+]+\d\d\w?)*\]")  # [HS18]: says nothing outside the book
MAP = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{}</urlset>\n'
FRONT = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n{tags}\n'
    '<meta http-equiv="Refresh" content="0; url={first}" /></head>\n'
    '<body><a href="{first}">{title}</a></body></html>\n'
)


def pages_address(repository):
    """Where GitHub publishes a repository: https://USER.github.io/BOOK/, or nothing for one that is elsewhere."""
    found = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?", repository)
    if not found:
        return ""
    host = f"{found[1].lower()}.github.io"
    return f"https://{host}/" if found[2].lower() == host else f"https://{host}/{found[2]}/"


def find_address(app, config):
    """Tell Sphinx the address, which also gives each page its canonical link."""
    given = config.html_baseurl or pages_address(config.html_theme_options.get("repository_url", ""))
    config.html_baseurl = given and given.rstrip("/") + "/"


def up_to_a_formula(paragraph):
    """The first sentences of a paragraph, as long as they have no formula, without citations."""
    plain = paragraph.deepcopy()
    for formula in list(plain.findall(nodes.math)):
        formula.replace_self(nodes.Text(FORMULA))
    sentences = re.split(r"(?<=[.?!:]) ", CITED.sub("", " ".join(plain.astext().split())))
    return " ".join(takewhile(lambda sentence: FORMULA not in sentence, sentences))


def first_words(doctree, least=40, most=200):
    """The first words of a page that say something without formulas, cut after a word; empty where there are none."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section | nodes.document):
            words = up_to_a_formula(paragraph)
            if len(words) >= least:
                return words if len(words) <= most else words[: most - 1].rsplit(" ", 1)[0] + "…"
    return ""


def tags(config, title, words, address):
    """Meta tags for search engines and for whoever shows a link as a card (Open Graph, which X reads too)."""
    base = config.html_baseurl
    named = {"description": words} | ({"twitter:card": "summary_large_image"} if base else {})
    graph = {
        "og:type": "website", "og:site_name": config.html_title, "og:title": title, "og:description": words,
        "og:url": address, "og:image": base + CARD, "og:image:width": "1200", "og:image:height": "630",
        "og:image:alt": config.card_alt,
    } if base else {}  # fmt: skip
    lines = [f'<meta name="{name}" content="{escape(text)}" />' for name, text in named.items()]
    lines += [f'<meta property="{name}" content="{escape(text)}" />' for name, text in graph.items()]
    return "\n".join(lines)


def describe(app, pagename, templatename, context, doctree):
    """Put the tags into a page that has a source."""
    if doctree is not None:
        title = re.sub(r"<[^>]*>", "", context["title"])
        words = first_words(doctree) or app.config.site_description
        context["metatags"] += "\n" + tags(app.config, title, words, context.get("pageurl") or "")


def write_files(app, exception):
    """Write the front door, the map and the page for lost readers."""
    if exception or app.builder.format != "html":
        return
    out, config, base = Path(app.outdir), app.config, app.config.html_baseurl
    first = f"{config.master_doc}.html"
    path = urlsplit(base).path or "/"
    lost = Template((HERE / "404.html").read_text(encoding="utf8"))
    texts = {"title": escape(config.html_title), "root": escape(path), "first": escape(first)}
    (out / "404.html").write_text(lost.substitute(texts), encoding="utf8")
    card = tags(config, config.html_title, config.site_description, base)
    (out / "index.html").write_text(FRONT.format(tags=card, **texts), encoding="utf8")
    (out / "sitemap.xml").unlink(missing_ok=True)
    if base:
        pages = [config.master_doc, *sorted(app.env.found_docs - {config.master_doc})]
        lines = "".join(f"  <url><loc>{escape(base + page)}.html</loc></url>\n" for page in pages)
        (out / "sitemap.xml").write_text(MAP.format(lines), encoding="utf8")


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("site_description", "", "html")
    app.add_config_value("card_alt", "", "html")
    app.connect("config-inited", find_address, priority=900)
    app.connect("html-page-context", describe)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
