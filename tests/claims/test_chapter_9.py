"""The claims of chapter 9, Recurrent states, each with its control."""

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import drift, references, statistics
from latent_dynamics.world import closest_picture, reader
from latent_dynamics.world.cartpole import TIME_STEP
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.worlds import CARTPOLE

pytestmark = pytest.mark.claims

FIFTEEN, TEN, STEPS = statistics.error_at(15), statistics.error_at(10), statistics.steps_to(2)


@pytest.fixture(scope="module")
def measured():
    return ld.ladder.figures()


@pytest.fixture(scope="module")
def position_velocity():
    return ld.load_model("position_velocity")


@pytest.fixture(scope="module")
def windows():
    return ld.ladder.windows()["intervened"][::3]


@pytest.fixture(scope="module")
def eyes(position_velocity):
    """What the eyes say of training frames, whole ones only; their balance points; and the truth, for judging."""
    train = ld.load_episodes("mixed", "train")
    frames = ld.artifacts.frames_of(train)[::5]
    codes, points = position_velocity.see(frames), position_velocity.eyes.balance(frames)[0]
    whole = codes[:, 2] > 0.5
    states = torch.from_numpy(train.states[::5])
    return frames[whole], codes[whole, :2].double(), points[whole], states[whole]


@pytest.fixture(scope="module")
def look(eyes):
    """A straight line from true cart and angle to what the eyes say: (3, 2)."""
    _, codes, _, states = eyes
    return torch.linalg.lstsq(_with_one(states[:, [0, 2]]), codes).solution


def _with_one(numbers):
    return torch.cat([numbers, torch.ones(*numbers.shape[:-1], 1, dtype=numbers.dtype)], -1)


def _to_states(latents, look):
    back = torch.linalg.inv(look[:2])
    x, theta = ((latents[..., :2] - look[2]) @ back).unbind(-1)
    x_dot, theta_dot = (latents[..., 2:4].double() @ back / TIME_STEP).unbind(-1)
    return torch.stack([x, x_dot, theta, theta_dot], -1)


def _error(states, windows, step=15):
    error = ld.reader.degrees(states[:, step - 1, 2] - windows.states[:, step, 2]).abs()
    return float(error[windows.alive[:, step - 1]].median())


def _worth(evaluations, figure=FIFTEEN, protocol="intervened"):
    return statistics.interval(ld.ladder.scores(evaluations, protocol), figure)[0]


# What is recorded: test_the_ladder.py judges shipped weights anew, and holds the record to it


def _alike(measured, *names):
    """Experiments as {seed: figures}, of the seeds that all of them have: the same data, and eyes of the same seed."""
    found = [measured["experiments"][name] for name in names]
    return [{seed: one[seed] for seed in one if all(seed in other for other in found)} for one in found]


def _clearly_worse(comparisons):
    """Say of {name: (one, other, figure, protocol)} which are above the other, by Holm's correction over them."""
    answers = {name: ld.ladder.compare(*asked) for name, asked in comparisons.items()}
    sure = statistics.holm([p for *_, p in answers.values()])
    return {name: found[0] > 0 and p < 0.05 for (name, found), p in zip(answers.items(), sure, strict=True)}


@pytest.mark.recorded
def test_the_last_model_keeps_up_with_exact_physics_and_a_memory_does_not(measured):
    last, memory = (measured["rungs"][name] for name in ("position_velocity", "recurrent"))
    physics = measured["references"]["exact physics"]
    assert _worth(last, STEPS, "replayed") >= 0.85 * _worth(physics, STEPS, "replayed")
    assert _worth(last) <= 1.5 * _worth(physics)
    assert _worth(memory) > 2 * _worth(physics)  # the control


@pytest.mark.recorded
def test_a_clone_on_its_belief_balances_and_one_on_a_single_frame_does_not(measured):
    means = {
        name: np.median([one["return"][0] for one in measured["rungs"][name].values()])
        for name in ("position_velocity", "autoencoder_mlp")
    }
    assert means["position_velocity"] >= 475
    assert means["autoencoder_mlp"] < 100


@pytest.mark.recorded
def test_what_memory_eyes_structure_and_filter_buy(measured):
    pairs = {
        "a memory": ("two frames, 10 steps", "memory"),
        "a memory, on balance eyes": ("five steps on balance eyes", "memory on balance eyes"),
        "eyes, for a memory": ("memory", "memory on balance eyes"),
        "eyes, for structure": ("positions and velocities on z", "position_velocity"),
        "structure and filter": ("memory", "position_velocity"),
        "structure and filter, on balance eyes": ("memory on balance eyes", "position_velocity"),
        "the filter": ("without its filter", "position_velocity"),
        "a memory in place of structure, on latents": ("positions and velocities on z", "memory"),
    }
    worse = _clearly_worse({name: (*_alike(measured, *pair), TEN) for name, pair in pairs.items()})
    assert all(worse.values()), worse


@pytest.mark.recorded
def test_eyes_alone_buy_two_frames_less_than_they_buy_a_memory(measured):
    def times(worse, better):
        return _worth(measured["experiments"][worse], TEN) / _worth(measured["experiments"][better], TEN)

    assert times("two frames, 5 steps", "five steps on balance eyes") < 1.5
    assert times("memory", "memory on balance eyes") > 2


@pytest.mark.recorded
def test_structure_does_not_replace_coverage(measured):
    pair = _alike(measured, "position_velocity, random data", "position_velocity")
    assert _clearly_worse({"random": (*pair, TEN)})["random"]


@pytest.mark.recorded
def test_a_longer_exam_is_nearer_the_record_than_exact_physics_and_not_where_a_coin_pushes(measured):
    """Nearer, fifty steps into recorded play, than who knows the mechanics; under coin tosses worse in every seed."""
    long, usual = _alike(measured, "position_velocity, 35 steps", "position_velocity")
    late = statistics.error_at(50)
    assert _worth(long, late, "replayed") < 0.9 * _worth(measured["references"]["exact physics"], late, "replayed")
    assert all(_worth({0: long[s]}) > _worth({0: usual[s]}) for s in usual)


@pytest.mark.recorded
def test_with_such_eyes_and_structure_single_steps_teach_about_as_much_as_dreams(measured):
    pair = _alike(measured, "position_velocity, 1 step", "position_velocity")
    assert not _clearly_worse({"one": (*pair, FIFTEEN)})["one"]
    assert _worth(pair[0]) < 1.25 * _worth(pair[1])
    frames = [measured["experiments"][f"two frames, {n} steps"] for n in (1, 5)]
    assert _worth(frames[0], TEN) > 1.1 * _worth(frames[1], TEN)  # control: two frames on latents do need dreams


@pytest.mark.recorded
def test_what_all_versions_share_makes_the_difference_to_a_memory(measured):
    tried = measured["experiments"]
    names = ("position_velocity, linear", "position_velocity, gains of a line", "position_velocity, 1 step")
    assert max(_worth(tried[name]) for name in names) < 0.5 * _worth(tried["memory"])


# The eyes


def test_the_balance_points_lie_in_a_plane_and_the_pixels_do_not(position_velocity, eyes):
    frames, codes, points, _ = eyes
    seen, ink = position_velocity.eyes, position_velocity.eyes.balance(frames)[1]
    weights = ink.sqrt() * seen.rows

    def spread(away):
        return float((weights * away.square()).sum())

    middle = (weights * points).sum(0) / (weights.sum(0) + 1e-9)
    assert spread(points - seen.middle - codes.float() @ seen.axes.T) < 1e-3 * spread(points - middle)
    size = torch.linalg.svdvals((flat := frames[::4].flatten(1)) - flat.mean(0)).square()
    assert size[:2].sum() / size.sum() < 0.7


def test_rows_that_a_leaning_pole_does_not_reach_must_not_be_believed(position_velocity, eyes):
    frames, codes, points, states = eyes
    moving, leaning = position_velocity.eyes.rows > 0, states[:, 2].abs() > np.radians(8)
    away = (points - position_velocity.eyes.middle)[:, moving].T
    alike = torch.linalg.lstsq(
        position_velocity.eyes.axes[moving], away
    ).solution.T.double()  # every row believed alike
    error = {}
    for name, q in (("weighed", codes), ("alike", alike)):
        found = _with_one(q) @ torch.linalg.lstsq(_with_one(q), states[:, [0, 2]]).solution
        error[name] = float((found[leaning, 1] - states[leaning, 2]).square().mean().sqrt())
    assert error["alike"] > 1.5 * error["weighed"]


def test_two_numbers_found_without_labels_are_cart_and_angle_by_a_straight_line(eyes):
    _, codes, _, states = eyes
    turned = torch.linalg.lstsq(_with_one(codes), states[:, [0, 2]]).solution
    found = ld.probes.r_squared(_with_one(codes) @ turned, states[:, [0, 2]])
    assert found.min() > 0.95


def test_frames_that_hide_something_are_not_believed(position_velocity, look):
    train = ld.load_episodes("mixed", "train")
    away = np.flatnonzero(abs(train.states[:, 0]) > 1.9)
    assert len(away) > 10
    codes = position_velocity.see(torch.from_numpy(ld.preprocessing.from_bytes(train.frames[away])))
    found = _to_states(torch.cat([codes[:, :2], 0 * codes[:, :2]], 1).double(), look)
    error = (found - torch.from_numpy(train.states[away]))[:, 2].abs()
    believed = codes[:, 2] > 0.5
    assert error[~believed].median() > 2 * error[believed].median()


# The filter, and what limits it


def test_the_belief_sharpens_with_every_frame(position_velocity, look, windows):
    beliefs = _to_states(position_velocity.filter(windows.frames[:, :11], windows.actions_before), look)
    truth = windows.states[:, 0]
    seen = {
        n: position_velocity.observe(windows.frames[:, 11 - n : 11], windows.actions_before[:, 11 - n :])
        for n in (2, 5, 11)
    }
    error = {n: float((_to_states(belief, look) - truth)[:, 3].abs().median()) for n, belief in seen.items()}
    assert error[2] > 1.5 * error[5] > 1.5 * 1.2 * error[11]
    torch.testing.assert_close(beliefs[:, -1], _to_states(seen[11], look))


def test_the_start_limits_it_and_not_the_mechanics(position_velocity, look, windows):
    belief = position_velocity.observe(windows.frames[:, :11], windows.actions_before)
    truth = windows.states[:, 0]
    q, v = _with_one(truth[:, [0, 2]]) @ look, TIME_STEP * truth[:, [1, 3]] @ look[:2]
    latent = torch.cat([q, v, torch.zeros(len(q), position_velocity.state_size - 4)], 1).float()
    start = _error(CARTPOLE.simulate(_to_states(belief, look), windows.actions), windows)
    mechanics = _error(_to_states(position_velocity.imagine(latent, windows.actions), look), windows)
    assert start > mechanics
    untouched = position_velocity.imagine(latent, 1 - windows.actions)  # the control: wrong pushes
    assert _error(_to_states(untouched, look), windows) > 10 * mechanics


def test_believing_every_frame_costs_where_something_is_cut_off(position_velocity, look):
    near = drift.intervened_windows(ld.judging_set.collected("test"), context=10, horizon=1, stride=6)
    codes = position_velocity.see(near.frames[:, :11].flatten(0, 1)).unflatten(0, (len(near), 11))
    near = near[(codes[..., 2] < 0.5).any(1).numpy()]

    class Gullible(ld.models.PositionVelocity):
        def see(self, frames):
            code = super().see(frames)
            return torch.cat([code[:, :2], 0 * code[:, 2:] + 1], 1)

    gullible = Gullible().eval().requires_grad_(False)
    gullible.load_state_dict(position_velocity.state_dict())
    error = {}
    for name, model in (("careful", position_velocity), ("gullible", gullible)):
        belief = _to_states(model.observe(near.frames[:, :11], near.actions_before), look)
        error[name] = float((belief - near.states[:, 0])[:, 3].abs().median())
    assert error["gullible"] > 1.3 * error["careful"]


def test_a_memory_that_was_never_trained_holds_speeds_too():
    recurrent, two_frame = ld.load_model("recurrent"), ld.load_model("two_frame")
    recurrent.cell = references.untrained(ld.models.Recurrent, 1).requires_grad_(False).cell
    error = {}
    for name, model in (("untrained memory", recurrent), ("two_frame", two_frame)):
        seen = []
        for split, stride in (("train", 12), ("test", 12)):
            frames, actions, states = ld.load_episodes("mixed", split).windows(10, stride)
            parts = zip(torch.from_numpy(frames).split(256), torch.from_numpy(actions).split(256), strict=True)
            seen.append((torch.cat([model.observe(*part) for part in parts]), torch.from_numpy(states[:, -1, 3:])))
        probe = ld.probes.linear_probe(*seen[0])
        error[name] = float((probe(seen[1][0]) - seen[1][1]).abs().median())
    assert error["untrained memory"] < 0.9 * error["two_frame"]


@pytest.mark.parametrize("read", [reader.read, closest_picture.read], ids=["by ink", "by closest picture"])
def test_what_the_pen_draws_is_read_as_the_frames_that_it_stands_for(position_velocity, read):
    """On fresh episodes, in each bin of four degrees within eight: within a tenth of a degree, on average."""
    test = ld.judging_set.collected("test")
    frames = torch.from_numpy(from_bytes(test.frames[::11]))
    theta = reader.degrees(torch.from_numpy(test.states[::11, 2]))
    codes = position_velocity.see(frames)
    whole = codes[:, 2] > 0.5
    real, worst = read(frames[whole]), {}
    for name, stretch in (("the pen", 1.0), ("one that leans too far", 1.04)):
        drawn = read(position_velocity.eyes.decode(stretch * codes[whole, :2]))
        off = reader.degrees(drawn.theta - real.theta)
        off[~(drawn.valid & real.valid)] = torch.nan
        bins = [off[(theta[whole] >= low) & (theta[whole] < low + 4)] for low in (-8, -4, 0, 4)]
        worst[name] = max(abs(float(one.nanmean())) for one in bins)
    assert worst["the pen"] < 0.1 < worst["one that leans too far"], worst
