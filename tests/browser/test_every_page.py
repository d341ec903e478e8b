"""Every page of the built book, visited once from the disk, without a network: whatever a reader may ask of it.

Each check returns sentences about what is wrong. They come in an order in which none disturbs the next.
"""

import gzip
import json
import re
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from built_book import ROOT, VIEW, front_page, repository
from open_widgets import serious_findings

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
PAGE_LIMIT, FRONT_LIMIT = 1.5e6, 1.0e6  # bytes over the wire, each file compressed
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 720}
NOTE = "could not start"
WITH_CODE = "book/09_recurrent_states.html"  # the chapter with most of it


# What is there when the page has loaded


def is_quiet(page, site, name):
    page.wait_for_timeout(200)
    return page.troubles


def has_its_widgets(page, site, name):
    places = page.locator(".ld-widget")
    if places.count() != (views := (site / name).read_text("utf8").count(f'type="{VIEW}"')):
        yield f"{places.count()} widgets of {views}"
    for place in places.all():
        text = place.inner_text()
        if NOTE in text or not (place.locator(".ld").count() or "needs a live kernel" in text):
            yield f"a widget says {text[:200]!r}"


def is_light(page, site, name):
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    sizes = {path: len(gzip.compress((site / path).read_bytes())) for path in asked_for(page, site)}
    if sum(sizes.values()) > (FRONT_LIMIT if name == front_page(site) else PAGE_LIMIT):
        yield f"{sum(sizes.values())} bytes: {sorted(sizes.items(), key=lambda item: -item[1])[:5]}"


def asked_for(page, site):
    """The paths of all files of the book that the page has asked for, itself included."""
    names = {unquote(urlsplit(url).path) for url in page.asked if url.startswith("file:")}
    return sorted(name.removeprefix(site.as_posix()).lstrip("/") for name in names if name.startswith(site.as_posix()))


def asks_for_mathjax_only_where_it_sets_a_formula(page, site, name):
    asked = any("mathjax" in path for path in asked_for(page, site))
    if asked != (page.locator("mjx-container").count() > 0) or (asked and name == front_page(site)):
        yield "MathJax is asked for" if asked else "MathJax is missing"


def measures_run_times(page, site, name):
    for said in re.findall(r'<span class="run-time">(.*?)</span>', (site / name).read_text("utf8")):
        if not re.match(r"\d+ (second|minute)s?, measured", said):
            yield said


RAW = r"""() => {
    const found = [...document.querySelectorAll('article p, article li, article th, article td')];
    return found.filter(e => !e.closest('pre')).map(e => {
        const copy = e.cloneNode(true);
        copy.querySelectorAll('code, mjx-container').forEach(inner => inner.remove());
        return copy.textContent.trim();
    }).filter(text => text.startsWith('|') || /\$[^$\n]+\$|\\\(|\\\[|\\begin\{/.test(text))
        .map(text => text.slice(0, 80));
}"""


def renders_what_cells_print(page, site, name):
    return page.evaluate(RAW)


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


def draws_every_icon(page, site, name):
    icons = page.evaluate(ICONS)
    if icons["bad"] or not (icons["found"] > 5 or name == "404.html"):
        yield f"{icons}"


def describes_every_picture(page, site, name):
    """A figure's alternative text says what is seen; what only decorates has an empty one."""
    pictures = page.locator("article img").evaluate_all("(all) => all.map((i) => [i.getAttribute('alt'), i.src])")
    for alt, source in pictures:
        if alt is None or 0 < len(alt) <= 20:
            yield f"{source[-40:]} says {alt!r}"


# What answers


SHOWN = """async (root) => {  // all but the number beside a slider and what a button is called
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    const copy = root.cloneNode(true);
    copy.querySelectorAll('.ld-slider-value, button').forEach((node) => node.remove());
    const drawn = [...root.querySelectorAll('canvas')].filter(({ width, height }) => width * height).map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Uint32Array(data.buffer).reduce((sum, pixel) => (31 * sum + pixel) | 0, 0);
    });
    return copy.innerHTML + drawn.join();
}"""
REMEMBER = f"async (root) => {{ root.shownBefore = await ({SHOWN})(root); }}"
CHANGES = f"""async (root, patience) => {{
    for (; patience; patience--) {{
        if (await ({SHOWN})(root) !== root.shownBefore) return true;
        await new Promise((done) => setTimeout(done, 50));
    }}
    return false;
}}"""
BUTTONS = ", ".join(f"{kind}:enabled:visible" for kind in ("button", "input[type=checkbox]", "input[type=radio]"))
SILENT = ("Speed", "Driver")  # what they change is seen when the world moves on


def answers(root, act, patience=60):
    """Do something to a widget; returns whether what it shows changes within some three seconds."""
    root.evaluate(REMEMBER)
    act()
    return root.evaluate(CHANGES, patience)


def moves(root, slider):
    """Whether a widget answers when its slider goes to one of its ends."""
    slider.focus()
    keys = ("Home", "End") if slider.evaluate("(slider) => slider.value === slider.max") else ("End", "Home")
    return any(answers(root, lambda key=key: slider.press(key), 20) for key in keys)


def answers_to_every_control(page, site, name):
    for root in page.locator(".ld").all():
        sliders = root.locator("input[type=range]:enabled:visible").all()
        for slider in sliders:
            if not moves(root, slider):
                for other in sliders:  # one that bounds this one may stand at its end
                    other.press("Home")
                if not moves(root, slider):
                    yield f"slider {slider.get_attribute('aria-label')}"
            slider.press("End")
        for chooser in root.locator("select:enabled:visible").all():
            called, lines = chooser.get_attribute("aria-label"), chooser.locator("option")
            count = lines.count()
            for line in [*range(1, count, max(1, count // 12)), 0]:  # of a long list a dozen, from its whole length
                if lines.nth(line).is_disabled() or line == chooser.evaluate("(chooser) => chooser.selectedIndex"):
                    continue  # disabled is what stands beside it already
                patience = 1 if called in SILENT else 60
                if not answers(root, lambda c=chooser, n=line: c.select_option(index=n), patience) and patience > 1:
                    yield f"list {called}, line {line}"
        answered = None
        for button in root.locator(BUTTONS).all():
            if button.is_enabled():  # all are pressed, and one must answer
                answered = answers(root, button.click, 1 if answered else 10) or answered
        if answered is False:
            yield f"all buttons of {root.get_attribute('class')}"


# Other readers


CONTRAST = ["color-contrast"]


def is_accessible(page, site, name):
    yield from serious_findings(page, without=CONTRAST)
    yield from is_legible(page, site, name)


def is_legible(page, site, name):
    """What a page's text needs; what all pages have around it, and code, the front page and a chapter answer for."""
    whole = name in (front_page(site), WITH_CODE) or not page.locator("article").count()
    yield from serious_findings(page, CONTRAST, **({} if whole else {"within": "article", "except_for": "pre"}))


BRIGHTNESS = """(node) => {
    const { backgroundColor, color } = getComputedStyle(node);
    return [backgroundColor, color].map((text) => Number(text.match(/\\d+/)[0]));
}"""


def looks(page, scheme):
    """Turn the page light or dark; say which widgets don't follow."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", scheme)
    for root in page.locator(".ld").all():
        paper, ink = root.evaluate(BRIGHTNESS)
        dim, bright = (paper, ink) if scheme == "dark" else (ink, paper)
        if not dim < 60 < 180 < bright:
            yield f"{root.get_attribute('class')} in the {scheme}: paper {paper}, ink {ink}"


def is_light_in_the_light(page, site, name):
    return looks(page, "light")


def is_dark_in_the_dark_and_legible(page, site, name):
    yield from looks(page, "dark")
    page.wait_for_timeout(300)  # colours fade over
    yield from is_legible(page, site, name)  # the rest is the same in the dark
    yield from looks(page, "light")


SMALL = """() => [...document.querySelectorAll('.ld button, .ld select, .ld input')]
    .filter((node) => node.checkVisibility() && !['checkbox', 'radio'].includes(node.type))  // their label is pressed
    .map((node) => [node.getAttribute('aria-label') ?? node.textContent, node.getBoundingClientRect().height])
    .filter(([, height]) => height > 0 && height < 24)"""


MAY_SCROLL = ".pst-scrollable-table-container, .ld-numbers"
CUT_OFF = """async (mayScroll) => {  // with all that is folded unfolded
    const article = document.querySelector('article'), found = [];
    if (!article) return found;
    const folded = [...article.querySelectorAll('details:not([open])')];
    folded.forEach((node) => { node.open = true; });
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    const { left, right } = article.getBoundingClientRect();
    const own = (node) => getComputedStyle(node).overflowX;
    const held = (node) => node !== article && (own(node) !== 'visible' || held(node.parentElement));
    const named = (node) => `${node.outerHTML.slice(0, 60)} (${node.textContent.trim().slice(0, 30)})`;
    for (const node of article.querySelectorAll('*')) {
        const box = node.getBoundingClientRect();
        if (!node.checkVisibility() || box.width < 2) continue;
        if (node.matches('span.math, span.math *, mjx-container *')) continue;  // a formula's parts overlap
        const formula = node.matches('mjx-container') && node.querySelector('mjx-math').getBoundingClientRect();
        const wide = Math.round((formula ? formula.width : node.scrollWidth) - node.clientWidth);
        if (own(node) !== 'visible' && wide > 1) {
            const silent = getComputedStyle(node).maskImage === 'none';
            if (!node.matches(mayScroll)) found.push(`${wide} px are cut off of ${named(node)}`);
            else if (silent) found.push(`it does not show that it scrolls: ${named(node)}`);
        } else if ((box.right > right + 1 || box.left < left - 1) && !held(node.parentElement)) {
            found.push(`it sticks out of the column: ${named(node)}`);
        }
    }
    folded.forEach((node) => { node.open = false; });
    return found;
}"""


def fits(page, screen, may_scroll=MAY_SCROLL):
    """What is wider than the screen, or than the column; tables may be, if they show it."""
    page.set_viewport_size(screen)
    page.wait_for_timeout(200)
    if (width := page.evaluate("document.documentElement.scrollWidth")) > screen["width"]:
        yield f"{width} px wide on a screen of {screen['width']}"
    yield from page.evaluate(CUT_OFF, may_scroll)


def fits_a_desk(page, site, name):
    return fits(page, DESK)


def fits_a_phone(page, site, name):
    yield from fits(page, PHONE, f"{MAY_SCROLL}, mjx-container")  # a long equation may scroll there as well
    for called, height in page.evaluate(SMALL):
        yield f"{called} is {height:.0f} px high: too small for a finger"
    page.set_viewport_size(DESK)


SEEN = """(parts) => parts
    .filter((node) => node.checkVisibility({ visibilityProperty: true }) && node.getBoundingClientRect().height > 0)
    .map((node) => node.outerHTML.slice(0, 100))"""


def prints_the_text_and_nothing_to_press(page, site, name):
    folded = "details.sd-dropdown:not([open])"  # solutions, which are printed
    before = page.locator(folded).count()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    around = ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-area"
    parts = page.locator(f"{around}, article button, article input, article select, article [role=slider], {folded}")
    yield from parts.evaluate_all(SEEN)
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    if page.locator(folded).count() != before:
        yield "solutions stay open after printing"


def can_be_launched_and_downloaded(page, site, name):
    source = site / "_sources" / name.replace(".html", ".ipynb")
    if not source.exists():
        if "launch-buttons" in (site / name).read_text("utf8"):
            yield "a page without a notebook has launch buttons"
        return
    address, book, branch = repository(site), name.replace(".html", ".ipynb"), CONFIG["repository"]["branch"]
    owner = urlsplit(address).path.strip("/")
    wanted = [
        f"https://mybinder.org/v2/gh/{owner}/{branch}?urlpath=lab/tree/{book}",
        f"https://colab.research.google.com/github/{owner}/blob/{branch}/{book}",
    ]
    places = "(links) => links.map((link) => link.getAttribute('href'))"
    if (links := page.locator(".dropdown-launch-buttons a").evaluate_all(places)) != (wanted if address else []):
        yield f"launches {links}"
    if f'REPOSITORY = "{address}"' not in "".join(json.loads(source.read_text("utf8"))["cells"][0]["source"]):
        yield "the notebook to download has another address"
    download = page.locator(".dropdown-download-buttons a").first.evaluate("(link) => link.href")
    if not download.endswith(f"_sources/{book}"):
        yield f"downloads {download}"
    if page.locator(".dropdown-source-buttons a").evaluate_all(places)[:1] != ([address] if address else []):
        yield "its source is elsewhere"


CHECKS = (
    is_quiet, has_its_widgets, is_light, asks_for_mathjax_only_where_it_sets_a_formula, measures_run_times,
    renders_what_cells_print, draws_every_icon, describes_every_picture, can_be_launched_and_downloaded, is_accessible,
    is_light_in_the_light, is_dark_in_the_dark_and_legible, fits_a_desk, fits_a_phone,
    prints_the_text_and_nothing_to_press, answers_to_every_control, is_quiet,
)  # fmt: skip


def test_a_page(visit, site, any_page):
    page = visit(any_page, viewport=DESK, color_scheme="light")
    wrong = [f"{check.__name__}: {what}" for check in CHECKS for what in check(page, site, any_page)]
    assert wrong == []


def test_a_page_over_http(visit, site):
    """The same files asked for over the network: the front page, and a chapter with weights."""
    weighty = next(page for page in sorted(site.glob("book/*.html")) if '"aside"' in page.read_text("utf8"))
    for name in (front_page(site), weighty.relative_to(site).as_posix()):
        page = visit(name, over="http")
        assert [*is_quiet(page, site, name), *has_its_widgets(page, site, name)] == []


def test_every_widget_leaves_something_without_javascript(visit, site, widget_page):
    page = visit(widget_page, java_script_enabled=False)
    views = (site / widget_page).read_text("utf8").count(f'type="{VIEW}"')
    assert page.locator("noscript").count() >= views, "a widget here has no still picture: display it with show()"
    for picture in page.locator(".ld-still img").all():
        folded = picture.locator("xpath=ancestor::details").count()  # an answer may be
        assert picture.is_visible() or folded
        assert len(picture.get_attribute("alt")) > 40


def truncated(html):
    """Cut the widgets' state in half, as a broken download would."""
    cut = re.compile(r'(<script type="application/vnd.jupyter.widget-state\+json">)(.*?)(</script>)', re.DOTALL)
    return cut.sub(lambda m: m[1] + m[2][: len(m[2]) // 2] + m[3], html)


def without_state(html):
    """Leave the widgets' state out."""
    return re.sub(r'<script type="application/vnd.jupyter.widget-state\+json">.*?</script>', "", html, flags=re.DOTALL)


def throwing(html):
    """Make every widget throw when it is rendered."""
    bomb = "export default { render() { throw Error('broken on purpose') } }"
    return re.sub(r"export default \$\d+\.\$default;", bomb, html)


@pytest.mark.parametrize("damage", [truncated, without_state, throwing])
def test_a_broken_widget_leaves_a_sentence_and_the_rest_of_the_page(visit, site, a_player_page, damage):
    html = (site / a_player_page).read_text("utf8")
    broken = damage(html)
    assert broken != html
    page = visit(a_player_page, over="http", body=broken)
    assert page.locator("article h1").is_visible()
    assert [trouble for trouble in page.troubles if "page error" in trouble or "outside" in trouble] == []
    for place in page.locator(".ld-widget").all():
        assert NOTE in place.inner_text() or "needs a live kernel" in place.inner_text()
