"""The data set: no step, window or split ever mixes two episodes."""

import numpy as np
import pytest

from latent_dynamics.data.episodes import SPLITS, Episodes

LENGTHS = [3, 1, 7, 4, 12, 2, 9, 5, 6, 8, 3, 10]


def marked(lengths=LENGTHS, seed=0):
    """Episodes whose every frame says (episode, time), and whose every step says 100 * episode + time."""
    lengths = np.array(lengths)
    frames = np.concatenate([[(e, t) for t in range(n + 1)] for e, n in enumerate(lengths)])  # (F, 2)
    actions = np.concatenate([100 * e + np.arange(n) for e, n in enumerate(lengths)])
    last = np.isin(np.arange(len(actions)), np.cumsum(lengths) - 1)
    return Episodes(
        frames=frames[:, None].astype(np.uint8), states=np.pad(frames, ((0, 0), (0, 2))).astype(float), actions=actions,
        rewards=actions.astype(np.float32), terminated=last, truncated=~last, lengths=lengths, seed=seed,
    )  # fmt: skip


def marks(frames):
    """(episode, time) of marked frames, whether bytes or floats."""
    frames = np.asarray(frames)
    numbers = np.rint(frames * 255) if frames.dtype == np.float32 else frames
    return numbers[..., 0, 0].astype(int), numbers[..., 0, 1].astype(int)


def test_an_action_lies_between_its_two_frames():
    o, a, o_next, reward, terminated, truncated = marked().transitions()
    (episode, t), (episode_next, t_next) = marks(o), marks(o_next)
    assert (episode == episode_next).all() and (t_next == t + 1).all()
    assert (a == 100 * episode + t).all() and (reward == a).all()
    assert (terminated == (t_next == np.array(LENGTHS)[episode])).all() and (truncated == ~terminated).all()
    assert len(o) == len(a) == sum(LENGTHS)


@pytest.mark.parametrize("steps,stride", [(1, 1), (3, 1), (4, 2), (7, 5), (12, 1)])
def test_windows_never_cross_an_episode(steps, stride):
    frames, actions, states = marked().windows(steps, stride)
    episode, t = marks(frames)
    assert (episode == episode[:, :1]).all()
    assert (t == t[:, :1] + np.arange(steps + 1)).all()
    assert (actions == 100 * episode[:, :1] + t[:, :-1]).all()
    assert np.array_equal(states[..., 0], episode) and np.array_equal(states[..., 1], t)
    assert len(frames) == sum(len(range(0, n - steps + 1, stride)) for n in LENGTHS)


def test_window_starts_name_the_episode_of_each_window():
    episodes = marked()
    frame, step, number = episodes.window_starts(3, 2)
    assert np.array_equal(episodes.frames[frame, 0, 0], number)
    assert np.array_equal(episodes.actions[step] // 100, number)
    assert np.array_equal(episodes.frames[frame, 0, 1], episodes.actions[step] % 100)


@pytest.mark.parametrize("seed", range(5))
def test_each_episode_lies_whole_in_exactly_one_split(seed):
    episodes = marked(seed=seed)
    owners = [set(np.unique(marks(episodes.split(name).frames)[0])) for name in SPLITS]
    assert sum(map(len, owners)) == len(LENGTHS) == len(set.union(*owners))
    for name, owner in zip(SPLITS, owners):
        part = episodes.split(name)
        assert part.lengths.tolist() == [LENGTHS[e] for e in sorted(owner)]
        assert set(part.actions // 100) == owner and len(part.actions) == part.lengths.sum()


def test_a_split_is_the_same_each_time_and_another_for_another_seed():
    first, again, other = marked().split("test"), marked().split("test"), marked(seed=1).split("test")
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.lengths, other.lengths) or not np.array_equal(first.frames, other.frames)


def test_splits_have_the_shares_they_promise():
    episodes = marked([2] * 100)
    assert [len(episodes.split(name)) for name in ("train", "validation", "test")] == [70, 10, 20]


def test_real_episodes_share_no_frame_between_splits(mixed_episodes):
    seen = [{state.tobytes() for state in mixed_episodes.split(name).states} for name in ("train", "test")]
    assert not seen[0] & seen[1]


def test_saving_and_loading_gives_the_same_data(mixed_episodes, tmp_path):
    np.savez(tmp_path / "data.npz", **mixed_episodes.arrays())
    with np.load(tmp_path / "data.npz", allow_pickle=False) as kept:
        again = Episodes.from_arrays(dict(kept))
    for name, array in mixed_episodes.arrays().items():
        assert np.array_equal(array, again.arrays()[name]) and array.dtype == again.arrays()[name].dtype
    assert again.seed == mixed_episodes.seed


PICKS = [
    (2, [2]), (np.int64(2), [2]), (np.array(2), [2]), (-1, [11]), (slice(1, 3), [1, 2]), ([0, 4], [0, 4]),
    ([4, 0, 4], [4, 0, 4]), (slice(None, None, -1), list(range(11, -1, -1))), (np.arange(12) % 5 == 1, [1, 6, 11]),
]  # fmt: skip


@pytest.mark.parametrize("index,chosen", PICKS)
def test_episodes_are_picked_as_numpy_picks_in_that_order_and_with_repeats(index, chosen):
    part = marked()[index]
    assert part.lengths.tolist() == [LENGTHS[e] for e in chosen] and part.numbers.tolist() == chosen
    episode, t = marks(part.frames)
    assert episode.tolist() == [e for e in chosen for _ in range(LENGTHS[e] + 1)]
    assert t.tolist() == [t for e in chosen for t in range(LENGTHS[e] + 1)]
    assert part.actions.tolist() == [100 * e + t for e in chosen for t in range(LENGTHS[e])]


@pytest.mark.parametrize("index", [12, -13, [0, 12], np.ones(11, bool)])
def test_episodes_that_are_not_there_cannot_be_picked(index):
    with pytest.raises(IndexError):
        marked()[index]


@pytest.mark.parametrize("seed", range(5))
def test_some_of_the_episodes_are_split_as_all_of_them_are(seed):
    whole = marked([2] * 100, seed)
    for some in (whole[:60], whole[[99, 3, 50]][::-1], whole[whole.numbers % 2 == 0]):
        for name in SPLITS:
            asked = sorted(set(some.numbers) & set(whole.split(name).numbers))
            if asked:
                assert sorted(some.split(name).numbers) == asked
            else:
                with pytest.raises(ValueError, match=f"none of these .* episodes lies in the split '{name}'"):
                    some.split(name)


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_of_a_split_is_refused(name):
    part = marked([2] * 100).split("train")
    for again in (part, part[:9], Episodes.from_arrays(part.arrays())):
        with pytest.raises(ValueError, match="are the split 'train' already"):
            again.split(name)


def test_each_episode_can_be_visited_in_a_loop():
    assert [int(episode.lengths[0]) for episode in marked()] == LENGTHS


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match="empty data set"):
        marked()[:0]


def test_windows_of_no_steps_are_refused():
    with pytest.raises(ValueError, match="a window of 0 steps"):
        marked().windows(0)


def test_windows_beyond_the_longest_episode_are_refused():
    with pytest.raises(ValueError, match="no episode is 13 steps long; the longest has 12"):
        marked().windows(13)


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no split called 'tests'; there are train, validation, test"):
        marked().split("tests")


@pytest.mark.parametrize("field", ["frames", "states", "actions", "rewards", "terminated", "truncated"])
def test_arrays_that_do_not_fit_the_lengths_are_refused(field):
    arrays = marked().arrays()
    arrays[field] = arrays[field][:-1]
    with pytest.raises(ValueError, match=f"{field} has"):
        Episodes.from_arrays(arrays)
