"""Controllers that imitate an expert from states or latents, and what they are worth in the real environment."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..models.stepwise import stepwise
from ..models.training import Budget, evaluating, one_thread, seeded, train
from ..world.preprocessing import from_bytes
from ..world.worlds import CARTPOLE

CONTROLLER_BUDGET = Budget(epochs=25, batch_size=256, learning_rate=1e-2)


class Controller(nn.Module):
    """A small classifier: inputs (B, D), standardised by the training data, to the logits of left and right (B, 2)."""

    def __init__(self, inputs, hidden=64):
        super().__init__()
        self.register_buffer("mean", inputs.mean(0))
        self.register_buffer("spread", inputs.std(0).clamp(min=1e-8))
        self.net = nn.Sequential(
            nn.Linear(inputs.shape[1], hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, 2),
        )

    def forward(self, inputs):
        return self.net((inputs - self.mean) / self.spread)

    def loss(self, inputs, actions):
        """Cross-entropy in nats, and beside it the accuracy, which is not the same thing."""
        logits = self(inputs)
        return {
            "loss": F.cross_entropy(logits, actions),
            "accuracy": (logits.argmax(-1) == actions).float().mean(),
        }

    @torch.no_grad()
    def act(self, inputs):
        """Return the likelier action: (B, D) -> (B,) int64."""
        return self(inputs).argmax(-1)

    @torch.no_grad()
    def probability_right(self, inputs):
        """Return how sure the controller is that one should push right: (B, D) -> (B,)."""
        return torch.softmax(self(inputs), -1)[:, 1]


def clone(inputs, actions, validation, seed=0, budget=CONTROLLER_BUDGET):
    """Train a Controller to imitate actions (M,) int64 seen at inputs (M, D). Returns (Controller, history).

    validation: (inputs, actions) of other episodes; history: the curves of loss and accuracy on both.
    """
    inputs, held_out = inputs.float(), (validation[0].float(), validation[1])
    with seeded(seed):
        controller = Controller(inputs)
    with one_thread():
        history = train(controller, controller.loss, (inputs, actions), held_out, budget, seed, "controller", bar=False)
    return controller.eval().requires_grad_(False), history


def first_states(episodes, seed=0, world=CARTPOLE):
    """Return where games begin: (episodes, S) float64."""
    if episodes < 1:
        raise ValueError(f"asked for {episodes} episodes; ask for at least 1")
    return world.reset(episodes, torch.Generator().manual_seed(seed))


@torch.no_grad()
def returns(act, episodes=100, seed=10_000, sees="states", limit=None, world=CARTPOLE):
    """Play whole episodes in the real environment and return their returns: (episodes,) steps survived.

    act: maps states (B, S) float64, or model frames (B, H, W) when sees="frames", to actions (B,). The episodes are
    played side by side with the exact physics, which a test holds to Gymnasium's.
    """
    if sees not in ("states", "frames"):
        raise ValueError(f"a controller sees 'states' or 'frames', not {sees!r}")
    return _play(lambda now, _: act(now if sees == "states" else _seen(now, world)), episodes, seed, limit, world)[0]


def _play(act, episodes, seed, limit, world):
    """Play side by side until all have fallen, or for `limit` steps, the world's own where it is None.

    act: maps the states that are still up, and their numbers, to actions. Returns (B,) steps survived, and (B, S) the
    states in which they ended.
    """
    states, chance = first_states(episodes, seed, world), torch.Generator().manual_seed(seed)
    total, up = torch.zeros(len(states)), torch.arange(len(states))
    for _ in range(world.time_limit if limit is None else limit):
        states[up] = world.step(states[up], torch.as_tensor(act(states[up], up)), chance)
        total[up] += 1
        up = up[~world.fallen(states[up])]
        if len(up) == 0:
            break
    return total.numpy(), states.numpy()


def _seen(states, world):
    """What a player sees of states (B, S): model frames (B, H, W)."""
    return torch.from_numpy(from_bytes(world.draw(states.numpy(), workers=1)))


@torch.no_grad()
def beliefs_of(model, episodes):
    """Filter whole episodes: the model's belief after each frame, (F, D)."""
    beliefs = []
    with evaluating(model):
        for episode in episodes:
            frames, actions = torch.from_numpy(from_bytes(episode.frames)), torch.from_numpy(episode.actions)
            beliefs.append(model.filter(frames[None], actions[None])[0])
    return torch.cat(beliefs)


def clone_on_belief(model, expert, train, validation, seed=0):
    """Train a Controller to imitate expert(states) from a world model's beliefs. Returns (Controller, history)."""
    seen = [(beliefs_of(model, part), torch.from_numpy(expert(part.states))) for part in (train, validation)]
    return clone(*seen[0], seen[1], seed=seed)


@torch.no_grad()
def belief_returns(model, act, episodes=100, seed=10_000, limit=None, world=CARTPOLE):
    """Play whole episodes from pixels, acting on a world model's belief.

    act: maps beliefs (B, D) to actions (B,). Returns (episodes,) steps survived, and (episodes, S) the states in which
    they ended. Like `returns`, but the player remembers: the belief is carried from frame to frame.
    """
    model = stepwise(model, ("see", "begin", "update"))
    beliefs, pushed = None, torch.zeros(episodes, dtype=torch.int64)

    def player(states, up):
        nonlocal beliefs
        codes = model.see(_seen(states, world))
        if beliefs is None:
            beliefs = model.begin(codes).clone()
        else:
            beliefs[up] = model.update(beliefs[up], pushed[up], codes)
        pushed[up] = torch.as_tensor(act(beliefs[up]))
        return pushed[up]

    with evaluating(model):
        return _play(player, episodes, seed, limit, world)


def mean_interval(values, level=0.95, draws=2000, seed=0):
    """Return the mean of independent values and its bootstrap interval: (mean, low, high)."""
    values, rng = np.asarray(values, dtype=float), np.random.default_rng(seed)
    means = rng.choice(values, (draws, len(values))).mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(values.mean()), float(low), float(high)


def reliability(probability_right, actions, bins=8):
    """Return, for bins of confidence: mean confidence, share correct, and count, each (bins,).

    Confidence is the probability given to the action chosen, from 0.5 to 1. Guo et al. (2017).
    """
    p, actions = np.asarray(probability_right), np.asarray(actions)
    confidence, correct = np.maximum(p, 1 - p), (p > 0.5) == (actions == 1)
    which = np.clip(((confidence - 0.5) * 2 * bins).astype(int), 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    safe = np.maximum(count, 1)
    mean_confidence = np.bincount(which, confidence, bins) / safe
    share_correct = np.bincount(which, correct, bins) / safe
    hide = np.where(count > 0, 1.0, np.nan)
    return mean_confidence * hide, share_correct * hide, count
