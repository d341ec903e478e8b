"""Chances of an end: a model that is honest lies on the diagonal, and one that is not is seen to be off it."""

import numpy as np
import pytest
import torch

from latent_dynamics.data.episodes import Episodes
from latent_dynamics.judging.reliability import EDGES, reliability
from latent_dynamics.models.world_model import WorldModel

pytestmark = pytest.mark.usefixtures("one_thread")


class Warns(WorldModel):
    """Its belief is the chance of an end, which a frame shows in its first pixel; `louder` multiplies it."""

    state_size, frame_shape = 1, (2, 2)

    def __init__(self, louder=1.0):
        super().__init__()
        self.louder, self.drop = louder, torch.nn.Dropout(0.5)

    def filter(self, frames, actions):
        return self.drop(frames[..., :1, 0])

    def imagine(self, belief, actions, samples=None):
        return belief[:, None].expand(-1, actions.shape[1], -1)

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), 1 - self.louder * states[..., 0]


@pytest.fixture(scope="module")
def episodes():
    """Three hundred made-up episodes whose every frame shows the chance that the next push ends it."""
    rng = np.random.default_rng(0)
    shown, lengths, terminated = [], [], []
    for _ in range(300):
        chances = rng.choice([1, 5, 20, 60], 50, p=[0.5, 0.3, 0.1, 0.1]) / 255
        ends = rng.random(50) < chances
        length = int(ends.argmax()) + 1 if ends.any() else 50
        shown.append(np.append(chances[:length], 0))
        lengths.append(length)
        terminated.append(ends[:length])
    steps = sum(lengths)
    pixels = np.rint(np.concatenate(shown) * 255).astype(np.uint8)
    return Episodes(
        frames=np.tile(pixels[:, None, None], (1, 2, 2)), states=np.zeros((len(pixels), 4)),
        actions=np.zeros(steps, np.int64), rewards=np.ones(steps, np.float32), terminated=np.concatenate(terminated),
        truncated=np.zeros(steps, bool), lengths=np.array(lengths),
    )  # fmt: skip


def test_an_honest_model_lies_on_the_diagonal(episodes):
    found = reliability(Warns(), episodes)
    there = found.count > 0
    assert there.sum() >= 3 and found.count.sum() == episodes.lengths.sum()
    assert ((found.low <= found.observed) & (found.observed <= found.high))[there].all()
    assert ((found.low - 0.01 <= found.predicted) & (found.predicted <= found.high + 0.01))[there].all()
    assert found.ends[0] == pytest.approx(found.ends[1], rel=0.2)
    assert np.isnan(found.observed[~there]).all()


def test_one_that_believes_in_ends_ten_times_too_rarely_is_found_out(episodes):
    found = reliability(Warns(louder=0.1), episodes)
    sure = found.count > 200
    assert sure.any() and (found.predicted < found.low)[sure].all()
    assert found.ends[0] < 0.2 * found.ends[1]


def test_each_transition_is_asked_from_what_was_seen_before_it_and_bins_are_by_prediction(episodes):
    few = episodes[[0, 1]]
    found = reliability(Warns(), few)
    chance = few.frames[few.before, 0, 0] / 255
    assert np.array_equal(found.count, np.histogram(chance, EDGES)[0])
    total = np.nansum(found.predicted * found.count)
    assert total == pytest.approx(chance.sum(), rel=1e-4) and found.ends[0] == pytest.approx(total)


def test_a_model_in_training_mode_is_asked_as_it_is_used(episodes):
    model = Warns().train()
    assert reliability(model, episodes[[0, 1]]).ends == reliability(Warns().eval(), episodes[[0, 1]]).ends
    assert model.training
