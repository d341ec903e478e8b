"""What a drift curve is compared with: world models that have learned nothing, or that know the physics.

All answer to the same interface as the learned models, so the same judge reads them in the same way.
"""

import numpy as np
import torch
from torch import nn

from ..models.world_model import WorldModel, check_actions, check_frames, refuse_samples
from ..world.preprocessing import from_bytes
from ..world.reader import measure
from ..world.worlds import CARTPOLE

# Standard deviations by which the fit weighs what it reads: the reader's errors on real frames, and a wide
# belief about velocities before anything has moved.
X_NOISE, THETA_NOISE = 0.0025, 0.0045  # metres, radians
X_DOT_PRIOR, THETA_DOT_PRIOR = 1.0, 1.5  # metres a second, radians a second


class _TrueUnits(WorldModel):
    """States are the world's own, D = S numbers, and are drawn by the renderer itself."""

    def __init__(self, world=CARTPOLE):
        super().__init__()
        self.world, self.state_size = world, world.size

    def decode(self, states):
        flat = states.detach().numpy()[..., : self.world.size].reshape(-1, self.world.size)
        once, which = np.unique(flat, axis=0, return_inverse=True)  # what stands still need be drawn only once
        frames = from_bytes(self.world.draw(once, workers=1))[which.reshape(-1)]
        return torch.from_numpy(frames.reshape(*states.shape[:-1], *frames.shape[1:]))

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), 1.0 - self.world.fallen(states).double()


class ExactPhysics(_TrueUnits):
    """Exact physics from these frames: the simulator, started from a least-squares fit to what they show.

    The state that best explains the positions which the reader finds in the last K + 1 frames, given the pushes in
    between; Gauss-Newton, three rounds. It is a reference and not a bound: a cleverer estimator could beat it.
    """

    def __init__(self, frames_used=None, world=CARTPOLE):
        super().__init__(world)
        self.frames_used = frames_used  # how many of the last frames the fit may use; all by default

    def observe(self, frames, actions):
        check_frames(frames, self.frame_shape)
        check_actions(actions, frames.shape[0], frames.shape[1] - 1)
        keep = min(self.frames_used or frames.shape[1], frames.shape[1])
        seen = measure(frames[:, -keep:])
        return fit_state(seen.x, seen.theta, actions[:, actions.shape[1] - keep + 1 :], world=self.world)

    def filter(self, frames, actions):
        counts = range(1, frames.shape[1] + 1)
        return torch.stack([self.observe(frames[:, :n], actions[:, : n - 1]) for n in counts], 1)

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        return self.world.simulate(belief, actions)


def fit_state(x, theta, actions, rounds=3, world=CARTPOLE):
    """Fit the last state to positions: x, theta (B, K + 1), actions (B, K) -> (B, S) float64."""
    measured = torch.stack([x / X_NOISE, theta / THETA_NOISE], -1).flatten(1)  # (B, 2K + 2)
    speeds = {"x_dot": 1 / X_DOT_PRIOR, "theta_dot": 1 / THETA_DOT_PRIOR}
    prior = world.state(**{name: torch.tensor(one) for name, one in speeds.items()})

    def explain(first, actions):
        later = [world.simulate(first[None], actions[None])[0]] if len(actions) else []
        states = torch.cat([first[None], *later])
        positions = [world.entry(states, "x") / X_NOISE, world.entry(states, "theta") / THETA_NOISE]
        return torch.cat([torch.stack(positions, -1).flatten(), first * prior])

    first = world.state(x=x[:, 0], theta=theta[:, 0])
    target = torch.cat([measured, torch.zeros_like(first)], 1)
    for _ in range(rounds):
        miss = target - torch.vmap(explain)(first, actions)
        slope = torch.vmap(torch.func.jacfwd(explain))(first, actions)  # (B, 2K + 2 + S, S)
        first = first + torch.linalg.lstsq(slope, miss[..., None]).solution[..., 0]
    return world.simulate(first, actions)[:, -1] if actions.shape[1] else first


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
        return self.world.state(x=measure(frames).x)

    def imagine(self, belief, actions, samples=None):
        refuse_samples(self, samples)
        return belief[:, None].expand(-1, actions.shape[1], -1)


class ActionsOnly(_TrueUnits):
    """Sees no frame at all: ridge regression from the window's actions to where cart and pole will be.

    What it gets right, the actions have given away. A state is the world's, with only x and theta known,
    and then the context's actions.
    """

    def __init__(self, windows, ridge=30.0):
        super().__init__(windows.world)
        self.context, horizon = windows.context, windows.horizon
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

    The rows of a batch are turned half-way round, so give it more than one.
    """

    def __init__(self, model):
        super().__init__()
        self.model, self.state_size, self.frame_shape = model, model.state_size, model.frame_shape
        self.filter, self.decode, self.outcome = model.filter, model.decode, model.outcome

    def imagine(self, belief, actions, samples=None):
        return self.model.imagine(belief, actions.roll(len(actions) // 2, 0), samples=samples)


def untrained(make, seed=0):
    """Return a model as `make()` gives it, with random weights: the control for what training brings."""
    from ..models.training import seeded

    with seeded(seed):
        model = make()
    return model.eval() if isinstance(model, nn.Module) else model

