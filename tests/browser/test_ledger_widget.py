"""The ledger in a page: its figures are the package's, it closes for every choice, and it says what is left over."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from open_widgets import PHONE, check_manners, opener, settle, slider_time

from latent_dynamics.models.linear_chain import FAMILIES
from latent_dynamics.showing.page.bundle import bundle
from latent_dynamics.showing.widgets.ledger.ledger import SLOPES, VARIANCES, Ledger


@pytest.fixture
def show(browser, tmp_path):
    with opener(browser, tmp_path) as open_page:
        yield open_page


def number(text):
    return float(text.replace("\u2212", "-"))


def sides(page):
    """The figures under the bars, by name."""
    names, values = (page.locator(f".ld-ledger-sides {tag}").all_inner_texts() for tag in ("dt", "dd"))
    return dict(zip(names, values, strict=True))


def test_the_page_computes_what_the_package_computes(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle(Path(__file__).with_name("ledger_bench.js")), type="module")
    page.wait_for_function("() => window.account")
    ledger = Ledger()
    for a, Q, R, family in itertools.product(SLOPES[::2], VARIANCES[::3], VARIANCES[::3], FAMILIES):
        ledger.a, ledger.Q, ledger.R, ledger.family = a, Q, R, family
        choice = {"a": a, "Q": Q, "R": R, "P": ledger.P, "family": family, "noise": ledger.noises[0]}
        found = page.evaluate("choice => account(choice)", choice)
        for name, values in ledger.account().items():
            assert np.allclose(found[name], values, rtol=0, atol=1e-12), (name, choice)
    page.close()


def test_both_sides_are_shown_to_the_last_digit_and_agree(show):
    page = show(Ledger())
    for family in FAMILIES:
        page.get_by_label(family, exact=True).check()
        settle(page)
        shown, found = sides(page), Ledger(family=family).account()
        assert number(shown["ln p(o), by Kalman\u2019s filter"]) == pytest.approx(found["whole"], abs=1e-11)
        assert number(shown["ELBO"]) == pytest.approx((found["fit"] - found["kl"]).sum(), abs=1e-11)
        assert shown["ELBO + KL"] == shown["ln p(o), by Kalman\u2019s filter"]
        off = shown["the two sides differ by"]
        assert off == "0" or re.search("\u00b710\u207b\u00b9[\u00b3\u2074\u2075\u2076]$", off), off  # 10^-13 at most


def test_it_opens_on_a_gap_and_says_how_much_and_why(show):
    page = show(Ledger())
    words = page.locator(".ld-say").inner_text()
    found = Ledger().account()
    assert f"The ELBO is {found['gap'].sum():.2f} nats below ln p(o)" in words
    assert f"most of it at step {found['gap'].argmax() + 1}" in words
    assert f"{found['price']:.2f} nats on average" in words and "once the future is known" in words
    gaps = page.locator(".ld-ledger-panel").first.locator("svg[role=img] .ld-ledger-gap")
    heights = [float(node.get_attribute("height")) for node in gaps.all()]
    assert np.argmax(heights) == found["gap"].argmax() and max(heights) > 10


def test_paid_and_owed_are_of_equal_height_at_each_step(show):
    page = show(Ledger())
    panel = page.locator(".ld-ledger-panel").first.locator("svg[role=img]")
    heights = {
        kind: [float(node.get_attribute("height")) for node in panel.locator(f".ld-ledger-{kind}").all()]
        for kind in ("owed", "gap", "misfit", "kl")
    }
    assert np.allclose(np.add(heights["owed"], heights["gap"]), np.add(heights["misfit"], heights["kl"]), atol=1e-6)


def test_dials_and_readings_change_the_figures(show):
    page = show(Ledger())
    before = sides(page)["ELBO"]
    page.get_by_label("a", exact=True).fill("1")
    settle(page)
    assert number(sides(page)["ELBO"]) == pytest.approx(
        float(np.subtract(*(Ledger(a=0.0).account()[name].sum() for name in ("fit", "kl")))), abs=1e-11
    )
    page.locator(".ld-say").filter(has_text="next to nothing is left over").wait_for(timeout=5000)
    page.get_by_label("Readings", exact=True).select_option("draw 2")
    settle(page)
    assert sides(page)["ELBO"] not in (before, "")
    page.get_by_label("Q, of a step", exact=True).focus()
    page.keyboard.press("End")
    settle(page)
    wanted = Ledger(a=0.0, Q=VARIANCES[-1], sequence=1).account()["whole"]
    assert number(sides(page)["ln p(o), by Kalman\u2019s filter"]) == pytest.approx(wanted, abs=1e-11)


def test_two_views_of_one_widget_stay_in_step(show):
    ledger = Ledger()
    page = show(ledger, ledger)
    page.get_by_label("smoothing", exact=True).nth(1).check()
    settle(page)
    assert page.get_by_label("smoothing", exact=True).nth(0).is_checked()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_offends_no_reader(show, theme):
    page = show(Ledger(title="Where does it go?"), theme=theme, viewport=PHONE, has_touch=True)
    check_manners(page)
    page.get_by_label("mean-field", exact=True).tap()
    page.locator(".ld-say").filter(has_text="Mean-field").wait_for(timeout=5000)


def test_still_picture_stands_without_javascript(show):
    picture = show(Ledger(), java_script_enabled=False).locator(".ld-still img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 200


@pytest.mark.timed
def test_a_slider_is_drawn_within_a_display_frame(show):
    assert slider_time(show(Ledger()), "R, of a reading") <= 16
