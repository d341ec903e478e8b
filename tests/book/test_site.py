"""The extensions that make the book's site, on small examples; and what ties notebooks and site to one repository."""

import base64
import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))["repository"]["url"]
sys.path.append(str(ROOT / "book" / "_ext"))
light_theme = pytest.importorskip("light_theme")
native_maths, site_files, small_pictures, social_card, target_links = map(
    __import__, ("native_maths", "site_files", "small_pictures", "social_card", "target_links")
)


def test_the_card_shows_its_title_and_poles(tmp_path):
    social_card.draw(tmp_path / "static" / "card.png", "Title", "Words about it.")
    card = np.asarray(Image.open(tmp_path / "static" / "card.png").convert("L"))
    assert card.shape == social_card.SIZE[::-1]
    for part in (card[:200], card[250:560]):
        assert 0.01 < (part < 200).mean() < 0.5


# --- the first cell ---------------------------------------------------------------------------------------------------


def first_cell(path):
    return json.loads(path.read_text(encoding="utf8"))["cells"][0]


def test_every_notebook_begins_with_the_same_hidden_cell():
    first = [first_cell(path) for path in NOTEBOOKS]
    assert {cell["cell_type"] for cell in first} == {"code"}
    assert len({"".join(cell["source"]) for cell in first}) == 1
    assert all(cell["metadata"].get("tags") == ["remove-cell"] for cell in first)


@pytest.mark.parametrize("in_colab", [True, False])
def test_the_first_cell_installs_the_package_from_the_repository_in_colab_alone(monkeypatch, in_colab):
    from IPython.core.inputtransformer2 import TransformerManager

    ran = []
    shell = SimpleNamespace(run_line_magic=lambda name, line: ran.append(f"{name} {line}"))
    if in_colab:
        monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    code = TransformerManager().transform_cell("".join(first_cell(NOTEBOOKS[0])["source"]))
    exec(code, {"get_ipython": lambda: shell})
    assert ran == ([f"pip install --quiet git+{REPOSITORY}"] if in_colab else [])


def test_no_other_place_names_another_repository():
    name = re.search(r"github\.com/([\w-]+/[\w-]+)", REPOSITORY)[1]
    for path in ("README.md", "CITATION.cff", "book/references.bib"):
        text = (ROOT / path).read_text(encoding="utf8")
        user = name.partition("/")[0]
        assert name in text
        assert set(re.findall(rf"{user}/[\w-]+", text)) == {name}


def test_binder_installs_what_everybody_does_but_cuda():
    ours, binder = (yaml.safe_load((ROOT / name).read_text(encoding="utf8")) for name in
                    ("environment.yml", "binder/environment.yml"))  # fmt: skip
    (*others, packages), (*same, lines) = ours["dependencies"], binder["dependencies"]
    assert same == others and binder["channels"] == ours["channels"]
    cpu, constraints, package = lines["pip"]
    assert cpu == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert constraints == packages["pip"][0].replace("-c ", "-c ../")
    assert package == "-e ..[book]" and packages["pip"][1].startswith("-e .[book")


# --- the address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "repository, address",
    [
        ("https://github.com/User-1/a_book", "https://user-1.github.io/a_book/"),
        ("https://github.com/user/a.book.git", "https://user.github.io/a.book/"),
        ("https://github.com/user/user.github.io/", "https://user.github.io/"),
        ("https://gitlab.com/user/book", ""),
        ("", ""),
    ],
)
def test_the_published_address_follows_from_the_repository(repository, address):
    assert site_files.pages_address(repository) == address


@pytest.mark.parametrize(
    "text, words",
    [
        ("A :math:`x` here, and more.\n\nThe second [HS18], which is long enough to stand.",
         "The second, which is long enough to stand."),
        ("A sentence that says what a page is about. The latent :math:`z` comes later. So does this.",
         "A sentence that says what a page is about."),
        ("word " * 60, "word " * 38 + "word…"),
        ("Short.", ""),
    ],
)  # fmt: skip
def test_a_description_is_what_a_page_says_first_without_formulas_and_labels(text, words):
    from docutils.core import publish_doctree

    assert site_files.first_words(publish_doctree(f"Title\n=====\n\n{text}\n")) == words


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_link_may_name_a_target_of_another_page_but_no_heading_by_its_words():
    from docutils.core import publish_doctree

    env = SimpleNamespace(docname="page", metadata={"page": {}})
    page = publish_doctree("A title\n=======\n\n.. _here:\n\nText.\n\nMore\n----\n")
    target_links.remember(SimpleNamespace(env=env), page)
    assert {name: where[1] for name, where in env.metadata["page"]["myst_slugs"].items()} == {"here": "here"}


# --- formulas ---------------------------------------------------------------------------------------------------------


def test_an_index_stands_beside_a_letter_with_a_hat_and_not_under_it():
    markup = native_maths.mathml(r"\hat z_{t+1} + \hat o")
    hat = '<mover accent="true"><mi>{}</mi><mo stretchy="false">ˆ</mo></mover>'
    assert f"<msub>{hat.format('z')}<mrow>" in markup and hat.format("o") in markup
    assert "munderover" not in markup


# --- icons ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path):
    """A page with two icons, as the theme leaves it, and the files that the theme adds."""
    for name in (light_theme.STYLE, "scripts/fontawesome.js", *(f"{light_theme.FONTS}/{font}" for font in
                 ("fa-solid-900.woff2", "fa-solid-900.ttf"))):  # fmt: skip
        target = tmp_path / "_static" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((light_theme.THEME / name).read_bytes())
    (tmp_path / "a.html").write_text(
        '<link href="_static/styles/pydata-sphinx-theme.css?digest=0ld" rel="stylesheet" />\n'
        '  <!-- So that users can add custom icons -->\n'
        '  <script defer src="_static/scripts/fontawesome.js?digest=0ld"></script>\n'
        '<i class="fa-solid fa-bars fa-lg"></i><i class="fab fa-github"></i>',
    )  # fmt: skip
    return tmp_path


def app(folder):
    return SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=str(folder))


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_icons_in_use_stay_and_a_second_build_changes_nothing(built):
    from fontTools.ttLib import TTFont

    light_theme.lighten(app(built), None)
    css = (built / "_static" / light_theme.STYLE).read_text("utf8")
    assert ".fa-bars:before" in css and ".fa-github:before" in css and ".fa-yen-sign:before" not in css
    page = (built / "a.html").read_text()
    assert "fontawesome.js" not in page and page.count('aria-hidden="true"') == 2 and "0ld" not in page
    assert not (built / "_static/scripts/fontawesome.js").exists()
    fonts = {path.name: path for path in (built / "_static" / light_theme.FONTS).glob("*")}
    assert set(fonts) == {"fa-solid-900.woff", "fa-regular-400.woff", "fa-brands-400.woff"}
    assert sum(path.stat().st_size for path in fonts.values()) < 12_000
    assert 0xF0C9 in TTFont(fonts["fa-solid-900.woff"]).getBestCmap()  # bars
    assert 0xF09B in TTFont(fonts["fa-brands-400.woff"]).getBestCmap()  # github
    once = snapshot(built)
    light_theme.lighten(app(built), None)
    assert snapshot(built) == once


def test_a_theme_of_another_make_stops_the_build(built, tmp_path, monkeypatch):
    other = tmp_path / "theme"
    (other / "styles").mkdir(parents=True)
    (other / light_theme.STYLE).write_text(".fa-bars{--fa:'x'}")
    monkeypatch.setattr(light_theme, "THEME", other)
    before = snapshot(built)
    with pytest.raises(light_theme.ExtensionError, match="does not know this pydata-sphinx-theme"):
        light_theme.lighten(app(built), None)
    assert snapshot(built) == before


# --- figures ----------------------------------------------------------------------------------------------------------


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", compress_level=0)
    return file.getvalue()


@pytest.fixture
def ramp():
    """A figure of 200 grays, (100, 200, 4), as a PNG that is not compressed."""
    gray = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], 100, 0)
    return np.concatenate([gray, gray, gray, np.full_like(gray, 255)], -1)


def pixels(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"), dtype=int)


def test_a_figure_gets_smaller_and_looks_the_same(ramp):
    small = small_pictures.smaller(png(ramp))
    assert abs(pixels(small) - ramp[..., :3]).max() <= 2
    assert len(small) < len(png(ramp)) / 3
    assert small_pictures.smaller(small) == small


def test_a_picture_of_many_colours_and_one_with_holes_stay():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    for picture in (np.ascontiguousarray(noise[..., :3]), noise // 128 * 255):
        assert small_pictures.smaller(png(picture)) == png(picture)


def test_still_pictures_become_files_beside_the_page_and_the_rest_of_it_stays(ramp, tmp_path):
    inline = "data:image/png;base64," + base64.b64encode(png(ramp)).decode()
    page = "<img src='{}'><noscript><img src='{}'></noscript>{}"
    changed = small_pictures.stills_aside(page.format(inline, inline, "end"), tmp_path, "../_images/")
    (file,) = tmp_path.iterdir()
    assert changed == page.format(inline, f"../_images/{file.name}", "end")
    assert abs(pixels(file.read_bytes()) - ramp[..., :3]).max() <= 2
