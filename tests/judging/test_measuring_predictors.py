"""Distances between what was predicted and what may come; and what the world answers who asks it."""

import pytest
import torch

from latent_dynamics.data.collection import collect
from latent_dynamics.judging import measuring_predictors as measuring
from latent_dynamics.judging.references import untrained
from latent_dynamics.models.one_stride import OneStride, Situations
from latent_dynamics.models.rolled import ReadingByReading
from latent_dynamics.world.gusty import GUSTY

pytestmark = pytest.mark.usefixtures("one_thread")


def test_distances_tell_a_mean_from_a_middle_and_from_what_can_happen():
    left, right, between = (torch.eye(64)[n] for n in range(3))
    futures = torch.stack([left, right])[None]
    at = {"mean": (left + right) / 2, "left": left, "between": between}
    found = {
        name: measuring.distances(measuring.Answer(one[None], futures, between[None], futures))
        for name, one in at.items()
    }
    assert found["mean"]["to mean"] == 0 < found["mean"]["to nearest"] == found["mean"]["mean to nearest"]
    assert found["left"]["to nearest"] == 0 < found["left"]["to mean"]
    assert found["between"]["to middle"] == 0 < found["between"]["to nearest"]


def test_who_is_told_the_wind_has_one_future_and_a_siren_makes_two():
    few = Situations.of(collect("mixed", 400, 5, workers=1, world=GUSTY), 3)
    model, spread = untrained(OneStride), {}
    for word in measuring.WORDS:
        answer = measuring.asked(model, few, word, samples=12)
        assert answer.frames.shape == (3, 12, 32, 100) and answer.told.shape == (3, 64)
        spread[word] = answer.frames.std(1).mean()
    assert spread["wind"] < 0.7 * spread["siren"]


def test_a_planner_that_knows_nothing_loses_soon():
    found = measuring.planned(untrained(ReadingByReading), games=2, limit=60)
    assert len(found["planned"]) == 2 and max(found["planned"]) < 60 and found["plans_per_second"] > 0
