"""The widgets' Python side: what they refuse, what they send to the page, what they say of themselves."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latent_dynamics.widgets import RolloutPlayer, show
from latent_dynamics.widgets.sprite import pack_frames, unpack_frames

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


def test_frames_survive_the_sprite():
    shown = player().films()
    assert np.abs(shown - np.stack(films()[:3])).max() <= 0.5 / 255 + 1e-6


def test_sprite_keeps_every_frame_in_its_place():
    numbered = np.arange(3 * E * N).reshape(3, E, N, 1, 1) / 255 * np.ones((H, W))
    assert np.allclose(unpack_frames(pack_frames(numbered), numbered.shape), numbered, atol=1e-6)


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
import sys; sys.path.insert(0, 'tests')
from test_widgets import player
one, two = player(), player()
print(one.model_id, one.layout.model_id, two.model_id, repr(one))
"""


def test_ids_depend_on_content_alone():
    root = Path(__file__).parents[1]
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


def test_show_displays_the_widget_and_its_still(capsys):
    show(player())
    assert "RolloutPlayer()" in capsys.readouterr().out
