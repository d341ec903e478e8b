"""True states from which a widget's games and futures start."""

import numpy as np


def checked_states(states, world):
    """Return upright states (S, D) of a world as float64, or raise a ValueError that says what is wrong with them."""
    states = np.asarray(states, dtype=float)
    if states.ndim != 2 or states.shape[1] != world.size or len(states) == 0 or not np.isfinite(states).all():
        raise ValueError(
            f"states have shape {states.shape}; expected finite (S, {world.size}): {', '.join(world.state_names)}. "
            "For a single one pass state[None]."
        )
    if world.fallen(states).any():
        which = np.flatnonzero(world.fallen(states)).tolist()
        raise ValueError(f"states {which} have fallen already; start from upright ones")
    return states


def labels_of(labels, states, world):
    """Return what a list calls states (S, D): `labels`, or where cart and pole are. Raises ValueError for too few."""
    if labels is None:
        words = "cart {:+.2f} m, pole {:+.1f}\u00b0"
        pairs = zip(world.entry(states, "x"), np.degrees(world.entry(states, "theta")), strict=True)
        return [words.format(round(x, 2) + 0.0, round(theta, 1) + 0.0).replace("-", "\u2212") for x, theta in pairs]
    if len(labels) != len(states):
        raise ValueError(f"labels names {len(labels)} states; expected {len(states)}, one for each state.")
    return [str(label) for label in labels]
