"""Episodes from elsewhere: step by step, from HDF5, from Minari; checked field by field, so that nothing wrong gets in.

Each function here gives a list of dicts of arrays, one an episode of T steps, as `Episodes.from_episodes` takes it:
frames (T + 1, *view.shape) uint8, actions, rewards, terminated and truncated (T,), and states (T + 1, S) where they are
known.
"""

import numpy as np

from ..world.preprocessing import SCREEN, to_bytes

OF_STEPS = ("actions", "rewards", "terminated", "truncated")  # an entry a step; frames and states have one more
ALSO_CALLED = {"observations": "frames", "terminations": "terminated", "truncations": "truncated"}  # by Minari
STEP = ("frame", "action", "reward", "terminated", "truncated", "next_frame")  # what a step says, and perhaps states


def checked(episode, number, world, view):
    """Return one episode's arrays, of the right types; raises ValueError or TypeError, which name field and episode."""
    found = {ALSO_CALLED.get(name, name): values for name, values in episode.items()}
    for name in ("frames", *OF_STEPS):
        if name not in found:
            raise ValueError(f"episode {number} has no {name!r}; it has {', '.join(map(repr, episode)) or 'nothing'}")
    arrays = {name: _array(found[name], name, number) for name in ("frames", *OF_STEPS)}
    steps = len(arrays["actions"])
    arrays["frames"] = _pictures(arrays["frames"], number, view)
    arrays["states"] = _array(found.get("states", np.zeros((steps + 1, 0))), "states", number).astype(np.float64)
    for name, values in arrays.items():
        wanted = steps if name in OF_STEPS else steps + 1
        if len(values) != wanted or steps == 0:
            raise ValueError(
                f"{name} of episode {number} has {len(values)} rows; its {steps} actions call for {wanted}: one more "
                "frame than actions, of which there is at least one"
            )
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{name} of episode {number} holds NaN or infinity; every number must be finite")
    actions, width = arrays["actions"], arrays["states"].shape[1:]
    if actions.ndim != 1 or not (actions == np.rint(actions)).all() or not np.isin(actions, range(world.actions)).all():
        raise ValueError(f"actions of episode {number} must be whole numbers from 0 to {world.actions - 1}")
    if width not in ((world.size,), (0,)):
        raise ValueError(f"states of episode {number} are rows of {width}; those of {world.name} are of {world.size}")
    ends = (arrays["terminated"].astype(bool) | arrays["truncated"].astype(bool))[:-1]
    if ends.any():
        raise ValueError(f"episode {number} goes on after it ended at step {int(ends.argmax()) + 1}; cut it there")
    kinds = {"actions": np.int64, "rewards": np.float32, "terminated": bool, "truncated": bool}
    return {name: values.astype(kinds.get(name, values.dtype)) for name, values in arrays.items()}


def _array(values, name, number):
    try:
        values = np.asarray(values)
    except ValueError:
        values = np.array(None)
    if values.ndim == 0 or values.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} of episode {number} is no array of numbers; are its rows of unequal length, or are its pictures "
            "encoded, as in Minari's files (from_minari reads them)?"
        )
    return values


def _pictures(frames, number, view):
    """Return frames as a view sees them: the screen's are shrunk, and a view's own are left as they are."""
    if frames.dtype != np.uint8:
        raise TypeError(
            f"frames of episode {number} are {frames.dtype}; expected bytes, uint8 from 0 to 255, as env.render() and "
            "ld.preprocessing.to_bytes give them (floats in [0, 1]: np.rint(255 * frames).astype(np.uint8))"
        )
    if frames.shape[1:] == SCREEN and view.shape != SCREEN:
        return to_bytes(frames, view)
    if frames.shape[1:] != view.shape:
        raise ValueError(
            f"frames of episode {number} have shape {frames.shape[1:]}; expected the screen's {SCREEN} or the view's "
            f"{view.shape}: name yours, as in view=ld.preprocessing.View(height=64, width=64)"
        )
    return frames


def of_steps(steps):
    """Collect steps into episodes: dicts of frame, action, reward, terminated, truncated and next_frame, in order.

    With `state` and `next_state` too, the true states are kept. An episode ends where a step is terminated or
    truncated, or with the last step. Raises ValueError, which names step and field.
    """
    found, ended = [], True
    for number, step in enumerate(steps):
        for name in (*STEP, *(("state", "next_state") if {"state", "next_state"} & set(step) else ())):
            if name not in step:
                raise ValueError(f"step {number} has no {name!r}; it has {', '.join(map(repr, step)) or 'nothing'}")
        if ended:
            found.append([])
        elif not np.array_equal(step["frame"], found[-1][-1]["next_frame"]):
            raise ValueError(
                f"frame of step {number} is not next_frame of the step before, which did not end its episode"
            )
        found[-1].append(step)
        ended = bool(step["terminated"] or step["truncated"])
    return [_episode(one) for one in found]


def _episode(steps):
    known = {"frames": "frame"} | ({"states": "state"} if all("state" in step for step in steps) else {})
    arrays = {many: [*(step[one] for step in steps), steps[-1][f"next_{one}"]] for many, one in known.items()}
    each = {"actions": "action", "rewards": "reward", "terminated": "terminated", "truncated": "truncated"}
    return arrays | {many: [step[one] for step in steps] for many, one in each.items()}


def of_hdf5(path):
    """Read a file with a group an episode, in which the datasets have the names above.

    Needs h5py, of the extra `data`.
    """
    import h5py

    with h5py.File(path) as file:
        groups = [name for name in file if isinstance(file[name], h5py.Group)]
        ordered = sorted(groups, key=lambda name: [int(part) if part.isdigit() else part for part in name.split("_")])
        return [
            {name: values[()] for name, values in file[group].items() if isinstance(values, h5py.Dataset)}
            for group in ordered
        ]


def of_minari(dataset):
    """Take the episodes of a Minari data set (Younis et al. 2024) whose observations are pictures."""
    names = ("observations", "actions", "rewards", "terminations", "truncations")
    return [{name: getattr(episode, name) for name in names} for episode in dataset.iterate_episodes()]
