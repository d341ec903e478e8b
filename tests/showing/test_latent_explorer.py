"""The latent explorer's Python side: what it refuses, what it sends, how it opens."""

import re

import numpy as np
import pytest
import torch

from latent_dynamics.keeping.artifacts import frames_of, load_episodes, load_model
from latent_dynamics.showing.widgets.latent_explorer.latent_explorer import LatentExplorer
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import read
from latent_dynamics.world.rendering import draw

STATES = np.array([[0.0, 0, 0.004, 0], [-0.6, 0, -0.05, 0]])


@pytest.fixture(scope="module")
def autoencoder():
    return load_model("autoencoder_mlp").autoencoder


@pytest.fixture(scope="module")
def latents(autoencoder):
    """Every fourth latent of the training frames, (M, 8)."""
    with torch.no_grad():
        return autoencoder.encode(frames_of(load_episodes("mixed", "train"))[::4]).numpy()


@pytest.fixture(scope="module")
def explorer(autoencoder, latents):
    return LatentExplorer(autoencoder, STATES, latents)


def test_it_opens_with_one_number_moved_to_where_the_pole_is_lost(explorer):
    assert sum(by != 0 for by in explorer.moved) == 1
    assert not read(explorer.picture()).valid
    assert explorer.distance() > explorer.usual


def test_back_at_the_real_frame_the_pole_is_there_and_training_latents_are_near(autoencoder, latents):
    explorer = LatentExplorer(autoencoder, STATES, latents, moved=[0.0] * 8)
    found, z = read(explorer.picture()), autoencoder.encode(torch.from_numpy(from_bytes(draw(STATES[:1]))))[0]
    assert found.valid and abs(float(found.theta) - STATES[0, 2]) < 0.02
    assert explorer.distance() < explorer.usual
    assert np.allclose(explorer.z, z.detach(), atol=0.02), "the page's weights are half precision"


def test_a_slider_reaches_as_far_as_training_latents_do(explorer, latents):
    standard = (latents - latents.mean(0)) / latents.std(0)
    assert np.allclose(explorer.reach, np.stack([standard.min(0), standard.max(0)], 1), atol=1e-4)


def test_the_latents_that_travel_cover_the_others(explorer, latents):
    seen = np.frombuffer(explorer.seen, "<f2").reshape(-1, 8).astype(np.float32)
    standard = torch.from_numpy((latents - latents.mean(0)) / latents.std(0)).float()
    near = torch.cdist(standard, torch.from_numpy(seen)).min(1).values
    evenly = standard[torch.linspace(0, len(standard) - 1, 200).long()]
    assert len(seen) == 200
    assert float((near <= explorer.usual).double().mean()) > 0.93
    assert near.max() < 0.5 * torch.cdist(standard, evenly).min(1).values.max(), "far better than every so many-th"


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("frame", 2, "frame is 2; expected a whole number from 0 to 1"),
        ("moved", [0.0] * 7, "expected 8 finite numbers"),
        ("moved", [np.nan] * 8, "expected 8 finite numbers"),
    ],
)
def test_refuses_what_is_not_there_and_stays_as_it_was(explorer, trait, value, message):
    before = getattr(explorer, trait)
    with pytest.raises(ValueError, match=message):
        setattr(explorer, trait, value)
    assert getattr(explorer, trait) == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"states": STATES[0]}, r"state\[None\]"),
        ({"states": STATES * np.nan}, "expected finite"),
        ({"latents": np.zeros((5, 8))}, "never changes"),
        ({"latents": np.zeros(8)}, r"expected \(M, D\)"),
        ({"labels": ["one"]}, "labels names 1 states; expected 2"),
        ({"moved": [1.0]}, "expected 8 finite numbers"),
        ({"frame": -1}, "frame is -1"),
    ],
)
def test_bad_input_is_named(autoencoder, latents, changed, message):
    given = {"states": STATES, "latents": latents[:50], "moved": [0.0] * 8} | changed
    with pytest.raises(ValueError, match=message):
        LatentExplorer(autoencoder, **given)


def test_still_picture_has_its_story_in_words(explorer):
    alt = re.search(r'alt="([^"]*)"', explorer.still().data)[1]
    assert re.search(r"Moved: number \d by [+-]\d\.\d standard deviations; the decoder draws no pole", alt)
    assert f"{explorer.distance():.1f} standard deviations away" in alt
    assert explorer.still().data == explorer.still().data


def test_equal_content_gets_names_of_its_own(autoencoder, latents):
    one, two = (LatentExplorer(autoencoder, STATES, latents[:50], moved=[0.0] * 8) for _ in range(2))
    assert one.model_id != two.model_id and repr(one) == "LatentExplorer()"
