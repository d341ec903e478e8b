"""True states from which a widget's games and futures start."""

import numpy as np

from latent_dynamics.world.cartpole import fallen


def checked_states(states):
    """Return upright states (S, 4) float64, or raise a ValueError that says what is wrong with them."""
    states = np.asarray(states, dtype=float)
    if states.ndim != 2 or states.shape[1] != 4 or len(states) == 0 or not np.isfinite(states).all():
        raise ValueError(
            f"states have shape {states.shape}; expected finite (S, 4): x, x_dot, theta, theta_dot. "
            "For a single one pass state[None]."
        )
    if fallen(states).any():
        which = np.flatnonzero(fallen(states)).tolist()
        raise ValueError(f"states {which} have fallen already; start from upright ones")
    return states
