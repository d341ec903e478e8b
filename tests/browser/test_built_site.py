"""Around the pages: their weight, launch buttons, icons, link cards, the map, the page for lost readers, print."""

import gzip
import re
import struct
import xml.etree.ElementTree as ET
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from built_book import ROOT, built_pages

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
REPOSITORY = CONFIG["repository"]["url"]
PAGE_LIMIT, FRONT_LIMIT = 1.5e6, 1.0e6  # bytes over the wire, each file compressed


def front_page(site):
    """The page to which the front door leads on."""
    return re.search(r'url=([^"]*)"', (site / "index.html").read_text("utf8"))[1]


def sources(site, page):
    """The notebook of a page, if it has one."""
    return site / "_sources" / page.replace(".html", ".ipynb")


def published(site):
    """The address at which the book is published, as the front page tells it."""
    address = re.search(r'<link rel="canonical" href="([^"]*)"', (site / front_page(site)).read_text("utf8"))[1]
    return address.removesuffix(front_page(site))


def loaded(page):
    """The paths of all files that a page has asked for, itself included, after a look at its end."""
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    names = page.evaluate("[location.href, ...performance.getEntriesByType('resource').map((entry) => entry.name)]")
    return sorted({unquote(urlsplit(name).path).lstrip("/") for name in names if name.startswith("http")})


def printed_controls(page):
    """What could be pressed on paper."""
    page.emulate_media(media="print")
    around = ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-area"
    parts = page.locator(f"{around}, article button, article input, article select").all()
    return [part.evaluate("(node) => node.outerHTML.slice(0, 100)") for part in parts if part.is_visible()]


ICONS = """async () => {
    const draw = (font, letter) => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 40, height: 40 });
        const pen = canvas.getContext('2d');
        pen.font = font;
        pen.fillText(letter, 4, 32);
        return pen.getImageData(0, 0, 40, 40).data.filter((value, i) => i % 4 === 3).join();
    };
    const found = [], bad = [];
    for (const node of document.querySelectorAll('body, body *')) {
        for (const part of ['::before', '::after']) {
            const { content, fontFamily, fontWeight } = getComputedStyle(node, part);
            const letter = content.match(/[\\ue000-\\uf8ff]/)?.[0];
            if (!letter) continue;
            const font = `${fontWeight} 28px ${fontFamily}`;
            await document.fonts.load(font, letter);
            found.push(node.className);
            const drawn = draw(font, letter);
            if (drawn === draw(font, '\\uefff') || !/[1-9]/.test(drawn)) bad.push(`${node.className} ${part}`);
        }
    }
    const icons = [...document.querySelectorAll('i[class*="fa-"], span[class*="fa-"]')];
    const empty = icons.filter((icon) => !/[\\ue000-\\uf8ff]/.test(getComputedStyle(icon, '::before').content));
    return { found: found.length, bad: [...bad, ...empty.map((icon) => icon.className)] };
}"""

KNOWN = {}  # one visit to a page answers several tests


@pytest.fixture
def facts(visit, any_page):
    """What a visit over http shows of the page."""
    if any_page not in KNOWN:
        page = visit(any_page, over="http")
        KNOWN[any_page] = {
            "icons": page.evaluate(ICONS),
            "files": loaded(page),
            "formulas": page.locator("mjx-container").count(),
            "text": page.locator("body").inner_text(),
            "printed controls": printed_controls(page),
        }
    return KNOWN[any_page]


def test_pages_are_light(site, any_page, facts):
    sizes = {path: len(gzip.compress((site / path).read_bytes())) for path in facts["files"]}
    limit = FRONT_LIMIT if any_page == front_page(site) else PAGE_LIMIT
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) <= limit, f"{any_page} weighs {sum(sizes.values())} bytes: {heaviest}"


def test_mathjax_comes_only_where_it_sets_a_formula(site, any_page, facts):
    asked = any("mathjax" in path for path in facts["files"])
    assert asked == (facts["formulas"] > 0)
    assert not (asked and any_page == front_page(site)), "the front page must do without"


def test_no_formula_is_left_as_tex(facts):
    assert not re.search(r"\\\(|\\\[|\\begin\{", facts["text"])


def test_every_icon_is_drawn(any_page, facts):
    assert facts["icons"]["bad"] == []
    assert facts["icons"]["found"] > 5 or any_page == "404.html"


def test_print_shows_the_text_and_nothing_to_press(facts):
    assert facts["printed controls"] == []


def test_a_dark_page_is_printed_light(visit, site):
    page = visit(front_page(site), color_scheme="dark")
    theme = "document.documentElement.dataset.theme"
    shown = page.evaluate(theme)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert (shown, page.evaluate(theme)) == ("dark", "light")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"


def test_notebooks_can_be_launched_and_downloaded(visit, site, any_page):
    if not sources(site, any_page).exists():
        assert "launch-buttons" not in (site / any_page).read_text("utf8")
        return
    page = visit(any_page)
    name = any_page.replace(".html", ".ipynb")
    owner = urlsplit(REPOSITORY).path.strip("/")
    branch = CONFIG["repository"]["branch"]
    wanted = [
        f"https://mybinder.org/v2/gh/{owner}/{branch}?urlpath=lab/tree/{name}",
        f"https://colab.research.google.com/github/{owner}/blob/{branch}/{name}",
    ]
    links = page.locator(".dropdown-launch-buttons a")
    assert [link.get_attribute("href") for link in links.all()] == wanted
    page.locator(".primary-toggle").focus()
    page.keyboard.press("Tab")
    focused = "[document.activeElement.ariaLabel, getComputedStyle(document.activeElement).outlineStyle]"
    assert page.evaluate(focused) == ["Launch interactive content", "solid"]
    page.keyboard.press("Enter")
    links.first.wait_for(state="visible", timeout=2000)
    page.keyboard.press("ArrowDown")
    assert links.first.evaluate("(link) => link === document.activeElement"), "the keyboard does not reach the links"
    download = page.locator(".dropdown-download-buttons a").first.evaluate("(link) => link.href")
    assert download.endswith(f"_sources/{name}")
    source = page.locator(".dropdown-source-buttons a").first.get_attribute("href")
    assert source == REPOSITORY


def meta(site, page):
    """The page's meta tags, by name or property."""
    tags = re.findall(r'<meta (?:name|property)="([^"]*)" content="([^"]*)"', (site / page).read_text("utf8"))
    return dict(tags)


def pages_of_the_map(site):
    """The pages that the sitemap lists, as paths within the book."""
    root = ET.parse(site / "sitemap.xml").getroot()
    places = [place.text for place in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert all(place.startswith(published(site)) for place in places)
    return [place.removeprefix(published(site)) for place in places]


def test_a_page_on_the_map_has_a_card(site, any_page):
    if any_page not in pages_of_the_map(site):
        assert any_page in ("404.html", "genindex.html", "search.html")
        return
    tags = meta(site, any_page)
    assert 40 <= len(tags["description"]) <= 260
    assert tags["og:description"] == tags["description"] and tags["og:title"]
    assert tags["og:url"] == published(site) + any_page
    assert tags["twitter:card"] == "summary_large_image" and len(tags["og:image:alt"]) > 20
    check_card(site, tags)


def check_card(site, tags):
    picture = (site / tags["og:image"].removeprefix(published(site))).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (int(tags["og:image:width"]), int(tags["og:image:height"]))
    assert len(picture) < 300_000


def test_the_front_door_has_a_card_too(site):
    check_card(site, meta(site, "index.html"))


def test_the_map_leads_to_pages(site):
    listed = pages_of_the_map(site)
    assert front_page(site) == listed[0]
    assert set(listed) <= set(built_pages())


def test_the_address_follows_from_the_repository(site):
    user, book = urlsplit(REPOSITORY).path.strip("/").split("/")
    assert published(site) == (CONFIG["html"].get("baseurl") or f"https://{user}.github.io/{book}/")


def test_a_page_has_the_books_icon(site, any_page):
    if any_page == "404.html":
        return
    icon = re.search(r'<link rel="icon" href="([^"]*)"', (site / any_page).read_text("utf8"))[1].partition("?")[0]
    assert ET.parse(site / any_page.rpartition("/")[0] / icon).getroot().tag.endswith("svg")


def test_lost_readers_find_back_from_any_depth(visit, site):
    lost = (site / "404.html").read_text("utf8")
    page = visit("book/no/such/page.html", over="http", body=lost)
    links = page.locator("a").evaluate_all("(links) => links.map((link) => new URL(link.href).pathname)")
    assert links == [urlsplit(published(site)).path + path for path in (front_page(site), "search.html")]


@pytest.mark.parametrize("over", ["http", "file"])
def test_the_page_for_lost_readers_leads_on_when_opened_itself(visit, site, over):
    page = visit("404.html", over=over)
    page.locator("a").first.click()
    page.wait_for_url(f"**/{front_page(site)}")
    assert page.locator("article h1").is_visible()
