"""Teacher forcing and free rollout: which frame each of their steps may have seen, for any world model."""

import pytest
import torch
from awake import awake
from torch import nn

from latent_dynamics import drift, rollout
from latent_dynamics.judging.references import (
    ActionsOnly,
    ConstantUpright,
    ExactPhysics,
    RepeatLastFrame,
    ShuffledActions,
    untrained,
)  # fmt: skip
from latent_dynamics.keeping.artifacts import LADDER
from latent_dynamics.models.world_model import WorldModel

pytestmark = pytest.mark.usefixtures("one_thread")
K, N = 3, 4


class Memory(WorldModel):
    """A recurrent model with random weights, whose belief depends on every frame and action so far."""

    state_size = 6

    def __init__(self):
        super().__init__()
        self.cell, self.eye, self.draw = nn.GRUCell(6 + 2, 6), nn.Linear(3200, 6), nn.Linear(6, 3200)

    def _move(self, h, seen, action):
        return self.cell(torch.cat([seen, nn.functional.one_hot(action, 2).float()], -1), h)

    def filter(self, frames, actions):
        seen = self.eye(frames.flatten(2))
        h = self._move(torch.zeros(len(frames), 6), seen[:, 0], torch.zeros(len(frames), dtype=torch.int64))
        beliefs = [h]
        for k in range(actions.shape[1]):
            h = self._move(h, seen[:, k + 1], actions[:, k])
            beliefs.append(h)
        return torch.stack(beliefs, 1)

    def imagine(self, belief, actions, samples=None):
        states = []
        for action in actions.unbind(1):
            belief = self._move(belief, torch.zeros(len(belief), 6), action)
            states.append(belief)
        return torch.stack(states, 1)

    def decode(self, states):
        return torch.sigmoid(self.draw(states)).unflatten(-1, self.frame_shape)


@pytest.fixture(scope="module")
def windows(mixed_episodes):
    return drift.replayed_windows(mixed_episodes, K, N, stride=40)[:6]


@pytest.fixture(scope="module")
def models(windows):
    learned = {name: awake(untrained(make)) for name, make in LADDER.items()}
    return learned | {
        "memory": untrained(Memory), "exact physics": ExactPhysics(), "repeat": RepeatLastFrame(),
        "upright": ConstantUpright(), "actions only": ActionsOnly(windows),
        "shuffled": ShuffledActions(untrained(Memory)),
    }  # fmt: skip


NAMES = [*LADDER, "memory", "exact physics", "repeat", "upright", "actions only", "shuffled"]
SIGHTED = [name for name in NAMES if name != "actions only"]


@pytest.mark.parametrize("name,context", [(n, K) for n in NAMES] + [(n, 0) for n in SIGHTED])
def test_teacher_forcing_and_free_rollout_agree_at_step_1(models, windows, name, context):
    model, frames, actions = models[name], windows.frames, windows.all_actions
    forced, free = (run(model, frames, actions, context) for run in (rollout.teacher_forced, rollout.free))
    assert forced.shape == free.shape == (len(windows), K + N - context, model.state_size)
    if name == "shuffled":  # which wrong actions it is told depends on how many it is asked for
        one_step = frames[:, : context + 2], actions[:, : context + 1], context
        forced, free = rollout.teacher_forced(model, *one_step), rollout.free(model, *one_step)
    torch.testing.assert_close(forced[:, 0], free[:, 0], rtol=1e-4, atol=1e-5)


def differs(one, other):
    """Which of the N steps differ, in any window."""
    return [not torch.allclose(one[:, h], other[:, h], rtol=0, atol=1e-6) for h in range(one.shape[1])]


@pytest.mark.parametrize("h", range(1, N + 1))
@pytest.mark.parametrize("name", SIGHTED)
def test_teacher_forced_step_h_is_the_first_to_see_the_frame_just_before_it(models, windows, name, h):
    frames, last_seen = windows.frames.clone(), K + h - 1
    frames[:, last_seen] = 1 - frames[:, last_seen]
    before = rollout.teacher_forced(models[name], windows.frames, windows.all_actions, K)
    after = rollout.teacher_forced(models[name], frames, windows.all_actions, K)
    assert differs(before, after)[:h] == [False] * (h - 1) + [True]


@pytest.mark.parametrize("name", NAMES)
def test_a_free_rollout_sees_no_frame_after_the_context(models, windows, name):
    frames = windows.frames.clone()
    frames[:, K + 1 :] = 1 - frames[:, K + 1 :]
    before = rollout.free(models[name], windows.frames, windows.all_actions, K)
    after = rollout.free(models[name], frames, windows.all_actions, K)
    torch.testing.assert_close(before, after, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SIGHTED)
def test_a_free_rollout_sees_the_last_frame_of_the_context(models, windows, name):
    frames = windows.frames.clone()
    frames[:, K] = 1 - frames[:, K]
    before = rollout.free(models[name], windows.frames, windows.all_actions, K)
    assert all(differs(before, rollout.free(models[name], frames, windows.all_actions, K)))


@pytest.mark.parametrize("run", [rollout.free, rollout.teacher_forced])
@pytest.mark.parametrize("name", [*LADDER, "memory", "exact physics"])
def test_step_h_is_the_first_to_feel_the_action_that_leads_to_it(models, windows, name, run):
    for h in range(1, N + 1):
        actions = windows.all_actions.clone()
        actions[:, K + h - 1] = 1 - actions[:, K + h - 1]
        before, after = (run(models[name], windows.frames, a, K) for a in (windows.all_actions, actions))
        assert differs(before, after)[:h] == [False] * (h - 1) + [True]


def test_rolling_out_asks_for_no_gradients(models, windows):
    model = untrained(Memory).requires_grad_(True)
    assert not rollout.free(model, windows.frames, windows.all_actions, K).requires_grad
    assert not rollout.teacher_forced(model, windows.frames, windows.all_actions, K).requires_grad


@pytest.mark.parametrize("run", [rollout.free, rollout.teacher_forced])
@pytest.mark.parametrize("context", [-1, K + N, K + N + 5])
def test_a_context_that_leaves_nothing_to_predict_is_refused(models, windows, run, context):
    with pytest.raises(ValueError, match=f"choose 0 to {K + N - 1}, so that a step is left to predict"):
        run(models["memory"], windows.frames, windows.all_actions, context)


@pytest.mark.parametrize("run", [rollout.free, rollout.teacher_forced])
def test_frames_and_actions_that_do_not_fit_are_refused(models, windows, run):
    with pytest.raises(ValueError, match="one action between two frames"):
        run(models["memory"], windows.frames[:, :-1], windows.all_actions, K)
    with pytest.raises(ValueError, match="frames hold NaN"):
        run(models["memory"], windows.frames * torch.nan, windows.all_actions, K)
