"""The stepper's Python side: what it shows is the model's, on a window with gusts, and bad input is named."""

import re

import numpy as np
import pytest
import torch

from latent_dynamics.judging import judging_set
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.models.sequential import SequentialLatent
from latent_dynamics.showing.widgets.stepper.stepper import SETTLED, SHOWN, Stepper
from latent_dynamics.world.gusty import GUSTY

PARTS = {
    "states": [[0.0] * 6] * 3, "prior": [[0.0, 1.0, 0.0, 1.0]] * 3, "posterior": [[0.0, 0.5, 0.0, 0.5]] * 3,
    "seen": [[0.0, 0.0]] * 3, "kl": [0.5, 2.0, 1.0], "gusts": [0.0, 10.0, 0.0],
}  # fmt: skip


@pytest.fixture(scope="module")
def episodes():
    return judging_set.collected("test", GUSTY)


@pytest.fixture(scope="module")
def model():
    return load_model("state_space")


@pytest.fixture(scope="module")
def stepper(model, episodes):
    return Stepper.of(model, episodes)


def test_its_surprise_is_the_models_own(stepper, model, episodes):
    frames, actions, states = map(torch.from_numpy, episodes.windows(SETTLED + SHOWN - 1, stride=5))
    row = int((states[:, SETTLED:] - torch.tensor(stepper.states)).abs().amax((1, 2)).argmin())
    assert isinstance(model, SequentialLatent)
    wanted = model.surprise(frames[row : row + 1], actions[row : row + 1])[0, SETTLED - 1 :]
    assert np.allclose(stepper.kl, wanted, atol=1e-3)


def test_it_shows_a_window_with_two_gusts_that_lie_apart(stepper):
    begins = np.flatnonzero(np.diff((np.array(stepper.gusts) != 0).astype(int)) == 1)
    assert len(stepper.kl) == SHOWN and len(begins) == 2 and np.diff(begins)[0] >= 8


def test_the_posterior_follows_what_is_read_more_than_the_prior_does(stepper):
    seen = np.array(stepper.seen)
    off = {name: np.abs(np.array(getattr(stepper, name))[:, [0, 2]] - seen).mean(0) for name in ("prior", "posterior")}
    assert (off["posterior"] < 0.8 * off["prior"]).all()
    spread = {name: np.array(getattr(stepper, name))[:, [1, 3]].mean(0) for name in ("prior", "posterior")}
    assert (spread["posterior"] < spread["prior"]).all()  # to see makes sure


def test_it_opens_on_its_greatest_surprise_with_gusts_hidden(stepper):
    assert stepper.moment == 2 * int(np.argmax(stepper.kl)) + 1 and not stepper.revealed


def test_bad_input_is_named(model, episodes):
    with pytest.raises(ValueError, match="'kl': 2.*expected the same for all"):
        Stepper(**PARTS | {"kl": [1.0, 2.0]}, world=GUSTY)
    with pytest.raises(ValueError, match="moment is 6; expected a whole number from 0 to 5"):
        Stepper(**PARTS, world=GUSTY, moment=6)
    with pytest.raises(ValueError, match="no window of 32 frames with 9 gusts"):
        Stepper.of(model, episodes, gusts=9)


def test_still_picture_has_its_story_in_words():
    words = re.search(r'alt="([^"]*)"', Stepper(**PARTS, world=GUSTY).still().data)[1]
    assert "surprised by frame 2: 2.0 nats, where 1.0 are usual" in words
