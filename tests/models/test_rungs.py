"""Every rung of the ladder: what its state holds, what it learns from, and the one thing that it changes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from awake import awake

from latent_dynamics import artifacts, rollout, store
from latent_dynamics.data.episodes import Episodes
from latent_dynamics.judging.references import untrained
from latent_dynamics.keeping.artifacts import LADDER
from latent_dynamics.models import Autoencoder, BalanceEyes, MultiStep, NoiseRobust, Recurrent, TwoFrame, teaching
from latent_dynamics.models.latent_world import code_windows
from latent_dynamics.models.position_velocity import CONTEXT
from latent_dynamics.models.training import seeded, train

pytestmark = pytest.mark.usefixtures("one_thread")
B, K, N = 3, 4, 5
SMALL = {  # settings that keep a rung small, and the size of its state then
    "autoencoder_mlp": ({"latent_size": 3, "hidden": 16}, 3),
    "two_frame": ({"latent_size": 3, "hidden": 16}, 6),
    "multi_step": ({"latent_size": 3, "hidden": 16, "horizon": 3}, 6),
    "noise_robust": ({"latent_size": 3, "hidden": 16}, 6),
    "recurrent": ({"latent_size": 3, "hidden": 8, "memory": 5, "context": 2, "horizon": 3}, 11),
    "position_velocity": ({"hidden": 4, "remembers": 6, "horizon": 3}, 10),
}
every_name = pytest.mark.parametrize("name", LADDER)


def small(name, seed=0):
    """A rung with random weights."""
    return untrained(lambda: LADDER[name](**SMALL[name][0]), seed)


@pytest.fixture(scope="module")
def splits(mixed_episodes):
    """Episodes to learn from, and others to validate with."""
    return mixed_episodes[1:4], mixed_episodes[4:5]


@pytest.fixture(scope="module")
def rungs(splits):
    """Every rung, untrained, but with the scales and eyes that it takes from the training episodes."""
    models = {name: awake(small(name)) for name in LADDER}
    frames = torch.from_numpy(splits[0].frames / np.float32(255))
    for model in models.values():
        if model.needs_eyes == "autoencoder":  # without training, all frames look nearly alike to it
            with torch.no_grad():
                model.eyes.to_latent[-1].weight /= model.eyes.encode(frames).std()
        else:
            model.eyes.fit(frames)
        next(iter(model.lessons(*splits)))
    return models


@pytest.fixture(scope="module")
def window(mixed_episodes):
    """Frames (B, K + N + 1, H, W), actions (B, K + N): the whole pole is seen, and it moves from each to the next."""
    frames, actions, states = mixed_episodes.windows(K + N, stride=10)
    good = (abs(states[..., 0]) < 1.5).all(1) & (abs(np.diff(frames, axis=1)).max((2, 3)) > 0.1).all(1)
    return torch.from_numpy(frames[good][:B]), torch.from_numpy(actions[good][:B])


@pytest.fixture(params=LADDER)
def rung(request, rungs):
    return rungs[request.param]


def seen(model, window):
    """The beliefs after each of the K + 1 first frames."""
    frames, actions = window
    with torch.no_grad():
        return model.filter(frames[:, : K + 1], actions[:, :K])


# What every rung owes


@every_name
def test_beliefs_states_and_pictures_have_the_sizes_that_the_rung_documents(name, rungs, window):
    model, size = rungs[name], SMALL[name][1]
    beliefs = seen(model, window)
    states = model.imagine(beliefs[:, -1], window[1][:, K:])
    assert model.state_size == size
    assert beliefs.shape == (B, K + 1, size) and states.shape == (B, N, size)
    assert model.decode(states).shape == (B, N, 32, 100)
    assert [tuple(part.shape) for part in model.outcome(states)] == [(B, N), (B, N)]


def test_the_last_belief_of_the_filter_is_what_is_observed(rung, window):
    frames, actions = window
    assert torch.equal(rung.observe(frames[:, : K + 1], actions[:, :K]), seen(rung, window)[:, -1])


def test_imagining_many_steps_is_imagining_single_steps(rung, window):
    state, actions = seen(rung, window)[:, -1], window[1][:, K:]
    for h, together in enumerate(rung.imagine(state, actions).unbind(1)):
        state = rung.imagine(state, actions[:, h : h + 1])[:, 0]
        assert torch.equal(state, together)


def test_teacher_forcing_and_free_rollout_agree_at_their_first_step_and_part_later(rung, window):
    forced, free = rollout.teacher_forced(rung, *window, K), rollout.free(rung, *window, K)
    torch.testing.assert_close(forced[:, 0], free[:, 0], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(forced[:, 1], free[:, 1], rtol=1e-3, atol=1e-3)


def test_the_push_matters_to_every_rung_and_within_two_steps_to_its_picture(rung, window):
    belief, pushes = seen(rung, window)[:, -1], window[1][:, K:]
    other = torch.cat([1 - pushes[:, :1], pushes[:, 1:]], 1)
    one, two = rung.imagine(belief, pushes), rung.imagine(belief, other)
    assert ((one[:, 0] - two[:, 0]).abs().amax(1) > 1e-4).all()
    assert ((rung.decode(one[:, 1]) - rung.decode(two[:, 1])).abs().amax((1, 2)) > 1e-6).all()


@pytest.mark.parametrize("t", range(K + 1))
def test_a_belief_knows_its_own_frame_and_none_still_to_come(rung, window, t):
    frames, actions = window
    changed = frames.clone()
    changed[:, t:] = frames.roll(1, 0)[:, t:]  # real frames, of another window
    before, after = seen(rung, window), seen(rung, (changed, actions))
    assert torch.equal(before[:, :t], after[:, :t])
    assert ((before[:, t] - after[:, t]).abs().amax(-1) > 1e-3).all()


@every_name
@pytest.mark.parametrize("t", range(K))
def test_a_push_enters_no_belief_before_the_frame_that_it_leads_to(name, rungs, window, t):
    frames, actions = window
    other = actions.clone()
    other[:, t] = 1 - other[:, t]
    before, after = seen(rungs[name], window), seen(rungs[name], (frames, other))
    assert torch.equal(before[:, : t + 1], after[:, : t + 1])
    if name in ("recurrent", "position_velocity"):  # the others do not ask what was pushed to see what is
        assert ((before[:, t + 1] - after[:, t + 1]).abs().amax(-1) > 1e-5).all()


def test_no_rung_learns_from_true_states(rung, splits):
    blind = [replace(part, states=np.full_like(part.states, np.nan)) for part in splits]
    with_states, without = (next(iter(rung.lessons(*parts))) for parts in (splits, blind))
    for one, other in zip((*with_states.data, *with_states.validation), (*without.data, *without.validation)):
        assert torch.equal(one, other) and not one.isnan().any()


@pytest.fixture
def train_shortly(monkeypatch, tmp_path, splits):
    """A function that trains a small rung by the package's own recipe, on a few episodes, for one epoch."""
    eyes = {"balance": awake(untrained(BalanceEyes))}
    eyes["balance"].fit(torch.from_numpy(splits[0].frames / np.float32(255)))
    eyes["autoencoder"] = untrained(lambda: Autoencoder(3))

    class Ready:
        """Eyes that were trained before."""

        def __init__(self, kind, *_):
            self.key, self.load = {"kind": kind}, lambda: eyes[kind]
            self.arrays = {f"weights/{name}": part.numpy() for name, part in eyes[kind].state_dict().items()}

        def copies(self):
            yield self.arrays, {}

    whole = SimpleNamespace(split=dict(zip(("train", "validation"), splits)).get)
    monkeypatch.setattr(artifacts._Eyes, "of", Ready)
    monkeypatch.setattr(artifacts, "load_episodes", lambda name, seed: whole)
    monkeypatch.setattr(
        teaching, "train",
        lambda model, loss, data, validation, budget, seed, label, after_step: train(
            model, loss, tuple(part[:150] for part in data), tuple(part[:40] for part in validation),
            replace(budget, epochs=1), seed, label, bar=False,
        ),
    )  # fmt: skip
    folders = (str(tmp_path / str(number)) for number in range(9))

    def make(name, seed, **settings):
        monkeypatch.setenv("LATENT_DYNAMICS_CACHE", next(folders))  # each time anew
        torch.rand(len(store.loaded()) + 1)  # what was drawn before must not matter
        model = artifacts.load_model(name, seed=seed, shipped=False, **SMALL[name][0] | settings)
        return model, eyes[model.needs_eyes]

    return make


@every_name
def test_training_repeats_itself_to_the_bit_and_leaves_the_eyes_alone(name, train_shortly):
    (one, eyes), (again, _), (other, _) = (train_shortly(name, seed) for seed in (3, 3, 4))
    weights, start = one.state_dict(), small(name, 3).state_dict()
    assert all(torch.equal(weights[part], again.state_dict()[part]) for part in weights)
    assert all(np.array_equal(curve, again.history[term]) for term, curve in one.history.items())
    assert any(not torch.equal(weights[part], other.state_dict()[part]) for part in weights)
    assert any(not torch.equal(weights[part], start[part]) for part in weights if not part.startswith("eyes."))
    assert all(torch.equal(weights[f"eyes.{part}"], value) for part, value in eyes.state_dict().items())
    assert all(len(curve) == 1 and np.isfinite(curve).all() for curve in one.history.values())


@pytest.mark.parametrize("name,other", [("recurrent", "balance"), ("position_velocity", "autoencoder")])
def test_a_rung_that_asks_for_other_eyes_is_handed_those(name, other, train_shortly):
    settings = {"eyes": other} | ({"latent_size": 3} if other == "autoencoder" else {})
    model, eyes = train_shortly(name, 3, **settings)
    assert model.needs_eyes == other and all(len(curve) == 1 for curve in model.history.values())
    assert all(torch.equal(model.eyes.state_dict()[part], value) for part, value in eyes.state_dict().items())
    keys = [artifacts.model_key(name, 3, **more)["eyes"] for more in ({}, settings)]
    assert keys[0] != keys[1]


# Windows of codes


@pytest.fixture(scope="module")
def toy():
    """Episodes of 3, 6, 2 and 4 steps without pictures, each action with a number of its own."""
    lengths = np.array([3, 6, 2, 4])
    steps, frames = lengths.sum(), (lengths + 1).sum()
    ends = np.isin(np.arange(steps), lengths.cumsum() - 1)
    return Episodes(
        frames=np.zeros((frames, 1, 1), np.uint8), states=np.zeros((frames, 4)), actions=np.arange(100, 100 + steps),
        rewards=np.ones(steps, np.float32), terminated=ends, truncated=~ends, lengths=lengths,
    )  # fmt: skip


@pytest.mark.parametrize("steps,count", [(1, 15), (2, 11), (3, 7), (6, 1)])
def test_windows_of_codes_never_cross_from_one_episode_into_the_next(toy, steps, count):
    codes, actions, there = code_windows(toy, torch.arange(19.0)[:, None], steps)  # a code is its frame's number
    assert codes.shape == (count, steps + 1, 1) and actions.shape == there.shape == (count, steps)
    frames = codes[..., 0].long()
    assert (frames.diff(dim=1) == 1).all() and frames[:, 0].unique().numel() == count and (there == 1).all()
    episode = torch.from_numpy(toy.episode_of_frame)[frames]
    assert (episode == episode[:, :1]).all()


@pytest.mark.parametrize("steps,least", [(1, 1), (3, 3), (3, 1), (6, 2), (9, 4)])
def test_a_window_has_the_push_taken_at_each_frame_and_says_where_its_episode_was_over(toy, steps, least):
    codes, actions, there = code_windows(toy, torch.arange(19.0)[:, None], steps, least=least)
    taken = dict(zip(toy.before.tolist(), toy.actions.tolist()))  # by frame
    last = [3, 10, 13, 18]  # the last frame of each episode
    begins = [frame for frame in range(19) if min(end for end in last if end >= frame) - frame >= least]
    assert codes[:, 0, 0].tolist() == begins
    for frames, pushes, kept in zip(codes[..., 0].long().tolist(), actions.tolist(), there.bool().tolist()):
        end = min(end for end in last if end >= frames[0])
        assert frames == [min(frames[0] + t, end) for t in range(steps + 1)]
        assert kept == [frames[0] + t < end for t in range(steps)]
        assert [push for push, there in zip(pushes, kept) if there] == [taken[f] for f in frames[:-1] if f < end]


@pytest.mark.parametrize("name", [name for name in LADDER if name != "autoencoder_mlp"])  # it learns transitions
def test_training_windows_hold_what_is_seen_and_what_is_dreamt(name, rungs, splits):
    model = rungs[name]
    seen_first = CONTEXT if name == "position_velocity" else model.context
    codes, actions, *_ = next(iter(model.lessons(*splits))).data
    assert codes.shape[1] - 1 == actions.shape[1] == seen_first + model.horizon


# Two frames


def scaled_like_latents(model, z):
    """Give a model the scales of made-up latents (B, T, latent_size)."""
    model.mean.copy_(z.mean((0, 1)))
    model.spread.copy_(z.std((0, 1)))
    model.change_spread.copy_(z.diff(dim=1).std((0, 1)))
    return model


@pytest.fixture(scope="module")
def latents():
    """Made-up latents (400, 7, 3) that change by very different steps, pushes (400, 6), all of them there."""
    rng = torch.Generator().manual_seed(0)
    z = (torch.randn(400, 7, 3, generator=rng) * torch.tensor([0.01, 1.0, 50.0])).cumsum(1)
    return z, torch.randint(0, 2, (400, 6), generator=rng), torch.ones(400, 6)


def test_the_first_belief_has_seen_no_change_and_later_ones_the_change_between_two_codes(rungs, window):
    model = rungs["two_frame"]
    beliefs = seen(model, window)
    z, change = beliefs[..., :3], beliefs[..., 3:]
    codes = model.autoencoder.encode(window[0][:, : K + 1]).detach()
    torch.testing.assert_close(z, codes, rtol=1e-5, atol=1e-6)
    assert (change[:, 0] == 0).all()
    torch.testing.assert_close(change[:, 1:], z[:, 1:] - z[:, :-1], rtol=0, atol=1e-6)
    assert (change[:, 1:].abs().amax(-1) > 0).all()


def test_an_imagined_change_is_the_one_between_two_imagined_latents(rungs, window):
    belief = seen(rungs["two_frame"], window)[:, -1]
    states = torch.cat([belief[:, None], rungs["two_frame"].imagine(belief, window[1][:, K:])], 1)
    torch.testing.assert_close(states[:, 1:, 3:], states[..., :3].diff(dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("sees_change", [True, False])
def test_a_network_that_is_not_shown_the_change_does_not_depend_on_it(latents, sees_change):
    z, actions, _ = latents
    model = scaled_like_latents(untrained(lambda: TwoFrame(3, 16, sees_change=sees_change)), z)
    rest, moves = torch.cat([z[:, 1], 0 * z[:, 1]], -1), torch.cat([z[:, 1], z[:, 1] - z[:, 0]], -1)
    same = torch.equal(model.step(rest, actions[:, 0]), model.step(moves, actions[:, 0]))
    assert same == (not sees_change)


# Dreams of several steps


def test_one_step_of_multi_step_is_the_loss_of_two_frame(latents):
    z, actions, there = latents
    parent, child = TwoFrame(3, 16), MultiStep(horizon=1, latent_size=3, hidden=16)
    child.load_state_dict(scaled_like_latents(parent, z).state_dict())
    steps = parent.context + 1
    batch = z[:, : steps + 1], actions[:, :steps], there[:, :steps]
    ours, theirs = child.eval().loss(*batch), parent.eval().loss(*batch)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[term], theirs[term]) for term in ours)


@pytest.mark.parametrize("name", ["two_frame", "multi_step", "noise_robust", "recurrent"])
def test_the_loss_of_a_dream_is_the_mean_over_steps_from_the_models_own_states(name, latents):
    z, actions, there = latents
    model = scaled_like_latents(small(name), z)
    loss, belief = model.loss(z, actions, there)["loss"], model.begin(z[:, 0])
    for t in range(model.context):
        belief = model.update(belief, actions[:, t], z[:, t + 1])
    dreamt = model.imagine(belief, actions[:, model.context :])[..., :3]
    missed = (dreamt - z[:, model.context + 1 :]) / model.change_spread
    squared = missed.square() if name != "recurrent" else torch.where(abs(missed) < 1, missed**2 / 2, abs(missed) - 0.5)
    expected = squared.mean()
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", ["two_frame", "multi_step", "noise_robust", "recurrent"])
def test_what_fills_a_window_after_its_end_teaches_nothing(name, latents):
    z, actions, there = (part[:9].clone() for part in latents)
    model = scaled_like_latents(small(name).eval(), latents[0])
    there[:4, 3:] = 0  # these end after the third step
    filled, other = z.clone(), actions.clone()
    filled[:4, 4:], other[:4, 3:] = 7.0, 1 - actions[:4, 3:]
    right, same = model.loss(z, actions, there), model.loss(filled, other, there)
    believed = model.loss(filled, other, torch.ones(9, 6))
    assert torch.equal(right["loss"], same["loss"]) and right["loss"] != believed["loss"]
    errors = [model.loss(z[rows], actions[rows], there[rows])["loss"] for rows in (slice(0, 4), slice(4, 9))]
    counts = torch.tensor([4 * max(0, 3 - model.context), 5 * (6 - model.context)])  # each dreamt step counts alike
    torch.testing.assert_close(right["loss"], (torch.stack(errors) * counts).sum() / counts.sum())


def test_a_memory_learns_to_dream_from_five_frames_on(latents, monkeypatch):
    shown = []
    model = untrained(lambda: Recurrent(3, memory=5, context=8, horizon=1)).train()
    begin = model.begin
    monkeypatch.setattr(model, "begin", lambda code: (shown.append(code), begin(code))[1])
    z, actions = torch.arange(10.0)[:, None].expand(2, 10, 3), torch.ones(2, 9, dtype=torch.int64)
    for _ in range(60):
        model.loss(z, actions, torch.ones(2, 9))
    assert {int(code[0, 0]) for code in shown} == {0, 1, 2, 3}  # 8 to 5 steps are seen
    shown.clear()
    model.eval().loss(z, actions, torch.ones(2, 9))
    assert [int(code[0, 0]) for code in shown] == [0]


@pytest.mark.parametrize("name", ["multi_step", "recurrent"])
def test_the_gradient_of_a_late_error_reaches_the_first_step_of_a_dream(name, latents, monkeypatch):
    z, actions, there = (part[:5] for part in latents)
    model, states = scaled_like_latents(small(name), latents[0]), []
    step = model.step

    def remember(belief, action):
        states.append(step(belief, action))
        states[-1].retain_grad()
        return states[-1]

    monkeypatch.setattr(model, "step", remember)
    dream = model.loss(z, actions, there)["loss"]
    first, last = states[0], states[-1]
    assert len(states) == 6 - model.context
    late_error = ((last[:, :3] - z[:, 6]) / model.change_spread).square().mean()
    late_error.backward(retain_graph=True)
    assert (first.grad.abs().amax(1) > 0).all()
    by_late_error, first.grad = first.grad, None
    dream.backward()  # the mean over steps holds that error, and the ones before it
    assert (last.grad.abs().amax(1) > 0).all() and not torch.allclose(first.grad, by_late_error / len(states))


# Noise


class Spy(NoiseRobust):
    """Remembers what it is shown, and dreams the truth."""

    truth = None

    def begin(self, code):
        self.shown = [code]
        return super().begin(code)

    def update(self, belief, action, code):
        self.shown.append(code)
        return super().update(belief, action, code)

    def step(self, belief, action):
        return torch.cat([self.truth, 0 * self.truth], -1)


@pytest.mark.parametrize("noise", [0.1, 0.3, 3.0])
def test_noise_is_added_in_training_in_units_of_a_steps_change_and_the_target_stays_clean(latents, noise):
    z, actions, there = (part[:, :n] for part, n in zip(latents, (3, 2, 2)))
    spy = scaled_like_latents(Spy(noise=noise, latent_size=3), z)
    spy.truth = z[:, 2]
    with seeded(0):
        terms = spy.train().loss(z, actions, there)
    added = (torch.stack(spy.shown, 1) - z[:, :2]) / spy.change_spread  # (400, 2, 3)
    torch.testing.assert_close(added.std((0, 1)), torch.full((3,), noise), rtol=0.1, atol=0)
    assert abs(added.mean()) < 0.15 * noise and len(added.unique()) > 2000  # every number has its own
    assert terms["loss"] == 0


def test_noise_is_not_added_outside_training_nor_where_none_is_asked_for(latents):
    z, actions, there = (part[:, :n] for part, n in zip(latents, (3, 2, 2)))
    for model in (Spy(noise=0.3, latent_size=3).eval(), Spy(noise=0.0, latent_size=3).train()):
        model.truth = z[:, 2]
        model.loss(z, actions, there)
        assert torch.equal(torch.stack(model.shown, 1), z[:, :2])


@pytest.mark.parametrize("make", [TwoFrame, MultiStep, Recurrent])
def test_every_latent_rung_can_be_trained_with_noise_and_is_without_it_by_default(make):
    assert make().noise == 0 and make(noise=0.3).noise == 0.3
    assert NoiseRobust().noise > 0 and NoiseRobust().horizon == TwoFrame().horizon == 1 < MultiStep().horizon


@pytest.mark.parametrize(
    "make",
    [
        lambda: TwoFrame(horizon=0), lambda: MultiStep(horizon=0), lambda: Recurrent(horizon=-1),
        lambda: NoiseRobust(noise=-0.1), lambda: Recurrent(noise=-1.0), lambda: Recurrent(context=-1),
        lambda: TwoFrame(longer=0), lambda: TwoFrame(longer=0.5),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_with_what_was_expected(make):
    expected = r"context -?\d+, horizon .*, noise .*, longer .*; expected at least 0, at least 1, at least 0, and a w"
    with pytest.raises(ValueError, match=expected):
        make()


def test_a_network_without_layers_is_refused():
    with pytest.raises(ValueError, match="0 hidden layers; the network needs at least 1"):
        TwoFrame(layers=0)


# Memory


def test_a_memory_tells_apart_two_pasts_that_look_the_same_for_two_frames(rungs, window):
    frames, actions = window[0][:, : K + 1], window[1][:, :K]
    other = frames.clone()
    other[:, : K - 1] = frames.roll(1, 0)[:, : K - 1]
    for name, remembers in (("two_frame", False), ("recurrent", True)):
        one, two = (rungs[name].observe(past, actions).detach() for past in (frames, other))
        torch.testing.assert_close(one[:, :6], two[:, :6], rtol=0, atol=1e-6)  # z and dz
        assert ((one - two).abs().amax(1) > 1e-3).tolist() == [remembers] * B
        one, two = (rungs[name].imagine(belief, window[1][:, K:])[:, 0, :3] for belief in (one, two))
        assert ((one - two).abs().amax(1) > 1e-4).tolist() == [remembers] * B


def test_a_memory_begins_empty_and_goes_on_in_a_dream(rungs, window):
    model, beliefs = rungs["recurrent"], seen(rungs["recurrent"], window)
    assert (beliefs[:, 0, 6:] == 0).all() and (beliefs[:, 1, 6:] != 0).any()
    states = model.imagine(beliefs[:, -1], window[1][:, K:])
    assert (states[..., 6:].diff(dim=1).abs().amax(-1) > 1e-6).all()


def test_while_it_sees_the_real_latent_takes_the_predictions_place_and_the_memory_stays(rungs, latents):
    model, (z, actions, _) = rungs["recurrent"], latents
    belief = torch.cat([z[:, 0], z[:, 1], torch.randn(400, 5)], -1)
    dreamt, corrected = model.step(belief, actions[:, 0]), model.update(belief, actions[:, 0], z[:, 2])
    assert torch.equal(dreamt[:, 6:], corrected[:, 6:])
    assert torch.equal(corrected[:, :6], torch.cat([z[:, 2], z[:, 2] - z[:, 0]], -1))
