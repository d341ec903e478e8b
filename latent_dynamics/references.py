"""What a drift curve is compared with: world models that have learned nothing, or that know the physics.

All answer to the same interface as the learned models, so the same judge reads them in the same way.
"""

from functools import cache

import numpy as np
import torch
from torch import nn

from .cartpole import PIXELS_PER_METRE, fallen, simulate, step
from .collection import draw
from .preprocessing import from_bytes
from .reader import WHOLE, errors, limits, measure, read, real_frames
from .world_model import WorldModel, check_actions, check_frames, refuse_samples

# A wide belief about velocities before anything has moved: standard deviations.
X_DOT_PRIOR, THETA_DOT_PRIOR = 1.0, 1.5  # metres a second, radians a second


class _TrueUnits(WorldModel):
    """States are (x, x_dot, theta, theta_dot), D = 4, and are drawn by the renderer itself."""

    state_size = 4

    def decode(self, states):
        flat = states.detach().numpy()[..., :4].reshape(-1, 4)
        once, which = np.unique(flat, axis=0, return_inverse=True)  # what stands still need be drawn only once
        frames = from_bytes(draw(once, workers=1))[which.reshape(-1)]
        return torch.from_numpy(frames.reshape(*states.shape[:-1], *frames.shape[1:]))

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), 1.0 - fallen(states).double()


class ExactPhysics(_TrueUnits):
    """Exact physics from these frames: the simulator, started from a least-squares fit to what they show.

    The state that best explains the positions which the reader finds in the last K + 1 frames, given the pushes in
    between, each weighed by the reader's error on real frames of its kind; frames without a pole to read tell nothing.
    Gauss-Newton, three rounds. It is a reference and not a bound: `ParticlePhysics` beats it.
    """

    def __init__(self, frames_used=None):
        super().__init__()
        self.frames_used = frames_used  # how many of the last frames the fit may use; all by default

    def observe(self, frames, actions):
        check_frames(frames, self.frame_shape)
        check_actions(actions, frames.shape[0], frames.shape[1] - 1)
        keep = min(self.frames_used or frames.shape[1], frames.shape[1])
        return self.explain(read(frames[:, -keep:]), actions[:, actions.shape[1] - keep + 1 :])

    def explain(self, seen, actions):
        """Return the last state (B, 4), from readings (B, K + 1) and the actions (B, K) in between."""
        return fit_state(seen.x, seen.theta, actions, errors(seen))

    def filter(self, frames, actions):
        counts = range(1, frames.shape[1] + 1)
        return torch.stack([self.observe(frames[:, :n], actions[:, : n - 1]) for n in counts], 1)

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        return simulate(belief, actions)


def fit_state(x, theta, actions, error=None, rounds=3):
    """Fit the last state to positions: x, theta (B, K + 1), actions (B, K) -> (B, 4) float64.

    error (B, K + 1, 2): standard deviations of x and theta, inf for what was not seen; the reader's own by default.
    """
    return _at_the_end(fit_first_state(x, theta, actions, error, rounds)[0], actions)


def fit_first_state(x, theta, actions, error=None, rounds=3):
    """Fit the first state: (B, 4), and how far it may be off, a square root of its covariance (B, 4, 4)."""
    if error is None:
        error = torch.tensor(limits()["error"], dtype=torch.float64).expand(*x.shape, 2)
    seen = error.isfinite().all(-1)  # (B, K + 1)
    known = torch.where(seen, theta, 0).double(), 0 * x.double()  # a pole that nobody saw may stand
    weights = torch.cat([(1 / error).flatten(1), _prior().expand(len(x), -1)], 1)  # (B, 2K + 6)
    first = torch.stack([x[:, 0].double(), known[1][:, 0], known[0][:, 0], known[1][:, 0]], -1)
    target = torch.cat([torch.stack([x, known[0]], -1).flatten(1), torch.zeros_like(first)], 1)

    def explain(first, actions):
        states = torch.cat([first[None], simulate(first[None], actions[None])[0]]) if len(actions) else first[None]
        return torch.cat([states[:, [0, 2]].flatten(), first])

    for _ in range(rounds):
        miss = weights * (target - torch.vmap(explain)(first, actions))
        slope = weights[..., None] * torch.vmap(torch.func.jacfwd(explain))(first, actions)  # (B, 2K + 6, 4)
        first = first + torch.linalg.lstsq(slope, miss[..., None]).solution[..., 0]
    return first, torch.linalg.pinv(torch.linalg.qr(slope).R)


def _prior():
    """Weights of the belief that a first state is at rest, somewhere: (4,)."""
    return torch.tensor([0.0, 1 / X_DOT_PRIOR, 0.0, 1 / THETA_DOT_PRIOR], dtype=torch.float64)


def _at_the_end(first, actions):
    """Play the actions (B, K) from first states (B, 4): the last ones."""
    return simulate(first, actions)[:, -1] if actions.shape[1] else first


class ParticlePhysics(ExactPhysics):
    """Exact physics that also knows how the screen rounds: the mean of the states that explain what these frames show.

    The renderer truncates the corners of cart and pole to whole pixels, and that is most of the reader's error. So
    candidates for the first state are drawn about the least-squares fit, each is played through the window, and it is
    weighed by how well the *rounded* corners explain the readings. Then new candidates are drawn about the best; from
    wide to narrow, `rounds` times (population Monte Carlo: Cappe et al. 2004).
    """

    def __init__(self, frames_used=None, particles=500, rounds=5):
        super().__init__(frames_used)
        self.particles, self.rounds = particles, rounds

    def explain(self, seen, actions):
        error = errors(seen)
        first, spread = fit_first_state(seen.x, seen.theta, actions, error)
        rounded = torch.tensor(rounded_error(), dtype=torch.float64).expand_as(error)
        least = torch.where(error == torch.tensor(limits()["error"], dtype=torch.float64), rounded, error)
        rng = torch.Generator().manual_seed(0)  # the same draws for each window, whatever the batch
        for temperature in torch.linspace(1, 0, self.rounds, dtype=torch.float64):
            dice = torch.randn(self.particles, 4, dtype=torch.float64, generator=rng)
            each = first[:, None] + dice @ spread.mT  # (B, S, 4)
            weight = self._log_weight(each, seen, actions, least * (error / least).nan_to_num(1.0) ** temperature)
            share = torch.softmax(weight + dice.square().sum(-1) / 2, 1)[..., None]  # (B, S, 1)
            first = (share * each).sum(1)
            off = share.sqrt() * (each - first[:, None])
            spread = torch.linalg.cholesky(off.mT @ off + 1e-12 * torch.eye(4, dtype=torch.float64))
        return _at_the_end(first, actions)

    def _log_weight(self, first, seen, actions, error):
        """Say how well first states (B, S, 4) explain the readings, and the belief before them: (B, S)."""
        path = _paths(first, actions)  # (B, S, K + 1, 4)
        shown = torch.stack([seen.x, seen.theta], -1)[:, None]  # (B, 1, K + 1, 2)
        miss = (rounded_reading(path) - shown) / error[:, None]
        miss = torch.where(error[:, None].isfinite(), miss, 0.0)
        return -(miss.square().clamp(max=25).sum((-1, -2)) + (first * _prior()).square().sum(-1)) / 2


def _paths(first, actions):
    """Play actions (B, K) from states (B, S, 4): (B, S, K + 1, 4)."""
    states = [first]
    for action in actions.unbind(1):
        states.append(step(states[-1], action[:, None]))
    return torch.stack(states, 2)


def rounded_reading(states):
    """Return x and theta (..., 2) as the corners show them that the renderer truncates to whole pixels: (..., 4)."""
    middle = states[..., 0] * PIXELS_PER_METRE + 300
    cart = torch.trunc(middle - 25) + torch.trunc(middle + 25) + 1  # twice its middle
    sin, cos = torch.sin(states[..., 2]), torch.cos(states[..., 2])
    right = up = 0.0  # from the middle of the pole's lower end to that of its upper end, twice
    for side in (-5, 5):
        for height, sign in ((-5, -1), (120, 1)):
            right = right + sign * torch.trunc(cos * side + sin * height + middle)
            up = up + sign * torch.trunc(cos * height - sin * side + 107.5)
    return torch.stack([(cart / 2 - 300) / PIXELS_PER_METRE, torch.atan2(right, up)], -1)


@cache
def rounded_error():
    """Return what rounded corners leave of the reader's error, root mean square: metres, radians."""
    states, frames = real_frames(2000)
    seen = measure(frames)
    off = torch.stack([seen.x, seen.theta], -1) - rounded_reading(states)
    return tuple(off[seen.shown > WHOLE].square().mean(0).sqrt().tolist())


class RepeatLastFrame(WorldModel):
    """Nothing moves. A state is the last frame itself, D = H W pixels."""

    state_size = 3200

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
        states = torch.zeros(*frames.shape[:2], 4, dtype=torch.float64)
        states[..., 0] = measure(frames).x
        return states

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        return belief[:, None].expand(-1, actions.shape[1], -1)


class ActionsOnly(_TrueUnits):
    """Sees no frame at all: ridge regression from the window's actions to where cart and pole will be.

    What it gets right, the actions have given away. A state carries (x, 0, theta, 0), then the context's actions.
    Recorded actions betray more than coins do, so it remembers the `protocol` of the windows that it was fitted to, and
    the judge refuses it on those of another.
    """

    def __init__(self, windows, ridge=30.0):
        super().__init__()
        self.protocol, self.context, horizon = windows.protocol, windows.context, windows.horizon
        self.state_size, self.weights = 4 + self.context, []
        every = torch.cat([windows.actions_before, windows.actions], 1)
        for h in range(1, horizon + 1):
            rows = windows.alive[:, h - 1]
            inputs = self._inputs(every[rows, : self.context + h])
            target = windows.states[rows, h][:, [0, 2]].double()
            square = inputs.T @ inputs + ridge * torch.eye(inputs.shape[1], dtype=torch.float64)
            self.weights.append(torch.linalg.solve(square, inputs.T @ target))  # (K + h + 1, 2)

    @staticmethod
    def _inputs(actions):
        signs = 2.0 * actions.double() - 1
        return torch.cat([signs, torch.ones(len(actions), 1, dtype=torch.float64)], 1)

    def filter(self, frames, actions):
        belief = torch.zeros(*frames.shape[:2], self.state_size, dtype=torch.float64)
        padded = nn.functional.pad(actions.double(), (self.context, 0), value=0.5)  # before the first: no push at all
        belief[..., 4:] = padded.unfold(1, self.context, 1)  # the last K actions before each frame
        return belief

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        states = belief[:, None].repeat(1, actions.shape[1], 1)
        every = torch.cat([belief[:, 4:], actions.double()], 1)
        for h in range(1, actions.shape[1] + 1):
            where = self._inputs(every[:, : self.context + h]) @ self.weights[h - 1]
            states[:, h - 1, 0], states[:, h - 1, 2] = where.unbind(-1)
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
    from .training import seeded

    with seeded(seed):
        model = make()
    return model.eval() if isinstance(model, nn.Module) else model
