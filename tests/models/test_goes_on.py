"""Whether an episode goes on: learned from each transition once, so that ends are believed in as often as they come."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latent_dynamics.data.collection import collect
from latent_dynamics.judging.references import untrained
from latent_dynamics.keeping.artifacts import LADDER
from latent_dynamics.models import autoencoder_mlp, latent_world, position_velocity
from latent_dynamics.models.goes_on import arrivals, filtered
from latent_dynamics.models.training import train
from latent_dynamics.showing.page.page_model import page_function

pytestmark = pytest.mark.usefixtures("one_thread")
every_name = pytest.mark.parametrize("name", LADDER)


@pytest.fixture(scope="module")
def episodes():
    """At least 4,000 transitions of the noisy experts."""
    return collect("mixed", 4000, workers=1)


def codes_of(model, episodes):
    """What eyes that see very well would see: positions, or eight mixtures of positions and speeds."""
    states = torch.from_numpy(episodes.states).float() / torch.tensor([0.5, 0.5, 0.07, 0.5])
    if model.needs_eyes == "balance":
        return torch.cat([states[:, [0, 2]], torch.ones(len(states), 1)], 1)
    return states @ torch.randn(4, model.eyes.size, generator=torch.Generator().manual_seed(0))


def taught(name, parts, monkeypatch):
    """A rung that has learned all its lessons shortly, from codes made of true states."""
    model = untrained(LADDER[name])
    model.eyes.requires_grad_(False)
    for module in (autoencoder_mlp, latent_world, position_velocity):
        monkeypatch.setattr(module, "seen", lambda eyes, part: codes_of(model, part))
    for lesson in model.lessons(*parts):
        last = lesson.name == "goes on"
        changes = {"epochs": 80} if last else {"epochs": 6, "batch_size": 64}  # of few examples enough gradient steps
        data = lesson.data if last else tuple(part[::3] for part in lesson.data)
        train(model, lesson.loss, data, lesson.validation, replace(lesson.budget, **changes), bar=False)
    return model


@every_name
def test_ends_are_believed_in_as_often_as_they_come(name, episodes, monkeypatch):
    parts = episodes[: len(episodes) * 2 // 3], episodes[len(episodes) * 2 // 3 :]
    model = taught(name, parts, monkeypatch)
    with torch.no_grad():
        beliefs = filtered(model, parts[1], codes_of(model, parts[1]))[parts[1].before + 1]
        believed = (1 - model.outcome(beliefs)[1]).double()
    ended = torch.from_numpy(parts[1].terminated)
    assert 10 < ended.sum() < 0.03 * len(ended)
    assert float(believed.mean() / ended.double().mean()) == pytest.approx(1, abs=0.3)  # some twenty ends
    assert believed[ended].median() > 0.5 > 0.01 > believed[~ended].median()


class Diary:
    """Believes the number of the last frame, and in the sum of all pushes."""

    def begin(self, code):
        return torch.cat([code, 0 * code], 1)

    def update(self, belief, action, code):
        return torch.cat([code, belief[:, 1:] + action[:, None]], 1)


def test_what_is_believed_of_whole_episodes_is_what_the_filter_believes_frame_by_frame(episodes):
    some = episodes[:4]
    codes = torch.arange(len(some.frames), dtype=torch.float32)[:, None]
    beliefs = filtered(Diary(), some, codes)
    assert torch.equal(beliefs[:, :1], codes)
    for frame, step, length in zip(some.first_frames, some.first_steps, some.lengths):
        pushed = np.r_[0, some.actions[step : step + length].cumsum()]
        assert beliefs[frame : frame + length + 1, 1].tolist() == pushed.tolist()


def test_every_transition_stands_once(episodes):
    some = episodes[:4]
    states, ended = arrivals(Diary(), some, torch.arange(len(some.frames), dtype=torch.float32)[:, None])
    assert states[:, 0].tolist() == (some.before + 1).tolist()
    assert ended.tolist() == some.terminated.tolist()


@every_name
def test_a_page_can_ask_whether_the_episode_goes_on(name):
    model = untrained(LADDER[name]).requires_grad_(False)
    page_function(lambda states: model.outcome(states)[1], torch.randn(1, model.state_size))  # else CannotBeExported
