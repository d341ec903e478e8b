"""The rungs that can doubt: what the interface promises of them, and that learning them is safe."""

import math

import pytest
import torch

from latent_dynamics import models
from latent_dynamics.keeping.artifacts import UNCERTAIN, usual_data
from latent_dynamics.models.eyes import BalanceEyes
from latent_dynamics.models.gaussian import Gaussian
from latent_dynamics.models.sequential import Corrector
from latent_dynamics.models.training import Budget, seeded, train
from latent_dynamics.models.unseen_causes import HARDLY
from latent_dynamics.models.vrnn_of_choices import VRNNOfChoices

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = [*UNCERTAIN.values(), VRNNOfChoices]


@pytest.fixture(scope="module")
def eyes(mixed_episodes):
    """Eyes that have found the plane; their pen has drawn nothing yet."""
    eyes = BalanceEyes()
    eyes.fit(torch.from_numpy(mixed_episodes.frames).float() / 255)
    return eyes


@pytest.fixture
def make(eyes):
    def make(kind, seed=0, **settings):
        with seeded(seed):
            model = kind(**settings)
        model.eyes.load_state_dict(eyes.state_dict())
        model.eyes.requires_grad_(False)
        return model

    return make


@pytest.fixture(scope="module")
def cut(mixed_episodes):
    """Frames (B, K + 1, H, W) in [0, 1] and actions (B, K)."""
    frames, actions, _ = mixed_episodes.windows(8, stride=9)
    return torch.from_numpy(frames), torch.from_numpy(actions)


@pytest.mark.parametrize("kind", KINDS)
def test_a_belief_is_d_numbers_and_so_is_every_imagined_state(make, cut, kind):
    model = make(kind).eval()
    frames, actions = cut
    with torch.no_grad():
        beliefs = model.filter(frames, actions)
        assert beliefs.shape == (len(frames), 9, model.state_size)
        assert torch.equal(beliefs, model.filter(frames, actions)), "a belief depends on what was seen alone"
        path = model.imagine(beliefs[:, -1], actions[:, :5])
        fans = model.imagine(beliefs[:, -1], actions[:, :5], samples=3, generator=torch.Generator().manual_seed(0))
        assert path.shape == (len(frames), 5, model.state_size)
        assert fans.shape == (len(frames), 3, 5, model.state_size)
        again = model.imagine(fans[:, 0, -1], actions[:, :2])  # an imagined state can be imagined from
        assert again.shape[1:] == path[:, :2].shape[1:]
        assert model.decode(fans).shape == (*fans.shape[:-1], 32, 100)
        reward, proceed = model.outcome(fans)
        assert reward.shape == proceed.shape == fans.shape[:-1] and ((proceed >= 0) & (proceed <= 1)).all()
        assert model.surprise(frames, actions).shape == actions.shape


@pytest.mark.parametrize("kind", KINDS)
def test_imagine_is_the_roll_that_one_would_write_by_hand(make, cut, kind):
    model, (frames, actions) = make(kind).eval(), cut
    with torch.no_grad():
        belief = model.begin(model.see(frames[:, 0]))
        for t in range(3):
            belief = model.update(belief, actions[:, t], model.see(frames[:, t + 1]))
        torch.testing.assert_close(belief, model.observe(frames[:, :4], actions[:, :3]))
        for t in range(3, 6):
            belief = model.step(belief, actions[:, t])
        rolled = model.imagine(model.observe(frames[:, :4], actions[:, :3]), actions[:, 3:6])
    torch.testing.assert_close(belief, rolled[:, -1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_generator_gives_the_same_fan_and_a_fan_is_no_single_line(make, cut, kind):
    model, (frames, actions) = make(kind).eval(), cut
    with torch.no_grad():
        belief = model.observe(frames, actions)
        one, same, other = (
            model.imagine(belief, actions, samples=4, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
        )
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert (one[:, :, -1, :2].std(1) > 0).any(-1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_that_hides_all_changes_a_belief_as_closed_eyes_do(make, cut, kind):
    model, (frames, actions) = make(kind).eval(), cut
    with torch.no_grad():
        belief = model.observe(frames[:, :5], actions[:, :4])
        hidden = torch.zeros(len(frames), 3)
        unseen, dreamt = model.update(belief, actions[:, 4], hidden), model.step(belief, actions[:, 4])
    torch.testing.assert_close(unseen[:, :2], dreamt[:, :2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_an_episodes_end_teaches_nothing(make, kind):
    model = make(kind).eval()
    g = torch.Generator().manual_seed(3)
    codes = torch.cat([torch.randn(4, 11, 2, generator=g), torch.ones(4, 11, 1)], -1)
    actions, there = torch.randint(0, 2, (4, 10), generator=g), torch.ones(4, 10)
    there[:, 6:] = 0
    other = codes.clone()
    other[:, 7:, :2] = 9.0
    with torch.no_grad():
        found = []
        for shown in (codes, other):
            with seeded(0):
                found.append(model.loss(shown, actions, there)["loss"])
        assert found[0] == pytest.approx(float(found[1]), abs=1e-5)
        with seeded(0):
            assert model.loss(other, actions, torch.ones(4, 10))["loss"] != pytest.approx(float(found[0]), abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("updates", [50, pytest.param(500, marks=pytest.mark.long)])
def test_no_nan_in_training_even_on_wild_data(make, kind, seed, updates):
    model = make(kind, seed)
    g = torch.Generator().manual_seed(seed)
    codes = torch.cat([2 * torch.randn(160, 7, 2, generator=g), (torch.rand(160, 7, 1, generator=g) > 0.1).float()], -1)
    data = codes, torch.randint(0, 2, (160, 6), generator=g), torch.ones(160, 6)
    budget = Budget(updates // 10, 16, model.budget.learning_rate, clip=10.0)
    history = train(model, model.loss, data, data, budget, seed, bar=False)
    assert all(map(torch.isfinite, map(torch.as_tensor, history["train loss"])))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_bad_requests_get_a_clear_error(make, cut, kind):
    model, (frames, actions) = make(kind).eval(), cut
    belief = model.observe(frames[:, :1], actions[:, :0])  # a sequence of one frame is one
    assert belief.shape == (len(frames), model.state_size)
    with pytest.raises(ValueError, match="0 samples; ask for at least 1"):
        model.imagine(belief, actions, samples=0)
    with pytest.raises(ValueError, match="at least one action"):
        model.imagine(belief, actions[:, :0], samples=2)


def test_no_deviation_is_smaller_than_its_floor():
    correct = Corrector(3, 2)
    for parameter in correct.parameters():
        torch.nn.init.constant_(parameter, -50.0)
    p = Gaussian(torch.zeros(4, 2), torch.ones(4, 2))
    q = correct(torch.ones(4, 3), p, torch.ones(4, 2), torch.ones(4, 1))
    assert q.std.min() >= 1e-3
    blind = correct(torch.ones(4, 3), p, torch.ones(4, 2), torch.zeros(4, 1))
    assert torch.equal(blind.mean, p.mean) and torch.equal(blind.std, p.std)


def test_unseen_causes_chances_are_chances():
    for remembers in (2, 3):
        model = models.UnseenCauses(remembers=remembers)
        torch.testing.assert_close(model.chances().exp().sum(1), torch.ones(3))
        past, usual = model.past, model.usual(model.past).exp()
        torch.testing.assert_close(usual.sum(), torch.tensor(1.0))
        after = (usual[past.parents] * model.chances().exp()[past.old, past.new[:, None]]).sum(1)
        torch.testing.assert_close(after, usual)  # what is usual stays so


def test_the_mechanics_derivative_is_that_of_the_mechanics():
    with seeded(0):
        model = models.UnseenCauses()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    s, action = torch.randn(1, 1, 4), torch.tensor([1])
    slope = torch.autograd.functional.jacobian(lambda s: model.move(s, action)[0][0, 0], s)[:, 0, 0]
    torch.testing.assert_close(model.move(s, action)[1][0, 0], slope)


def test_rungs_that_doubt_are_taught_in_the_gusty_world():
    assert {usual_data(name) for name in UNCERTAIN} == {"gusty"} and usual_data("recurrent") == "mixed"


def test_a_filter_stays_well_for_as_long_as_an_episode_may_last():
    """Rounding once piled up in histories that can hardly be, until they were no numbers any more."""
    with seeded(0):
        model = models.UnseenCauses().eval().requires_grad_(False)
        model.read_noise.fill_(-5.5)
        model.linear.weight[:, 1] = 0.02
    g = torch.Generator().manual_seed(0)
    belief = model.begin(torch.tensor([[0.0, 0.0, 1.0]]))
    for t in range(500):
        code = torch.tensor([[math.sin(t / 40), math.cos(t / 25), float(t % 90 > 20)]])  # hidden for long, now and then
        code[:, :2] += 0.01 * torch.randn(1, 2, generator=g)
        belief = model.update(belief, torch.randint(0, 2, (1,), generator=g), code)
        assert belief.isfinite().all(), t
    weight, mean, cov = model.unpack(belief)
    lost, best = weight[0] < HARDLY, weight[0].argmax()
    assert lost.any() and (mean[0, lost] == mean[0, best]).all() and (cov[0, lost] == cov[0, best]).all()
    assert mean.abs().max() < 1e3 and (torch.linalg.eigvalsh(cov.double()) > -1e-4).all()
