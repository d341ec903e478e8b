"""Controllers imitate, and are worth in our batches of episodes what they are worth in Gymnasium."""

import numpy as np
import pytest
import torch

from latent_dynamics import cartpole, controllers
from latent_dynamics.preprocessing import preprocess
from latent_dynamics.training import Budget

pytestmark = pytest.mark.usefixtures("one_thread")


def test_returns_are_those_of_gymnasium():
    env, expected = cartpole.make(), []
    for number in range(5):
        env.reset(seed=70 + number)
        total, done = 0.0, False
        while not done:
            _, reward, terminated, truncated, _ = env.step(int(cartpole.sign_theta(env.unwrapped.state)))
            total, done = total + reward, terminated or truncated
        expected.append(total)
    np.testing.assert_array_equal(controllers.returns(cartpole.sign_theta, episodes=5, seed=70), expected)


def test_an_episode_ends_at_the_time_limit():
    act = cartpole.sign_theta_and_velocity
    np.testing.assert_array_equal(controllers.returns(act, episodes=3, limit=30), [30, 30, 30])
    assert controllers.returns(act, episodes=3).max() == 500


def test_a_controller_that_sees_frames_sees_what_the_renderer_draws():
    seen = []

    def act(frames):
        seen.append(frames)
        return torch.ones(len(frames), dtype=torch.int64)

    controllers.returns(act, episodes=2, seed=5, sees="frames", limit=1)
    env = cartpole.make("rgb_array")
    env.reset(seed=5)
    np.testing.assert_array_equal(seen[0][0].numpy(), preprocess(env.render()))


@pytest.mark.parametrize(
    "bad, message", [({"sees": "pixels"}, "'states' or 'frames'"), ({"episodes": 0}, "at least 1")]
)
def test_bad_questions_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        controllers.returns(cartpole.sign_theta, **bad)


def test_a_clone_learns_a_rule_and_reports_loss_and_accuracy():
    states = torch.randn(600, 4, generator=torch.Generator().manual_seed(0))
    actions = torch.as_tensor(cartpole.sign_theta(states))
    held_out = (states[400:], actions[400:])
    clone, history = controllers.clone(states[:400], actions[:400], held_out, budget=Budget(20, 64, 1e-2))
    assert history["validation accuracy"][-1] > 0.95
    assert history["validation loss"][-1] < history["validation loss"][0]
    assert (clone.act(states) == actions).float().mean() > 0.95
    assert ((clone.probability_right(states) > 0.5) == (actions == 1)).float().mean() > 0.95


def test_reliability_of_a_calibrated_forecaster_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    confidence, correct, count = controllers.reliability(p, rng.random(200_000) < p)
    np.testing.assert_allclose(confidence, correct, atol=0.02)
    assert count.sum() == 200_000


def test_reliability_leaves_empty_bins_empty():
    confidence, correct, count = controllers.reliability([0.99, 0.01], [1, 1], bins=4)
    assert count.tolist() == [0, 0, 0, 2] and np.isnan(confidence[:3]).all()
    assert correct[3] == 0.5


def test_the_interval_of_a_mean_holds_it_and_shrinks_with_more_values():
    values = np.random.default_rng(1).normal(3, 1, 400)
    mean, low, high = controllers.mean_interval(values)
    few = controllers.mean_interval(values[:25])
    assert low < mean < high and high - low < few[2] - few[1]
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)
