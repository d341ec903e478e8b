"""The what-if fan's Python side: what it refuses, and that its futures are the package's own."""

import re

import numpy as np
import pytest
import torch

from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.showing.widgets.what_if.what_if import WhatIf
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees, read
from latent_dynamics.world.rendering import draw
from latent_dynamics.world.worlds import CARTPOLE

STATES = np.array([[0.0, 0, 0.01, 0], [0.4, 0.2, 0.15, 0.9], [-0.3, 0, -0.02, -0.2]])


@pytest.fixture(scope="module")
def model():
    return load_model("autoencoder_mlp")


@pytest.fixture
def fan(model):
    return WhatIf(model, STATES)


def test_in_truth_a_push_cannot_be_seen_one_step_on_and_the_model_believes_that_it_can(fan):
    futures = fan.futures()
    truth, dream = (futures[who][1] - futures[who][0] for who in ("truth", "dream"))
    assert truth[1] == 0 and abs(truth[2]) > 0.5
    assert abs(dream[1]) > 0.02


def test_the_first_pushes_differ_and_only_a_held_push_goes_on_differing(fan):
    for number, (words, left, right) in enumerate(fan.plans):
        assert (left[0], right[0]) == (0, 1) and len(left) == len(right) == fan.horizon
        assert (left[1:] == right[1:]) == (number < 2), words


def test_the_futures_are_those_of_simulate_and_imagine(model, fan):
    fan.start, fan.plan = 2, 1
    pushes, states = torch.tensor(fan.plans[1][1:]), torch.from_numpy(STATES[[2, 2]])
    futures = fan.futures()
    true = degrees(CARTPOLE.simulate(states, pushes)[..., 2]).numpy()
    belief = model.observe(torch.from_numpy(from_bytes(draw(STATES[[2, 2]])))[:, None], pushes[:, :0])
    with torch.no_grad():
        seen = read(model.decode(model.imagine(belief, pushes)))
    assert np.allclose(futures["truth"][:, 1:], true, atol=1e-9)
    dreamt = torch.where(seen.valid, degrees(seen.theta), torch.nan)
    assert np.allclose(futures["dream"][:, 1:], dreamt, atol=0.1, equal_nan=True)


def test_after_a_fall_nothing_is_told(fan):
    fan.start, fan.plan = 1, 2
    left, right = fan.futures()["truth"]
    assert np.isnan(left[-1]) and np.nanmax(left) > 12 and (np.isfinite(left).sum() - 1) == np.nanargmax(left)
    assert np.isfinite(right).sum() > np.isfinite(left).sum()


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("start", 3, "start is 3; expected a whole number from 0 to 2"),
        ("plan", -1, "plan is -1"),
        ("step", 13, "step is 13; .* 0 to 12"),
    ],
)
def test_refuses_what_is_not_there_and_stays_as_it_was(fan, trait, value, message):
    before = getattr(fan, trait)
    with pytest.raises(ValueError, match=message):
        setattr(fan, trait, value)
    assert getattr(fan, trait) == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"states": STATES[0]}, r"state\[None\]"),
        ({"states": STATES + [0, 0, 1, 0]}, "have fallen already"),
        ({"horizon": 1}, "a horizon of 1 steps"),
        ({"labels": ["one"]}, "labels names 1 states; expected 3"),
        ({"step": 40}, "step is 40"),
    ],
)
def test_bad_input_is_named(model, changed, message):
    with pytest.raises(ValueError, match=message):
        WhatIf(model, **{"states": STATES} | changed)


def test_still_picture_has_its_story_in_words(fan):
    alt = re.search(r'alt="([^"]*)"', fan.still().data)[1]
    gap = np.diff(fan.futures()["dream"], axis=0)[0]
    assert "At step 1 the true pole that was pushed right stands where the other stands" in alt
    assert f"the dreamt one {abs(gap[1]):.2f} degrees further" in alt


def test_equal_content_gets_names_of_its_own(model):
    one, two = WhatIf(model, STATES), WhatIf(model, STATES)
    assert one.model_id != two.model_id and one.page_model != two.page_model and repr(one) == "WhatIf()"
