"""The collapse figure's Python side: what it refuses, what it says."""

import numpy as np
import pytest
from gallery import collapse, collapsed

from latent_dynamics.showing.widgets import Collapse


def test_it_says_what_the_latent_carries():
    widget = collapse()
    assert (widget.weights, widget.sigmas) == ([0.5, 1.5], [0.1, 0.2, 0.3])
    assert "KL weight 0.5, sigma 0.1: the latent carries 0.34 nats a step, in 1 of its 3 numbers" in widget.said()
    widget.weight = 1
    assert "0.06 nats a step, in 0 of its 3 numbers" in widget.said()
    assert "0.06" in widget.still().data and "<noscript>" in widget.still().data


def test_bad_choices_get_a_clear_error():
    cells, futures = collapsed(), np.zeros((3, 8))
    with pytest.raises(ValueError, match="no model of weight and sigma"):
        Collapse({pair: cells[pair] for pair in list(cells)[1:]}, futures)
    with pytest.raises(ValueError, match="no model"):
        Collapse({}, futures)
    with pytest.raises(ValueError, match=r"fans of \[8\] steps"):
        Collapse(cells, futures[:, :5])
    with pytest.raises(ValueError, match="sigma is 3; expected a whole number from 0 to 2"):
        Collapse(cells, futures).sigma = 3


def test_a_sample_that_could_not_be_read_is_left_out():
    cells = collapsed()
    cells[0.5, 0.1]["fan"]["theta"][2][3] = None
    assert len(Collapse(cells, np.zeros((3, 8))).cells[0][0]["fan"]) == 4
