"""The ladder's figure in a page: its lines are the medians, and metric, protocol, rungs and step can be chosen."""

import re

import numpy as np
import pytest
from ladders import RUNGS, evaluation, ladder, read_by_two, references
from open_widgets import PHONE, check_manners, opener, settle, slider_time

from latent_dynamics.showing.widgets.ladder_figure.ladder_figure import METRICS, LadderFigure, told

FIRST = "autoencoder_mlp"


@pytest.fixture
def figure():
    return LadderFigure(ladder(10), references(), names={FIRST: "one frame"}, title="The ladder")


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def chip(page, name):
    return page.locator(".ld-chip").filter(has=page.get_by_text(name, exact=True))


def table(page):
    """The table under the figure: {row's name: {column: text}}."""
    heads = page.locator(".ld-numbers thead th").all_inner_texts()
    rows = page.locator(".ld-numbers tbody tr").all()
    return {cells[0]: dict(zip(heads, cells)) for cells in ([*row.locator("th, td").all_inner_texts()] for row in rows)}


def drawn_line(page, name):
    """The values along a line, read off the drawing by the labels of its logarithmic axis."""
    svg = page.locator(".ld-ladder-plot")
    marks = svg.evaluate(
        """(svg) => [...svg.querySelectorAll(":scope > text[text-anchor=end]")].map((node) =>
            [Number(node.textContent), node.getAttribute("y") - 4]).filter(([value]) => value > 0)"""
    )
    (low, at_low), (high, at_high) = marks[0], marks[-1]
    path = svg.locator(f'[data-name="{name}"] path.ld-line').get_attribute("d")
    share = [(float(y) - at_low) / (at_high - at_low) for y in re.findall(r" (-?[\d.]+)", path)]
    return low * (high / low) ** np.array(share)


def test_every_line_is_the_median_over_seeds(show, figure):
    page = show(figure)
    for name in (*RUNGS, *references()):
        wanted = [value for value in figure.values[""]["intervened"]["theta"][name][0] if value is not None]
        assert np.allclose(drawn_line(page, name), wanted, rtol=0.01), name


def test_it_opens_with_all_rungs_under_coin_tosses_at_step_15(show, figure):
    page = show(figure)
    assert page.get_by_label("Metric").input_value() == METRICS["theta"].label
    assert page.get_by_label("coin tosses").is_checked()
    assert page.get_by_label("Step", exact=True).get_attribute("aria-valuetext") == "15 of 20"
    assert page.locator(".ld-chip input:checked").count() == 10
    words = page.locator(".ld-heard").inner_text()
    best = told(METRICS["theta"], figure.spread("position_velocity"))
    assert f"Step 15 of 20, coin tosses: {15 / figure.doubling:.1f} doubling times." in words
    assert (
        f"Closest to the truth: position_velocity, {best}; furthest: one frame" in words
        and "Beside them: exact physics" in words
    )


def test_the_legend_tells_median_and_range_at_the_step(show, figure):
    page = show(figure)
    for step in (1, 7, 20):
        page.get_by_label("Step", exact=True).fill(str(step))
        settle(page)
        figure.step = step
        for name, words in {FIRST: "one frame", "rssm": "rssm", "exact physics": "exact physics"}.items():
            value = chip(page, words).locator(".ld-chip-value").inner_text()
            assert value == told(METRICS["theta"], figure.spread(name))


def test_the_table_follows_metric_protocol_and_rungs(show, figure):
    page = show(figure)
    assert list(table(page)["position_velocity"])[1:] == ["step 1", "step 5", "step 10", "step 15", "step 20"]
    page.get_by_label("recorded actions").check()
    page.get_by_label("Metric").select_option(label=METRICS["x"].label)
    chip(page, "vrnn").locator("input").uncheck()
    settle(page)
    figure.protocol, figure.metric, figure.step = "replayed", "x", 30
    found = table(page)
    assert list(found["position_velocity"])[-2:] == ["step 30", "step 50"]
    assert "vrnn" not in found and len(found) == 9 + 2, "constant upright has no cart error"
    assert found["jepa"]["step 30"] == told(METRICS["x"], figure.spread("jepa")).replace(" cm", "")
    assert page.locator('.ld-ladder-plot [data-name="vrnn"]').count() == 0


def test_every_metric_draws_what_python_says(show, figure):
    page = show(figure)
    for figure.metric, words in METRICS.items():
        page.get_by_label("Metric").select_option(label=words.label)
        settle(page)
        for name in ("two_frame", "position_velocity"):
            assert chip(page, name).locator(".ld-chip-value").inner_text() == told(words, figure.spread(name))
            assert page.locator(f'.ld-ladder-plot [data-name="{name}"]').count() >= 1
        assert "NaN" not in page.locator(".ld-ladder-plot").inner_html()


def test_a_number_is_drawn_as_a_dot_for_each_seed_and_its_median(show, figure):
    figure.metric = "return"
    page = show(figure)
    row = page.locator('.ld-ladder-plot [data-name="recurrent"]')
    at = [float(re.search(r"\(([\d.]+)", node.get_attribute("transform"))[1]) for node in row.locator(".ld-mark").all()]
    assert len(at) == 3 and at == sorted(at)
    assert float(row.locator(".ld-middle").get_attribute("x1")) == pytest.approx(at[1], abs=0.1)
    assert page.get_by_label("Step", exact=True).is_hidden() and page.get_by_label("coin tosses").is_disabled()
    assert list(table(page)["recurrent"].values()) == ["recurrent", "240", "235", "245"]


def test_what_never_drifts_stands_at_the_far_end(show):
    rungs = ladder(1)
    rungs[FIRST][2]["intervened"]["steps_2"] = None
    page = show(LadderFigure(rungs, metric="steps_2"))
    svg = page.locator(".ld-ladder-plot")
    never = float(svg.get_by_text("never").get_attribute("x"))
    at = [float(re.search(r"\(([\d.]+)", mark.get_attribute("transform"))[1]) for mark in svg.locator(".ld-mark").all()]
    assert at[2] == pytest.approx(never, abs=0.1) and max(at[:2]) < never - 40
    assert table(page)[FIRST]["most"] == "never"


def test_a_lost_pole_ends_the_line_with_a_cross(show, figure):
    page = show(figure)
    assert len(drawn_line(page, FIRST)) == 17 and page.locator(f'[data-name="{FIRST}"] .ld-lost').count() == 1
    assert page.locator('[data-name="position_velocity"] .ld-lost').count() == 0
    assert "half of the dreams cannot be read" in page.locator(".ld-legend legend").inner_text()
    assert table(page)["one frame"]["step 20"] == "no pole"


def test_the_step_moves_by_arrow_keys_hover_and_finger(show, figure):
    page = show(figure, has_touch=True)
    step = page.get_by_label("Step", exact=True)
    step.focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert step.get_attribute("aria-valuetext") == "14 of 20"
    box = page.locator(".ld-ladder-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 60)
    settle(page)
    assert step.get_attribute("aria-valuetext") == "20 of 20"
    page.touchscreen.tap(box["x"] + 47, box["y"] + 60)
    settle(page)
    assert step.get_attribute("aria-valuetext") == "1 of 20"
    page.locator(".ld-heard").filter(has_text="Step 1 of 20").wait_for(timeout=5000)


def test_rungs_are_switched_by_key_and_all_at_once(show, figure):
    page = show(figure)
    page.get_by_role("button", name="None").click()
    settle(page)
    assert page.locator(".ld-say").inner_text().count("No rung to show.") == 1
    assert list(table(page)) == list(references())
    chip(page, "position_velocity").locator("input").focus()
    page.keyboard.press("Space")
    settle(page)
    assert "position_velocity" in table(page) and page.locator(".ld-ladder-plot .ld-line").count() == 4
    page.get_by_role("button", name="All").click()
    settle(page)
    assert page.locator(".ld-chip input:checked").count() == 10


def test_a_rung_under_the_pointer_or_with_the_focus_stands_out(show, figure):
    page = show(figure)
    standing_out = page.locator(".ld-has-hot .ld-ladder-plot .ld-hot")
    chip(page, "rssm").hover()
    assert set(standing_out.evaluate_all("(nodes) => nodes.map((node) => node.dataset.name)")) == {"rssm"}
    chip(page, "position_velocity").locator("input").focus()
    move = "(node) => { node.value = 3; node.dispatchEvent(new Event('input')); }"
    page.get_by_label("Step", exact=True).evaluate(move)
    settle(page)
    names = standing_out.evaluate_all("(nodes) => nodes.map((node) => node.dataset.name)")
    assert names == ["position_velocity"] * 3, "its band, its line and its mark at the step, also after the step moved"
    page.locator(".ld-ladder-plot [data-name=vrnn] .ld-mark").first.hover()
    assert standing_out.first.get_attribute("data-name") == "vrnn"
    figure.step = int(page.get_by_label("Step", exact=True).input_value())
    named = f"vrnn: {told(METRICS['theta'], figure.spread('vrnn'))}"
    assert page.locator(".ld-ladder-head").inner_text().endswith(named)
    page.mouse.move(0, 0)
    assert standing_out.count() == 0


def test_no_two_rungs_share_colour_or_mark_and_no_two_lines_colour_and_dash(show, figure):
    page = show(figure)
    looks = page.locator(".ld-chip > svg").evaluate_all(
        """(nodes) => nodes.map((node) => {
            const [mark, colour] = [node.querySelector(".ld-mark"), getComputedStyle(node).color];
            const filled = mark && getComputedStyle(mark).fill === colour;
            const dash = getComputedStyle(node.querySelector(".ld-line")).strokeDasharray;
            return [colour, mark && `${mark.getAttribute("d")} ${filled}`, `${colour} ${dash}`];
        })"""
    )
    colours, marks, lines = zip(*looks)
    assert len(set(colours[:10])) == len(set(marks[:10])) == 10 and len(set(lines)) == 10 + 3


def test_two_views_of_one_widget_stay_in_step(show, figure):
    page = show(figure, figure)
    page.get_by_label("Step", exact=True).nth(1).fill("7")
    page.get_by_label("recorded actions").nth(0).check()
    settle(page)
    assert [node.input_value() for node in page.get_by_label("Step", exact=True).all()] == ["7", "7"]
    assert [node.is_checked() for node in page.get_by_label("recorded actions").all()] == [True, True]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, figure, theme):
    page = show(figure, theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    assert page.locator(".ld-numbers").is_hidden(), "on a phone the table waits to be opened"
    page.get_by_text("The figure in numbers").tap()
    box = page.locator(".ld-numbers")
    assert box.evaluate("(node) => node.scrollWidth > node.clientWidth"), "it scrolls inside its own box"
    check_manners(page)
    page.get_by_label("Metric").select_option(label=METRICS["steps_2"].label)
    settle(page)
    check_manners(page)


def test_still_picture_stands_without_javascript(show, figure):
    picture = show(figure, java_script_enabled=False).locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_slider_is_drawn_within_a_display_frame(show, figure):
    assert slider_time(show(figure), "Step") <= 16


def test_it_grows_into_a_wider_page(show, figure):
    page = show(figure, viewport=PHONE)
    narrow = page.locator(".ld-ladder-plot").bounding_box()["width"]
    page.set_viewport_size({"width": 1200, "height": 800})
    settle(page)
    assert page.locator(".ld-ladder-plot").bounding_box()["width"] > 1.5 * narrow


def test_the_switch_shows_what_another_reader_makes_of_the_same_dreams(show):
    figure = LadderFigure.of_readers(read_by_two())
    page = show(figure)
    before = table(page)["two_frame"]
    page.get_by_label("by the closest picture").check(force=True)
    settle(page)
    after = table(page)["two_frame"]
    figure.reader = "by the closest picture"
    assert before != after and after["step 15"] == told(METRICS["theta"], figure.spread("two_frame")).replace(
        "\u00b0", ""
    )
    assert "coin tosses, by the closest picture" in page.locator(".ld-say").first.inner_text()
    assert show(LadderFigure(ladder(2))).get_by_text("Read", exact=True).count() == 0, "one reader needs no switch"


def test_intervals_over_episodes_are_drawn_where_they_are_given(show):
    rungs = ladder(2)
    rungs["two_frame"][1]["intervened"]["theta_interval"] = [[0.2] * 20, [3.0] * 20]
    page = show(LadderFigure(rungs))
    assert page.locator('[data-name="two_frame"] .ld-end').count() == 2
    assert page.locator('[data-name="autoencoder_mlp"] .ld-end').count() == 0
    assert page.locator(".ld-end-words").is_visible()
    choose_metric = page.get_by_label("Metric")
    choose_metric.select_option("Steps to 2 degrees")
    settle(page)
    assert page.locator('[data-name="autoencoder_mlp"] .ld-end').count() == 1, "interval_2"


@pytest.mark.parametrize("count", [3, 14])
def test_any_number_of_rungs_can_be_told_apart_on_a_phone(show, count):
    rungs = {
        f"rung number {n}": {seed: evaluation(0.3 + 0.2 * n + 0.02 * seed) for seed in (0, 1)} for n in range(count)
    }
    page = show(LadderFigure(rungs, references()), viewport=PHONE)
    looks = page.evaluate("""() => [...document.querySelectorAll("label.ld-chip > svg")].map((sample) =>
        [sample.querySelector(".ld-mark").getAttribute("d"), sample.classList.contains("ld-hollow")].join())""")
    assert len(set(looks)) == len(looks) == count
    colours = page.evaluate("""() => [...document.querySelectorAll("label.ld-chip > svg .ld-line")].map((line) =>
        [getComputedStyle(line).stroke, getComputedStyle(line).strokeDasharray].join())""")
    assert len(set(colours)) == count, "no two lines share colour and dash"
    check_manners(page)
