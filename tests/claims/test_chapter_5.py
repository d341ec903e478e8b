"""The claims of chapter 5, Controller comparison, each with its control."""

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import controllers, probes, reader
from latent_dynamics.keeping.artifacts import COMPARISON, VIEWS, default_seed, frames_of, load_autoencoder
from latent_dynamics.models import Autoencoder
from latent_dynamics.world.cartpole import sign_theta, sign_theta_and_velocity
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.rendering import draw

pytestmark = [pytest.mark.claims, pytest.mark.usefixtures("one_thread")]


@torch.no_grad()
def encode(model, frames):
    return torch.cat([model.encode(part) for part in frames.split(1024)])


class Task:
    """States and frames before each action of all three splits, and controllers cloned on them."""

    def __init__(self):
        seed, self.states, self.frames = default_seed(), [], []
        for name in ("train", "validation", "test"):
            part = ld.load_episodes("mixed", name)
            rows = np.arange(len(part.actions)) + np.repeat(np.arange(len(part)), part.lengths)
            if name == "train":
                rows = np.sort(np.random.default_rng(seed).permutation(rows)[:6000])
            self.states.append(torch.from_numpy(part.states[rows]))
            self.frames.append(frames_of(part)[rows])
        self.autoencoder = load_autoencoder()[0]
        self.z = [encode(self.autoencoder, part) for part in self.frames]

    def clone(self, code, rule=sign_theta, s=0):
        """Return the controller, its history, its test accuracy and its probabilities of right on test states."""
        targets = [rule(part) for part in self.states]
        fit, held_out, test = (part.float() for part in code)
        controller, history = controllers.clone(fit, targets[0], (held_out, targets[1]), default_seed() + s)
        p = controller.probability_right(test)
        return controller, history, float(((p > 0.5) == (targets[2] == 1)).double().mean()), p


@pytest.fixture(scope="module")
def task():
    return Task()


@pytest.fixture(scope="module")
def a(task):
    return [task.clone(task.states, s=s) for s in (0, 1)]


@pytest.fixture(scope="module")
def b(task):
    return [task.clone(task.z, s=s) for s in (0, 1)]


@pytest.fixture(scope="module")
def blank(task):
    eyes = ld.references.untrained(Autoencoder, default_seed())
    eyes.fit_mean(task.frames[0])
    return eyes, task.clone([encode(eyes, part) for part in task.frames])


@pytest.fixture(scope="module")
def unfair(task):
    codes = {
        "a": task.states, "b": task.z, "position": [part[:, [0, 2]] for part in task.states],
        "helped": [torch.cat([code, part[:, [1, 3]].float()], 1) for code, part in zip(task.z, task.states)],
    }  # fmt: skip
    return {name: task.clone(code, sign_theta_and_velocity) for name, code in codes.items()}


def seed_of_play():
    return default_seed() + 10_000


def play(act, sees="states"):
    return controllers.returns(act, 100, seed=seed_of_play(), sees=sees).mean()


def flipped(rule, share):
    tosses = torch.Generator().manual_seed(0)
    return lambda s: torch.where(torch.rand(len(s), generator=tosses) < share, rule(s), 1 - rule(s))


def test_b_is_useful_and_a_is_better_and_faster(a, b):
    for one, other in zip(a, b):
        assert other[2] > 0.85
        assert one[2] > other[2] + 0.02
        for term, sign in (("validation accuracy", 1), ("validation loss", -1)):
            assert (sign * one[1][term][[4, -1]] > sign * other[1][term][[4, -1]]).all()


def test_equal_accuracy_is_not_equal_loss(task, b):
    """B with three times its logits: not one decision changes, and the loss does."""
    right = sign_theta(task.states[2]) == 1

    def loss(p):
        return float(-torch.where(right, p, 1 - p).clamp(min=1e-12).log().mean())

    for *_, p in b:
        loud = torch.sigmoid(3 * torch.logit(p.double(), eps=1e-12))
        assert torch.equal(p > 0.5, loud > 0.5)
        assert loss(loud) > 1.2 * loss(p)


def test_b_is_often_right_and_less_certain_and_honest_about_it(a, b):
    sure = [torch.maximum(run[3], 1 - run[3]) for run in (a[0], b[0])]
    unsure = [float((c < 0.9).double().mean()) for c in sure]
    assert unsure[1] > 3 * unsure[0]
    assert abs(float(sure[1].mean()) - b[0][2]) < 0.03


def test_bs_boundary_is_messier(task, a, b):
    angles, places = np.linspace(-4, 4, 33), np.linspace(-2, 2, 17)
    grid = np.zeros((len(places), len(angles), 4))
    grid[..., 0], grid[..., 2] = places[:, None], np.radians(angles)
    states = grid.reshape(-1, 4)
    frames = torch.from_numpy(from_bytes(draw(states, workers=1)))
    clear = abs(states[:, 2]) > np.radians(0.5)
    wrong = [
        ((p > 0.5).numpy() != (states[:, 2] > 0))[clear].mean()
        for p in (
            a[0][0].probability_right(torch.from_numpy(states).float()),
            b[0][0].probability_right(encode(task.autoencoder, frames)),
        )
    ]
    assert wrong[0] < 0.005
    assert wrong[1] > wrong[0]
    doubt = [((p > 0.1) & (p < 0.9)).double().mean() for p in (a[0][3], b[0][3])]
    assert doubt[1] > 3 * doubt[0]


def test_b_errs_near_upright(task, b):
    wrong = (b[0][3] > 0.5) != (sign_theta(task.states[2]) == 1)
    near = task.states[2][:, 2].abs() < np.radians(0.5)
    assert wrong[near].double().mean() > 5 * wrong[~near].double().mean()
    assert wrong[near].sum() > 0.5 * wrong.sum()
    assert near.double().mean() < 0.4  # control: that is not where most states are


def test_training_matters_untrained_and_linear_codes_are_worse(task, b, blank):
    components = probes.pca(task.frames[0], task.autoencoder.latent_size)
    principal = task.clone([components(part) for part in task.frames])
    assert b[0][2] > blank[1][2] + 0.01
    assert b[0][2] > principal[2] + 0.05


def test_how_well_it_was_trained_matters_more_than_the_cropping(task, b):
    gray = [load_autoencoder(COMPARISON, seed=default_seed() + s)[0] for s in (0, 1)]
    raw = [load_autoencoder(COMPARISON, view="raw", seed=default_seed() + s)[0] for s in (0, 1)]
    screens = [draw(part.numpy(), VIEWS["raw"]) for part in task.states]

    def seen(model):
        pieces = [np.array_split(part, 1 + len(part) // 1024) for part in screens]
        return [torch.cat([encode(model, torch.from_numpy(from_bytes(p))) for p in part]) for part in pieces]

    small = np.mean([task.clone([encode(m, part) for part in task.frames], s=s)[2] for s, m in enumerate(gray)])
    whole = np.mean([task.clone(seen(m), s=s)[2] for s, m in enumerate(raw)])
    assert np.mean([run[2] for run in b]) - small > abs(small - whole)


def test_whole_pixels_take_a_good_part_of_the_gap_before_any_network_looks(task, a, b):
    expert = sign_theta(task.states[2]) == 1
    by_eye = float(((reader.measure(task.frames[2]).theta > 0) == expert).double().mean())
    assert a[0][2] - by_eye > 0.3 * (a[0][2] - b[0][2])
    mirrored = task.states[2].numpy() * np.array([1, 1, -1, 1])
    some = slice(0, None, 4)
    same = (draw(task.states[2].numpy()[some], workers=1) == draw(mirrored[some], workers=1)).all((1, 2)).mean()
    assert 0.01 < same < 0.2
    assert same / 2 > 0.2 * (a[0][2] - b[0][2])  # a coin is wrong on half of the pictures that look the same


def test_under_the_unfair_rule_b_is_as_good_as_a_frame_allows_and_lacks_only_velocity(unfair):
    right = {name: run[2] for name, run in unfair.items()}
    assert right["a"] > 0.97
    assert abs(right["b"] - right["position"]) < 0.05
    assert right["b"] < 0.75
    assert right["helped"] > 0.9


def test_return_under_the_fair_rule_does_not_rank_controllers(task, a, b, blank):
    perfect = play(sign_theta)
    assert 36 < perfect < 50
    scores = [
        play(lambda s: a[0][0].act(s.float())),
        play(lambda frames: b[0][0].act(encode(task.autoencoder, frames)), "frames"),
        play(lambda frames: blank[1][0].act(encode(blank[0], frames)), "frames"),
        *(play(flipped(sign_theta, share)) for share in (0.99, 0.95, 0.9, 0.8)),
    ]
    assert all(abs(score - perfect) < 9 for score in scores)
    assert play(flipped(sign_theta, 0.5)) < perfect - 9  # control: it is not blind to everything


def test_return_under_the_unfair_rule_ranks_them(task, unfair):
    ladder = [play(flipped(sign_theta_and_velocity, share)) for share in (1.0, 0.95, 0.9, 0.8, 0.6)]
    assert ladder[0] == 500
    assert all(high > low + 10 for high, low in zip(ladder, ladder[1:]))
    assert play(lambda s: unfair["a"][0].act(s.float())) > 450
    assert play(lambda frames: unfair["b"][0].act(encode(task.autoencoder, frames)), "frames") < 100
