"""A world as a value: all that the rest of the package may know of what is true.

Data, judge, players and pages take their world from the data that they are given. CartPole is one world; others differ
from it in a function or two. Chance is in a world's hands, with a generator; what nobody sees is an entry of its state.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from . import cartpole
from .rendering import draw


@dataclass(frozen=True, eq=False)
class World:
    """What is true: how it begins, moves, ends and looks.

    A state holds, in this order, what can be measured, `x` in metres and `theta` in radians among it, and then the
    hidden causes, which nobody sees.
    """

    name: str  # what data sets, keys and pages call it
    reset: Callable  # (n, generator) -> states (n, S) float64 in which episodes begin
    step: Callable  # (states (..., S), actions (...), generator or None) -> states (..., S), exact
    fallen: Callable  # states (..., S) -> (...) bool: whether the episode ends there
    draw: Callable = draw  # (states (..., S), view, workers) -> model frames (..., *view.shape) uint8
    expert: Callable = cartpole.sign_theta_and_velocity  # states (..., S) -> actions (...): who keeps the pole up
    state_names: tuple = cartpole.STATE_NAMES
    hidden: tuple = ()  # which of them nobody sees; they come last
    actions: int = 2
    time_limit: int = cartpole.TIME_LIMIT  # steps
    environment: str = ""  # its name at Gymnasium, where it has one
    page: dict = field(default_factory=dict)  # its counterpart in the page: what differs from world.js's CartPole

    @property
    def size(self):
        """S: the numbers in a state."""
        return len(self.state_names)

    def entry(self, states, name):
        """Return one entry of states (..., S) by its name: (...)."""
        return states[..., self.state_names.index(name)]

    def state(self, **entries):
        """Return states (..., S) float64 made of named entries (...), all others zero."""
        one = next(iter(entries.values()))
        states = torch.zeros(*one.shape, self.size, dtype=torch.float64)
        for name, values in entries.items():
            states[..., self.state_names.index(name)] = values
        return states

    def simulate(self, states, actions, generator=None):
        """Play actions (B, N) from states (B, S); return the N states that follow, (B, N, S) float64."""
        futures = []
        for action in actions.unbind(1):
            states = self.step(states, action, generator)
            futures.append(states)
        return torch.stack(futures, 1)

    def jacobian(self, states, actions):
        """Return d step / d state at each state: (B, S), (B,) -> (B, S, S) float64."""
        return torch.vmap(torch.func.jacrev(lambda s, a: self.step(s, a)))(states.double(), actions)

    def growth_rate(self):
        """Return the unstable rate of the upright pole in one step: ln of the largest eigenvalue (CartPole: 0.076)."""
        upright = torch.zeros(1, self.size, dtype=torch.float64)
        matrix = self.jacobian(upright, torch.ones(1, dtype=torch.int64))[0]
        return float(torch.log(torch.linalg.eigvals(matrix).abs().max()))


CARTPOLE = World("cartpole", cartpole.reset, cartpole.step, cartpole.fallen, environment=cartpole.ENVIRONMENT)
_known = {}


def register(world):
    """Make a world known by its name, so that data sets of it can be kept and loaded again; returns it."""
    if _known.setdefault(world.name, world) is not world:
        raise ValueError(f"there is a world called {world.name!r} already; give yours another name")
    return world


def world_called(name):
    """Return the world of this name. Raises ValueError for an unknown one."""
    if name not in _known:
        raise ValueError(f"no world called {name!r}; there are {', '.join(_known)}. `register` makes one known")
    return _known[name]


register(CARTPOLE)
