"""Every world as a Gymnasium environment, to take elsewhere: `gymnasium.make("LatentDynamics/GustyCartPole-v0")`."""

import gymnasium as gym
import numpy as np
import torch

from . import curtain, gusty  # noqa: F401  (they make their worlds known)
from .preprocessing import SCREEN, View
from .worlds import world_called

SCREENFUL = View(top=0, bottom=SCREEN[0], gray=False, height=SCREEN[0], width=SCREEN[1])


class WorldEnvironment(gym.Env):
    """A World, played one state at a time by Gymnasium's rules (Towers et al. 2024).

    An observation is what can be measured of the state, without its hidden causes: (M,) float32; for CartPole's kin x,
    x_dot, theta, theta_dot. `info` holds the whole state, for whoever judges. A step is worth 1.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(self, world, render_mode=None):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"no render mode {render_mode!r}; there is 'rgb_array', which returns a picture")
        self.world, self.render_mode = world_called(world), render_mode
        self.action_space = gym.spaces.Discrete(self.world.actions)
        measured = self.world.size - len(self.world.hidden)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (measured,), np.float32)
        self._chance, self._state = torch.Generator(), None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._chance.manual_seed(int(self.np_random.integers(2**62)))
        self._state = self.world.reset(1, self._chance)[0]
        return self._observed()

    def step(self, action):
        if self._state is None:
            raise gym.error.ResetNeeded("this environment has not begun: call reset() before step()")
        self._state = self.world.step(self._state, torch.tensor(int(action)), self._chance)
        observed, info = self._observed()
        return observed, 1.0, bool(self.world.fallen(self._state)), False, info

    def render(self):
        """Return the picture: (400, 600, 3) uint8."""
        return self.world.draw(self._state.numpy(), SCREENFUL, 1) if self.render_mode else None

    def _observed(self):
        return self._state[: self.observation_space.shape[0]].float().numpy(), {"state": self._state.numpy().copy()}
