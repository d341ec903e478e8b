"""What drift curves are compared with: each reference knows what it claims to know, and no more."""

import math

import numpy as np
import pytest
import torch

from latent_dynamics import cartpole, drift, reader, references
from latent_dynamics.judging.references import (
    ActionsOnly,
    ConstantUpright,
    ExactPhysics,
    ParticlePhysics,
    ShuffledActions,
    fit_state,
    untrained,
)  # fmt: skip
from latent_dynamics.models import AutoencoderMLP
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import measure, read
from latent_dynamics.world.rendering import draw
from latent_dynamics.world.worlds import CARTPOLE

pytestmark = pytest.mark.usefixtures("one_thread")
K, N = 10, 6


@pytest.fixture
def paths():
    """True states (B, K + 1, 4), and the actions (B, K) between them."""
    rng = np.random.default_rng(0)
    first = torch.from_numpy(rng.uniform([-1, -0.5, -0.1, -0.5], [1, 0.5, 0.1, 0.5], (20, 4)))
    actions = torch.from_numpy(rng.integers(0, 2, (20, K)))
    return torch.cat([first[:, None], CARTPOLE.simulate(first, actions)], 1), actions


@pytest.fixture(scope="module")
def windows(mixed_episodes):
    return drift.replayed_windows(mixed_episodes, K, N, stride=12)


def fit(states, actions, noise=0.0):
    rng = torch.Generator().manual_seed(0)
    x, theta = (states[..., i] + noise * torch.randn(states.shape[:2], generator=rng) for i in (0, 2))
    return fit_state(x, theta, actions)


def test_the_fit_recovers_the_state_from_exact_positions(paths, monkeypatch):
    monkeypatch.setattr(references, "X_DOT_PRIOR", 1e4)  # no belief about velocities but what is seen
    monkeypatch.setattr(references, "THETA_DOT_PRIOR", 1e4)
    states, actions = paths
    torch.testing.assert_close(fit(states, actions), states[:, -1], rtol=0, atol=1e-6)


def test_with_its_prior_the_fit_stays_near_the_state_that_exact_positions_show(paths):
    states, actions = paths
    assert (fit(states, actions) - states[:, -1]).abs().median() < 1e-2


def test_one_frame_says_nothing_about_velocities(paths):
    states, actions = paths
    only = fit(states[:, -1:], actions[:, :0])
    torch.testing.assert_close(only[:, [0, 2]], states[:, -1, [0, 2]], rtol=0, atol=1e-9)
    torch.testing.assert_close(only[:, [1, 3]], torch.zeros(20, 2, dtype=torch.float64), rtol=0, atol=1e-9)


def test_more_frames_make_a_better_fit(paths):
    states, actions = paths
    fits = [fit(states[:, K - k :], actions[:, K - k :], noise=0.004) for k in (0, 1, 3, 10)]
    errors = [float((found - states[:, -1])[:, 3].abs().median()) for found in fits]  # theta_dot
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.3 * errors[0]


def test_what_was_not_seen_tells_nothing_and_what_is_unsure_tells_little(paths):
    states, actions = paths
    x, theta = states[..., 0].clone(), states[..., 2].clone()
    error = torch.tensor([0.0025, 0.0045]).double().repeat(20, K + 1, 1)
    right = fit_state(x, theta, actions, error)
    theta[:, 3] += 0.3  # misread
    wrong = fit_state(x, theta, actions, error)
    error[:, 3] *= 100
    unsure = fit_state(x, theta, actions, error)
    error[:, 3] = torch.inf
    unseen = fit_state(x, theta, actions, error)
    off = [float((found - right)[:, 2].abs().median()) for found in (unseen, unsure, wrong)]
    assert off[0] < 1e-4 and off[0] < off[1] < 0.1 * off[2]
    blind = fit_state(x, theta, actions, torch.full_like(error, torch.inf))
    assert blind.isfinite().all(), "who saw nothing still answers"


@pytest.fixture(scope="module")
def at_the_edge():
    """Windows of carts that run along the edge of the track: frames, actions, true last states."""
    rng = np.random.default_rng(3)
    first = torch.from_numpy(rng.uniform([2.3, -0.3, -0.1, -0.5], [2.36, 0.1, 0.1, 0.5], (200, 4)))
    actions = torch.from_numpy(rng.integers(0, 2, (200, 6)))
    states = torch.cat([first[:, None], CARTPOLE.simulate(first, actions)], 1)
    return torch.from_numpy(from_bytes(draw(states.numpy(), workers=1))), actions, states


def test_exact_physics_weighs_what_the_edge_cuts_off_by_what_it_is_worth(at_the_edge):
    frames, actions, states = at_the_edge
    belief, seen = ExactPhysics().observe(frames, actions), read(frames)
    trusting = fit_state(seen.x, seen.theta, actions)
    known = ~cartpole.fallen(states).any(1) & (seen.valid.sum(1) > 2) & ~seen.valid.all(1)
    assert known.sum() > 5
    error, naive = ((found - states[:, -1])[known, 2].abs() for found in (belief, trusting))
    assert math.degrees(error.median()) < 0.3 and error.quantile(0.9) < 0.5 * naive.quantile(0.9)


def test_the_readers_errors_are_measured_and_larger_where_the_edge_cuts():
    whole, cut = (reader.limits()[name] for name in ("error", "error_cut"))
    assert 0.001 < whole[0] < 0.004 and 0.1 < math.degrees(whole[1]) < 0.3
    assert whole[1] < cut[1]
    rounded = references.rounded_error()
    assert rounded[0] < 0.4 * whole[0] and rounded[1] < 0.7 * whole[1], "whole pixels are most of it"


def test_particles_that_know_of_whole_pixels_know_the_state_better(windows):
    frames, actions, truth = windows.frames[:, : K + 1], windows.actions_before, windows.states[:, 0]
    plain, better = ((model.observe(frames, actions) - truth).abs() for model in (ExactPhysics(), ParticlePhysics()))
    share = better.median(0).values / plain.median(0).values
    assert share.max() < 1 and share.mean() < 0.8
    few = ParticlePhysics()
    one_by_one = torch.cat([few.observe(frames[i : i + 1], actions[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(one_by_one, few.observe(frames[:3], actions[:3]))  # whatever the batch, and again


def test_particles_find_the_state_that_one_frame_shows_and_survive_frames_without_a_pole(windows):
    frames, truth = windows.frames[:, : K + 1], windows.states[:, 0]
    alone = ParticlePhysics(frames_used=1).observe(frames, windows.actions_before)
    assert math.degrees((alone - truth)[:, 2].abs().median()) < 0.25
    blank = torch.ones_like(frames)
    assert ParticlePhysics().observe(blank, windows.actions_before).isfinite().all()


def test_exact_physics_finds_the_true_state_in_real_frames(windows):
    belief = ExactPhysics().observe(windows.frames[:, : K + 1], windows.actions_before)
    error = (belief - windows.states[:, 0]).abs().median(0).values
    assert math.degrees(error[2]) < 0.15 and math.degrees(error[3]) < 2.0 and error[0] < 0.005


def test_exact_physics_with_fewer_frames_forgets_the_older_ones(windows):
    frames, actions = windows.frames[:, : K + 1].clone(), windows.actions_before
    before = ExactPhysics(frames_used=3).observe(frames, actions)
    frames[:, : K - 2] = 1 - frames[:, : K - 2]
    torch.testing.assert_close(ExactPhysics(frames_used=3).observe(frames, actions), before)
    assert not torch.allclose(ExactPhysics(frames_used=4).observe(frames, actions), before)


def test_actions_only_sees_no_frame(windows):
    model = ActionsOnly(windows)
    noise = torch.rand_like(windows.frames)
    for run in (drift.rollout.free, drift.rollout.teacher_forced):
        seen, blind = (run(model, frames, windows.all_actions, K) for frames in (windows.frames, noise))
        assert torch.equal(seen, blind)
    flipped = drift.rollout.free(model, windows.frames, 1 - windows.all_actions, K)
    assert not torch.equal(drift.rollout.free(model, windows.frames, windows.all_actions, K), flipped)


def test_actions_only_fits_its_windows_better_than_their_mean(windows):
    states = drift.rollout.free(ActionsOnly(windows, ridge=1.0), windows.frames, windows.all_actions, K)
    up = windows.alive[:, -1]
    theta, truth = states[up, -1, 2], windows.states[up, -1, 2]
    assert (theta - truth).square().mean() < 0.8 * (truth - truth.mean()).square().mean()


def test_constant_upright_keeps_the_cart_where_it_was_and_the_pole_up(windows):
    model = ConstantUpright()
    belief = model.observe(windows.frames[:, : K + 1], windows.actions_before)
    states = model.imagine(belief, windows.actions)
    assert (states[..., 2] == 0).all() and (states[..., 0] == states[:, :1, 0]).all()
    assert (states[:, 0, 0] - windows.states[:, 0, 0]).abs().median() < 0.005
    seen = measure(model.decode(states[:5]))
    assert seen.theta.abs().max() < math.radians(0.6)
    assert (seen.x - states[:5, :, 0]).abs().max() < 0.01


def test_shuffled_actions_change_the_future_and_nothing_else(windows):
    model = untrained(AutoencoderMLP)
    wrong = ShuffledActions(model)
    frames, actions = windows.frames[:, : K + 1], windows.actions_before
    belief = model.observe(frames, actions)
    assert torch.equal(wrong.observe(frames, actions), belief)
    states = wrong.imagine(belief, windows.actions)
    assert not torch.allclose(states, model.imagine(belief, windows.actions))
    other = windows.actions.clone()
    other[0] = 1 - other[0]
    torch.testing.assert_close(states[0], wrong.imagine(belief, other)[0])  # what was done in a window is not its own
    assert torch.equal(wrong.decode(states), model.decode(states))
    assert wrong.state_size == model.state_size and wrong.frame_shape == model.frame_shape


def test_an_untrained_model_is_the_same_for_the_same_seed_and_another_for_another():
    same, again, other = (untrained(AutoencoderMLP, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, again[name]) for name, value in same.items())
    assert not torch.equal(same["dynamics.net.0.weight"], other["dynamics.net.0.weight"])


def test_making_an_untrained_model_leaves_the_random_stream_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert not untrained(AutoencoderMLP).training
    assert torch.equal(torch.rand(2), expected)
