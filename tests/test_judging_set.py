"""The windows that judge everything: of episodes that no model was trained on, and enough of them."""

import numpy as np
import pytest

from latent_dynamics import judging_set
from latent_dynamics.collection import collect


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no judging set called 'train'; there are test, validation"):
        judging_set.collected("train")


def test_the_episodes_are_as_many_as_asked_for_of_seeds_of_their_own(monkeypatch, mixed_episodes):
    monkeypatch.setattr(judging_set, "EPISODES", {"test": 4, "validation": 3})
    sets = {split: judging_set.collected(split, workers=1) for split in ("test", "validation")}
    assert [len(episodes) for episodes in sets.values()] == [4, 3]
    starts = [tuple(e.states[e.first_frames[0]]) for e in (*sets.values(), mixed_episodes)]
    assert len(set(starts)) == 3, "judged on what was trained on, or on what was chosen by"
    more = collect("mixed", int(sets["test"].lengths.sum()), judging_set.SEEDS["test"], workers=1)
    assert np.array_equal(more.frames, sets["test"].frames), "however many are asked for"


def test_both_protocols_are_cut_and_a_hundred_episodes_judge():
    assert min(judging_set.EPISODES["test"], judging_set.EPISODES["validation"] * 2) >= 100
    assert judging_set.SEEDS["test"] != judging_set.SEEDS["validation"]
