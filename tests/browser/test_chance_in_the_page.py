"""Chance and what a belief is worth, in the page as in the package: the same numbers, the same scores."""

from pathlib import Path

import numpy as np
import pytest
import torch

from latent_dynamics.judging import belief
from latent_dynamics.showing.page.bundle import bundle
from latent_dynamics.showing.page.chance import dice, normals, uniform


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.set_content("<p>nothing</p>")
    page.add_script_tag(content=bundle(Path(__file__).with_name("belief_bench.js")))
    yield page
    page.close()


@pytest.mark.parametrize("seed", [0, 7, 123_456])
def test_the_same_place_of_the_same_stream_holds_the_same_number(page, seed):
    here = uniform(seed, np.arange(2000))
    there = page.evaluate("seed => Array.from({ length: 2000 }, (_, n) => uniform(seed, n))", seed)
    assert np.array_equal(here, there)
    there = page.evaluate("seed => [...normals(seed, 500, 1000)]", seed)
    assert np.abs(normals(seed, 500, 10, 100).ravel() - there).max() < 1e-6
    there = page.evaluate("seed => { const one = diceOf(seed, 3, 4, 10); return [one(), one()]; }", seed)
    assert [float(numbers[4]) for numbers in dice(seed, 3, 10)] == there


def test_the_numbers_are_as_if_drawn_by_chance():
    drawn = uniform(1, np.arange(100_000))
    assert np.abs(np.histogram(drawn, 20, (0, 1))[0] / 5000 - 1).max() < 0.06
    assert 0 < drawn.min() and drawn.max() < 1
    streams = np.stack([uniform(seed, np.arange(20_000)) for seed in range(5)])
    together = np.corrcoef(np.concatenate([streams[:, :-1], streams[:, 1:]]))
    assert np.abs(together - np.eye(10)).max() < 0.03, "neither neighbours nor streams know of each other"
    noise = normals(1, 0, 50_000)
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.01 and abs((noise**4).mean() - 3) < 0.1


@pytest.mark.parametrize("samples", [1, 2, 31])
def test_a_fan_is_worth_in_the_page_what_it_is_worth_to_the_judge(page, samples):
    generator = torch.Generator().manual_seed(samples)
    fans, theta = (4 * torch.randn(1, count, 1, dtype=torch.float64, generator=generator) for count in (samples, 16))
    if samples > 2:
        fans[0, :2] = torch.nan  # no pole to be read
    told = [[None if np.isnan(v) else v for v in values[0, :, 0].tolist()] for values in (fans, theta)]
    found = page.evaluate(
        """([fan, happened]) => {
            const samples = fan.map((value) => value ?? NaN);
            const band = quantiles(samples, [0.05, 0.95]);
            return [crps(samples, happened), coverage(happened, band), ...band];
        }""",
        told,
    )
    low, high = (float(fans.nanquantile(share, 1)) for share in (0.05, 0.95))
    wanted = [float(belief.crps(fans, theta)), float(belief.coverage(fans, theta)), low, high]
    assert np.allclose(found, wanted, atol=1e-12)


def test_a_fallen_pole_stays_fallen_in_the_page_too(page):
    angles = (torch.randn(40, 25, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3).cumsum(1)
    found = np.array(page.evaluate("all => all.map(held)", angles.tolist()))
    assert np.array_equal(found, belief.held(angles).numpy())
    assert (abs(found) == belief.LIMIT).any() and found.max() <= belief.LIMIT


def test_mean_and_spread(page):
    values = np.random.default_rng(0).normal(3, 2, 32)
    found = page.evaluate("values => spreadOf(values)", values.tolist())
    assert np.allclose([found["mean"], found["std"]], [values.mean(), values.std(ddof=1)])
