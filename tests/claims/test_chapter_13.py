"""What chapter 13 says of two paths, of a cause that nobody named, and of doubt in calm air; each with its control."""

import pytest
import torch

import latent_dynamics as ld
from latent_dynamics import judging_set, ladder
from latent_dynamics.world.gusty import GUST_CHANCE, GUSTY

pytestmark = pytest.mark.claims


@pytest.fixture(scope="module")
def found():
    return ladder.beliefs()


@pytest.fixture(scope="module")
def unseen_causes():
    return ld.load_model("unseen_causes")


def score(found, step):
    return ladder.spread(found, lambda one: one["crps"][step - 1])[0]


@pytest.mark.recorded
def test_over_three_seeds_two_paths_are_not_told_apart_from_either_alone(found):
    alone = ladder.of_kind("gusty_experiments")["one Gaussian"]
    for other in (found["state_space"], alone):
        middle, low, high = ladder.compare_beliefs(found["rssm"], other, 10)
        assert low < 0 < high and abs(middle) < 0.5
    assert {len(found[name]) for name in ("rssm", "state_space")} == {3}
    assert score(found["rssm"], 10) <= 1.5 * score(found["exact belief"], 10), "the bar"


@pytest.mark.recorded
def test_data_that_answer_to_nothing_buy_more_than_a_second_path(found):
    taught = ladder.of_kind("gusty_experiments")
    plain, path, data = (score(one, 10) for one in (found["state_space"], found["rssm"], taught["state_space, coins"]))
    assert data < path < plain
    assert score(taught["rssm, coins"], 10) < 1.3 * score(found["exact belief"], 10)


@pytest.mark.recorded
def test_the_rung_that_may_believe_in_causes_comes_near_the_exact_belief(found):
    for step in (10, 15):
        assert score(found["unseen_causes"], step) <= 1.2 * score(found["exact belief"], step)
        assert ladder.compare_beliefs(found["unseen_causes"], found["rssm"], step)[2] < 0
    told = ladder.spread(found["unseen_causes"], lambda one: one["surprise"])[0]
    assert told >= 0.9 * found["exact belief"][0]["surprise"]


def test_it_finds_when_and_how_hard_gusts_blow(unseen_causes):
    starts = torch.sigmoid(unseen_causes.starts).item()
    assert starts == pytest.approx(GUST_CHANCE, rel=0.3)
    with torch.no_grad():
        rest = torch.zeros(1, 1, 4)
        left, right = (unseen_causes.move(rest, torch.tensor([a]))[0][0, 0, 2:] for a in (0, 1))
    push = (right - left) / 2
    assert abs(unseen_causes.cause @ push / push.square().sum()).item() == pytest.approx(1, rel=0.2)
    across = unseen_causes.cause - (unseen_causes.cause @ push / push.square().sum()) * push
    assert across.norm() < 0.2 * unseen_causes.cause.norm(), "it points where a push points"


def test_its_belief_in_a_cause_rises_after_a_gust_and_stays_low_without(unseen_causes):
    frames, pushes, states = map(torch.from_numpy, judging_set.collected("test", GUSTY).windows(20, stride=10))
    gust = GUSTY.entry(states, "gust")
    began, never = gust[:, 12].ne(0) & gust[:, :12].eq(0).all(1), gust.eq(0).all(1)
    with torch.no_grad():
        told = {
            name: unseen_causes.surprise(frames[rows][:30], pushes[rows][:30]).mean(0)
            for name, rows in {"gust": began, "none": never}.items()
        }
    assert told["gust"][13:17].max() > 3 * told["none"][13:17].mean()
    assert told["gust"][10] < 2 * told["none"][10], "before it is in a picture, nobody knows"


def test_noise_on_the_autoencoders_numbers_leaves_the_sheet_and_on_readings_it_does_not():
    frames = ld.artifacts.frames_of(judging_set.collected("test"))[::60]
    auto, eyes = ld.load_model("autoencoder_mlp").eyes, ld.load_model("rssm").eyes
    g, legible = torch.Generator().manual_seed(0), {}
    with torch.no_grad():
        for name, (one, code) in {"z": (auto, auto.see(frames)), "q": (eyes, eyes.see(frames)[:, :2])}.items():
            for share in (0.0, 0.4):
                noise = torch.randn(code.shape, generator=g) * code.std(0)
                seen = ld.reader.read(one.decode(code + share * noise)).valid
                legible[name, share] = seen.double().mean().item()
    assert legible["z", 0.0] > 0.9 and legible["q", 0.0] > 0.9
    assert legible["z", 0.4] < legible["q", 0.4] - 0.1


@pytest.mark.recorded
def test_in_calm_air_doubt_stays_within_twice_exact_physics():
    physics = ladder.figures()["references"]["exact physics"]["intervened"]["theta"][14]
    errors = {
        name: ladder.spread(found, lambda one: one["intervened"]["theta"][14])[0]
        for name, found in ladder.of_kind("calm").items()
    }
    assert max(errors.values()) <= 2 * physics and min(errors.values()) > 0.5 * physics
    assert max(errors.values()) <= 1.2 * physics, "the real aim, median over three seeds"


@pytest.mark.recorded
def test_causes_are_found_alike_from_three_seeds():
    seeds = list(ladder.of_kind("causes")["unseen_causes"].values())
    assert len(seeds) == 3
    for one in seeds:
        assert one["starts"] == pytest.approx(GUST_CHANCE, rel=0.35) and one["strength"] == pytest.approx(1, rel=0.2)
        assert 3 < one["lasts"] < 5 and one["across"] < 0.2


@pytest.mark.recorded
def test_a_small_belief_does_and_the_smallest_does_not():
    sizes = ladder.of_kind("sizes")
    names = "memory 64, latent 6", "memory 4, latent 2", "memory 1, latent 2"
    largest, small, least = (sizes[name] for name in names)
    assert ladder.compare_beliefs(small, largest, 10)[1] < 0
    assert ladder.compare_beliefs(least, largest, 10)[1] > 0, "the control"


@pytest.mark.recorded
def test_from_pixels_at_once_a_prior_learns_no_mechanics_though_its_latents_can_be_foreseen():
    whole, heavy = (next(iter(found.values())) for found in ladder.of_kind("pixels").values())
    assert whole["prior"] > 0.8 * whole["still"] and whole["foreseen"] < 0.75 * whole["prior"]
    assert whole["legible"]["sample"][-1] < 0.1 and sum(whole["kl"]) > 10
    assert sum(heavy["kl"]) < sum(whole["kl"]), "a KL that counts for more is smaller"
