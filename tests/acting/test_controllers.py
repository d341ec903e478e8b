"""Controllers imitate, and are worth in our batches of episodes what they are worth in Gymnasium."""

import numpy as np
import pytest
import torch

from latent_dynamics import cartpole, controllers
from latent_dynamics.judging.references import untrained
from latent_dynamics.models import Recurrent
from latent_dynamics.models.training import Budget
from latent_dynamics.models.world_model import WorldModel
from latent_dynamics.world.preprocessing import preprocess
from latent_dynamics.world.reader import measure
from latent_dynamics.world.worlds import CARTPOLE

pytestmark = pytest.mark.usefixtures("one_thread")


def test_returns_are_those_of_gymnasium():
    env, expected = cartpole.make(), []
    for number in range(5):
        env.reset()
        env.unwrapped.state = controllers.first_states(5, 70)[number].numpy()
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
    env.reset()
    env.unwrapped.state = controllers.first_states(2, 5)[0].numpy()
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


# On a belief


def test_each_frame_has_one_belief_and_it_is_the_filters(mixed_episodes):
    model, few = untrained(lambda: Recurrent(latent_size=2, memory=4)), mixed_episodes[:3]
    beliefs = controllers.beliefs_of(model, few)
    assert beliefs.shape == (len(few.frames), model.state_size) and not beliefs.requires_grad
    for number, (first, length) in enumerate(zip(few.first_frames, few.lengths)):
        frames, actions, _ = (torch.from_numpy(part) for part in few[number].windows(length))
        torch.testing.assert_close(beliefs[first : first + length + 1], model.filter(frames, actions)[0])


class Remembers(WorldModel):
    """Reads the angle off each frame; its belief is (the angle, the first angle, the sum of pushes so far)."""

    state_size = 3

    def see(self, frames):
        return measure(frames).theta[:, None]

    def begin(self, code):
        return torch.cat([code, code, 0 * code], 1)

    def update(self, belief, action, code):
        return torch.cat([code, belief[:, 1:2], belief[:, 2:] + action[:, None]], 1)


def leans_right(beliefs):
    return (beliefs[:, 0] > 0).long()


def test_a_player_that_remembers_nothing_earns_what_it_earns_on_frames():
    act = lambda frames: (measure(frames).theta > 0).long()  # noqa: E731
    expected = controllers.returns(act, episodes=8, seed=3, sees="frames")
    total, _ = controllers.belief_returns(Remembers(), leans_right, episodes=8, seed=3)
    np.testing.assert_array_equal(total, expected)
    assert total.min() < total.max() < 200


def test_each_player_keeps_its_own_belief_after_others_have_fallen():
    seen, done = [], []

    def act(beliefs):
        seen.append(beliefs)
        done.append(leans_right(beliefs))
        return done[-1]

    total, ended = controllers.belief_returns(Remembers(), act, episodes=8, seed=3)
    assert len(seen) == total.max() and len(set(total)) > 2
    for player, steps in enumerate(total.astype(int)):
        rows = [int((total[:player] > t).sum()) for t in range(steps)]  # its place among those that are up
        mine = torch.stack([seen[t][row] for t, row in enumerate(rows)])
        pushes = torch.stack([done[t][row] for t, row in enumerate(rows)])
        assert (mine[:, 1] == mine[0, 0]).all()
        assert mine[:, 2].tolist() == [0, *pushes.cumsum(0)[:-1].tolist()]
        states = CARTPOLE.simulate(controllers.first_states(8, 3)[player][None], pushes[None])[0]
        np.testing.assert_allclose(ended[player], states[-1].numpy(), rtol=0, atol=1e-12)
        assert cartpole.fallen(states).tolist() == [False] * (steps - 1) + [True]


def test_play_on_a_belief_ends_at_the_time_limit_too():
    total, ended = controllers.belief_returns(Remembers(), leans_right, episodes=3, limit=5)
    assert total.tolist() == [5, 5, 5] and ended.shape == (3, 4)
    assert not cartpole.fallen(torch.from_numpy(ended)).any()
    assert not np.array_equal(ended, controllers.first_states(3, 10_000).numpy())


def test_a_clone_on_a_belief_learns_what_the_expert_does_at_the_true_states(mixed_episodes):
    train, validation = mixed_episodes[2:5], mixed_episodes[5:6]
    clone, history = controllers.clone_on_belief(Remembers(), cartpole.sign_theta, train, validation)
    assert history["validation accuracy"][-1] > 0.85  # half a pixel hides on which side the pole is
    beliefs = controllers.beliefs_of(Remembers(), validation)
    right = clone.act(beliefs.float()) == torch.from_numpy(cartpole.sign_theta(validation.states))
    assert right.float().mean() == pytest.approx(history["validation accuracy"][-1], abs=1e-5)
