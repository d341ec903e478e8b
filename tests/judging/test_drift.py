"""The judge: it finds perfect what is perfect, a copy a copy, and counts nothing that it cannot know."""

import json

import numpy as np
import pytest
import torch

from latent_dynamics import cartpole, closest_picture, drift, reader, statistics
from latent_dynamics.judging.references import (
    ActionsOnly,
    ConstantUpright,
    ExactPhysics,
    RepeatLastFrame,
    ShuffledActions,
    fit_state,
    untrained,
)
from latent_dynamics.models import AutoencoderMLP, StateSpace
from latent_dynamics.models.world_model import WorldModel
from latent_dynamics.world.preprocessing import preprocess
from latent_dynamics.world.rendering import draw
from latent_dynamics.world.worlds import CARTPOLE

pytestmark = pytest.mark.usefixtures("one_thread")
K, N = 5, 12
PROTOCOLS = {"replayed": drift.replayed_windows, "intervened": drift.intervened_windows}
protocols = pytest.mark.parametrize("windows", PROTOCOLS, indirect=True)


@pytest.fixture(scope="module")
def windows(request, mixed_episodes):
    """Windows of one of the two protocols, some of which outlive their episode."""
    cut = PROTOCOLS[request.param](mixed_episodes, K, N, stride=15)
    assert len(cut) > 20 and 0.3 < cut.alive[:, -1].float().mean() < 1
    return cut


class TrueStates(WorldModel):
    """Exact physics from the true state, which it looks up by the frames and actions of the context."""

    state_size = 4

    def __init__(self, windows):
        super().__init__()
        contexts = zip(windows.frames[:, : windows.context + 1], windows.actions_before, windows.states[:, 0])
        self.known = {(f.numpy().tobytes(), a.numpy().tobytes()): state for f, a, state in contexts}

    def observe(self, frames, actions):
        return torch.stack([self.known[f.numpy().tobytes(), a.numpy().tobytes()] for f, a in zip(frames, actions)])

    def imagine(self, belief, actions, samples=None):
        return CARTPOLE.simulate(belief, actions)

    def decode(self, states):
        return torch.from_numpy(draw(states.numpy(), workers=1) / np.float32(255))


class Gymnasium(WorldModel):
    """The reference, built from other parts: Gymnasium's own step and its own rendering."""

    state_size = 4

    def __init__(self):
        super().__init__()
        self.env = cartpole.make("rgb_array").unwrapped
        self.env.reset(seed=0)

    def observe(self, frames, actions):
        seen = reader.measure(frames)
        return fit_state(seen.x, seen.theta, actions)

    def imagine(self, belief, actions, samples=None):
        futures = []
        for state, pushes in zip(belief.numpy(), actions.tolist()):
            self.env.state, path = state, []
            for push in pushes:
                self.env.steps_beyond_terminated = None
                self.env.step(push)
                path.append(self.env.state)
            futures.append(np.stack(path))
        return torch.from_numpy(np.stack(futures))

    def decode(self, states):
        frames = []
        for state in states.reshape(-1, 4).numpy():
            self.env.state = state
            frames.append(preprocess(self.env.render()))
        return torch.from_numpy(np.stack(frames)).reshape(*states.shape[:-1], 32, 100)


class Copycat(WorldModel):
    """Shows the last frame again; keeps it upside down, because a state is the model's own business."""

    state_size = 3200

    def filter(self, frames, actions):
        return frames.flip(-2).flatten(2)

    def imagine(self, belief, actions, samples=None):
        return torch.stack([belief] * actions.shape[1], 1)

    def decode(self, states):
        return states.unflatten(-1, (32, 100)).flip(-2)


def assert_same(one, other, atol=1e-4):
    for name in ("theta_error", "x_error", "alive", "theta_true"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=atol)


# Perfect models, copying models


@protocols
def test_exact_physics_from_the_true_state_leaves_only_the_readers_own_error(windows):
    judged = drift.judge(TrueStates(windows), windows)
    assert (judged.median() <= 0.25).all() and (judged.median("x") <= 0.5).all()
    assert judged.pole_there().min() > 0.95
    seen = reader.read(windows.frames[:, K + 1 :])  # the real frames
    theta = np.where(seen.valid, reader.degrees(seen.theta), np.nan)
    assert_same(judged, drift.score(seen.x.numpy(), theta, windows), atol=1e-3)


@protocols
def test_a_model_made_of_exact_physics_scores_as_the_reference(windows):
    few = windows[:8]
    theirs, ours = drift.judge(Gymnasium(), few), drift.judge(ExactPhysics(), few)
    assert_same(theirs, ours)
    assert np.isfinite(ours.theta_error[few.alive.numpy()]).mean() > 0.9


@protocols
@pytest.mark.parametrize("mode", ["free", "teacher_forced"])
def test_a_model_that_copies_scores_as_repeat_last_frame(windows, mode):
    assert_same(drift.judge(Copycat(), windows, mode), drift.judge(RepeatLastFrame(), windows, mode), atol=0)


@protocols
def test_repeating_the_last_frame_is_wrong_by_what_has_moved_since(windows):
    judged = drift.judge(RepeatLastFrame(), windows)
    last = reader.read(windows.frames[:, K])
    moved = abs(reader.degrees(windows.states[:, 1:, 2] - last.theta[:, None])).numpy()
    scored = windows.alive.numpy() & last.valid.numpy()[:, None]
    np.testing.assert_allclose(judged.theta_error[scored], moved[scored], rtol=0, atol=1e-4)
    assert judged.median()[0] < judged.median()[8]


@protocols
def test_the_batch_size_changes_no_score(windows):
    assert_same(drift.judge(Copycat(), windows, batch=7), drift.judge(Copycat(), windows), atol=0)


def test_a_last_batch_whose_truths_have_all_fallen_is_no_trouble(mixed_episodes):
    windows = drift.replayed_windows(mixed_episodes, 2, 1, stride=1)
    fallen, up = np.flatnonzero(~windows.alive[:, 0]), np.flatnonzero(windows.alive[:, 0])
    part = windows[np.array([up[0], fallen[0]])]
    judged = drift.judge(ExactPhysics(), part, batch=1)
    assert np.isfinite(judged.theta_error[0]).all() and np.isnan(judged.theta_error[1]).all()


# A judge that is fair: eyes, chance, modes, and whom it refuses


@protocols
def test_other_eyes_judge_alike_and_are_really_used(windows):
    few = windows[:12]
    ink, closest = (drift.judge(ExactPhysics(), few, reader=read) for read in (reader.read, closest_picture.read))
    alive = few.alive.numpy()
    assert not np.array_equal(ink.theta[alive], closest.theta[alive])
    assert np.median(abs(ink.theta - closest.theta)[alive]) < 0.5


class Gamble(ExactPhysics):
    """Physics with gusts that nobody saw: its mean path has none, its samples differ. It forgets in training mode."""

    def __init__(self):
        super().__init__()
        self.drop, self.asked = torch.nn.Dropout(0.5), []

    def observe(self, frames, actions):
        return self.drop(super().observe(frames, actions))

    def imagine(self, belief, actions, samples=None, generator=None):
        self.asked.append((samples, generator))
        states = super().imagine(belief, actions)
        if samples is None:
            return states
        gusts = 0.1 * torch.randn(len(states), samples, *states.shape[1:], generator=generator, dtype=torch.float64)
        return states[:, None] + gusts.cumsum(2) * torch.tensor([0.1, 0, 0.1, 0])


def test_a_stochastic_model_is_judged_by_its_mean_path_and_its_samples_are_those_of_the_seed(mixed_episodes):
    few = drift.intervened_windows(mixed_episodes, K, N, stride=60)[:6]
    model = Gamble()
    assert_same(drift.judge(model, few), drift.judge(ExactPhysics(), few), atol=0)
    assert model.asked == [(None, None)], "a model that is not asked for samples is given no generator"
    x, theta = drift.fan(model, few, samples=4, seed=1)
    assert x.shape == theta.shape == (6, 4, N) and model.asked[-1][0] == 4
    up = few.alive.numpy()
    assert np.isnan(theta.transpose(0, 2, 1)[~up]).all()
    assert (np.nanstd(theta, 1)[up] > 0).mean() > 0.9, "the samples of a window differ"
    assert np.array_equal(drift.fan(model, few, samples=4, seed=1)[1], theta, equal_nan=True)
    assert not np.array_equal(drift.fan(model, few, samples=4, seed=2)[1], theta, equal_nan=True)
    with pytest.raises((ValueError, TypeError)):
        drift.fan(ExactPhysics(), few, samples=4)


def test_whatever_a_model_draws_is_drawn_from_the_judges_seed_and_not_from_the_readers(mixed_episodes):
    class Restless(Copycat):
        def imagine(self, belief, actions, samples=None):
            return super().imagine(belief.roll(int(torch.randint(100, ()))), actions)

    few = drift.replayed_windows(mixed_episodes, K, N, stride=60)[:4]
    torch.manual_seed(5)
    one = drift.judge(Restless(), few, seed=3)
    torch.manual_seed(6)
    expected = torch.rand(1, generator=torch.Generator().manual_seed(6))
    assert_same(one, drift.judge(Restless(), few, seed=3), atol=0)
    assert torch.rand(1) == expected, "judging drew from the reader's own random stream"


def test_a_model_left_in_training_mode_is_judged_as_it_is_used_and_put_back(mixed_episodes):
    few = drift.replayed_windows(mixed_episodes, K, N, stride=60)[:4]
    model = Gamble().train()
    model.kept = torch.nn.Linear(1, 1).eval()
    assert_same(drift.judge(model, few), drift.judge(ExactPhysics(), few), atol=0)
    assert model.training and model.drop.training and not model.kept.training


@pytest.mark.parametrize("count,batch", [(9, 4), (5, 4), (129, 128), (7, 3), (2, 2)])
def test_no_window_is_left_alone_in_a_batch(count, batch):
    sizes = [len(rows) for rows in drift._batches(count, batch)]
    assert sum(sizes) == count and 2 <= min(sizes) and max(sizes) <= batch


def test_no_window_is_told_its_own_actions(mixed_episodes):
    windows = drift.replayed_windows(mixed_episodes, K, N, stride=60)[:5]
    assert len(set(map(tuple, windows.actions.tolist()))) == 5
    told = []

    class Listens(ExactPhysics):
        def imagine(self, belief, actions, samples=None):
            told.extend(map(tuple, actions.tolist()))
            return super().imagine(belief, actions)

    drift.judge(ShuffledActions(Listens()), windows, batch=4)
    assert len(told) == 5 and all(own != other for own, other in zip(map(tuple, windows.actions.tolist()), told))
    with pytest.raises(ValueError, match="one window alone"):
        drift.judge(ShuffledActions(untrained(AutoencoderMLP)), windows[:1])


def test_a_guesser_from_actions_is_refused_on_the_other_protocol(mixed_episodes):
    cuts = drift.protocols(mixed_episodes, K, N)
    guessers = {name: ActionsOnly(windows) for name, windows in cuts.items()}
    for name, guesser in guessers.items():
        for protocol, windows in cuts.items():
            if name == protocol:
                assert np.isfinite(drift.judge(guesser, windows[:4]).median()).any()
            else:
                with pytest.raises(ValueError, match=f"fitted to {name} windows, and these are {protocol}"):
                    drift.judge(guesser, windows[:4])


def test_poles_that_fall_early_turn_faster(mixed_episodes):
    ended, lasted = drift.informative_censoring(drift.intervened_windows(mixed_episodes, 2, 20, stride=5))
    assert ended > 1.2 * lasted > 0
    windows = drift.intervened_windows(mixed_episodes, 2, 2, stride=40)
    assert np.isnan(drift.informative_censoring(windows[windows.alive[:, -1].numpy()])[0])


# The windows


def test_replayed_windows_are_what_was_recorded_until_their_episode_ends(mixed_episodes):
    episodes = mixed_episodes
    windows = drift.replayed_windows(episodes, K, N, stride=7)
    frame, step, _ = episodes.window_starts(K + 1, 7)
    frames = windows.frames  # made anew whenever asked for
    for w, (f, s, e) in enumerate(zip(frame, step, windows.episode)):
        end = episodes.first_frames[e] + episodes.lengths[e]  # the episode's last frame
        there = min(K + N, end - f)  # steps of the window that were recorded
        recorded = episodes.frames[f : f + there + 1] / np.float32(255)
        assert np.array_equal(frames[w, : there + 1], recorded)
        assert (frames[w, there:] == frames[w, there]).all()  # then the last frame again
        assert np.array_equal(windows.all_actions[w, :there], episodes.actions[s : s + there])
        assert np.array_equal(windows.states[w, : there - K + 1], episodes.states[f + K : f + there + 1])
        fell = there < K + N and episodes.terminated[s + there - 1] or cartpole.fallen(episodes.states[f + there])
        up = there - K - int(fell)
        hidden = ~reader.read(recorded[K + 1 : K + 1 + up]).valid
        up = int(hidden.float().argmax()) if hidden.any() else up  # what left the picture is scored no more
        assert windows.alive[w].tolist() == [True] * up + [False] * (N - up)


def test_intervened_windows_start_in_the_recorded_state_and_obey_physics(mixed_episodes):
    windows = drift.intervened_windows(mixed_episodes, K, N, stride=7)
    frame, step, _ = mixed_episodes.window_starts(K + 1, 7)
    assert np.array_equal(windows.states[:, 0], mixed_episodes.states[frame + K])
    assert torch.equal(windows.states[:, 1:], CARTPOLE.simulate(windows.states[:, 0], windows.actions))
    assert np.array_equal(windows.actions_before, mixed_episodes.actions[step[:, None] + np.arange(K)])
    context = mixed_episodes.frames[frame[:, None] + np.arange(K + 1)] / np.float32(255)
    assert np.array_equal(windows.frames[:, : K + 1], context)


def test_intervened_frames_show_the_truth_until_it_falls_and_then_stay(mixed_episodes):
    windows = drift.intervened_windows(mixed_episodes, K, N, stride=20)
    drawn = torch.from_numpy(draw(windows.states[:, 1:].numpy(), workers=1) / np.float32(255))
    frames = windows.frames
    assert torch.equal(frames[:, K + 1 :][windows.alive], drawn[windows.alive])
    up_to = (~cartpole.fallen(windows.states[:, 1:])).cumprod(1).sum(1)
    for w in np.flatnonzero(up_to < N):
        up = int(up_to[w])
        assert (frames[w, K + up :] == frames[w, K + up]).all()


def test_a_truth_that_has_fallen_never_stands_up_again(mixed_episodes):
    windows = drift.intervened_windows(mixed_episodes, 1, 40, stride=10)
    beyond = cartpole.fallen(windows.states[:, 1:])
    assert (beyond.cumsum(1).bool() & ~beyond).any()  # some do swing back
    assert not (windows.alive & beyond.cumsum(1).bool()).any()
    inside = (windows.states[:, 1:, 0].abs() < 2.2).all(1)
    assert torch.equal(windows.alive[inside], ~beyond.cumsum(1).bool()[inside])


def test_a_truth_that_leaves_the_picture_is_scored_no_more(mixed_episodes):
    start = mixed_episodes[[0]]
    start.states[:] = [2.36, 0, 0, 0]  # upright, half beyond the edge
    windows = drift.intervened_windows(start, K, N, stride=10)
    up = ~cartpole.fallen(windows.states[:, 1:])
    shown = reader.read(torch.from_numpy(draw(windows.states[:, 1:].numpy(), workers=1)) / 255).valid
    assert (up & ~shown).any() and torch.equal(windows.alive, (up & shown).cumprod(1).bool())


def test_the_actions_of_an_intervention_do_not_depend_on_the_state(mixed_episodes):
    one = drift.intervened_windows(mixed_episodes[:2], 2, N, stride=5, seed=4)
    other = drift.intervened_windows(mixed_episodes[2:8], 2, N, stride=5, seed=4)
    both = min(len(one), len(other))
    assert both > 5 and not torch.equal(one.states[:both, 0], other.states[:both, 0])
    assert torch.equal(one.actions[:both], other.actions[:both])
    assert not torch.equal(one.actions, drift.intervened_windows(mixed_episodes[:2], 2, N, stride=5, seed=5).actions)
    assert 0.35 < one.actions.double().mean() < 0.65


@pytest.mark.parametrize("cut", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("context,horizon", [(5, 0), (5, -1), (-1, 5)])
def test_windows_without_a_horizon_or_with_a_negative_context_are_refused(mixed_episodes, cut, context, horizon):
    with pytest.raises(ValueError, match="they must be at least 0 and 1"):
        cut(mixed_episodes, context, horizon)


@pytest.mark.parametrize("cut", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_context_as_long_as_the_longest_episode_is_refused(mixed_episodes, cut):
    longest = int(mixed_episodes.lengths.max())
    assert len(cut(mixed_episodes, longest - 1, 5)) >= 1
    with pytest.raises(ValueError, match=f"no episode is longer than {longest} context steps"):
        cut(mixed_episodes, longest, 5)


# What the figures say, on judgements made by hand


def judgement(errors, up=None, episode=None, truth=3.0):
    """A Judgement of given errors (B, N) in degrees, NaN for no pole; `up` (B,) steps until the truth falls."""
    errors = np.array(errors, dtype=float)
    B, steps = errors.shape
    up = np.full(B, steps) if up is None else np.array(up)
    states = torch.zeros(B, steps + 1, 4, dtype=torch.float64)
    states[..., 2] = np.radians(truth)
    windows = drift.Windows(
        pixels=torch.zeros(B, steps + 1, 32, 100, dtype=torch.uint8),
        actions_before=torch.zeros(B, 0, dtype=torch.int64),
        actions=torch.zeros(B, steps, dtype=torch.int64), states=states,
        alive=torch.from_numpy(np.arange(steps) < up[:, None]),
        episode=np.arange(B) if episode is None else np.array(episode), protocol="replayed",
    )  # fmt: skip
    return drift.score(0.01 * errors, truth + errors, windows)


def test_errors_are_degrees_and_centimetres_and_nothing_is_scored_after_the_fall():
    judged = judgement([[1.0, -2.0, 5.0]], up=[2])
    np.testing.assert_allclose(judged.theta_error, [[1, 2, np.nan]], atol=1e-9)
    np.testing.assert_allclose(judged.x_error, [[1, 2, np.nan]], atol=1e-9)


def test_a_frame_without_a_pole_counts_as_failed():
    judged = judgement([[0.1, np.nan, 0.1]] * 3)
    assert np.isinf(judged.theta_error[:, 1]).all() and np.isinf(judged.x_error[:, 1]).all()
    assert judged.median()[1] == np.inf
    assert judged.survival() == (2.0, 0.0, 0.0)
    assert judged.pole_there().tolist() == [1, 0, 1]


def test_the_median_is_over_windows_whose_truth_is_up():
    judged = judgement([[1, 1], [2, 2], [9, 9]], up=[2, 2, 1])
    assert judged.median() == pytest.approx([2, 1.5])
    assert judged.median("x") == pytest.approx([2, 1.5])
    assert judged.median(rows=[0]) == pytest.approx([1, 1])
    assert np.isnan(judgement([[1, 1]], up=[1]).median()[1])


def test_skill_is_1_for_the_truth_and_0_for_a_pole_that_always_stands():
    assert judgement([[0.0, 0.0]]).skill() == pytest.approx([1, 1])
    assert judgement([[-3.0, 3.0]]).skill() == pytest.approx([0, 0])  # read as upright; as far off to the other side
    assert judgement([[6.0, np.nan]]).skill().tolist() == pytest.approx([-1, -np.inf])


def test_survival_is_the_first_step_beyond_the_limit_even_if_it_comes_back():
    judged = judgement([[0, 3, 0, 0]] * 3)
    assert judged.survival(2.0) == (2.0, 0.0, 0.0) and judged.survival(4.0) == (float("inf"), 0.0, 1.0)
    assert judgement([[2.0, 2.1]]).survival(2.0)[0] == 2  # beyond, not at


def test_a_truth_that_ends_first_is_censored_and_no_success():
    fails_at_4 = [[0, 0, 0, 5, 5, 5]] * 3
    ends_at_2 = [[0, 0, 5, 5, 5, 5]] * 5  # what comes after the fall is not a failure either
    judged = judgement(fails_at_4 + ends_at_2, up=[6] * 3 + [2] * 5)
    step, ended, lasted = judged.survival()
    assert step == 4 and ended == pytest.approx(5 / 8) and lasted == 0


def test_who_was_right_to_the_horizon_is_told_from_whose_truth_ended():
    judged = judgement([[0, 0, 0]] * 5 + [[0, 5, 0]], up=[3, 3, 2, 2, 2, 3])
    survival = judged.survival()
    assert (survival.steps, survival.ended, survival.lasted) == pytest.approx((float("inf"), 3 / 6, 2 / 6))
    assert survival.censored == pytest.approx(5 / 6)
    when, failed = judged.first_beyond(2.0)
    assert when.tolist() == [3, 3, 2, 2, 2, 2] and failed.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_not_positive_is_refused(limit):
    with pytest.raises(ValueError, match="it must be above 0"):
        judgement([[1.0]]).survival(limit)


def test_intervals_draw_whole_episodes():
    errors = [[1.0]] * 10 + [[5.0]] * 10
    two, twenty = judgement(errors, episode=[0] * 10 + [1] * 10), judgement(errors)
    low, high = two.interval(lambda rows: two.median(rows=rows)[0])
    assert (low, high) == pytest.approx((1, 5))  # half of the draws hold one episode only
    shares = [len(set(rows // 10)) for rows in drawn_rows(two)]
    assert set(shares) == {1, 2} and all(len(rows) == 20 for rows in drawn_rows(two))
    mean = lambda judged: judged.interval(lambda rows: judged.theta_error[rows].mean())  # noqa: E731
    assert np.ptp(mean(two)) > np.ptp(mean(twenty))


def drawn_rows(judged):
    rows = []
    judged.interval(lambda drawn: rows.append(drawn) or 0.0, draws=50)
    return rows


def test_an_interval_contains_its_figure_and_a_seed_repeats_it():
    errors = np.random.default_rng(0).exponential(1.0, (40, 6)).cumsum(1)
    judged = judgement(errors, episode=np.repeat(np.arange(20), 2))
    low, high = judged.interval(lambda rows: judged.median(rows=rows))
    assert ((low <= judged.median()) & (judged.median() <= high)).all() and (low < high).all()
    assert np.array_equal(judged.interval(lambda rows: judged.median(rows=rows)), (low, high))
    low, high = judged.interval(lambda rows: judged.survival(rows=rows)[0])
    assert low <= judged.survival()[0] <= high


@pytest.mark.parametrize(
    "when,failed,median",
    [
        ([1, 2, 3, 4], [1, 1, 1, 1], 2),
        ([1, 2, 3], [0, 1, 0], 2),  # one of the two still at risk
        ([1, 2, 3], [0, 0, 1], 3),
        ([2, 2, 2], [0, 1, 0], float("inf")),  # two of three are left, and seen no longer
        ([5, 5], [0, 0], float("inf")),
        ([3, 3, 9, 9], [1, 1, 0, 0], 3),
        ([1, 1, 1, 2], [0, 0, 0, 1], 2),
        ([0, 0, 4], [0, 0, 1], 4),  # fallen before the first step
    ],
)
def test_the_median_survival_of_cases_worked_out_by_hand(when, failed, median):
    assert drift.kaplan_meier_median(np.array(when), np.array(failed, bool)) == median


def test_the_median_survival_of_the_leukaemia_trial_of_freireich():
    treated = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]  # weeks
    relapse = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    assert drift.kaplan_meier_median(np.array(treated), np.array(relapse, bool)) == 23
    assert drift.kaplan_meier_median(np.array(placebo), np.ones(21, bool)) == 8


@pytest.mark.parametrize("count", [2, 10, 24, 96, 300])
def test_rounding_does_not_move_the_median_survival(count):
    assert drift.kaplan_meier_median(np.arange(1, count + 1), np.ones(count, bool)) == count // 2


def test_an_unknown_mode_is_refused_with_the_known_ones(mixed_episodes):
    windows = drift.replayed_windows(mixed_episodes, K, N, stride=60)
    with pytest.raises(ValueError, match="no mode called 'forced'; there are free, teacher_forced"):
        drift.judge(Copycat(), windows, "forced")


def test_no_windows_are_refused(mixed_episodes):
    windows = drift.replayed_windows(mixed_episodes, K, N, stride=60)
    with pytest.raises(ValueError, match="no windows to judge by"):
        drift.judge(Copycat(), windows[:0])


# A whole evaluation, in numbers that JSON can hold

CURVES = {"theta", "x", "skill", "pole_there", "pixels"}
NUMBERS = {f"{name}_{limit}" for name in ("steps", "censored", "ended", "lasted") for limit in (1, 2)}
both = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def cuts(mixed_episodes):
    """Windows of both protocols, over 24 steps."""
    return drift.protocols(mixed_episodes[[2, 4]], 5, 24)


@pytest.fixture(scope="module")
def evaluations(cuts, untrained_model):
    """Evaluations of exact physics, of a pole that always stands, of haze, and of a copy of the last frame."""
    models = {"exact": ExactPhysics(), "upright": ConstantUpright(), "haze": untrained_model, "copy": Copycat()}
    return {
        name: drift.evaluate(model, cuts, teacher_forced=name in ("haze", "copy"))
        for name, model in models.items()
    }


@pytest.mark.parametrize("name", ["exact", "upright", "haze", "copy"])
def test_an_evaluation_is_what_json_can_hold_and_has_every_figure(evaluations, name):
    found = evaluations[name]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == list(PROTOCOLS)
    for protocol, steps in (("replayed", 24), ("intervened", 20)):
        figures = found[protocol]
        curves = CURVES | ({"teacher_forced"} if name in ("haze", "copy") else set())
        assert figures.keys() == curves | NUMBERS | {"interval_2", "windows"}
        assert {curve: len(figures[curve]) for curve in curves} == dict.fromkeys(curves, steps)
        assert len(figures["interval_2"]) == 2
        assert all(figures[number] is None or type(figures[number]) is float for number in NUMBERS)
        assert all(0 <= share <= 1 for share in figures["pole_there"] + [figures["censored_1"], figures["censored_2"]])


@both
def test_an_evaluation_says_what_its_judgement_says(evaluations, cuts, protocol):
    windows, figures = cuts[protocol], evaluations["copy"][protocol]
    judged = drift.judge(Copycat(), windows)
    close = {"rtol": 6e-4, "atol": 1e-9}  # four digits
    for name, curve in {"theta": judged.median(), "x": judged.median("x"), "skill": judged.skill()}.items():
        np.testing.assert_allclose(np.array(figures[name], float), np.where(np.isfinite(curve), curve, np.nan), **close)
    forced = drift.judge(Copycat(), windows, "teacher_forced").median()
    np.testing.assert_allclose(np.array(figures["teacher_forced"], float), forced, **close)
    for limit in (1, 2):
        survival = judged.survival(limit)
        for name in ("steps", "ended", "lasted", "censored"):
            assert figures[f"{name}_{limit}"] == pytest.approx(getattr(survival, name), 6e-4)
    assert np.array_equal(statistics.unpacked(figures["windows"]).when[2], judged.first_beyond(2)[0])
    low, high = figures["interval_2"]
    assert low <= figures["steps_2"] <= high


@both
def test_exact_physics_is_worth_more_than_a_pole_that_always_stands(evaluations, protocol):
    exact, upright = evaluations["exact"][protocol], evaluations["upright"][protocol]
    assert all(one < other for one, other in zip(exact["theta"][:5], upright["theta"][:5]))
    assert min(exact["skill"][:5]) > 0.5 and max(map(abs, upright["skill"][:5])) < 0.1
    assert (exact["steps_2"] or np.inf) > max(8, upright["steps_2"])  # None: more than half never fail
    assert exact["pixels"][9] < upright["pixels"][9]


@both
def test_haze_has_no_pole_at_any_step_and_fails_at_the_first(evaluations, protocol):
    haze = evaluations["haze"][protocol]
    assert set(haze["theta"] + haze["x"] + haze["skill"] + haze["teacher_forced"]) == {None}
    assert set(haze["pole_there"]) == {0.0} and haze["steps_1"] == haze["steps_2"] == 1 and haze["censored_2"] == 0


def test_windows_of_both_protocols_are_cut_as_each_alone_and_an_intervention_is_of_20_steps(mixed_episodes):
    few = mixed_episodes[4:5]
    cuts = drift.protocols(few, context=3, horizon=22, stride=30, seed=2)
    alone = {
        "replayed": drift.replayed_windows(few, 3, 22, stride=30),
        "intervened": drift.intervened_windows(few, 3, 20, stride=30, seed=2),
    }
    assert list(cuts) == list(alone)
    for name, windows in alone.items():
        assert torch.equal(cuts[name].pixels, windows.pixels) and torch.equal(cuts[name].actions, windows.actions)
    short = drift.protocols(few, context=3, horizon=4, stride=30)
    assert [windows.horizon for windows in short.values()] == [4, 4]


def test_another_seed_tosses_other_coins(mixed_episodes):
    cut = lambda seed: drift.protocols(mixed_episodes[4:5], 5, 6, seed=seed)  # noqa: E731
    one, same, other = (drift.evaluate(Copycat(), cut(seed)) for seed in (0, 0, 1))
    assert one == same and one["replayed"] == other["replayed"] and one["intervened"] != other["intervened"]


# Pixels that move


def three_windows():
    """Windows of one step seen and two to come, frames of 1 x 4 pixels: the truth falls after 2, 1 and 2 steps."""
    still, moving = [0, 200, 50, 50], [0, 255, 50, 60]  # by 60 - 50 of 255 is too little to be called moving
    frames = torch.tensor([[[255, 0, 0, 0], still, moving, moving], [still, still, moving, moving], [still] * 4])
    return drift.Windows(
        pixels=frames[:, :, None].to(torch.uint8), actions_before=torch.zeros(3, 1, dtype=torch.int64),
        actions=torch.zeros(3, 2, dtype=torch.int64), states=torch.zeros(3, 3, 4, dtype=torch.float64),
        alive=torch.tensor([[True, True], [True, False], [True, True]]), episode=np.arange(3), protocol="replayed",
    )  # fmt: skip


def test_only_pixels_that_move_from_the_last_frame_seen_on_are_counted():
    windows = three_windows()
    frames = windows.frames[:, 2:][windows.alive]  # (5, 1, 4): the truth
    assert drift.moving_pixel_error(frames, windows).tolist() == [0] * 5
    wrong = frames.clone()
    wrong[..., [0, 2, 3]] += 0.5  # what was white before, what stands still, and what hardly moves
    assert drift.moving_pixel_error(wrong, windows).tolist() == [0] * 5
    wrong[..., 1] -= torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])[:, None]
    expected = [0.1, 0.2, 0.3, 0, 0]  # nothing moves in the third window
    assert drift.moving_pixel_error(wrong, windows).tolist() == pytest.approx(expected, abs=1e-6)
    all_but_one = drift.moving_pixel_error(wrong, windows, least=-1.0)  # all pixels
    assert float(all_but_one[0]) == pytest.approx(((3 * 0.25 + 0.01) / 4) ** 0.5, abs=1e-6)


@protocols
def test_the_truth_has_no_pixel_error_and_what_has_fallen_none_at_all(windows):
    truth = windows.frames[:, K + 1 :][windows.alive]
    assert (drift.moving_pixel_error(truth, windows) == 0).all()
    judged = drift.judge(Copycat(), windows, pixels=True)
    assert np.array_equal(np.isnan(judged.pixel_error), ~windows.alive.numpy())
    assert np.nanmedian(judged.pixel_error) > 0.05
    assert not np.isnan(drift.judge(Copycat(), windows, batch=7, pixels=True).pixel_error[windows.alive.numpy()]).any()


@pytest.fixture(scope="module")
def few(mixed_episodes):
    return drift.replayed_windows(mixed_episodes, K, N, stride=60)


def test_one_window_keeps_its_batch_axis(few):
    for one in (few[3], few[np.int64(3)], few[-1]):
        assert len(one) == 1 and one.frames.shape == (1, K + N + 1, 32, 100) and one.alive.shape == (1, N)
    assert torch.equal(few[3].pixels[0], few.pixels[3]) and few[3].episode[0] == few.episode[3]
    drift.judge(RepeatLastFrame(), few[3])


def untrained_rung():
    return untrained(lambda: AutoencoderMLP())


class Dropped(AutoencoderMLP):
    """A rung with dropout in its eyes, forgotten in training mode."""

    def __init__(self):
        super().__init__()
        self.drop = torch.nn.Dropout(0.9)

    def see(self, frames):
        return self.drop(super().see(frames))


def test_a_model_left_in_training_mode_is_judged_as_if_it_were_not_and_left_so(few):
    model = untrained(Dropped)
    fair = drift.judge(model, few)
    model.train()
    model.eyes.eval()
    again = drift.judge(model, few)
    assert np.array_equal(fair.theta, again.theta, equal_nan=True)
    assert model.training and model.drop.training and not model.eyes.training


@pytest.mark.parametrize("device", ["meta"])  # whose tensors hold nothing: one of them, and all is lost
def test_the_judge_does_not_ask_where_torch_makes_its_tensors(device, few):
    models = [untrained_rung(), ExactPhysics()]
    fair = [drift.judge(model, few, pixels=True) for model in models]
    doubting = untrained(StateSpace)
    fan = drift.fan(doubting, few, samples=3)
    with torch.device(device):
        again = [drift.judge(model, few, pixels=True) for model in models]
        assert np.array_equal(fan[1], drift.fan(doubting, few, samples=3)[1], equal_nan=True)
        torch.manual_seed(0)
    for one, other in zip(fair, again):
        assert np.array_equal(one.theta, other.theta, equal_nan=True)
        assert np.array_equal(one.pixel_error, other.pixel_error, equal_nan=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_model_on_a_gpu_is_judged_where_it_is(few):
    model = untrained_rung()
    fair = drift.judge(model, few, pixels=True)
    again = drift.judge(model.to("cuda"), few, pixels=True)
    assert next(model.parameters()).is_cuda
    assert np.nanmax(abs(fair.pixel_error - again.pixel_error)) < 1e-2


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float64])
def test_a_model_in_another_precision_is_judged(precision, few):
    model = untrained_rung()
    fair = drift.judge(model, few, pixels=True).pixel_error
    again = drift.judge(model.to(precision), few, pixels=True).pixel_error
    assert np.nanmax(abs(again - fair)) < 0.1 and next(model.parameters()).dtype == precision
