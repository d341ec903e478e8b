"""The map of metrics' Python side: what it refuses, what it sends, what it says."""

import numpy as np
import pytest
from gallery import metric_map

from latent_dynamics.showing.widgets.metric_map.metric_map import LOST


def test_it_sends_what_json_can_hold():
    widget = metric_map()
    assert widget.values["bad"][2] == LOST and widget.values["some"][0] is None
    assert (widget.across, widget.up, widget.picks) == ("good", "plan", ["", "", ""])


def test_its_still_picture_says_what_it_shows():
    assert "6 models: planner against good metric." in metric_map().still().data
    assert "<noscript>" in metric_map(across="bad").still().data


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"half": [0, 1]}, "2 halves"),
        ({"values": {"plan": np.zeros(6)}}, "missing: good, bad, some"),
        ({"ways": []}, "ways to act are"),
        ({"ways": ["good"]}, "expected the last"),
        ({"family": list("abcdef"), "across": "best"}, "across is 'best'; expected one of good"),
        ({"picks": ["good", "plan"]}, "picks are"),
        ({"marked": "nobody"}, "marked is 'nobody'; expected one of a, b, c"),
    ],
)
def test_what_it_cannot_show_gets_a_clear_error(changed, message):
    with pytest.raises(ValueError, match=message):
        metric_map(**changed)
