"""True states from which a widget's games and futures start, and what a model has seen before."""

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


def recorded_contexts(episodes, numbers, first=10, context=10):
    """Return what was recorded from step `first` of these episodes on: states (B, K + 1, S) and pushes (B, K).

    The last state is where a future begins; what blows there is in it. Raises ValueError for what was not recorded.
    """
    numbers = np.atleast_1d(np.asarray(numbers))
    if len(numbers) == 0 or not ((numbers >= 0) & (numbers < len(episodes))).all():
        raise ValueError(f"episodes {numbers.tolist()}; expected at least one number from 0 to {len(episodes) - 1}")
    short = numbers[episodes.lengths[numbers] < first + context]
    if len(short):
        raise ValueError(
            f"episodes {short.tolist()} end before step {first + context}; take longer ones, or start earlier: first="
        )
    frames = (episodes.first_frames[numbers] + first)[:, None] + np.arange(context + 1)
    pushes = (episodes.first_steps[numbers] + first)[:, None] + np.arange(context)
    return episodes.states[frames], episodes.actions[pushes]


def checked_contexts(states, actions, world):
    """Return contexts as a page takes them, [{"states", "actions"}, ...]; raises ValueError where they do not fit."""
    states, actions = np.asarray(states, dtype=float), np.asarray(actions, dtype=np.int64)
    if states.ndim != 3 or states.shape[2] != world.size or states.shape[0] == 0 or states.shape[1] < 2:
        raise ValueError(
            f"states have shape {states.shape}; expected (B, K + 1, {world.size}): what was seen before each start"
        )
    if actions.shape != (states.shape[0], states.shape[1] - 1):
        wanted = (len(states), states.shape[1] - 1)
        raise ValueError(f"actions have shape {actions.shape}; expected {wanted}: the pushes between the states")
    if not ((actions >= 0) & (actions < world.actions)).all():
        raise ValueError(f"actions range over {actions.min()}..{actions.max()}; the world knows 0..{world.actions - 1}")
    checked_states(states[:, -1], world)
    return [{"states": one.tolist(), "actions": pushes.tolist()} for one, pushes in zip(states, actions, strict=True)]
