"""Prediction without reconstruction: that collapse is what the loss asks for, and what each cure says to it."""

import math

import numpy as np
import pytest
import torch

from latent_dynamics.judging.ladder import NOTHING
from latent_dynamics.keeping.artifacts import LADDER, WITHOUT_PICTURES, model_names, usual_data
from latent_dynamics.models import JEPA
from latent_dynamics.models.jepa import LOOK, banded, moved_and_mirrored
from latent_dynamics.models.training import seeded
from latent_dynamics.showing.page.page_model import PageModel
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.rendering import draw

pytestmark = pytest.mark.usefixtures("one_thread")


def make(**settings):
    with seeded(0):
        return JEPA(**settings)


@pytest.fixture(scope="module")
def model():
    return make().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def cut(mixed_episodes):
    """Frames (B, 13, H, W) in [0, 1] and actions (B, 12)."""
    frames, actions, _ = mixed_episodes.windows(12, stride=9)
    return torch.from_numpy(frames), torch.from_numpy(actions)


def windows(batch=64, size=8, steps=12):
    """Latents (B, T + 1, size) of unit spread that have nothing in common, actions and `there` (B, T)."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(batch, steps + 1, size, generator=generator)
    return z, torch.randint(0, 2, (batch, steps), generator=generator), torch.ones(batch, steps)


def still(model):
    """Let a model's latents never move: what it sees is one point, and its predictor predicts no change."""
    for layer in (model.encoder[-1], model.predictor[-1]):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return model


# The interface


def test_it_is_no_rung_of_the_calm_ladder_and_learns_on_its_data():
    assert WITHOUT_PICTURES == {"jepa": JEPA} and "jepa" not in model_names() == list(LADDER)
    assert usual_data("jepa") == "mixed"


def test_imagine_is_the_roll_that_one_would_write_by_hand(model, cut):
    frames, actions = cut
    belief = model.begin(model.see(frames[:, 0]))
    assert belief.shape == (len(frames), model.state_size) == (len(frames), 8 + 8 + 64)
    for t in range(3):
        belief = model.update(belief, actions[:, t], model.see(frames[:, t + 1]))
    torch.testing.assert_close(belief, model.observe(frames[:, :4], actions[:, :3]))
    z, change, _ = model.split(belief)
    torch.testing.assert_close(z, model.see(frames[:, 3]))
    torch.testing.assert_close(change, z - model.see(frames[:, 2]))
    for t in range(3, 6):
        belief = model.step(belief, actions[:, t])
    rolled = model.imagine(model.observe(frames[:, :4], actions[:, :3]), actions[:, 3:6])
    torch.testing.assert_close(belief, rolled[:, -1])
    assert model.decode(rolled).shape == (*rolled.shape[:2], 32, 100)
    reward, proceed = model.outcome(rolled)
    assert reward.shape == proceed.shape == rolled.shape[:2] and ((proceed > 0) & (proceed < 1)).all()
    with pytest.raises(ValueError, match="JEPA is deterministic"):
        model.imagine(belief, actions[:, :2], samples=3)


def test_it_can_be_sent_to_a_page(model):
    assert not PageModel.of(model).in_kernel


@pytest.mark.parametrize(
    "settings",
    [
        {"latent_size": 0}, {"horizon": 1, "context": 2}, {"longer": -1}, {"moving": 1.0}, {"variance": -1.0},
        {"shift": 100},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} .*; expected"):
        JEPA(**settings)


# What the loss asks for


def test_without_a_cure_nothing_is_better_than_a_latent_that_never_moves(cut):
    frames, actions = cut
    model, there = make(**NOTHING), torch.ones(actions.shape)

    def loss():
        z = model.see(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        return float(model.loss(z, z, actions, there)["loss"].detach())

    awake = loss()
    still(model)
    assert loss() == 0 < awake


def test_each_cure_makes_that_expensive():
    _, actions, there = windows()
    z = torch.zeros(*actions.shape, 8).repeat_interleave(2, 1)[:, :13]
    cured = still(make(**NOTHING | {"variance": 1.0})).requires_grad_(False)
    assert float(cured.loss(z, z, actions, there)["loss"]) == pytest.approx(1, abs=1e-5), "the hinge at spread 1"
    cured = still(make(**NOTHING | {"inverse": 1.0})).requires_grad_(False)
    assert float(cured.loss(z, z, actions, there)["loss"]) > 0.99 * math.log(2), "one bit a push, which nothing tells"


def test_spreads_are_those_of_all_windows_and_copies_have_much_in_common(model):
    z, _, _ = windows(512)
    spread, common = model.spreads(3 * z)
    torch.testing.assert_close(spread, (3 * z).flatten(0, 1).std(0, unbiased=False))
    assert common < 0.5
    spread, common = model.spreads(z[..., :1].expand(-1, -1, 8))
    assert common == pytest.approx(7, rel=0.1), "each of eight numbers is a copy of seven others"


def test_a_gradient_goes_through_the_targets_only_if_nothing_stops_it():
    z, actions, there = windows()
    for stopped in (True, False):
        target = z.clone().requires_grad_()
        model = make(**NOTHING | {"stop_gradient": stopped})
        model.missed(z.clone().requires_grad_(), target, actions, there).backward()
        assert (target.grad is None) == stopped


def test_what_follows_the_end_of_an_episode_counts_nothing(model):
    z, actions, there = windows()
    there[:, 9:] = 0
    ended = z.clone()
    ended[:, 10:] = 100.0
    torch.testing.assert_close(model.missed(z, ended, actions, there), model.missed(z, z, actions, there))
    assert model.missed(z, ended, actions, torch.ones_like(there)) > 1000


def test_the_push_that_is_told_is_the_one_that_leads_to_the_middle():
    """A teller that reads only the middle latent, where each latent says which push led to it, is always right."""
    _, actions, _ = windows()
    z = torch.zeros(len(actions), 13, 8)
    z[:, 1:, 0] = 2.0 * actions - 1
    for read, right in ((LOOK // 2, True), (LOOK // 2 + 1, False), (LOOK // 2 - 1, False)):
        model = make().requires_grad_(False)
        torch.nn.init.zeros_(model.teller[0].weight), torch.nn.init.zeros_(model.teller[0].bias)
        torch.nn.init.zeros_(model.teller[2].weight), torch.nn.init.zeros_(model.teller[2].bias)
        model.teller[0].weight[:2, read] = torch.tensor([-20.0, 20.0])
        model.teller[2].weight[:, :2] = torch.eye(2)
        assert (model.told(z, actions) < 1e-3) == right


def test_a_window_is_moved_as_one_and_in_a_mirror_left_is_right():
    columns = torch.arange(100.0).expand(200, 3, 8, 100) + 1000 * torch.arange(3.0)[:, None, None]
    pushes = torch.tensor([[0, 1]]).expand(200, -1)
    with seeded(0):
        shown, told = moved_and_mirrored(columns, pushes, 5, 2)
    mirrored = told[:, 0] == 1
    assert 70 < mirrored.sum() < 130 and torch.equal(told[:, 1], 1 - told[:, 0])
    upright = torch.where(mirrored[:, None, None, None], shown.flip(-1), shown)
    assert torch.equal(upright - upright[:, :1], columns - columns[:, :1]), "all frames of a window alike"
    by = upright[:, 0, 0, 50] - 50
    assert by.unique().tolist() == list(range(-5, 6))
    assert torch.equal(upright[:, 0, 0], (torch.arange(100.0) + by[:, None]).clamp(0, 99)), "the edge is repeated"


def test_the_mirror_of_a_picture_is_the_picture_of_the_mirrored_state():
    states = np.array([[0.3, 0, 0.15, 0], [-1.1, 0, -0.05, 0]], dtype=np.float32)
    pictures, mirrored = (torch.from_numpy(from_bytes(draw(side * states))) for side in (1, -1))
    shown, image = banded(pictures), banded(mirrored)
    assert (shown.flip(-1) - image).abs().mean() < 0.01 < 0.03 < (shown - image).abs().mean()


# Training


def lessons(model, episodes):
    return model.lessons(episodes, episodes)  # the tests have few: what is learned is not judged here


def test_targets_come_from_an_encoder_that_follows_slowly(mixed_episodes):
    model = make(moving=0.9)
    lesson = next(lessons(model, mixed_episodes))
    batch = [part[:8] for part in lesson.data]

    def missed():
        with torch.no_grad():
            return float(lesson.loss(*batch)["missed"])

    with torch.no_grad():
        model.encoder[-1].bias += 5  # the encoder leaps; its targets do not
    far = missed()
    lesson.after_step()
    assert missed() == pytest.approx(0.81 * far, rel=0.1), "a tenth of the way"
    for _ in range(200):
        lesson.after_step()
    assert missed() < 0.01 * far
    assert next(lessons(make(moving=0.0), mixed_episodes)).after_step is None


def test_no_gradient_of_the_view_reaches_the_encoder(mixed_episodes):
    model = make(longer=0)
    model.eyes.fit(torch.from_numpy(mixed_episodes.frames).float() / 255)
    model.eyes.requires_grad_(False)
    view = next(lessons(model, mixed_episodes))
    assert view.name == "view", "a model that does not learn begins here"
    view.loss(*(part[:8] for part in view.data))["loss"].backward()
    touched = {name.split(".")[0] for name, part in model.named_parameters() if part.grad is not None}
    assert touched == {"viewer"}


def test_left_alone_it_collapses_and_the_variance_term_keeps_it_up(mixed_episodes):
    ratios = []
    for settings in (NOTHING, NOTHING | {"variance": 1.0}):
        model = make(**settings)
        lesson = next(lessons(model, mixed_episodes))
        optimizer = torch.optim.Adam(model.parameters(), 3e-3)
        for step in range(60):
            terms = lesson.loss(*(part[16 * step % 96 :][:16] for part in lesson.data))
            assert terms["loss"].isfinite()
            optimizer.zero_grad()
            terms["loss"].backward()
            optimizer.step()
        ratios.append(float(terms["spread"].detach()) / float(model.first_spread.mean()))
    assert ratios[0] < 0.5 < 5 < ratios[1]
