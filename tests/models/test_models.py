"""Every model answers to the one interface, and says clearly what is wrong with what it is given."""

import pytest
import torch
from awake import awake

from latent_dynamics.judging.references import (
    ConstantUpright,
    ExactPhysics,
    RepeatLastFrame,
    ShuffledActions,
    untrained,
)
from latent_dynamics.keeping.artifacts import LADDER
from latent_dynamics.models import Autoencoder, AutoencoderMLP, LatentMLP
from latent_dynamics.models.autoencoder import ARCHITECTURES
from latent_dynamics.models.training import Budget, train
from latent_dynamics.world.rendering import draw

pytestmark = pytest.mark.usefixtures("one_thread")

MODELS = {name: lambda make=make: awake(untrained(make)) for name, make in LADDER.items()}
MODELS |= {
    "exact_physics": ExactPhysics, "repeat_last_frame": RepeatLastFrame, "constant_upright": ConstantUpright,
    "shuffled_actions": lambda: ShuffledActions(untrained(AutoencoderMLP)),
}  # fmt: skip
B, K, N = 2, 3, 4
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS, indirect=True)
ladder = pytest.mark.parametrize("model", [MODELS[name] for name in LADDER], ids=list(LADDER), indirect=True)


@pytest.fixture
def model(request):
    return request.param()


@pytest.fixture
def window(mixed_episodes):
    """Frames (B, K + 1, H, W), actions (B, K), and N actions to come."""
    frames, actions, _ = (torch.from_numpy(part) for part in mixed_episodes.windows(K + N, stride=25))
    return frames[:B, : K + 1], actions[:B, :K], actions[:B, K:]


@every_model
def test_every_method_of_the_interface_gives_the_shape_it_promises(model, window):
    frames, actions, future = window
    D = model.state_size
    beliefs = model.filter(frames, actions)
    assert beliefs.shape == (B, K + 1, D)
    belief = model.observe(frames, actions)
    assert belief.shape == (B, D)
    states = model.imagine(belief, future)
    assert states.shape == (B, N, D)
    images = model.decode(states)
    assert images.shape == (B, N, *model.frame_shape) and images.is_floating_point()
    assert 0 <= images.min() and images.max() <= 1
    reward, proceed = model.outcome(states)
    assert reward.shape == proceed.shape == (B, N)
    assert (reward == 1).all() and ((proceed >= 0) & (proceed <= 1)).all()


@every_model
def test_to_observe_is_to_keep_the_last_belief(model, window):
    frames, actions, _ = window
    torch.testing.assert_close(model.observe(frames, actions), model.filter(frames, actions)[:, -1], rtol=0, atol=1e-6)


@every_model
def test_a_belief_does_not_know_what_comes_after_it(model, window):
    frames, actions, _ = window
    changed = frames.clone()
    changed[:, -1] = 1 - changed[:, -1]
    other_actions = actions.clone()
    other_actions[:, -1] = 1 - other_actions[:, -1]
    before, after = model.filter(frames, actions), model.filter(changed, other_actions)
    torch.testing.assert_close(before[:, :-1], after[:, :-1], rtol=0, atol=1e-6)
    assert not torch.allclose(before[:, -1], after[:, -1])


@every_model
def test_a_window_is_judged_the_same_alone_as_in_a_batch(model, window):
    frames, actions, _ = window
    together = model.filter(frames, actions)
    alone = torch.cat([model.filter(frames[b : b + 1], actions[b : b + 1]) for b in range(B)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@every_model
def test_one_frame_and_no_action_are_enough_to_believe_something(model, window):
    frames, actions, _ = window
    assert model.filter(frames[:, :1], actions[:, :0]).shape == (B, 1, model.state_size)


@every_model
def test_a_deterministic_model_refuses_samples(model, window):
    frames, actions, future = window
    with pytest.raises(ValueError, match="is deterministic: it has one future, not 5"):
        model.imagine(model.observe(frames, actions), future, samples=5)


BAD_FRAMES = {
    "wrong size": (lambda f: f[..., :50], ValueError, r"expected \(B, K \+ 1, 32, 100\)"),
    "no batch": (lambda f: f[0], ValueError, r"expected \(B, K \+ 1, 32, 100\)"),
    "no frame": (lambda f: f[:, :0], ValueError, "give at least one frame"),
    "bytes": (lambda f: (255 * f).to(torch.uint8), TypeError, "torch.uint8; a model reads float tensors"),
    "an array": (lambda f: f.numpy(), TypeError, "a model reads float tensors"),
    "0 to 255": (lambda f: 255 * f, ValueError, "divide bytes by 255"),
    "negative": (lambda f: f - 1, ValueError, r"expected \[0, 1\]"),
    "NaN": (lambda f: f.where(f > 0.5, torch.nan), ValueError, "frames hold NaN"),
}
BAD_ACTIONS = {
    "2": (lambda a: a + 2, ValueError, "the world knows 0..1"),
    "negative": (lambda a: a - 1, ValueError, "the world knows 0..1"),
    "floats": (lambda a: a.float(), TypeError, "torch.float32; expected an int64 tensor"),
    "booleans": (lambda a: a.bool(), TypeError, "torch.bool; expected an int64 tensor"),
    "an array": (lambda a: a.numpy(), TypeError, "int64; expected an int64 tensor"),
    "one too few": (lambda a: a[:, 1:], ValueError, r"expected \(2, 3\)"),
    "one-hot": (lambda a: torch.nn.functional.one_hot(a), ValueError, r"expected \(2, 3\)"),
}


@ladder
@pytest.mark.parametrize("spoil,error,says", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_bad_frames_are_refused_with_the_reason(model, window, spoil, error, says):
    frames, actions, _ = window
    if spoil(frames).shape[1:2] == (0,):
        actions = actions[:, :0]
    with pytest.raises(error, match=says):
        model.filter(spoil(frames), actions)


@ladder
@pytest.mark.parametrize("spoil,error,says", BAD_ACTIONS.values(), ids=BAD_ACTIONS)
def test_bad_actions_are_refused_with_the_reason(model, window, spoil, error, says):
    frames, actions, _ = window
    actions[0] = torch.tensor([0, 1, 0])
    with pytest.raises(error, match=says):
        model.filter(frames, spoil(actions))


@ladder
def test_bad_actions_are_refused_in_imagination_too(model, window):
    frames, actions, future = window
    belief = model.observe(frames, actions)
    with pytest.raises(ValueError, match="a horizon of 0 steps"):
        model.imagine(belief, future[:, :0])
    with pytest.raises(ValueError, match="the world knows 0..1"):
        model.imagine(belief, future + 1)
    with pytest.raises(TypeError, match="expected an int64 tensor"):
        model.imagine(belief, future.float())
    with pytest.raises(ValueError, match=r"expected \(2, N\)"):
        model.imagine(belief, future[:1])


# The first rung


def test_each_belief_of_the_first_rung_is_the_latent_of_its_own_frame(untrained_model, window):
    frames, actions, _ = window
    beliefs = untrained_model.filter(frames, actions)
    for k in range(K + 1):
        alone = untrained_model.autoencoder.encode(frames[:, k])
        torch.testing.assert_close(beliefs[:, k], alone, rtol=0, atol=1e-6)
        assert torch.equal(untrained_model.filter(frames, 1 - actions)[:, k], beliefs[:, k])


def test_imagining_many_steps_is_imagining_one_step_many_times(untrained_model, window):
    frames, actions, future = window
    state = untrained_model.observe(frames, actions)
    for h, states in enumerate(untrained_model.imagine(state, future).unbind(1)):
        state = untrained_model.imagine(state, future[:, h : h + 1])[:, 0]
        assert torch.equal(state, states)


@every_model
def test_an_action_changes_no_step_before_it(model, window):
    frames, actions, future = window
    belief = model.observe(frames, actions)
    other = future.clone()
    other[:, 2] = 1 - other[:, 2]
    assert torch.equal(model.imagine(belief, future)[:, :2], model.imagine(belief, other)[:, :2])


def test_the_first_rungs_next_latent_depends_on_the_action(untrained_model):
    z = torch.zeros(1, 8)
    left, right = (untrained_model.imagine(z, torch.tensor([[a]])) for a in (0, 1))
    assert not torch.allclose(left, right)


@pytest.mark.parametrize("predict_change", [True, False])
def test_a_silent_network_means_no_change_or_the_mean_latent(predict_change):
    model = untrained(lambda: AutoencoderMLP(predict_change=predict_change))
    z, z_next = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)), torch.zeros(500, 8)
    model.dynamics.fit_scale(z, z_next)
    torch.nn.init.zeros_(model.dynamics.net[-1].weight)
    torch.nn.init.zeros_(model.dynamics.net[-1].bias)
    after = model.imagine(z[:5], torch.ones(5, 1, dtype=torch.int64))[:, 0]
    expected = z[:5] if predict_change else z.mean(0).expand(5, -1)
    torch.testing.assert_close(after, expected)


@pytest.mark.parametrize("predict_change", [True, False])
def test_the_latent_model_learns_a_linear_world(predict_change):
    model = untrained(lambda: LatentMLP(latent_size=3, hidden=32, predict_change=predict_change))
    rng = torch.Generator().manual_seed(0)
    z, action = torch.randn(1500, 3, generator=rng), torch.randint(0, 2, (1500,), generator=rng)
    z_next = 0.9 * z + 0.5 * (2.0 * action[:, None] - 1)
    model.fit_scale(z, z_next)
    data, held_out = ([part[rows] for part in (z, action, z_next)] for rows in (slice(1200), slice(1200, 1500)))
    history = train(model, model.loss, data, held_out, Budget(epochs=15, batch_size=64, learning_rate=2e-2), bar=False)
    assert history["validation loss"][-1] < 0.03


# The autoencoder


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(32, 100), (32, 100, 3)])
def test_every_architecture_keeps_shapes_and_leading_dimensions(architecture, shape):
    model = Autoencoder(5, shape, architecture)
    for lead in ((), (4,), (2, 3), (0,)):
        z = model.encode(torch.rand(*lead, *shape))
        assert z.shape == (*lead, 5)
        assert model.decode(z).shape == model.decode_raw(z).shape == (*lead, *shape)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(32, 100), (32, 100, 3)])
def test_a_frame_is_encoded_the_same_whatever_its_leading_dimensions(architecture, shape):
    model = Autoencoder(5, shape, architecture).eval()
    frames = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    z = model.encode(frames)
    torch.testing.assert_close(z[1, 2], model.encode(frames[1, 2]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.decode(z)[1, 2], model.decode(z[1, 2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 100), (32, 100, 3)])
def test_a_frame_is_drawn_the_clipped_raw_drawing_around_the_mean_frame(shape):
    model = untrained(lambda: Autoencoder(5, shape))
    frames = torch.rand(20, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        z = 50 * torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
        before = model.decode_raw(z)
        model.fit_mean(frames)
        torch.testing.assert_close(model.decode_raw(z), before + frames.mean(0), rtol=1e-4, atol=1e-5)
        assert torch.equal(model.decode(z), model.decode_raw(z).clamp(0, 1))
        assert not torch.equal(model.decode(z), model.decode_raw(z))  # something was clipped


def test_the_autoencoders_loss_is_the_squared_error_of_a_pixel():
    model = Autoencoder(4)
    frames = torch.rand(6, 32, 100)
    by_hand = ((model.decode_raw(model.encode(frames)) - frames) ** 2).mean()
    torch.testing.assert_close(model.loss(frames)["loss"], by_hand)


def test_an_autoencoder_learns_to_draw_what_it_is_shown():
    states = torch.zeros(16, 4)
    states[:, 0] = torch.linspace(-2, 2, 16)
    frames = torch.from_numpy(draw(states, workers=1) / 255).float()
    model = untrained(lambda: Autoencoder(4))
    model.fit_mean(frames)
    mean_only = float((frames - frames.mean(0)).square().mean())
    budget = Budget(epochs=100, batch_size=16, learning_rate=4e-3)
    history = train(model, model.loss, (frames,), (frames,), budget, bar=False)
    assert history["validation loss"][-1] < 0.5 * mean_only


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no architecture called 'resnet'; there are patches, strided, dense"):
        Autoencoder(architecture="resnet")


def test_a_latent_of_nothing_is_refused():
    with pytest.raises(ValueError, match="a latent of 0 numbers"):
        Autoencoder(latent_size=0)
