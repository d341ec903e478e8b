"""Made-up evaluations of rungs and references, for the tests of the ladder's figure."""

import numpy as np

RUNGS = (
    "autoencoder_mlp", "two_frame", "multi_step", "noise_robust", "recurrent", "state_space", "vrnn", "rssm", "jepa",
    "position_velocity",
)  # fmt: skip


def curves(start, horizon, growth=0.076, lost_at=None):
    """Made-up curves: an error that starts at `start` degrees and grows as physics lets it."""
    n = np.arange(1, horizon + 1)
    theta = start * np.exp(growth * n)
    there = [bool(lost_at is None or step < lost_at) for step in n]
    beyond = [next((int(step) for step, error in zip(n, theta) if error > limit), None) for limit in (1, 2)]
    return {
        "theta": [float(error) if seen else None for error, seen in zip(theta, there)],
        "x": [float(error) if seen else None for error, seen in zip(0.4 * theta, there)],
        "skill": [float(1 - error / 3) if seen else None for error, seen in zip(theta, there)],
        "pole_there": (1 / (1 + np.exp((n - 40) / 6))).tolist(),
        "pixels": (0.02 * theta / (1 + theta / 9)).tolist(),
        "teacher_forced": [1.5 * start] * horizon,
        "steps_1": beyond[0], "censored_1": 0.1, "steps_2": beyond[1], "censored_2": 0.25, "interval_2": [4, 9],
    }  # fmt: skip


def evaluation(start, score=300.0, parameters=52_000, lost_at=None):
    return {
        "replayed": curves(start, 50, lost_at=lost_at), "intervened": curves(1.1 * start, 20, lost_at=lost_at),
        "return": [score, score - 30, score + 30],
        "cost": {"parameters": parameters, "seconds": parameters / 500, "steps_per_second": 4e9 / parameters},
    }  # fmt: skip


def ladder(count=4, seeds=3):
    """`count` made-up rungs, each better than the one before it; the first loses the pole at step 18."""
    return {
        rung: {
            seed: evaluation(
                1.6 * 0.75**i * (1 + 0.12 * seed), 43 + 48 * i + 5 * seed, 52_000 + 31_000 * i, None if i else 18
            )
            for seed in range(seeds)
        }
        for i, rung in enumerate(RUNGS[:count])
    }


def references():
    exact, repeat = evaluation(0.25), evaluation(0.9)
    for one in (exact, repeat):
        one.update({"return": None, "cost": {}})
    upright = {
        protocol: {"theta": np.linspace(2, 6, horizon).tolist(), "steps_2": 1}
        for protocol, horizon in (("replayed", 50), ("intervened", 20))
    }
    return {"exact physics": exact, "repeat the last frame": repeat, "constant upright": upright}


def read_by_two():
    """Three rungs and references, by the ink and by somebody who sees everything half a degree worse."""
    worse = ladder(3)
    for seeds in worse.values():
        for one in seeds.values():
            for part in ("replayed", "intervened"):
                one[part]["theta"] = [value if value is None else value + 0.5 for value in one[part]["theta"]]
    return {"by the ink": (ladder(3), references()), "by the closest picture": (worse, references())}
