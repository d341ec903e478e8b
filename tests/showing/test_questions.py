"""The questions' Python side: what they refuse, what they give away and when, what they say without a script."""

import json
import re
import subprocess
from pathlib import Path

import deno
import numpy as np
import pytest

from latent_dynamics.showing.widgets.choose.choose import Choose
from latent_dynamics.showing.widgets.sketch.sketch import Sketch

OPTIONS = {"one": "why one", "two": "why two & more", "three": "why three"}
X = np.arange(1, 11)
MEASURED = 0.3 * X.astype(float)


def choose(**changed):
    """A question with three answers, some arguments replaced."""
    return Choose(**{"question": "Which?", "options": OPTIONS, "right": "two", "evidence": "It was two.", **changed})


def sketch(**changed):
    """A question for a curve of ten steps, some arguments replaced."""
    basic = {"question": "How high?", "x": X, "curves": {"free": MEASURED}, "given": {"teacher": np.full(10, 0.5)}}
    return Sketch(**{**basic, **changed})


def test_answer_can_be_set_and_read():
    asked = choose()
    assert asked.answer is None
    asked.answer = 2
    asked.committed = True
    assert (asked.answer, asked.committed) == (2, True)


def test_drawing_can_be_set_and_read():
    asked = sketch()
    asked.drawn = [1.0] * 10
    asked.committed = True
    assert asked.drawn == [1.0] * 10


@pytest.mark.parametrize(("make", "message"), [(choose, "set answer"), (sketch, "set drawn")])
def test_nobody_commits_to_nothing(make, message):
    asked = make()
    with pytest.raises(ValueError, match=message):
        asked.committed = True
    assert not asked.committed


def test_taking_the_answer_back_hides_the_solution_again():
    asked = choose()
    asked.answer, asked.committed = 1, True
    asked.answer = None
    assert not asked.committed
    drawing = sketch()
    drawing.drawn, drawing.committed = [1.0] * 10, True
    drawing.drawn = []
    assert not drawing.committed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"question": " "}, "question is empty"),
        ({"options": {"one": "why"}, "right": "one"}, "at least two answers"),
        ({"right": "four"}, "expected one of the options: 'one', 'two', 'three'"),
        ({"options": {"one": "why", "two": " "}}, "'two' has no explanation"),
        ({"films": np.zeros((3, 5, 8))}, r"expected \(F, N, H, W\)"),
        ({"films": np.zeros((2, 5, 8, 9))}, "2 films given for 3 options"),
        ({"films": np.full((3, 5, 8, 9), 255)}, "Divide bytes by 255"),
        ({"films": np.full((3, 5, 8, 9), np.nan)}, "range from nan"),
        ({"bars": {"one": -1}}, "not negative"),
        ({"bars": {"one": np.inf}}, "finite"),
    ],
)
def test_bad_choice_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        choose(**changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"question": ""}, "question is empty"),
        ({"x": X[::-1]}, "numbers that rise"),
        ({"x": X[:3]}, "at least 6"),
        ({"curves": {}}, "curves is empty"),
        ({"curves": {f"curve {i}": MEASURED for i in range(4)}}, "4 curves are too many; expected 3"),
        ({"curves": {"free": MEASURED[:4]}}, r"'free' has shape \(4,\)"),
        ({"given": {"teacher": -MEASURED}}, "negative"),
        ({"curves": {"free": np.full(10, np.nan)}}, "no finite height"),
        ({"top": 1.0}, "expected at least 3"),
        ({"lessons": {"wavy": "no"}}, "no lesson is called 'wavy'"),
    ],
)
def test_bad_sketch_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        sketch(**changed)


@pytest.mark.parametrize(
    ("asked", "trait", "value"),
    [(choose(), "answer", 3), (choose(), "answer", -1), (choose(films=np.zeros((3, 5, 8, 9))), "frame", 6)]
    + [(choose(), "frame", 0), (sketch(), "drawn", [1.0]), (sketch(), "drawn", [99.0] * 10)],
)
def test_refuses_what_is_not_there(asked, trait, value):
    with pytest.raises(ValueError, match=f"{trait} (is|has)"):
        setattr(asked, trait, value)


def test_films_survive_the_sprite():
    films = np.random.default_rng(0).random((3, 5, 8, 9))
    assert np.abs(choose(films=films).films() - films).max() <= 0.5 / 63 + 0.5 / 255 + 1e-6  # a sprite's grey levels
    assert choose().films() is None


def test_what_has_no_height_is_sent_as_nothing():
    """NaN is not JSON: one of them in the page's state would silence every widget."""
    measured = MEASURED.copy()
    measured[7:] = np.inf
    state = sketch(curves={"free": measured}).get_state()
    assert state["curves"][0][1][7:] == [None] * 3
    json.dumps({name: value for name, value in state.items() if not name.startswith("_")}, allow_nan=False, default=str)


def test_axis_leaves_room_above_the_measured_curve():
    assert sketch().top > 1.3 * MEASURED.max()


@pytest.mark.parametrize("make", [choose, sketch])
def test_still_hides_the_answer_in_a_fold(make):
    asked, answer = make().still().data.split("<details>")
    assert asked.startswith("<noscript>")
    shown = {choose: "It was two.", sketch: "free: from 0.3"}[make]
    assert shown in answer
    assert shown not in asked
    assert "Which?" in asked or "How high?" in asked


def test_still_escapes_and_explains_every_option():
    answer = choose(films=np.zeros((3, 5, 8, 9))).still().data
    assert all(why in answer for why in ("why one", "why two &amp; more", "why three"))
    assert re.search(r'<img alt="A row of four frames for each of: one, two, three"', answer)


def test_answer_is_kept_under_a_name_that_depends_on_content():
    assert choose().key != sketch().key
    assert choose(evidence="It was three.").key != choose().key
    assert all(asked.key == asked.model_id for asked in (choose(), sketch()))


SHAPES_OF = {
    "flat": [1, 1.02, 1, 0.99, 1.01, 1],
    "falls": [3, 2.5, 2, 1.5, 1.2, 1],
    "straight": [0, 1, 2.1, 2.9, 4, 5],
    "levels off": [0, 3, 4.2, 4.7, 4.9, 5],
    "bends up": [0, 0.1, 0.4, 1.1, 2.4, 5],
}


def test_shapes_are_told_apart(tmp_path):
    words = [deno.find_deno_bin(), "run", "--quiet", "--no-config", Path(__file__).with_name("shapes.js")]
    done = subprocess.run(
        [*words, json.dumps(SHAPES_OF)], text=True, capture_output=True, check=True, env={"DENO_DIR": str(tmp_path)}
    )
    assert json.loads(done.stdout) == list(SHAPES_OF)
