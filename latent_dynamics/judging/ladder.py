"""The whole ladder by name: rungs, experiments, references and trials, and what was measured of them.

Chapters read the figures from what travels with the package; `python -m latent_dynamics train` makes them anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..keeping import recorded, store
from ..keeping.artifacts import (
    KNOWN,
    LADDER,
    MODELS,
    PREDICTORS,
    UNCERTAIN,
    default_seed,
    is_shipped,
    load_autoencoder,
    load_balance_eyes,
    load_episodes,
    load_model,
    model_key,
    seed_key,
    usual_data,
    world_key,
)
from ..keeping.fingerprint import source_of
from ..models.training import seeded
from ..world.gusty import GUSTY
from ..world.worlds import CARTPOLE
from . import (
    drift,
    exact_belief,
    found_causes,
    judging_set,
    latent_choices,
    measuring,
    measuring_actors,
    measuring_belief,
    measuring_dqn,
    measuring_from_nothing,
    measuring_jepa,
    measuring_pixels,
    measuring_plans,
    measuring_predictors,
    measuring_pushes,
    measuring_study,
    noisy_physics,
    planning_references,
    predicting,
    references,
    statistics,
    studied,
)

GAMES = 100  # that a controller on a rung's belief plays
HORIZONS = (1, 3, 5, 10, 20)  # steps dreamt in training, chapter 8
NOISES = (0.1, 0.3, 1.0, 3.0)  # noise in training in units of a step's change, chapter 8

EXPERIMENTS = {f"two frames, {n} steps": ("multi_step", {"horizon": n}) for n in HORIZONS if n not in (1, 5)}
EXPERIMENTS |= {f"one frame, {n} steps": ("multi_step", {"horizon": n, "sees_change": False}) for n in (1, 5, 20)}
EXPERIMENTS |= {f"noise {n}": ("noise_robust", {"noise": n}) for n in NOISES if n != 0.3}
EXPERIMENTS |= {
    "noise 0.3 and 5 steps": ("multi_step", {"noise": 0.3}),
    "1 hidden layer, 5 steps": ("multi_step", {"layers": 1}),
    "4 hidden layers, 5 steps": ("multi_step", {"layers": 4}),
    "1 step, 3 times as long": ("two_frame", {"longer": 3}),
    "5 steps, 3 times as long": ("multi_step", {"longer": 3}),
}
COMBINATIONS = {  # what eyes, memory, structure and filter each buy, what data do, and parts taken away; chapter 9
    "memory on balance eyes": ("recurrent", {"eyes": "balance", "horizon": 20}),
    "five steps on balance eyes": ("multi_step", {"eyes": "balance"}),
    "positions and velocities on z": ("position_velocity", {"eyes": "autoencoder"}),
    "without its filter": ("position_velocity", {"filters": False}),
    "memory, random data": ("recurrent", {"data": "random"}),
    "position_velocity, random data": ("position_velocity", {"data": "random"}),
    "position_velocity, 1 step": ("position_velocity", {"horizon": 1}),
    "position_velocity, 35 steps": ("position_velocity", {"horizon": 35}),
    "position_velocity, linear": ("position_velocity", {"curved": False}),
    "position_velocity, gains of a line": ("position_velocity", {"learn_gains": False}),
}
SHORT = {"epochs": 2}  # of experiments that are compared with each other only
COLLAPSE = {  # what weight of the KL and what sigma do to a latent beside a memory; chapter 12
    f"weight {weight}, sigma {sigma}": ("vrnn", {"beta": weight, "sigma": sigma} | SHORT)
    for weight in (0.1, 1.0) for sigma in (0.03, 0.1, 0.3)
}  # fmt: skip
CURED = {"no cure": COLLAPSE["weight 1.0, sigma 0.1"]} | {  # and what may keep it alive, or wake it
    name: ("vrnn", {"sigma": 0.1} | cure | SHORT)
    for name, cure in {
        "KL warm-up": {"warm_up": 0.5},
        "free bits of each step": {"free_bits": 0.5},
        "free bits of the average": {"free_bits": 0.5, "free_on_average": True},
        "KL balancing": {"balance": 0.8},
        "decoder without memory": {"decoder_remembers": False},
    }.items()
}
CURED |= {"choices for numbers": ("vrnn_of_choices", {"sigma": 0.1} | SHORT), "learned sigma": ("vrnn", SHORT)}
SIZES = {  # of a belief: numbers that are remembered, and of the latent; chapter 13
    f"memory {memory}, latent {latent}": ("rssm", {"memory": memory, "latent": latent} | SHORT)
    for memory, latent in ((1, 2), (4, 2), (4, 4), (16, 6), (64, 6))
}
FROM_PIXELS = {  # where nobody has first found out what a frame says; chapter 13
    "from pixels": ("rssm_from_pixels", {}),
    "from pixels, KL times 30": ("rssm_from_pixels", {"beta": 30.0}),
}
TAUGHT = {  # without a price for its latent, and by pushes that never answer to what blows; chapter 11
    "state_space, weight 0": ("state_space", {"beta": 0.0, "epochs": 4}),
    "state_space, coins": ("state_space", {"data": "gusty_coins"}),
}
IN_CALM = ("vrnn", "rssm", "unseen_causes")  # rungs that doubt, taught and judged where there is nothing to doubt
EVERY = 3  # of the windows judges experiments on collapse
GUSTY_EXPERIMENTS = TAUGHT | {  # varied rungs; "data" may name another data set
    "one Gaussian": ("mdn_rnn", {"mixtures": 1}),  # chapter 13
    "rssm, coins": ("rssm", {"data": "gusty_coins"}),
}
PUSHED = {"state_space": ("state_space", {})} | TAUGHT  # of which it is measured what they believe of a push
BLOWN = {name: (name, {}) for name in ("rssm", "position_velocity")} | {  # chapter 15
    "exact belief": planning_references.PlanningBelief, "oracle": planning_references.PlanningOracle,
}  # fmt: skip
DREAMERS = ("rssm", "mdn_rnn", "unseen_causes", "position_velocity")  # whose dreams train actors of the gusty world
def _kept_rounds(name, key, make):
    return store.kept(name, key | {"source": source_of(measuring_from_nothing)}, make, "npz")


FROM_NOTHING = partial(measuring_from_nothing.rounds, keep=_kept_rounds)  # who learns from nothing, chapter 16
ANYWHERE = partial(FROM_NOTHING, within=None)  # and whose dreams begin anywhere
NOTHING = {"variance": 0.0, "covariance": 0.0, "moving": 0.0, "stop_gradient": False, "inverse": 0.0}
CURES = {  # of a latent that falls asleep: what each adds to nothing
    "variance": {"variance": 1.0},
    "covariance": {"covariance": 1.0},
    "moving target": {"moving": 0.99, "stop_gradient": True},
    "inverse dynamics": {"inverse": 20.0},
}
COLLAPSES = {"jepa": ("jepa", {})} | {  # all cures, all but one, and fewer; chapter 14
    f"without {cure}": ("jepa", {setting: NOTHING[setting] for setting in adds}) for cure, adds in CURES.items()
}
COLLAPSES |= {
    "no cure": ("jepa", NOTHING),
    "moving target alone": ("jepa", NOTHING | CURES["moving target"]),
    "frames as they are": ("jepa", {"shift": 0}),
    "untrained": ("jepa", {"longer": 0}),
}
SAME = {  # experiments that are rungs
    "two frames, 1 steps": "two_frame", "two frames, 5 steps": "multi_step", "noise 0.3": "noise_robust",
    "memory": "recurrent", "position_velocity": "position_velocity",
}  # fmt: skip
TRIALS = {  # of each rung's tuning, as many for each; the first is what its class does, judged on validation episodes
    "autoencoder_mlp": [{}, {"hidden": 256}],
    "two_frame": [{}, {"hidden": 256}],
    "multi_step": [{}, {"horizon": 10}],
    "noise_robust": [{}, {"noise": 1.0}],
    "recurrent": [{}, {"horizon": 20}],
    "position_velocity": [{}, {"horizon": 20}],
}
REFERENCES = {  # what a curve is compared with: protocol -> model
    "exact physics": lambda protocol: references.ExactPhysics(),
    "exact physics, whole pixels": lambda protocol: references.ParticlePhysics(),
    "repeat the last frame": lambda protocol: references.RepeatLastFrame(),
    "constant upright": lambda protocol: references.ConstantUpright(),
    "actions only": lambda protocol: references.ActionsOnly(fitting_windows()[protocol]),
    "position_velocity, told other actions": lambda protocol: references.ShuffledActions(_last_rung()),
    "position_velocity, untrained": lambda protocol: references.untrained(LADDER["position_velocity"]),
}
KNOWN_OF_GUSTS = {  # what a fan of futures is compared with, in the gusty world
    "oracle": lambda: exact_belief.Oracle(GUSTY),
    "exact belief": exact_belief.ExactBelief,
    "exact physics, no gusts": references.ExactPhysics,
    "repeat the last frame": references.RepeatLastFrame,
}


def _last_rung():
    return load_model("position_velocity", default_seed(), shipped=False, data_seed=default_seed())


def windows(split="test"):
    """Return the one set of windows that judges all that is compared: of "test", or "validation", episodes."""
    return judging_set.windows(split)


def fitting_windows():
    """Windows of training episodes, under coins of their own, to which a guesser from actions alone is fitted."""
    return drift.protocols(load_episodes("mixed", "train"), stride=12, seed=1)


@dataclass(frozen=True)
class Kind:
    """A kind of figures: how they are made, and what they rest on beside the model that they are of."""

    seeds: int  # of training; each draws data of its own, and trains eyes on them
    names: Mapping  # name -> (rung, settings), or what makes a model that is not trained
    rests_on: Callable  # () -> a JSON-able dict
    measure: Callable  # (model, seed) -> figures
    shipped: bool = False  # whether the weights that travel will do: what plays with them, and trains nothing
    carts: bool = True  # whether it is kept what each window scored of the cart, or, to travel light, of the pole alone
    library: str | None = None  # that only these need: where it is missing, `make train` leaves them out, and says so


def _rungs(names, **settings):
    return {name: (name, settings) for name in names}


def _calm(*judges, split="test", **more):
    """What figures of the calm world rest on."""
    return lambda: {"source": source_of(*judges), "windows": judging_set.key(split)} | more


def _gusty(*judges, **more):
    """What figures of the gusty world rest on."""
    return lambda: {"source": source_of(*judges), "windows": judging_set.key("test", GUSTY)} | more


def _splits(seed):
    """The episodes on which probes and players learn, and those on which they are judged."""
    return [load_episodes("mixed", split, seed) for split in ("train", "validation")]


def _whole(model, seed):
    return measuring.measured_whole(model, windows(), _splits(seed), judging_set.collected("test"), seed, GAMES)


def _lives(model, seed):
    return measuring_jepa.measured(model, windows(), _splits(seed), seed)


def _drifts(split="test"):
    return lambda model, seed: measuring.measured(model, windows(split))


def _believes(every=1):
    return lambda model, seed: measuring_belief.measured(model, judging_set.futures()[::every], _gusts())


def _uses(model, seed):
    return latent_choices.measured(model, judging_set.futures()[::EVERY], _gusts())


def _sees_pixels(model, seed):
    splits = load_episodes("gusty", "train", seed), _gusts()
    return measuring_pixels.measured(model, judging_set.futures()[::EVERY], splits, seed)


def _finds(model, seed):
    return found_causes.found_causes(model)


def _doubts_in_calm(model, seed):
    return measuring.measured(model, windows()) | measuring_belief.likely(model, judging_set.collected("test"))


def _predicts(model, seed):
    return measuring_predictors.measured(model, windows()["intervened"], _gusts())


def _acts(model, seed):
    return measuring_actors.by_rung(model, load_episodes("mixed", "train", seed), seed)


def _acts_by_length(model, seed):
    return measuring_actors.by_length(model, load_episodes("mixed", "train", seed), seed)


def _acts_in_gusts(temperatures=measuring_actors.TEMPERATURES, games=measuring_actors.FEWER):
    def measure(model, seed):
        doubts = getattr(model, "stochastic", False)
        episodes = load_episodes("gusty" if doubts else "mixed", "train", seed)[:300]
        tried = temperatures if doubts else (0.0,)
        return measuring_actors.by_temperature(model, episodes, seed, GUSTY, tried, games)

    return measure


def _learns(learn, seed):
    """Who learns from nothing is no trained model, but a function of the seed."""
    return learn(seed)


def _study(name, seed):
    """Train one of the study's settings, and measure it at each of its points: {column: [at each point]}."""
    rung, settings, data, share = studied.SETTINGS[name]
    splits, judges = _studied_splits(data, seed), judging_set.collected("validation")
    with seeded(seed):
        model = KNOWN[rung](**settings)
    if model.needs_eyes == "balance":
        eyes = load_balance_eyes(seed=seed, data_seed=seed)
    else:
        eyes = load_autoencoder(seed=seed, shipped=False, data_seed=seed)[0]
    model.eyes.load_state_dict(eyes.state_dict())
    model.eyes.requires_grad_(False)
    rows = [
        {"point": point} | measuring_study.measured(model, terms, _study_windows(), judges, splits, seed)
        for point, model, terms in studied.studied(model, splits, seed, share, name)
    ]
    return {column: [row[column] for row in rows] for column in rows[0]}


def _study_physics(seed):
    """Measure the study's control: exact physics, more and more disturbed, {noise: row}."""
    splits, judges = _studied_splits("mixed", seed), judging_set.collected("validation")
    change = np.diff(splits[0].states, axis=0)[splits[0].before].std(0)
    return {
        str(noise): measuring_study.measured_physics(
            noisy_physics.NoisyPhysics(noise, change), _study_windows(), judges, splits, seed
        )
        for noise in noisy_physics.NOISES
    }


def _studied_splits(data, seed):
    return [load_episodes(data, split, seed)[:count] for split, count in studied.EPISODES.items()]


def _study_windows():
    """Of validation episodes alone: whoever asks which metric to choose, chooses."""
    steps, found = measuring_study.HORIZONS[-1], {}
    for name, cut in windows("validation").items():
        cut = cut[::2]
        parts = {"pixels": cut.context + steps + 1, "actions": steps, "states": steps + 1, "alive": steps}
        found[name] = replace(cut, **{part: getattr(cut, part)[:, :length] for part, length in parts.items()})
    return found


def _refers(maker, seed):
    """A reference may know by which protocol it is judged."""
    found = {}
    for protocol, cut in windows().items():
        found |= drift.evaluate(maker(protocol), {protocol: cut}, teacher_forced=False)
    return found


def _gusts():
    return judging_set.collected("test", GUSTY)


def trials():
    """Return {name: (rung, settings)} of all trials."""
    return {f"{rung} {settings or ''}".strip(): (rung, settings) for rung, few in TRIALS.items() for settings in few}


KINDS = {  # references first, they show soonest what is wrong
    "references": Kind(1, REFERENCES, _calm(references, measuring), _refers),
    "rungs": Kind(5, _rungs(LADDER), lambda: _calm(measuring, games=GAMES)(), _whole),
    "closest": Kind(
        1, _rungs(LADDER) | {"exact physics": references.ExactPhysics}, _calm(measuring, games=0),
        lambda model, seed: measuring.seen_by_other_eyes(model, windows()),
    ),
    "experiments": Kind(3, EXPERIMENTS, _calm(measuring, games=0), _drifts()),
    "combinations": Kind(3, COMBINATIONS, _calm(measuring, games=0), _drifts()),
    "trials": Kind(1, trials(), _calm(measuring, split="validation", games=0), _drifts("validation")),
    "known_of_gusts": Kind(1, KNOWN_OF_GUSTS, _gusty(exact_belief, references, measuring_belief), _believes()),
    "gusty": Kind(3, _rungs(UNCERTAIN), _gusty(measuring_belief), _believes()),
    "gusty_experiments": Kind(1, GUSTY_EXPERIMENTS, _gusty(measuring_belief), _believes()),
    "collapse": Kind(1, COLLAPSE, _gusty(measuring_belief, every=EVERY), _believes(EVERY)),
    "cures": Kind(3, CURED, _gusty(latent_choices, every=EVERY), _uses),
    "sizes": Kind(1, SIZES, _gusty(measuring_belief, every=EVERY), _believes(EVERY)),
    "pixels": Kind(1, FROM_PIXELS, _gusty(measuring_pixels, every=EVERY), _sees_pixels),
    "causes": Kind(3, _rungs(["unseen_causes"]), lambda: {"source": source_of(found_causes)}, _finds),
    "calm": Kind(3, _rungs(IN_CALM, data="mixed"), _calm(measuring, measuring_belief, games=0), _doubts_in_calm),
    "pushes": Kind(
        1, PUSHED, _gusty(measuring_pushes), lambda model, seed: measuring_pushes.measured(model, _gusts())
    ),
    "predictors": Kind(
        1, _rungs(PREDICTORS), lambda: _calm(measuring_predictors)() | {"gusty": judging_set.key("test", GUSTY)},
        _predicts,
    ),
    "jepa": Kind(3, COLLAPSES, _calm(measuring_jepa), _lives, carts=False),
    "plans": Kind(
        1, _rungs(LADDER) | {"exact physics": planning_references.ToldTheState},
        _calm(measuring_plans, planning_references, drift),
        lambda model, seed: measuring_plans.measured(model, windows()["intervened"]), shipped=True,
    ),
    "gusty_plans": Kind(
        1, BLOWN, lambda: {"source": source_of(measuring_plans, planning_references), "world": world_key(GUSTY)},
        lambda model, seed: measuring_plans.in_gusts(model, GUSTY), shipped=True,
    ),
    "actors": Kind(1, _rungs(LADDER), lambda: {"source": source_of(measuring_actors)}, _acts, shipped=True),
    "dream_lengths": Kind(
        2, _rungs(["position_velocity"]), lambda: {"source": source_of(measuring_actors)}, _acts_by_length
    ),
    "gusty_actors": Kind(
        1, _rungs(DREAMERS), lambda: {"source": source_of(measuring_actors), "world": world_key(GUSTY)},
        _acts_in_gusts((1.0,), measuring_actors.GAMES), shipped=True,
    ),
    "temperatures": Kind(
        3, _rungs(["rssm"]), lambda: {"source": source_of(measuring_actors), "world": world_key(GUSTY)},
        _acts_in_gusts(),
    ),
    "from_nothing": Kind(
        5, {"as it should": FROM_NOTHING}, lambda: {"source": source_of(measuring_from_nothing)},
        _learns,
    ),
    "first_models": Kind(
        3, {"first model": measuring_from_nothing.first_models},
        lambda: {"source": source_of(measuring_from_nothing)}, _learns,
    ),
    "begun_anywhere": Kind(
        3, {"begun anywhere": ANYWHERE}, lambda: {"source": source_of(measuring_from_nothing)}, _learns
    ),
    "model-free": Kind(
        1, {"dqn": measuring_dqn.learn}, lambda: {"source": source_of(measuring_dqn)}, _learns,
        library="stable_baselines3",
    ),
    "study": Kind(
        3, {name: partial(_study, name) for name in studied.SETTINGS}, _calm(measuring_study, split="validation"),
        _learns,
    ),
    "study_control": Kind(
        1, {"exact physics": _study_physics}, _calm(measuring_study, split="validation"), _learns
    ),
}  # fmt: skip
SEEDS = {name: kind.seeds for name, kind in KINDS.items()}


def tasks():
    """Return what is trained and judged, as (kind, name, seed)."""
    first = default_seed()
    return [
        (kind, name, seed) for kind in KINDS for seed in range(first, first + SEEDS[kind]) for name in KINDS[kind].names
    ]


def asked(kind, name, seed):
    """Return the arguments of `load_model` for a task: data and eyes are of the training's own seed."""
    made = KINDS[kind].names[name]
    rung, settings = (name, {}) if callable(made) else made
    return (rung,), {"seed": seed, "data_seed": seed} | settings


def data_of(kind, name):
    """Return the name of the data set that a task's model is trained on; None for one that is not trained."""
    made = KINDS[kind].names[name]
    return None if callable(made) else made[1].get("data", usual_data(made[0]))


def fingerprint(kind, name, seed):
    """Return all that the figures of a task depend on: settings, data, the model, and the source that measures them."""
    rests_on, made = KINDS[kind].rests_on(), KINDS[kind].names[name]
    if not callable(made):
        (rung,), settings = asked(kind, name, seed)
        return rests_on | {"model": model_key(rung, **settings)}
    if kind == "study":
        rung, _, data, _ = made = studied.SETTINGS[name]
        return rests_on | {"model": made, "taught by": source_of(studied, KNOWN[rung]), "seed": seed_key(data, seed)}
    if kind == "study_control":
        return rests_on | {"model": source_of(noisy_physics), "seed": seed_key("mixed", seed)}
    if kind == "known_of_gusts" or KINDS[kind].shipped or KINDS[kind].measure is _learns:
        return rests_on | {"model": name}
    last = model_key("position_velocity", default_seed(), data_seed=default_seed())
    rests_on |= {"source": source_of(references, measuring), "data": last["data"]}
    return rests_on | {"model": last if name.startswith("position_velocity") else name}


def measure(kind, name, seed):
    """Train, if need be, and judge what a task names; returns its figures."""
    made = KINDS[kind].names[name]
    if kind == "references" or KINDS[kind].measure is _learns:
        model = made  # of references there is one for each protocol
    elif callable(made):
        model = made()
    else:
        names, settings = asked(kind, name, seed)
        model = load_model(*names, shipped=KINDS[kind].shipped, **settings)
    found = KINDS[kind].measure(model, seed)
    if not KINDS[kind].carts:
        for protocol in ("replayed", "intervened"):
            found[protocol]["windows"]["x"] = {}
    return found


def stale():
    """Return a sentence for each shipped model and figure that is missing or out of date; nothing if all of it fits."""
    missing = [name for name in MODELS if not is_shipped(name)]
    unfit = [f"weights of {name}: none are shipped of today's settings, data and source" for name in missing]
    return unfit + recorded.stale({task: fingerprint(*task) for task in tasks()})


def figures():
    """Return what was measured: {"rungs": {name: {seed: figures}}, "references": {name: figures}, ...}.

    "experiments", "trials" and "closest", the ladder by the reader of closest pictures, are like "rungs". Figures are
    what `drift.evaluate` returns, with "cost" where a model was trained, and for rungs what `measuring.measured_whole`
    adds. Experiments that are rungs have these rungs' figures, of as many seeds; the combinations are
    among the experiments.
    """
    rungs, seeds = of_kind("rungs"), range(default_seed(), default_seed() + SEEDS["experiments"])
    same = {name: {seed: rungs[rung][seed] for seed in rungs[rung] if seed in seeds} for name, rung in SAME.items()}
    return {
        "rungs": rungs,
        "experiments": same | of_kind("experiments") | of_kind("combinations"),
        "trials": of_kind("trials"),
        "closest": of_kind("closest"),
        "references": {name: next(iter(seeds.values())) for name, seeds in of_kind("references").items()},
    }


def beliefs():
    """Return what was measured in the gusty world: {name: {seed: figures}}, of `measuring_belief.measured`."""
    return of_kind("known_of_gusts") | of_kind("gusty")


def of_kind(kind):
    """Return what was measured of one of the KINDS: {name: {seed: figures}}, in its order."""
    found = recorded.figures(kind)
    return {name: found[name] for name in KINDS[kind].names}


def study():
    """Return the table of the study of chapter 17: a {column: value} for each model, as `predicting` reads it."""
    return predicting.rows(of_kind("study"), studied.SETTINGS)


def compare_beliefs(one, other, step, draws=2000):
    """Return by how much more the fans of `one` score at a step than those of `other`, and its 95 % interval: degrees.

    one, other: figures by seed, as `beliefs` has them, of the same windows; step: one of `belief.STEPS`. Each draw of
    the bootstrap takes as many episodes as there are, since windows of one episode are not independent; and as many
    training seeds, the same of both where both have the same, since these share their data and eyes. Few seeds hide how
    far they spread, so that part is widened as `statistics` does it. A single seed tells nothing of others.
    """
    episode = next(iter(one.values()))["windows"]["episode"]
    _, which = np.unique(episode, return_inverse=True)
    rng, counts = np.random.default_rng(0), np.bincount(which)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), draws)  # (draws, episodes)
    sums = [
        np.stack([np.bincount(which, seed["windows"][str(step)]) for seed in found.values()]) for found in (one, other)
    ]  # (seeds, episodes) each
    each = [sums[0] - sums[1]] if list(one) == list(other) else [sums[0], -sums[1]]
    freedom = sum(len(part) - 1 for part in each)
    gap, drawn = sum(part.mean(0).sum() for part in each), sum(times @ part.mean(0) for part in each)
    for part in each:
        if len(part) > 1:
            seeds = rng.multinomial(len(part), np.full(len(part), 1 / len(part)), draws) / len(part)
            apart = (times * (seeds @ part - part.mean(0))).sum(1)
            drawn = drawn + statistics._widening(len(part), freedom) * apart
    low, high = np.quantile(drawn / (times @ counts), (0.025, 0.975))
    return float(gap / counts.sum()), float(low), float(high)


def scores(evaluations, protocol="intervened"):
    """Return what each window scored, for `statistics`: figures by seed, or of a reference alone -> [Scores, ...]."""
    several = evaluations.values() if protocol not in evaluations else [evaluations]
    return [statistics.unpacked(one[protocol]["windows"]) for one in several]


def compare(one, other, figure, protocol="intervened"):
    """Compare two sets of figures, each by seed or of a reference, as `statistics.compare` does it."""
    return statistics.compare(scores(one, protocol), scores(other, protocol), figure)


def spread(evaluations, figure):
    """Return median, least and greatest of figure(evaluation) over the seeds of one rung; None counts as infinite."""
    values = [figure(one) for one in evaluations.values()]
    values = np.array([np.inf if value is None else value for value in values], dtype=float)
    return float(np.median(values)), float(values.min()), float(values.max())


def table():
    """Return the ladder as text: medians over seeds of what matters most."""
    found, doubling = figures(), np.log(2) / CARTPOLE.growth_rate()
    rows = [("", "pole error pushed by a coin, deg at step", "replayed:", "in", "return of a", "trained", "seconds to")]
    rows += [("", "    5     10     15     20", "steps to 2", "doublings", "controller", "numbers", "train")]
    for name, seeds in (found["rungs"] | {name: {0: one} for name, one in found["references"].items()}).items():
        errors = [spread(seeds, lambda one, h=h: one["intervened"]["theta"][h - 1])[0] for h in (5, 10, 15, 20)]
        steps = spread(seeds, lambda one: one["replayed"]["steps_2"])[0]
        last = ["", "", ""]
        if name in found["rungs"]:
            last[0] = f"{spread(seeds, lambda one: one['return'][0])[0]:.0f}"
            last[1:] = (f"{spread(seeds, lambda one, c=c: one['cost'][c])[0]:.0f}" for c in ("parameters", "seconds"))
        rows.append((name, "".join(f"{e:7.2f}" for e in errors), f"{steps:.0f}", f"{steps / doubling:.1f}", *last))
    return "\n".join(
        f"{name:38}{errors:44}{steps:>11}{doublings:>11}{played:>13}{size:>10}{seconds:>12}"
        for name, errors, steps, doublings, played, size, seconds in rows
    )


def table_of_beliefs():
    """Return as text what beliefs are worth in the gusty world: medians over seeds."""
    at = (5, 10, 15, 20)
    rows = ["gusty world: score of the fan (CRPS, degrees) at step; share in the 90 % band; surprise at a gust (AUC)"]
    rows += [f"{'':38}" + "".join(f"{h:7d}" for h in at) + "   band" + "   AUC"]
    for name, seeds in beliefs().items():
        scores = [spread(seeds, lambda one, h=h: one["crps"][h - 1])[0] for h in at]
        band = spread(seeds, lambda one: one["cover_90"][9])[0]
        told = [one["surprise"] for one in seeds.values() if one["surprise"] is not None]
        auc = f"{np.median(told):6.2f}" if told else ""
        rows.append(f"{name:38}" + "".join(f"{score:7.2f}" for score in scores) + f"{band:7.2f}" + auc)
    return "\n".join(rows)
