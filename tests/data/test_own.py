"""Data of one's own: by a policy, step by step, from files; what is wrong is named, and nothing wrong gets in."""

from types import SimpleNamespace

import gymnasium
import h5py
import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics.data.collection import play_episode

SMALL = ld.View(height=64, width=64)


def played(count=3):
    return [play_episode(0, number, "random") for number in range(count)]


def same(one, other):
    for name, array in one.arrays().items():
        assert np.array_equal(array, other.arrays()[name]), name


def leans(state):
    """Push to the side to which the pole leans: it soon falls."""
    return int(state[2] > 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_policy_of_ones_own_is_a_function_of_the_state(workers):
    episodes = ld.collect(leans, 100, workers=workers)
    assert np.array_equal(episodes.actions, episodes.states[episodes.before, 2] > 0)
    assert ld.collect(lambda state: state[2] > 0, 20, workers=workers).actions.dtype == np.int64


@pytest.mark.parametrize("returned", [2, -1, 0.5, None, "left", [0]])
def test_what_is_no_action_is_refused(returned):
    with pytest.raises(ValueError, match="the policy returned .*; expected a whole number from 0 to 1"):
        ld.collect(lambda state: returned, 20)


def test_steps_as_a_gym_loop_logs_them_become_episodes():
    env, steps = gymnasium.make("CartPole-v1", render_mode="rgb_array"), []
    for seed in range(2):
        state, _ = env.reset(seed=seed)
        frame, over = env.render(), False
        while not over:
            action = leans(state) if seed else 1
            after, reward, terminated, truncated, _ = env.step(action)
            step = {"frame": frame, "action": action, "reward": reward, "state": state}
            frame, state, over = env.render(), after, terminated or truncated or len(steps) > 40
            steps.append(step | {"terminated": terminated, "truncated": over and not terminated})
            steps[-1] |= {"next_frame": frame, "next_state": state}
    episodes = ld.Episodes.from_steps(steps)
    assert len(episodes) == 2 and episodes.frames.shape[1:] == (32, 100)  # the screen's were shrunk
    assert np.array_equal(episodes.frames[1], ld.preprocessing.to_bytes(steps[1]["frame"]))
    assert np.array_equal(episodes.actions, [step["action"] for step in steps])
    seen = ld.reader.read(episodes.windows(1)[0])
    assert (seen.theta[:, 0] - torch.from_numpy(episodes.states[episodes.before, 2])).abs().max() < 0.02
    del steps[3]["next_frame"]
    with pytest.raises(ValueError, match="step 3 has no 'next_frame'; it has 'frame', 'action'"):
        ld.Episodes.from_steps(steps)


def test_steps_that_do_not_follow_each_other_are_refused():
    one = {"action": 0, "reward": 1.0, "terminated": False, "truncated": False}
    frames = np.arange(3)[:, None, None] * np.ones((32, 100), np.uint8)
    steps = [one | {"frame": frames[t], "next_frame": frames[t + 1]} for t in (0, 0)]
    with pytest.raises(ValueError, match="frame of step 1 is not next_frame of the step before"):
        ld.Episodes.from_steps(steps)


def test_files_give_back_what_they_hold(tmp_path):
    episodes = ld.Episodes.from_episodes(played(12), seed=3)
    np.savez(tmp_path / "own.npz", **episodes.arrays())
    same(episodes, ld.Episodes.from_npz(tmp_path / "own.npz"))
    least = {name: array for name, array in ld.Episodes.from_episodes(played()).arrays().items() if array.ndim}
    with pytest.raises(ValueError, match="say nothing without `of`"):
        ld.Episodes.from_arrays(least)
    del least["numbers"]
    np.savez(tmp_path / "least.npz", **least)
    same(ld.Episodes.from_episodes(played()), ld.Episodes.from_npz(tmp_path / "least.npz"))
    with h5py.File(tmp_path / "own.hdf5", "w") as file:
        for number, episode in enumerate(played(12)):
            for name, values in episode.items():
                file[f"episode_{number}/{name}"] = values
    same(episodes, ld.Episodes.from_hdf5(tmp_path / "own.hdf5", seed=3))
    again = {"frames": "observations", "terminated": "terminations", "truncated": "truncations"}
    called = [{again.get(name, name): values for name, values in episode.items()} for episode in played(12)]
    dataset = SimpleNamespace(iterate_episodes=lambda: (SimpleNamespace(**episode) for episode in called))
    assert np.array_equal(ld.Episodes.from_minari(dataset).frames, episodes.frames)
    assert not ld.Episodes.from_minari(dataset).know_the_truth  # Minari has no place for states


def broken(change):
    episodes = played()
    change(episodes[1])
    return episodes


WRONG = {
    "a missing array": (lambda e: e.pop("rewards"), ValueError, "episode 1 has no 'rewards'; it has 'frames'"),
    "another name": (lambda e: e.update(acts=e.pop("actions")), ValueError, "episode 1 has no 'actions'.*'acts'"),
    "floats": (
        lambda e: e.update(frames=e["frames"] / np.float32(255)), TypeError, "frames of episode 1 are float32; ex",
    ),
    "another size": (
        lambda e: e.update(frames=e["frames"][:, 1:]), ValueError, r"frames of episode 1 have shape \(31, 100\); ex",
    ),
    "no last frame": (
        lambda e: e.update(frames=e["frames"][:-1]), ValueError, "frames of episode 1 has .* one more frame than",
    ),
    "NaN": (lambda e: e["states"].__setitem__((2, 1), np.nan), ValueError, "states of episode 1 holds NaN"),
    "rewards too short": (lambda e: e.update(rewards=e["rewards"][:-1]), ValueError, "rewards of episode 1 has"),
    "ragged": (
        lambda e: e.update(states=[[0.0], [0.0, 1.0]]), ValueError, "states of episode 1 is no array of numbers",
    ),
    "no action": (lambda e: e["actions"].__setitem__(0, 2), ValueError, "actions of episode 1 must be whole numbers"),
    "halves": (lambda e: e.update(actions=e["actions"] / 2), ValueError, "actions of episode 1 must be whole numbers"),
    "states of another world": (lambda e: e.update(states=e["states"][:, :3]), ValueError, "rows of .3,.; those of"),
    "goes on": (
        lambda e: e["terminated"].__setitem__(2, True), ValueError, "episode 1 goes on after it ended at step 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change,kind,said", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_field_and_episode(change, kind, said):
    with pytest.raises(kind, match=said):
        ld.Episodes.from_episodes(broken(change))


def test_an_array_that_is_missing_in_a_file_is_named():
    arrays = ld.Episodes.from_episodes(played()).arrays()
    del arrays["lengths"]
    with pytest.raises(ValueError, match="no array called 'lengths'; there are 'frames'"):
        ld.Episodes.from_arrays(arrays)


def test_floats_are_never_divided_by_255_twice():
    with pytest.raises(TypeError, match="stored frames are bytes"):
        ld.preprocessing.from_bytes(np.ones((2, 32, 100), np.float32))


def without_states(episodes):
    return ld.Episodes.from_arrays(episodes.arrays() | {"states": np.zeros((len(episodes.frames), 0))})


def test_without_true_states_only_what_needs_none_is_judged_and_it_says_so():
    episodes = ld.collect("mixed", 600)
    with pytest.warns(UserWarning, match="no true states: errors are those against what is read off the real frames"):
        windows = ld.drift.protocols(without_states(episodes))
    assert list(windows) == ["replayed"]
    true = ld.drift.replayed_windows(episodes)
    blind, told = (
        ld.drift.judge(ld.load_model("position_velocity"), cut) for cut in (windows["replayed"], true)
    )
    scored = windows["replayed"].alive & true.alive
    assert (blind.theta_error - told.theta_error)[scored].max() < 1 and scored.float().mean() > 0.2
    assert np.nanmedian(blind.theta_error[:, :5]) == pytest.approx(np.nanmedian(told.theta_error[:, :5]), abs=0.1)
    with pytest.raises(ValueError, match="no true states, into which the simulator could be put back"):
        ld.drift.intervened_windows(without_states(episodes))


@pytest.mark.parametrize("view", [SMALL, ld.View(gray=False)], ids=["64 x 64", "colour"])
def test_frames_of_another_view_go_all_the_way_from_collecting_to_judging(view):
    episodes = ld.collect("mixed", 700, view=view)
    parts = [episodes.split(name) for name in ("train", "validation", "test")]
    windows = ld.drift.protocols(parts[2], horizon=10, stride=10)["intervened"]
    assert windows.frames.shape[2:] == view.shape
    physics = ld.drift.judge(ld.references.ExactPhysics(view=view), windows, pixels=True)
    stays = ld.drift.judge(ld.references.RepeatLastFrame(view), windows, pixels=True)
    assert physics.median()[-1] < 0.5 * stays.median()[-1] < 5
    assert np.nanmedian(physics.pixel_error[:, -1]) < np.nanmedian(stays.pixel_error[:, -1])


def test_a_model_of_other_frames_is_trained_with_its_eyes_and_judged():
    episodes = ld.collect("mixed", 1500, view=SMALL)
    parts = [episodes.split(name) for name in ("train", "validation")]
    with ld.training.seeded(0):
        model = ld.models.PositionVelocity(shape=SMALL.shape)
    untouched = model.eyes.axes.clone()
    trained = ld.train_on(model, *parts)
    assert trained is model and not model.training and "goes on validation loss" in model.history
    assert not torch.equal(model.eyes.axes, untouched)
    windows = ld.drift.intervened_windows(episodes.split("test"), horizon=5, stride=10)
    stays = ld.references.RepeatLastFrame(SMALL)
    assert ld.drift.judge(model, windows).median()[4] < 0.6 * ld.drift.judge(stays, windows).median()[4]


def test_what_cannot_be_trained_is_told_why():
    episodes = ld.collect("random", 200)
    with pytest.raises(ValueError, match=r"sees frames of \(64, 64\), and these are \(32, 100\)"):
        ld.train_on(ld.models.TwoFrame(shape=(64, 64)), episodes, episodes)
    with pytest.raises(TypeError, match="has no `lessons"):
        ld.train_on(ld.references.RepeatLastFrame(), episodes, episodes)
    with pytest.raises(ValueError, match="do not fall into patches"):
        ld.models.TwoFrame(shape=(30, 64))
