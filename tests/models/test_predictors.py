"""What predicts without a belief: pictures that add up, a transformer that can't look ahead, and situations."""

import numpy as np
import pytest
import torch

from latent_dynamics.data.collection import collect
from latent_dynamics.judging.references import untrained
from latent_dynamics.models.eigen_frames import EigenFrames
from latent_dynamics.models.one_stride import AHEAD, NEAR, OneStride, Situations, coin
from latent_dynamics.models.rolled import CONTEXT, FrameByFrame, ReadingByReading
from latent_dynamics.world.air import gust_begins, with_air
from latent_dynamics.world.gusty import GUST_FORCE, GUST_STEPS, GUSTY

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def frames(mixed_episodes):
    return torch.from_numpy(mixed_episodes.frames[::3]).float() / 255


@pytest.fixture(scope="module")
def rollers(mixed_episodes, frames):
    """Both kinds, untrained, but with pictures and eyes that were fitted."""
    found = {}
    for kind in (FrameByFrame, ReadingByReading):
        model = untrained(kind).requires_grad_(False)
        model.sight.fit(frames)
        model.change.fill_(0.1)
        found[kind.__name__] = model
    return found


@pytest.fixture(scope="module")
def gusty_episodes():
    return collect("mixed", 500, 3, workers=1, world=GUSTY)


EITHER = pytest.mark.parametrize("name", ["FrameByFrame", "ReadingByReading"])


def test_the_squared_error_of_weights_is_that_of_pixels(frames):
    pictures = EigenFrames(16)
    pictures.fit(frames)
    assert torch.allclose(pictures.pictures @ pictures.pictures.T, torch.eye(16), atol=1e-4)
    one, other = torch.randn(2, 5, 16)
    in_pixels = (pictures.draw(one) - pictures.draw(other)).square().sum((-2, -1))
    assert torch.allclose(in_pixels, (one - other).square().sum(-1), rtol=1e-3)
    left = {n: (several.draw(several.see(frames)) - frames).square().mean() for n in (4, 32)
            if not (several := EigenFrames(n)).fit(frames)}  # fmt: skip
    assert left[32] < left[4] < (frames - frames.mean(0)).square().mean()


def test_both_have_as_many_numbers_to_train(rollers):
    count = {
        name: sum(p.numel() for part, p in model.named_parameters() if not part.startswith("eyes."))
        for name, model in rollers.items()
    }
    assert count["ReadingByReading"] == pytest.approx(count["FrameByFrame"], rel=0.1)


@EITHER
def test_nothing_is_seen_of_what_is_to_come_of_the_distant_past_or_of_what_was_not_there(rollers, name):
    torch.manual_seed(1)
    model, T = rollers[name], CONTEXT + 6
    codes, push, there = torch.randn(2, T, model.size), torch.ones(2, T), torch.ones(2, T)
    before = model.predict(codes, push, there)

    def changed(at, mask=there):
        other = codes.clone()
        other[:, at] += 1
        return (model.predict(other, push, mask) - model.predict(codes, push, mask)).abs().amax((0, 2)) > 1e-6

    assert before.shape == codes.shape
    assert not changed(8)[:8].any() and changed(8)[8:10].all()
    assert changed(0)[:CONTEXT].all() and not changed(0)[CONTEXT:].any()
    gone = there.clone()
    gone[:, 3] = 0
    assert not changed(3, gone)[4:].any()


@EITHER
def test_to_imagine_is_to_predict_from_what_was_predicted(rollers, mixed_episodes, name):
    model = rollers[name]
    shown, actions, _ = mixed_episodes.windows(8, stride=40)
    shown, actions = torch.from_numpy(shown), torch.from_numpy(actions)
    belief = model.observe(shown[:, :4], actions[:, :3])
    assert belief.shape == (len(shown), model.state_size)
    states = model.imagine(belief, actions[:, 3:6])
    codes = model.see(shown[:, :4])[..., : model.size]
    for n in range(3):
        there = torch.ones(codes.shape[:2])
        told = model.predict(codes, 2.0 * actions[:, : codes.shape[1]] - 1, there)[:, -1:]
        codes = torch.cat([codes, told], 1)
        assert torch.allclose(model.decode(states[:, n]), model.sight.decode(told[:, 0]), atol=1e-4)


def test_what_a_frame_hides_is_as_it_was_dreamt(rollers):
    model = rollers["ReadingByReading"]
    belief = model.begin(torch.tensor([[0.3, -0.2, 1.0]]))
    push = torch.ones(1, dtype=torch.int64)
    hidden = model.update(belief, push, torch.tensor([[9.0, 9.0, 0.0]]))
    assert torch.allclose(hidden, model.step(belief, push))
    assert not torch.allclose(model.update(belief, push, torch.tensor([[9.0, 9.0, 1.0]])), hidden)


@EITHER
def test_what_fills_a_window_after_its_end_costs_nothing(rollers, name):
    model = rollers[name]
    codes = torch.randn(3, 8, model.size + (name == "ReadingByReading"))
    codes[..., model.size :] = 1
    actions, there = torch.zeros(3, 7, dtype=torch.int64), torch.ones(3, 7)
    there[:, 4:] = 0
    before = model.loss(codes, actions, there)["loss"]
    codes[:, 5:] += 1
    assert torch.equal(model.loss(codes, actions, there)["loss"], before) and before > 0


def test_a_gust_begins_on_either_side_and_blows_for_its_steps():
    states = torch.zeros(200, 6, dtype=torch.float64)
    begun = gust_begins(GUSTY, states, coin(torch.Generator().manual_seed(0), 200))
    future = GUSTY.simulate(begun, torch.zeros(200, 5, dtype=torch.int64))
    gust = GUSTY.entry(future, "gust")
    assert set(gust[:, 0].tolist()) == {-GUST_FORCE, GUST_FORCE} and 60 < (gust[:, 0] > 0).sum() < 140
    assert (gust[:, :GUST_STEPS] == gust[:, :1]).all() and (gust[:, GUST_STEPS:] == 0).all()
    assert (states == 0).all(), "what was handed in is left alone"


def test_wind_that_is_told_step_by_step_blows_as_told():
    state = torch.zeros(1, 6, dtype=torch.float64)
    for newtons in (10.0, 0.0, -10.0):
        state = GUSTY.step(with_air(GUSTY, state, newtons, 1), torch.ones(1, dtype=torch.int64))
        assert GUSTY.entry(state, "gust").item() == newtons and GUSTY.entry(state, "left").item() == 0


def test_situations_are_near_the_middle_and_what_happens_in_them_is_drawn(gusty_episodes):
    few = Situations.of(gusty_episodes, 12)
    assert len(few.start) == 12 and (few.start[:, 0].abs() < NEAR).all()
    assert np.array_equal(GUSTY.draw(few.start.numpy(), workers=1), few.pixels[:, -1].numpy())
    actions, siren, wind, frames = few.happen()
    assert actions.shape == wind.shape == (12, AHEAD) and frames.shape == (12, 32, 100)
    assert (wind[siren > 0, :GUST_STEPS].abs() == 1).all(), "where a siren sounds a gust begins"


def test_the_wind_is_hidden_from_who_is_not_told():
    model, count = untrained(OneStride), 4
    q, before, actions = torch.randn(count, 6, 2), torch.ones(count, 5), torch.ones(count, AHEAD)
    quiet, wind = torch.zeros(count), torch.randn(count, AHEAD)
    with torch.no_grad():
        hidden, also = (model(q, before, actions, quiet, one, quiet) for one in (wind, -wind))
        told, other = (model(q, before, actions, quiet, one, quiet + 1) for one in (wind, -wind))
        siren = model(q, before, actions, quiet + 1, wind, quiet)
    assert torch.equal(hidden, also)
    assert not torch.equal(told, other) and not torch.equal(siren, hidden)
