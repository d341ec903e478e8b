"""The extensions that make the book's site, on small examples; and what ties notebooks and site to one repository."""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
sys.path.append(str(ROOT / "book" / "_ext"))
light_theme = pytest.importorskip("light_theme")
captions, native_maths, repository, site_files, small_pictures, social_card, target_links = map(
    __import__,
    ("captions", "native_maths", "repository", "site_files", "small_pictures", "social_card", "target_links"),
)


def test_the_card_shows_its_title_and_poles(tmp_path):
    social_card.draw(tmp_path / "static" / "card.png", "Title", "Words about it.")
    card = np.asarray(Image.open(tmp_path / "static" / "card.png").convert("L"))
    assert card.shape == social_card.SIZE[::-1]
    for part in (card[:200], card[250:560]):
        assert 0.01 < (part < 200).mean() < 0.5


def test_of_a_captioned_cell_only_the_pictures_are_figures():
    from docutils import nodes

    def figure(*shown):
        return nodes.figure("", nodes.container("", *shown), nodes.caption("", "what it shows"))

    page = nodes.document(None, None)
    page += [figure(nodes.image()), figure(nodes.paragraph("", "a sentence")), nodes.paragraph("", "the next cell")]
    captions.only_pictures(None, page)
    assert [node.tagname for node in page] == ["figure", "container", "paragraph"]
    assert page[0][-1].tagname == "caption" and page[1].astext() == "a sentence"


# --- the first cell ---------------------------------------------------------------------------------------------------


def first_cell(path):
    return json.loads(path.read_text(encoding="utf8"))["cells"][0]


def test_every_notebook_begins_with_the_same_hidden_cell():
    first = [first_cell(path) for path in NOTEBOOKS]
    assert {cell["cell_type"] for cell in first} == {"code"}
    assert len({"".join(cell["source"]) for cell in first}) == 1
    assert all(cell["metadata"].get("tags") == ["remove-cell"] for cell in first)


def run_first_cell(notebook):
    """Run the first cell of a notebook, as Jupyter would; returns the lines that it gives to pip."""
    from IPython.core.inputtransformer2 import TransformerManager

    ran, names = [], {}
    shell = SimpleNamespace(run_line_magic=lambda name, line: ran.append(f"{name} {line.format(**names)}"))
    names["get_ipython"] = lambda: shell
    exec(TransformerManager().transform_cell("".join(json.loads(notebook)["cells"][0]["source"])), names)
    return ran


def test_the_first_cell_does_nothing_but_in_colab_where_it_asks_for_the_address(monkeypatch):
    notebook = NOTEBOOKS[0].read_text(encoding="utf8")
    assert run_first_cell(notebook) == []
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    with pytest.raises(AssertionError, match="address of the repository"):
        run_first_cell(notebook)


def test_a_downloaded_notebook_knows_the_address_once_the_book_has_one(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    built = app(tmp_path)
    for address in ("", "https://github.com/user/book"):
        source = tmp_path / "_sources" / "book" / NOTEBOOKS[0].name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(NOTEBOOKS[0].read_bytes())
        built.config = SimpleNamespace(html_theme_options={"repository_url": address})
        repository.tell_the_notebooks(built, None)
        if address:
            assert run_first_cell(source.read_text(encoding="utf8")) == [f"pip install --quiet git+{address}"]
        else:
            assert source.read_bytes() == NOTEBOOKS[0].read_bytes()


# --- the repository ---------------------------------------------------------------------------------------------------


FIRST_TEXT = "https://github.com/vulcan-332/latent_dynamics"  # with its own project, which is not this book's


def test_no_repository_is_given_in_the_configuration():
    """Not even by leaving it out: Jupyter Book's own default is its own repository."""
    from jupyter_book.config import get_final_config

    none = {"latex_individualpages": False}
    config, _ = get_final_config(user_yaml=ROOT / "_config.yml", cli_config=none, raise_on_invalid=True)
    assert config["html_theme_options"]["repository_url"] == ""


def test_no_file_claims_to_know_where_the_book_is():
    """It is wherever it was cloned from. Two places name the project of the first text, as a source."""
    named = re.compile(r"https://github\.com/[\w-]+/latent_dynamics|[\w-]+\.github\.io(?=/latent)")
    for path in (*NOTEBOOKS, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CITATION.cff", "_config.yml",
                 "pyproject.toml", "book/bibliography.md", "book/references.bib"))):  # fmt: skip
        found = [one for one in named.findall(path.read_text(encoding="utf8")) if "/OWNER/" not in one]
        assert found == ([FIRST_TEXT] if path.name in ("README.md", "references.bib") else []), path.name


@pytest.mark.parametrize(
    "remote, address",
    [
        ("https://github.com/User-1/a.book.git\n", "https://github.com/User-1/a.book"),
        ("https://token:x@github.com/user/book/", "https://github.com/user/book"),
        ("git@github.com:user/book.git", "https://github.com/user/book"),
        ("ssh://git@github.com/user/book", "https://github.com/user/book"),
        ("/home/user/book", ""),
        ("https://gitlab.com/user/book.git", ""),
        ("http://127.0.0.1:8000/github.com/user/book", ""),
        ("", ""),
    ],
)
def test_only_an_address_on_the_web_is_one(remote, address):
    assert repository.web_address(remote) == address


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder of git's without a remote, and no word of one in the environment."""
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def test_the_address_is_the_first_of_what_is_given_the_environment_and_git(clone, monkeypatch):
    assert repository.find(clone) == ""
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:a/book.git"], cwd=clone, check=True)
    assert repository.find(clone) == "https://github.com/a/book"
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "b/book")
    assert repository.find(clone) == "https://github.com/b/book"
    assert repository.find(clone, "https://github.com/c/book") == "https://github.com/c/book"
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert repository.find(clone) == "", "no git"


def test_a_book_without_an_address_has_no_buttons_that_need_one(clone):
    config = SimpleNamespace(html_theme_options={"launch_buttons": {"colab_url": "x"}})
    repository.tell_the_theme(SimpleNamespace(srcdir=clone), config)
    buttons = ("use_repository_button", "use_issues_button", "launch_buttons")
    assert not any(map(config.html_theme_options.get, buttons))
    config.html_theme_options |= {"repository_url": "https://github.com/a/b", "launch_buttons": {"colab_url": "x"}}
    repository.tell_the_theme(SimpleNamespace(srcdir=clone), config)
    assert all(map(config.html_theme_options.get, buttons))


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
    "where, address",
    [
        ("https://github.com/User-1/a_book", "https://user-1.github.io/a_book/"),
        ("https://github.com/user/a.book.git", "https://user.github.io/a.book/"),
        ("https://github.com/user/user.github.io/", "https://user.github.io/"),
        ("https://gitlab.com/user/book", ""),
        ("", ""),
    ],
)
def test_the_published_address_follows_from_the_repository(where, address):
    assert site_files.pages_address(where) == address


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
