"""Around the pages: launch buttons, link cards, the map, the page for lost readers, print."""

import re
import struct
import xml.etree.ElementTree as ET
from urllib.parse import urlsplit

import pytest
import yaml
from built_book import ROOT, built_pages, front_page, repository

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))


def published(site):
    """The address at which the book is published, as the front page tells it; nothing if it has none."""
    address = re.search(r'<link rel="canonical" href="([^"]*)"', (site / front_page(site)).read_text("utf8"))
    return address[1].removesuffix(front_page(site)) if address else ""


def test_a_dark_page_is_printed_light(visit, site):
    page = visit(front_page(site), color_scheme="dark")
    theme = "document.documentElement.dataset.theme"
    shown = page.evaluate(theme)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert (shown, page.evaluate(theme)) == ("dark", "light")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"


def test_the_buttons_of_a_page_are_reached_by_keyboard(visit, site, a_player_page):
    page = visit(a_player_page)
    page.locator(".primary-toggle").focus()
    page.keyboard.press("Tab")
    focused = "[document.activeElement.ariaLabel, getComputedStyle(document.activeElement).outlineStyle]"
    called, group = ("Launch interactive content", "launch") if repository(site) else ("Download this page", "download")
    assert page.evaluate(focused) == [called, "solid"]
    page.keyboard.press("Enter")
    links = page.locator(f".dropdown-{group}-buttons a")
    links.first.wait_for(state="visible", timeout=2000)
    page.keyboard.press("ArrowDown")
    assert links.first.evaluate("(link) => link === document.activeElement"), "the keyboard does not reach the links"


def meta(site, page):
    """The page's meta tags, by name or property."""
    tags = re.findall(r'<meta (?:name|property)="([^"]*)" content="([^"]*)"', (site / page).read_text("utf8"))
    return dict(tags)


def pages_of_the_map(site):
    """The pages that the sitemap lists, as paths within the book; none where the book has no address."""
    if not published(site):
        assert not (site / "sitemap.xml").exists()
        return []
    root = ET.parse(site / "sitemap.xml").getroot()
    places = [place.text for place in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert all(place.startswith(published(site)) for place in places)
    return [place.removeprefix(published(site)) for place in places]


def test_a_page_on_the_map_has_a_card(site, any_page):
    listed, around = pages_of_the_map(site), any_page in ("404.html", "genindex.html", "search.html")
    if around or not published(site):
        assert any_page not in listed and "og:url" not in meta(site, any_page)
        return
    assert any_page in listed
    tags = meta(site, any_page)
    assert tags["og:description"] == tags["description"] and tags["og:title"]
    assert tags["og:url"] == published(site) + any_page
    assert tags["twitter:card"] == "summary_large_image" and len(tags["og:image:alt"]) > 20
    check_card(site, tags)


def test_a_page_describes_itself(site, any_page):
    if any_page not in ("404.html", "genindex.html", "search.html"):
        assert 40 <= len(meta(site, any_page)["description"]) <= 260


def check_card(site, tags):
    picture = (site / tags["og:image"].removeprefix(published(site))).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (int(tags["og:image:width"]), int(tags["og:image:height"]))
    assert len(picture) < 300_000


def test_the_front_door_has_a_card_too(site):
    tags = meta(site, "index.html")
    if published(site):
        check_card(site, tags)
    else:
        assert "og:image" not in tags


def test_the_map_leads_to_pages(site):
    listed = pages_of_the_map(site)
    assert listed[:1] == ([front_page(site)] if published(site) else [])
    assert set(listed) <= set(built_pages())


def test_the_address_follows_from_the_repository(site):
    user, _, book = urlsplit(repository(site)).path.strip("/").partition("/")
    expected = CONFIG["html"].get("baseurl") or (f"https://{user.lower()}.github.io/{book}/" if book else "")
    assert published(site) == expected


def test_a_page_has_the_books_icon(site, any_page):
    if any_page == "404.html":
        return
    icon = re.search(r'<link rel="icon" href="([^"]*)"', (site / any_page).read_text("utf8"))[1].partition("?")[0]
    assert ET.parse(site / any_page.rpartition("/")[0] / icon).getroot().tag.endswith("svg")


def test_lost_readers_find_back_from_any_depth(visit, site):
    lost = (site / "404.html").read_text("utf8")
    page = visit("book/no/such/page.html", over="http", body=lost)
    links = page.locator("a").evaluate_all("(links) => links.map((link) => new URL(link.href).pathname)")
    assert links == [(urlsplit(published(site)).path or "/") + path for path in (front_page(site), "search.html")]


@pytest.mark.parametrize("over", ["http", "file"])
def test_the_page_for_lost_readers_leads_on_when_opened_itself(visit, site, over):
    page = visit("404.html", over=over)
    page.locator("a").first.click()
    page.wait_for_url(f"**/{front_page(site)}")
    assert page.locator("article h1").is_visible()
