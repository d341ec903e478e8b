"""A second world, as a reader would define one: a pole on the Moon, in a steady wind that nobody sees."""

import torch

from latent_dynamics import cartpole
from latent_dynamics.world.worlds import World


def begin(n, generator):
    return torch.cat([cartpole.reset(n, generator), torch.randn(n, 1, dtype=torch.float64, generator=generator)], -1)


def move(states, actions, generator=None):
    here, wind = states.double().split([4, 1], -1)
    return torch.cat([cartpole.step(here, actions, gravity=1.62, wind=wind[..., 0]), wind], -1)


MOON = World(
    "moon", begin, move, cartpole.fallen, state_names=(*cartpole.STATE_NAMES, "wind"), hidden=("wind",), time_limit=80,
    page={"gravity": 1.62, "wind": 4},
)  # fmt: skip
