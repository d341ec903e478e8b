"""The claims of chapter 3, Autoencoding, each with its control."""

import numpy as np
import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import probes, reader
from latent_dynamics.keeping.artifacts import COMPARISON, default_seed, frames_of, load_autoencoder
from latent_dynamics.models import Autoencoder
from latent_dynamics.models.training import Budget

pytestmark = [pytest.mark.claims, pytest.mark.usefixtures("one_thread")]

POSITIONS, VELOCITIES = [0, 2], [1, 3]
SHORT = Budget(epochs=8, batch_size=256, learning_rate=5e-3)
MEDIUM = Budget(epochs=15, batch_size=256, learning_rate=1e-2)


def encode(model, frames):
    with torch.no_grad():
        return torch.cat([model.encode(part) for part in frames.split(2048)])


def decode(model, z):
    with torch.no_grad():
        return torch.cat([model.decode(part) for part in z.split(2048)])


class Data:
    """Frames and true states of one data set's training and test episodes."""

    def __init__(self, name):
        self.splits = [ld.load_episodes(name, split) for split in ("train", "test")]
        self.frames = [frames_of(part) for part in self.splits]
        self.states = [torch.from_numpy(part.states).float() for part in self.splits]

    def codes(self, model):
        return [encode(model, part) for part in self.frames]

    def angle_error(self, codes, kind="network", rows=slice(None), **how):
        fit = probes.linear_probe if kind == "linear" else probes.mlp_probe
        probe = fit(codes[0][rows], self.states[0][rows][:, POSITIONS], **how)
        return float(reader.degrees((probe(codes[1])[:, 1] - self.states[1][:, 2]).abs().median()))

    def velocity_share(self, codes, budget=SHORT, rows=(slice(None), slice(None))):
        """R^2 on test frames for x_dot and theta_dot: (2,)."""
        fit, new = (states[chosen][:, VELOCITIES] for states, chosen in zip(self.states, rows))
        probe = probes.mlp_probe(codes[0][rows[0]], fit, hidden=64, budget=budget)
        return probes.r_squared(probe(codes[1][rows[1]]), new).numpy()


@pytest.fixture(scope="module")
def mixed():
    return Data("mixed")


@pytest.fixture(scope="module")
def main():
    return load_autoencoder()


@pytest.fixture(scope="module")
def z(mixed, main):
    return mixed.codes(main[0])


@pytest.fixture(scope="module")
def drawn(main, z):
    return decode(main[0], z[1])


@pytest.fixture(scope="module")
def network_error(mixed, z):
    return mixed.angle_error(z)


def test_it_learns_and_not_by_heart(mixed, main):
    model, history, _ = main
    mean_only = float((mixed.frames[1] - model.mean_frame[0]).square().mean())
    assert history["validation loss"][-1] < mean_only / 50
    assert history["validation loss"][-1] < 2 * history["train loss"][-1]
    assert history["validation loss"][-1] < history["validation loss"][0] / 10
    owners = {}  # most test frames have a twin in training: judge those without, beside frames of one training episode
    for picture, episode in zip(mixed.splits[0].frames, mixed.splits[0].episode_of_frame):
        owners.setdefault(picture.tobytes(), set()).add(episode)
    once = torch.tensor([len(owners[picture.tobytes()]) == 1 for picture in mixed.splits[0].frames])
    new = torch.tensor([picture.tobytes() not in owners for picture in mixed.splits[1].frames])

    def error(frames):
        return float((decode(model, encode(model, frames)) - frames).square().mean())

    assert error(mixed.frames[1][new]) < 2 * error(mixed.frames[0][once])


def test_the_reader_reads_real_frames_and_most_reconstructions(mixed, drawn):
    truth = mixed.states[1][:, 2]
    for frames, share in ((mixed.frames[1], 0.98), (drawn, 0.85)):
        seen = reader.read(frames)
        assert seen.valid.double().mean() > share
        assert reader.degrees((seen.theta - truth).abs())[seen.valid].median() < 0.3


def test_the_angle_is_in_z_within_a_quarter_of_a_degree(network_error):
    assert network_error <= 0.25


def test_training_put_it_there_an_untrained_encoder_and_pca_of_equal_size_hold_less(mixed, main, network_error):
    eyes = ld.references.untrained(lambda: Autoencoder(main[0].latent_size), default_seed())
    eyes.fit_mean(mixed.frames[0])
    assert mixed.angle_error(mixed.codes(eyes)) > 1.2 * network_error
    components = probes.pca(mixed.frames[0], main[0].latent_size)
    assert mixed.angle_error([components(part) for part in mixed.frames]) > 1.2 * network_error


def test_the_angle_is_bent_into_z_so_that_a_straight_line_does_not_find_it(mixed, z, network_error):
    upright = float(reader.degrees(mixed.states[1][:, 2].abs().median()))
    line = mixed.angle_error(z, "linear")
    assert line > 3 * network_error
    assert line > 0.6 * upright
    answer = probes.linear_probe(z[0], mixed.states[0][:, POSITIONS])(z[1])
    assert probes.r_squared(answer, mixed.states[1][:, POSITIONS])[1] < 0.4


def test_off_the_sheet_the_decoder_draws_what_never_was(main, z, drawn):
    generator = torch.Generator().manual_seed(0)
    anywhere = z[0].mean(0) + z[0].std(0) * torch.randn(500, z[0].shape[1], generator=generator)
    assert reader.read(decode(main[0], anywhere)).valid.double().mean() < 0.5
    assert reader.read(drawn).valid.double().mean() > 0.85  # control: real frames' latents


@pytest.mark.parametrize("name", ["random", "mixed"])
def test_velocity_is_in_z_only_as_far_as_position_and_angle_give_it_away(name, mixed, main, z):
    data, codes = (mixed, z) if name == "mixed" else (Data(name), None)
    codes = codes or data.codes(main[0])
    true_pair = [states[:, POSITIONS] for states in data.states]
    spread = true_pair[0].std(0)
    near = torch.cdist(true_pair[1] / spread, true_pair[0] / spread).topk(100, largest=False).indices
    guess = data.states[0][near][..., VELOCITIES].mean(1)
    neighbours = probes.r_squared(guess, data.states[1][:, VELOCITIES]).numpy()
    known = np.maximum(data.velocity_share(true_pair), neighbours)
    assert (data.velocity_share(codes) < known + 0.08).all()
    moves, rows = [], []
    for code, part in zip(codes, data.splits):
        first = torch.zeros(len(code), dtype=torch.bool)
        first[torch.from_numpy(part.first_frames)] = True
        moves.append(torch.cat([code, code - code.roll(1, 0)], 1))
        rows.append(~first)
    two = data.velocity_share(moves, probes.PROBE_BUDGET, rows)  # control: two latents in a row show motion
    assert (two > known + 0.12).all()


def test_two_numbers_lose_the_angle_and_four_keep_it(mixed):
    rows = slice(0, COMPARISON.frames)
    errors = {}
    for size in (2, 4, 8):
        for s in (0, 1):
            model, _, _ = load_autoencoder(COMPARISON, latent_size=size, seed=default_seed() + s)
            codes = [encode(model, mixed.frames[0][rows]), encode(model, mixed.frames[1])]
            errors[size, s] = mixed.angle_error(codes, rows=rows, budget=MEDIUM)
    for s in (0, 1):
        assert errors[2, s] > 1.5 * max(errors[4, s], errors[8, s])


def test_strongly_leaning_poles_blur_and_the_loss_hardly_notices(mixed, main, drawn):
    lean = reader.degrees(mixed.states[1][:, 2].abs())
    real, seen = reader.read(mixed.frames[1]), reader.read(drawn)

    def lost(reading, which):
        return float((~reading.valid[which]).double().mean())

    assert lost(seen, lean >= 8) > 3 * lost(seen, lean < 4) + 0.02
    assert lost(real, lean >= 8) < 0.05  # control: it is not the reader
    error = (drawn - mixed.frames[1]).square().mean((1, 2))
    mean_only = (mixed.frames[1] - main[0].mean_frame[0]).square().mean()
    assert error[~seen.valid].mean() < 0.2 * mean_only
