"""The widgets' Python side: what they refuse, what they send to the page, what they say of themselves."""

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gusts import contexts
from PIL import Image

from latent_dynamics import drift, references
from latent_dynamics.judging.drift import Windows
from latent_dynamics.keeping.artifacts import load_model
from latent_dynamics.models.world_model import WorldModel
from latent_dynamics.showing.widgets import RolloutPlayer, show
from latent_dynamics.showing.widgets.sprite import WIDEST, pack_films, pack_frames, unpack_films, unpack_frames
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.reader import degrees, read
from latent_dynamics.world.rendering import draw

ROUNDED = 0.5 / 63 + 0.5 / 255 + 1e-6  # a sprite's grey levels
E, N, H, W = 2, 6, 8, 10


def films(seed=0):
    """Random frames and angles whose dream leaves the truth by more than 2 degrees at step 4 of episode 0."""
    generator = np.random.default_rng(seed)
    frames = [generator.random((E, N, H, W)) for _ in range(3)]
    truth = np.zeros((E, N))
    dream = np.tile(np.linspace(0.5, 4, N), (E, 1))  # 0.5, 1.2, 1.9, 2.6, ...
    return [*frames, truth, truth + 0.1, dream]


def player(**changed):
    """A player of `films`, with some arguments replaced."""
    names = ("true", "teacher", "free", "theta_true", "theta_teacher", "theta_free")
    return RolloutPlayer(**{**dict(zip(names, films())), **changed})


def contest(**changed):
    """A player of two models: "ours" is `films`, and "theirs" is half a degree off throughout."""
    true, teacher, free, theta_true, theta_teacher, theta_free = films()
    given = {
        "teacher": {"ours": teacher, "theirs": teacher[:, ::-1]},
        "free": {"ours": free, "theirs": free[:, ::-1]},
        "theta_teacher": {"ours": theta_teacher, "theirs": theta_teacher + 0.2},
        "theta_free": {"ours": theta_free, "theirs": theta_true + 0.5},
    }
    return RolloutPlayer(**{"true": true, "theta_true": theta_true, **given, **changed})


def test_frames_survive_the_sprite():
    shown = player().films()
    assert np.abs(shown - np.stack(films()[:3])).max() <= ROUNDED


def test_sprite_keeps_every_frame_in_its_place():
    numbered = np.arange(3 * E * N).reshape(3, E, N, 1, 1) / 63 * np.ones((H, W))
    assert np.allclose(unpack_frames(pack_frames(numbered), numbered.shape), numbered, atol=ROUNDED - 0.5 / 63)


@pytest.mark.parametrize("steps", [N, 500])
def test_films_keep_every_frame_in_its_place_and_the_sheet_a_width_that_browsers_can_draw(steps):
    numbered = np.arange(2 * steps).reshape(2, 1, steps, 1, 1) % 64 / 63 * np.ones((2, 100))
    sheet = pack_films(numbered)
    assert np.allclose(unpack_films(sheet, numbered.shape), numbered, atol=ROUNDED - 0.5 / 63)
    assert Image.open(io.BytesIO(sheet)).width <= WIDEST


@pytest.mark.parametrize(("steps", "kind"), [(20, "WEBP"), (WIDEST + 1, "PNG")])
def test_a_sheet_too_long_for_webp_is_packed_all_the_same(steps, kind):
    numbered = np.arange(steps).reshape(1, 1, steps, 1, 1) % 64 / 63 * np.ones((1, 2))
    sheet = pack_frames(numbered)
    assert Image.open(io.BytesIO(sheet)).format == kind
    assert np.allclose(unpack_frames(sheet, numbered.shape), numbered, atol=ROUNDED - 0.5 / 63)


def test_the_model_chosen_is_the_one_shown():
    shown = contest()
    assert shown.names == ["ours", "theirs"]
    assert (shown.model, shown.step) == (0, 4)
    for model in (1, 0):
        shown.model = model
        own = films()[2][:, :: (1, -1)[model]]
        assert np.abs(shown.films()[2] - own).max() <= ROUNDED
        assert np.abs(shown.films()[0] - films()[0]).max() <= ROUNDED, "the truth is the same for both"
        assert np.allclose(shown.angles()[1], (0.1, 0.3)[model])
    assert np.allclose(shown.angles(1)[2], 0.5)


def test_true_frames_are_sent_once_however_many_models():
    both = np.frombuffer(contest().thetas, "<f4").size
    one = np.frombuffer(player().thetas, "<f4").size
    assert (one, both) == (3 * E * N, 5 * E * N)
    assert len(contest().sprite) < 5.2 / 3 * len(player().sprite)  # noise: no film is smaller than another


def test_a_single_model_needs_no_name():
    assert player().names == [""]
    assert "free rollout. Below" in player().still().data


class Own(WorldModel):
    """A reader's model, as one writes it first: trainable, and all that it ever dreams is one grey."""

    state_size = 1

    def __init__(self, grey=0.9):
        super().__init__()
        self.grey = torch.nn.Parameter(torch.tensor(grey))

    def filter(self, frames, actions):
        return frames.mean((-1, -2))[..., None]

    def imagine(self, belief, actions, samples=None):
        return belief[:, None].repeat(1, actions.shape[1], 1)

    def decode(self, states):
        return self.grey.expand(*states.shape[:-1], *self.frame_shape)


@pytest.fixture(scope="module")
def windows():
    """Two windows with four steps to predict; the true pole of the second falls before the last."""
    n, K, horizon = 2, 2, 4
    lean = torch.tensor([[0.0, 0.02, 0.04, 0.06, 0.08], [0.1, 0.15, 0.19, 0.23, 0.3]], dtype=torch.float64)
    states = torch.zeros(n, horizon + 1, 4, dtype=torch.float64)
    states[..., 2] = lean
    pixels = torch.from_numpy(draw(states[:, [0] * K + [*range(horizon + 1)]].numpy(), workers=1))
    pushes = torch.ones(n, K + horizon, dtype=torch.int64)
    alive = lean[:, 1:] < 0.2
    return drift.Windows(pixels, pushes[:, :K], pushes[:, K:], states, alive, np.arange(n), "intervened")


def test_a_readers_own_model_stands_beside_the_books(windows):
    shown = RolloutPlayer.of({"nothing moves": references.RepeatLastFrame(), "mine": Own()}, windows)
    assert shown.lengths == [4, 2]
    judged = drift.judge(references.RepeatLastFrame(), windows)
    assert np.allclose(shown.angles()[2, 0], judged.theta[0], atol=1e-4) and np.ptp(judged.theta[0]) < 0.01
    assert np.allclose(shown.angles()[0, 0], judged.theta_true[0], atol=1e-4)
    shown.model = 1
    assert np.abs(shown.films()[2, 0] - 0.9).max() <= ROUNDED
    assert np.isnan(shown.angles()[2]).all(), "there is no pole in grey"


class Dicing(Own):
    """Throws dice for where the pole stands."""

    def imagine(self, belief, actions, samples=None):
        return torch.rand(*actions.shape, 1)

    def decode(self, states):
        poles = torch.zeros(*states.shape[:-1], 4)
        poles[..., 2] = 0.4 * states[..., 0] - 0.2
        return torch.from_numpy(draw(poles.double().numpy(), workers=1) / np.float32(255))


def test_the_angle_that_is_told_is_that_of_the_film_that_is_shown(windows):
    shown = RolloutPlayer.of(Dicing(), windows)
    seen = read(torch.from_numpy(shown.films()))
    for told, film, length in zip(
        shown.angles().swapaxes(0, 1)[:, 1:], degrees(seen.theta).swapaxes(0, 1)[:, 1:], shown.lengths
    ):
        assert np.abs(told[:, :length] - film[:, :length].numpy()).max() < 0.2
        assert np.ptp(told[:, :length]) > 2


def test_one_model_alone_is_shown_as_among_others(windows):
    alone = RolloutPlayer.of(references.RepeatLastFrame(), windows)
    among = RolloutPlayer.of({"nothing moves": references.RepeatLastFrame(), "mine": Own()}, windows)
    assert np.array_equal(alone.films(), among.films())
    assert np.array_equal(alone.angles(), among.angles(), equal_nan=True)


def test_exact_physics_is_outlined_where_it_has_the_pole(windows):
    shown = RolloutPlayer.of(references.RepeatLastFrame(), windows, physics=True)
    x, theta = np.frombuffer(shown.reference, "<f4").reshape(2, 2, 4)
    physics = references.ExactPhysics()
    states = physics.imagine(physics.observe(windows.frames[:, :3], windows.actions_before), windows.actions)
    assert np.allclose(x[0], states[0, :, 0], atol=1e-6)
    assert np.allclose(theta[0], degrees(states[0, :, 2]), atol=1e-5)
    assert np.isnan(theta[1, 2:]).all(), "the episode has ended"
    assert RolloutPlayer.of(references.RepeatLastFrame(), windows).reference == b""


def test_exact_physics_whose_pole_has_fallen_is_outlined_no_more(windows):
    falling = windows.states.clone()
    falling[0, :, 2] = 0.19
    pixels = torch.from_numpy(draw(falling[:, [0] * 3 + [1, 2, 3, 4]].numpy(), workers=1))
    pushes = torch.zeros_like(windows.all_actions)  # to the left: the pole falls to the right
    stubborn = drift.Windows(
        pixels, pushes[:, :2], pushes[:, 2:], falling, windows.alive, windows.episode, "intervened"
    )
    x, theta = np.frombuffer(RolloutPlayer.of(Own(), stubborn, physics=True).reference, "<f4").reshape(2, 2, 4)
    assert np.isnan(theta[0, -1]) and np.isnan(x[0, -1])
    assert np.nanmax(abs(theta)) <= 12


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({}, "at least one model"),
        ({"": Own()}, "a name for each"),
        ({1: Own()}, "a name for each"),
        ({"mine": object()}, "'mine' is a object without filter, observe, imagine, decode"),
        ([Own()], "pass {name: model}"),
        ({"mine": Own(), "yours": Own(1.5)}, "teacher frames of 'yours' range from 1.5.*no sigmoid"),
    ],
)
def test_models_that_cannot_be_shown_are_named(windows, models, message):
    with pytest.raises(ValueError, match=message):
        RolloutPlayer.of(models, windows)


def test_opens_at_the_first_step_beyond_two_degrees():
    assert player().step == 4


def test_a_lost_pole_counts_as_beyond():
    dream = films()[5]
    dream[0, 2] = np.nan
    assert player(theta_free=dream).step == 3


def test_opens_at_the_end_where_the_dream_holds():
    assert player(theta_free=films()[3]).step == N
    assert player(theta_free=films()[3], horizon=5).step == 5


def test_step_follows_horizon_and_episode():
    shown = player(lengths=[N, 3])
    shown.horizon = 2
    assert shown.step == 2
    shown.horizon, shown.step = N, N
    shown.episode = 1
    assert shown.step == 3


@pytest.mark.parametrize(
    ("trait", "value"), [("step", 0), ("step", N + 1), ("horizon", 0), ("horizon", N + 1), ("episode", E)]
)
def test_refuses_what_is_not_there(trait, value):
    shown = player()
    with pytest.raises(ValueError, match=f"{trait} is {value}; expected a whole number from"):
        setattr(shown, trait, value)
    assert 1 <= shown.step <= N


@pytest.mark.parametrize("model", [-1, 2])
def test_refuses_a_model_that_is_not_there(model):
    shown = contest()
    with pytest.raises(ValueError, match=f"model is {model}; expected a whole number from 0 to 1"):
        shown.model = model
    assert shown.model == 0
    with pytest.raises(ValueError, match="from 0 to 0"):
        player().model = 1


def test_another_model_may_stand_beside_the_one_shown():
    assert contest().beside == player().beside == -1
    shown = contest(beside=1)
    assert (shown.model, shown.beside) == (0, 1)
    shown.beside = -1
    for beside in (-2, 2):
        with pytest.raises(ValueError, match=f"beside is {beside}; expected a whole number from -1 to 1"):
            shown.beside = beside
    assert shown.beside == -1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"free": films()[2]}, "free: one array, but teacher, theta_teacher, theta_free names models"),
        ({"theta_free": {"ours": films()[5], "other": films()[5]}}, "theta_free is of the models .'ours', 'other'."),
        ({"free": {"ours": films()[2], "theirs": films()[2][:, :2]}}, "free frames of 'theirs' have shape"),
        ({"theta_free": {"ours": films()[5], "theirs": np.zeros(N)}}, "theta_free of 'theirs' has shape"),
    ],
)
def test_bad_input_of_several_models_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        contest(**changed)


def test_models_may_be_named_in_any_order():
    free = films()[2]
    shown = contest(free={"theirs": free[:, ::-1], "ours": free})
    assert np.array_equal(shown.films(), contest().films())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"true": np.zeros((N, H, W))}, r"true\[None\]"),
        ({"true": np.zeros((0, N, H, W))}, "at least one episode"),
        ({"free": np.zeros((E, N, H, W + 1))}, "free frames have shape"),
        ({"teacher": np.full((E, N, H, W), 255)}, "Divide bytes by 255"),
        ({"free": np.full((E, N, H, W), -0.1)}, "range from -0.1"),
        ({"free": np.full((E, N, H, W), np.nan)}, "hold NaN"),
        ({"theta_free": np.zeros(N)}, "theta_free has shape"),
        ({"theta_true": np.full((E, N), np.inf)}, "infinite"),
        ({"horizon": 0}, "horizon is 0"),
        ({"horizon": N + 1}, f"from 1 to {N}"),
        ({"lengths": [N]}, "one an episode"),
        ({"lengths": [N, 0]}, "whole numbers from 1"),
        ({"labels": ["one"]}, "one for each episode"),
        ({"frames_per_second": 0}, "more than 0"),
        ({"beside": 1}, "beside is 1; expected a whole number from -1 to 0"),
        ({"reference": np.zeros((E, N))}, "reference has shape .2, 6.; expected .2, 2, 6."),
    ],
)
def test_bad_input_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        player(**changed)


def test_frames_after_an_episodes_end_may_be_anything():
    frames = films()[0]
    frames[1, 3:] = np.nan
    assert player(true=frames, lengths=[N, 3]).films()[0, 1, 3:].max() == 0
    assert np.isnan(frames[1, 3:]).all()  # the caller's own frames stay as they were


IDS = """
import sys; sys.path[:0] = ['tests', 'tests/showing']
from test_widgets import player
one, two = player(), player()
print(one.model_id, one.layout.model_id, two.model_id, repr(one))
"""


def test_ids_depend_on_content_alone():
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", IDS]
    runs = {subprocess.run(command, cwd=root, text=True, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1
    words = runs.pop().split()
    assert len(set(words[:3])) == 3
    assert words[3] == "RolloutPlayer()"


def test_still_picture_has_its_story_in_words():
    html = player(title="A & B").still().data
    alt = re.search(r'alt="([^"]*)"', html)[1]
    assert html.startswith("<noscript>")
    assert "at step 4" in alt
    assert "0.1 degrees" in alt
    assert player().still().data == player().still().data


def test_still_picture_tells_how_the_other_models_fare():
    alt = re.search(r'alt="([^"]*)"', contest().still().data)[1]
    assert "free rollout of ours. " in alt
    assert "the free rollout leaves the truth by more than 2 degrees at step 4 and ends 4.0 degrees off" in alt
    assert "The free rollout of theirs stays within 2 degrees and ends 0.5 degrees off the truth." in alt


def test_show_displays_the_widget_and_its_still(capsys):
    show(player())
    assert "RolloutPlayer()" in capsys.readouterr().out


@torch.no_grad()
def test_models_that_doubt_are_played_in_a_gusty_world_by_their_mean_path():
    states, actions = (torch.from_numpy(array) for array in contexts(2, steps=14))
    pixels = torch.from_numpy(GUSTY.draw(states.flatten(0, 1).numpy(), workers=1)).unflatten(0, (2, 15))
    alive = torch.ones(2, 4, dtype=torch.bool)
    cut = Windows(pixels, actions[:, :10], actions[:, 10:], states[:, 10:], alive, np.arange(2), "replayed", GUSTY)
    models = {name: load_model(name) for name in ("rssm", "state_space")}
    player = RolloutPlayer.of(models, cut, physics=True)
    for number, model in enumerate(models.values()):
        _, taught, free = player.angles(number)
        path = model.imagine(model.observe(cut.frames[:, :11], actions[:, :10]), actions[:, 10:])
        assert np.allclose(free, degrees(read(model.decode(path)).theta), atol=1e-4)
        beliefs = model.filter(cut.frames[:, :14], actions[:, :13])[:, 10:]
        steps = [model.step(beliefs[:, n], actions[:, 10 + n]) for n in range(4)]
        assert np.allclose(taught, degrees(read(model.decode(torch.stack(steps, 1))).theta), atol=1e-4)
    assert np.allclose(player.angles(0)[0], degrees(states[:, 11:, 2]), atol=1e-5)
