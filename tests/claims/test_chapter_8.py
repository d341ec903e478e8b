"""The claims of chapter 8, Multi-step and noise-robust training, each with its control."""

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import drift, references, statistics
from latent_dynamics.models.eyes import seen as encoded
from latent_dynamics.models.latent_world import code_windows
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.rendering import draw

pytestmark = pytest.mark.claims


# Over training seeds: what is recorded, and is measured anew for one model below

COIN = "intervened"


@pytest.fixture(scope="module")
def figures():
    return ld.ladder.figures()


@pytest.fixture(scope="module")
def tried(figures):
    """Experiments by name; those that are rungs with all the seeds of these."""
    rungs = {name: figures["rungs"][rung] for name, rung in ld.ladder.SAME.items()}
    return figures["experiments"] | rungs


def error(evaluations, step, protocol=COIN):
    return statistics.interval(ld.ladder.scores(evaluations, protocol), statistics.error_at(step))[0]


def answers(*asked):
    """Compare pairs (one, other, step, protocol), corrected for all: -1 less, 1 more, 0 no difference shown."""
    found = [ld.ladder.compare(one, other, statistics.error_at(h), protocol) for one, other, h, protocol in asked]
    sure = statistics.holm([p for *_, p in found])
    return [int(np.sign(one[0])) if p < 0.05 else 0 for one, p in zip(found, sure, strict=True)]


@pytest.mark.recorded
def test_training_on_own_dreams_makes_dreams_better_and_leaves_them_far_from_exact_physics(tried, figures):
    one, five = (tried[f"two frames, {n} steps"] for n in (1, 5))
    assert error(five, 10) < 0.9 * error(one, 10)
    assert error(five, 10) > 4 * error(figures["references"]["exact physics"], 10)
    assert answers((tried["memory"], five, 10, COIN)) == [-1]  # control: what a memory buys with the same latents


@pytest.mark.recorded
def test_the_gain_stops_after_a_few_steps(tried):
    by = {n: error(tried[f"two frames, {n} steps"], 10) for n in ld.ladder.HORIZONS}
    assert by[20] > 0.9 * min(by[3], by[5])
    assert min(by[3], by[5]) < by[1]


@pytest.mark.recorded
def test_it_needs_no_deeper_network(tried):
    shallow, usual, deep = (
        tried[name] for name in ("1 hidden layer, 5 steps", "two frames, 5 steps", "4 hidden layers, 5 steps")
    )
    assert answers((deep, usual, 10, COIN)) != [-1]
    assert min(error(shallow, 10), error(usual, 10)) < 1.1 * error(deep, 10)
    assert error(usual, 10) < error(tried["two frames, 1 steps"], 10)  # the same network on single steps


@pytest.mark.recorded
def test_no_amount_of_noise_leads_past_a_photograph_and_much_of_it_spoils_single_steps(tried, figures):
    still, none = figures["references"]["repeat the last frame"], tried["two frames, 1 steps"]
    for n in ld.ladder.NOISES:
        for step in (5, 10):
            assert error(tried[f"noise {n}"], step) > 0.95 * error(still, step), (n, step)
    assert error(tried["memory"], 10) < 0.7 * error(still, 10)  # control: a model that does get past it
    assert error(tried["noise 3.0"], 1) > 1.05 * error(none, 1)


# Inside the models of the default seed


@pytest.fixture(scope="module")
def models():
    return {name: ld.load_model(name) for name in ("two_frame", "multi_step", "noise_robust")}


@pytest.fixture(scope="module")
def windows(models):
    """Codes (B, 22, 8), pushes (B, 21) and states (B, 22, 4) of test windows, and the belief after two frames."""
    test = ld.load_episodes("mixed", "test")
    z, pushes, _ = code_windows(test, encoded(models["two_frame"].eyes, test), 21, stride=15)
    frame, _, _ = test.window_starts(21, stride=15)
    truth = torch.from_numpy(test.states[frame[:, None] + np.arange(22)])
    return z, pushes, truth, torch.cat([z[:, 1], z[:, 1] - z[:, 0]], 1)


@pytest.fixture(scope="module")
def moves():
    """A step's change of cart and pole: (2,)."""
    train = ld.load_episodes("mixed", "train")
    return torch.from_numpy((train.states[train.before + 1] - train.states[train.before]).std(0))[[0, 2]]


def step_losses(model, windows):
    z, pushes, _, seen = windows
    dreamt = model.imagine(seen, pushes[:, 1:])[..., :8]
    return ((dreamt - z[:, 2:]) / model.change_spread).square().mean((0, 2))


def ways(model, states, moves, copies=16):
    shift = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (len(states), copies, 2)))
    near = states[:, None].repeat(1, copies, 1)
    near[..., [0, 2]] += shift * moves
    codes = model.see(torch.from_numpy(from_bytes(draw(near.flatten(0, 1).numpy(), workers=1))))
    codes = codes.unflatten(0, (-1, copies)) / model.change_spread
    inputs = torch.cat([shift, torch.ones(*shift.shape[:2], 1)], -1).float()
    return torch.linalg.lstsq(inputs, codes).solution[:, :2]


def share_along(error, way):
    directions = torch.linalg.qr(way.mT).Q.mT
    return float((directions @ error[..., None]).square().sum() / error.square().sum())


def test_the_record_of_dreams_is_what_the_model_does(models, figures):
    seed, windows = ld.artifacts.default_seed(), ld.ladder.windows()[COIN][::4]
    if seed not in figures["rungs"]["multi_step"]:
        pytest.skip("nothing is recorded of this seed")
    record = ld.ladder.scores({seed: figures["rungs"]["multi_step"][seed]})[0]
    now = drift.judge(models["multi_step"], windows)
    for step in (1, 5, 10):
        low, high = now.interval(lambda rows, h=step: now.median(rows=rows)[h - 1])
        assert low <= np.nanmedian(record.theta[step][::4]) <= high, step


def test_a_worse_single_step_goes_with_a_better_dream(models, windows):
    two, multi = (step_losses(models[name], windows) for name in ("two_frame", "multi_step"))
    assert two[0] < multi[0]
    assert multi[:5].mean() < two[:5].mean()
    assert multi.mean() < two.mean()


def test_training_on_dreams_gives_back_some_of_the_motion_and_of_the_pushes(models):
    w = ld.ladder.windows()[COIN][::2]
    left, start, shares = 0 * w.actions[:, 0], w.states[:, 0], {}
    coasting = start
    for _ in range(5):
        coasting = (ld.cartpole.step(coasting, left) + ld.cartpole.step(coasting, left + 1)) / 2
    motion = ld.reader.degrees(coasting[:, 2] - start[:, 2]).numpy()
    pushed = ld.reader.degrees(w.states[:, 5, 2] - start[:, 2]).numpy() - motion
    for name, model in (models | {"physics": references.ExactPhysics()}).items():
        j = drift.judge(model, w)
        keep = j.alive[:, 4] & np.isfinite(j.theta[:, 4])
        change = j.theta[:, 4] - ld.reader.degrees(start[:, 2]).numpy()
        parts = np.stack([motion, pushed, np.ones(len(motion))], 1)
        shares[name] = np.linalg.lstsq(parts[keep], change[keep], rcond=None)[0][:2]
    assert max(shares["two_frame"]) < 0.35
    assert shares["multi_step"][0] > shares["two_frame"][0] + 0.03
    assert shares["multi_step"][1] > shares["two_frame"][1] + 0.15
    assert max(shares["noise_robust"]) < max(shares["multi_step"])
    np.testing.assert_allclose(shares["physics"], 1, atol=0.12)


def test_models_mistrust_the_poles_motion_and_training_on_dreams_mends_part_of_it(models, windows, moves):
    z, pushes, truth, seen = windows
    way, trust = ways(models["two_frame"], truth[:, 1], moves), {}
    for name, model in models.items():
        more = seen.clone()
        more[:, 8:] += way[:, 1] * model.change_spread
        answer = (model.step(more, pushes[:, 1]) - model.step(seen, pushes[:, 1]))[:, 8:] / model.change_spread
        trust[name] = float(torch.linalg.lstsq(way.mT, answer[..., None]).solution[:, 1, 0].median())
    assert trust["two_frame"] < 0.5
    assert trust["multi_step"] > trust["two_frame"] + 0.1
    assert trust["noise_robust"] < trust["two_frame"] - 0.1


def test_so_does_a_straight_line_when_its_positions_are_read_off_frames(moves):
    half = ld.load_episodes("mixed", "train")[::3]
    seen = ld.reader.measure(ld.artifacts.frames_of(half))

    def trust_in_the_pole(positions):
        q, a, _ = code_windows(half, torch.as_tensor(positions) / moves, 2)
        inputs = torch.cat([q[:, 1] - q[:, 0], q[:, 1], 2.0 * a - 1, torch.ones(len(q), 1)], 1)
        return float(torch.linalg.lstsq(inputs, q[:, 2] - q[:, 1]).solution[1, 1])

    assert trust_in_the_pole(half.states[:, [0, 2]]) > 0.95  # control: the true positions
    assert trust_in_the_pole(torch.stack([seen.x, seen.theta], -1)) < 0.7


def test_gradients_of_late_steps_take_over_and_do_not_explode_as_the_worlds_would(models, windows, moves):
    z, pushes, truth, seen = windows
    model = models["multi_step"]
    unit = torch.cat([model.change_spread, model.change_spread])
    weights = [weight.requires_grad_(True) for weight in model.net.parameters()]
    losses = step_losses(model, windows)
    by_step = [torch.autograd.grad(losses[h], weights, retain_graph=True) for h in (0, 19)]
    model.requires_grad_(False)
    first, last = (torch.cat([part.flatten() for part in parts]) for parts in by_step)
    assert last.norm() > 50 * first.norm()
    assert torch.cosine_similarity(first, last, dim=0) < 0.6

    side = torch.randn(seen.shape, generator=torch.Generator().manual_seed(0)) * unit
    _, moved = torch.func.jvp(lambda b: model.imagine(b, pushes[:, 1:])[..., :8] / unit[:8], (seen,), (side,))
    grown = (moved[:, 19].norm(dim=1) / moved[:, 0].norm(dim=1)).median()
    state, carried, sizes = truth[:, 1], torch.eye(4, dtype=torch.float64), []
    units = torch.stack([moves[0], moves[0] / ld.cartpole.TIME_STEP, moves[1], moves[1] / ld.cartpole.TIME_STEP])
    for h in range(1, 21):
        carried, state = (
            ld.CARTPOLE.jacobian(state, pushes[:, h]) @ carried, ld.cartpole.step(state, pushes[:, h])
        )  # fmt: skip
        sizes.append((carried[:, [0, 2]] * units / moves[:, None]).square().sum((1, 2)).sqrt().median())
    assert grown < 0.6 * sizes[19] / sizes[0]


def test_the_world_grows_at_its_own_rate_in_the_direction_of_a_fall_and_faster_for_nudges_of_a_speed(windows):
    _, pushes, truth, _ = windows
    upright = ld.CARTPOLE.jacobian(torch.zeros(1, 4, dtype=torch.float64), torch.ones(1, dtype=torch.int64))[0]
    values, vectors = torch.linalg.eig(upright)
    nudges = torch.stack([vectors[:, values.abs().argmax()].real, torch.tensor([0, 0, 0, 1.0], dtype=torch.float64)], 1)
    state, carried, angles = truth[:, 1], nudges.expand(len(truth), 4, 2), []
    for h in range(1, 21):
        carried, state = (
            ld.CARTPOLE.jacobian(state, pushes[:, h]) @ carried, ld.cartpole.step(state, pushes[:, h])
        )  # fmt: skip
        angles.append(carried[:, 2].abs().median(0).values)
    falling, speed = (angles[19] / angles[0]).tolist()
    assert falling == pytest.approx(np.exp(19 * ld.CARTPOLE.growth_rate()), rel=0.15)
    assert speed > 4 * falling


def test_a_models_errors_lie_along_the_pictures_and_noise_does_not(models, windows, moves):
    z, pushes, truth, seen = windows
    model = models["two_frame"]
    way = ways(model, truth[:, 2], moves)
    off = (model.step(seen, pushes[:, 1])[:, :8] - z[:, 2]) / model.change_spread
    assert share_along(off, way) > 0.5
    noise = torch.randn(off.shape, generator=torch.Generator().manual_seed(0))
    assert share_along(noise, way) == pytest.approx(0.25, abs=0.06)


def test_noise_in_training_teaches_to_take_noise_back_and_not_a_dreams_own_error(models, windows):
    z, pushes, _, seen = windows
    unit = models["two_frame"].change_spread
    right = torch.cat([z[:, 6], z[:, 6] - z[:, 5]], 1)
    noise = 0.3 * unit * torch.randn(2, len(z), 8, generator=torch.Generator().manual_seed(0))
    noised = torch.cat([right[:, :8] + noise[1], right[:, 8:] + noise[1] - noise[0]], 1)
    dreamt = models["two_frame"].imagine(seen, pushes[:, 1:6])[:, -1]

    def off(model, belief, target):
        return float(((model.step(belief, pushes[:, 6])[:, :8] - target) / unit).square().mean().sqrt())

    left = [off(m, noised, m.step(right, pushes[:, 6])[:, :8]) for m in (models["two_frame"], models["noise_robust"])]
    assert left[1] < 0.85 * left[0]
    truth = [off(m, dreamt, z[:, 7]) for m in (models["two_frame"], models["noise_robust"])]
    assert truth[1] > 0.9 * truth[0]


def test_the_belief_of_all_three_is_the_same_so_a_controller_gains_nothing(models):
    test = ld.load_episodes("mixed", "test")
    w = drift.replayed_windows(test, context=3, horizon=1, stride=80)
    beliefs = [model.observe(w.frames[:, :4], w.actions_before) for model in models.values()]
    assert beliefs[0].std() > 0
    for belief in beliefs[1:]:
        torch.testing.assert_close(belief, beliefs[0])
