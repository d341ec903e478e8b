"""What a drift curve is compared with: world models that have learned nothing, or that know the physics.

All answer to the same interface as the learned models, so the same judge reads them in the same way.
"""

import math

import numpy as np
import torch
from torch import nn

from ..models.world_model import WorldModel, check_actions, check_frames, refuse_samples
from ..world.preprocessing import DEFAULT, from_bytes
from ..world.reader import errors, limits, measure, read, rounded_error, rounded_reading
from ..world.worlds import CARTPOLE

# A wide belief about velocities before anything has moved: standard deviations.
X_DOT_PRIOR, THETA_DOT_PRIOR = 1.0, 1.5  # metres a second, radians a second


class _TrueUnits(WorldModel):
    """States are the world's own, D = S numbers, and are drawn by the renderer itself, as a view sees them."""

    def __init__(self, world=CARTPOLE, view=DEFAULT):
        super().__init__()
        self.world, self.state_size, self.view, self.frame_shape = world, world.size, view, view.shape

    def decode(self, states):
        flat = states.detach().numpy()[..., : self.world.size].reshape(-1, self.world.size)
        once, which = np.unique(flat, axis=0, return_inverse=True)  # what stands still need be drawn only once
        frames = from_bytes(self.world.draw(once, self.view, workers=1))[which.reshape(-1)]
        return torch.from_numpy(frames.reshape(*states.shape[:-1], *frames.shape[1:]))

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), 1.0 - self.world.fallen(states).double()


class ExactPhysics(_TrueUnits):
    """Exact physics from these frames: the simulator, started from a least-squares fit to what they show.

    The state that best explains the positions which the reader finds in the last K + 1 frames, given the pushes in
    between, each weighed by the reader's error on real frames of its kind; frames without a pole to read tell nothing.
    Gauss-Newton, three rounds. It is a reference and not a bound: `ParticlePhysics` beats it.
    """

    def __init__(self, frames_used=None, world=CARTPOLE, view=DEFAULT):
        super().__init__(world, view)
        self.frames_used = frames_used  # how many of the last frames the fit may use; all by default

    def observe(self, frames, actions):
        check_frames(frames, self.frame_shape)
        check_actions(actions, frames.shape[0], frames.shape[1] - 1)
        keep = min(self.frames_used or frames.shape[1], frames.shape[1])
        return self.explain(read(frames[:, -keep:], view=self.view), actions[:, actions.shape[1] - keep + 1 :])

    def explain(self, seen, actions):
        """Return the last state (B, S), from readings (B, K + 1) and the actions (B, K) in between."""
        return fit_state(seen.x, seen.theta, actions, errors(seen, self.view), world=self.world)

    def filter(self, frames, actions):
        counts = range(1, frames.shape[1] + 1)
        return torch.stack([self.observe(frames[:, :n], actions[:, : n - 1]) for n in counts], 1)

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        return self.world.simulate(belief, actions)


def fit_state(x, theta, actions, error=None, rounds=3, world=CARTPOLE):
    """Fit the last state to positions: x, theta (B, K + 1), actions (B, K) -> (B, S) float64.

    error (B, K + 1, 2): standard deviations of x and theta, inf for what was not seen; the reader's own by default.
    """
    return _at_the_end(fit_first_state(x, theta, actions, error, rounds, world)[0], actions, world)


def fit_first_state(x, theta, actions, error=None, rounds=3, world=CARTPOLE):
    """Fit the first state: (B, S), and how far it may be off, a square root of its covariance (B, S, S)."""
    if error is None:
        error = torch.tensor(limits()["error"], dtype=torch.float64).expand(*x.shape, 2)
    seen = error.isfinite().all(-1)  # (B, K + 1)
    theta = torch.where(seen, theta, 0).double()  # a pole that nobody saw may stand
    weights = torch.cat([(1 / error).flatten(1), _prior(world).expand(len(x), -1)], 1)  # (B, 2K + 2 + S)
    first = world.state(x=x[:, 0], theta=theta[:, 0])
    target = torch.cat([torch.stack([x, theta], -1).flatten(1), torch.zeros_like(first)], 1)

    def explain(first, actions):
        later = [world.simulate(first[None], actions[None])[0]] if len(actions) else []
        states = torch.cat([first[None], *later])
        positions = torch.stack([world.entry(states, "x"), world.entry(states, "theta")], -1)
        return torch.cat([positions.flatten(), first])

    for _ in range(rounds):
        miss = weights * (target - torch.vmap(explain)(first, actions))
        slope = weights[..., None] * torch.vmap(torch.func.jacfwd(explain))(first, actions)  # (B, 2K + 2 + S, S)
        first = first + torch.linalg.lstsq(slope, miss[..., None]).solution[..., 0]
    return first, torch.linalg.pinv(torch.linalg.qr(slope).R)


def _prior(world):
    """Weights of the belief that a first state is at rest, somewhere, and its hidden causes about zero: (S,)."""
    weights = {"x_dot": 1 / X_DOT_PRIOR, "theta_dot": 1 / THETA_DOT_PRIOR} | dict.fromkeys(world.hidden, 1.0)
    return world.state(**{name: torch.tensor(weight) for name, weight in weights.items()})


def _at_the_end(first, actions, world):
    """Play the actions (B, K) from first states (B, S): the last ones."""
    return world.simulate(first, actions)[:, -1] if actions.shape[1] else first


class ParticlePhysics(ExactPhysics):
    """Exact physics that also knows how the screen rounds: the mean of the states that explain what these frames show.

    The renderer truncates the corners of cart and pole to whole pixels, and that is most of the reader's error. So
    candidates for the first state are drawn about the least-squares fit, each is played through the window, and it is
    weighed by how well the *rounded* corners explain the readings. Then new candidates are drawn about the best; from
    wide to narrow, `rounds` times (population Monte Carlo: Cappe et al. 2004).
    """

    def __init__(self, frames_used=None, particles=500, rounds=5, world=CARTPOLE, view=DEFAULT):
        super().__init__(frames_used, world, view)
        self.particles, self.rounds = particles, rounds

    def explain(self, seen, actions):
        error = errors(seen, self.view)
        first, spread = fit_first_state(seen.x, seen.theta, actions, error, world=self.world)
        rounded = torch.tensor(rounded_error(self.view), dtype=torch.float64).expand_as(error)
        whole = error == torch.tensor(limits(self.view)["error"], dtype=torch.float64)
        least = torch.where(whole, rounded, error)
        rng = torch.Generator().manual_seed(0)  # the same draws for each window, whatever the batch
        for temperature in torch.linspace(1, 0, self.rounds, dtype=torch.float64):
            dice = torch.randn(self.particles, self.world.size, dtype=torch.float64, generator=rng)
            each = first[:, None] + dice @ spread.mT  # (B, particles, S)
            weight = self._log_weight(each, seen, actions, least * (error / least).nan_to_num(1.0) ** temperature)
            share = torch.softmax(weight + dice.square().sum(-1) / 2, 1)[..., None]  # (B, particles, 1)
            first = (share * each).sum(1)
            off = share.sqrt() * (each - first[:, None])
            spread = torch.linalg.cholesky(off.mT @ off + 1e-12 * torch.eye(self.world.size, dtype=torch.float64))
        return _at_the_end(first, actions, self.world)

    def _log_weight(self, first, seen, actions, error):
        """Say how well first states (B, M, S) explain the readings, and the belief before them: (B, M)."""
        path = self._paths(first, actions)  # (B, M, K + 1, S)
        shown = torch.stack([seen.x, seen.theta], -1)[:, None]  # (B, 1, K + 1, 2)
        places = rounded_reading(self.world.entry(path, "x"), self.world.entry(path, "theta"))
        miss = (places - shown) / error[:, None]
        miss = torch.where(error[:, None].isfinite(), miss, 0.0)
        return -(miss.square().clamp(max=25).sum((-1, -2)) + (first * _prior(self.world)).square().sum(-1)) / 2


    def _paths(self, first, actions):
        """Play actions (B, K) from states (B, M, S): (B, M, K + 1, S)."""
        states = [first]
        for action in actions.unbind(1):
            states.append(self.world.step(states[-1], action[:, None]))
        return torch.stack(states, 2)


class RepeatLastFrame(WorldModel):
    """Nothing moves. A state is the last frame itself, D = H W pixels."""

    def __init__(self, view=DEFAULT):
        super().__init__()
        self.frame_shape, self.state_size = view.shape, math.prod(view.shape)

    def see(self, frames):
        return frames.flatten(1)

    def begin(self, code):
        return code

    def update(self, belief, action, code):
        return code

    def step(self, belief, action):
        return belief

    def decode(self, states):
        return states.unflatten(-1, self.frame_shape)

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.ones(states.shape[:-1])


class ConstantUpright(_TrueUnits):
    """The cart stays, the pole stands: the most usual picture, whatever was seen."""

    def filter(self, frames, actions):
        check_frames(frames, self.frame_shape)
        return self.world.state(x=measure(frames, self.view).x)

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        return belief[:, None].expand(-1, actions.shape[1], -1)


class ActionsOnly(_TrueUnits):
    """Sees no frame at all: ridge regression from the window's actions to where cart and pole will be.

    What it gets right, the actions have given away. A state is the world's, with only x and theta known,
    and then the context's actions.
    Recorded actions betray more than coins do, so it remembers the `protocol` of the windows that it was fitted to, and
    the judge refuses it on those of another.
    """

    def __init__(self, windows, ridge=30.0):
        super().__init__(windows.world, windows.view)
        self.protocol, self.context, horizon = windows.protocol, windows.context, windows.horizon
        self.state_size, self.weights = self.world.size + self.context, []
        every = torch.cat([windows.actions_before, windows.actions], 1)
        for h in range(1, horizon + 1):
            rows = windows.alive[:, h - 1]
            inputs = self._inputs(every[rows, : self.context + h])
            target = torch.stack([self.world.entry(windows.states[rows, h], name) for name in ("x", "theta")], -1)
            square = inputs.T @ inputs + ridge * torch.eye(inputs.shape[1], dtype=torch.float64)
            self.weights.append(torch.linalg.solve(square, inputs.T @ target))  # (K + h + 1, 2)

    @staticmethod
    def _inputs(actions):
        signs = 2.0 * actions.double() - 1
        return torch.cat([signs, torch.ones(len(actions), 1, dtype=torch.float64)], 1)

    def filter(self, frames, actions):
        belief = torch.zeros(*frames.shape[:2], self.state_size, dtype=torch.float64)
        padded = nn.functional.pad(actions.double(), (self.context, 0), value=0.5)  # before the first: no push at all
        belief[..., self.world.size :] = padded.unfold(1, self.context, 1)  # the last K actions before each frame
        return belief

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        states = belief[:, None].repeat(1, actions.shape[1], 1)
        every = torch.cat([belief[:, self.world.size :], actions.double()], 1)
        for h in range(1, actions.shape[1] + 1):
            where = self._inputs(every[:, : self.context + h]) @ self.weights[h - 1]
            states[:, h - 1, : self.world.size] = self.world.state(x=where[:, 0], theta=where[:, 1])
        return states


class ShuffledActions(WorldModel):
    """Any model, told another window's actions: what it still gets right does not come from what was done.

    The rows of a batch are turned half-way round; one alone is refused, since it would be told its own.
    """

    def __init__(self, model):
        super().__init__()
        self.model, self.state_size, self.frame_shape = model, model.state_size, model.frame_shape
        self.filter, self.decode, self.outcome = model.filter, model.decode, model.outcome

    def imagine(self, belief, actions, samples=None):
        if len(actions) < 2:
            raise ValueError("one window alone has no other whose actions it could be told; give at least two at once")
        return self.model.imagine(belief, actions.roll(len(actions) // 2, 0), samples=samples)


def untrained(make, seed=0):
    """Return a model as `make()` gives it, with random weights: the control for what training brings."""
    from ..models.training import seeded

    with seeded(seed):
        model = make()
    return model.eval() if isinstance(model, nn.Module) else model
