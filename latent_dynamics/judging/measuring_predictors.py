"""What is measured of the predictors of chapter 10: what a planner makes of them, and what their blur is the mean of."""

import time

import torch

from ..acting import controllers
from ..acting.held_pushes import best_push, plans
from ..models.pixel_predictors import AHEAD, OneStride, Situations, gust_begins
from ..models.training import one_thread
from ..world import cartpole
from ..world.gusty import GUST_FORCE
from ..world.preprocessing import from_bytes
from .drift import evaluate, plain
from .exact_belief import ExactBelief
from .measuring import cost

DECISIONS, HOLD = 3, 4  # of a plan: how many pushes, and for how many steps each is held
GAMES, LIMIT = 6, 150  # that are played, and the steps after which one ends
WORDS = ("nothing", "siren", "wind")  # of what is to come
SITUATIONS, SAMPLES = 24, 40  # in which blur is measured, and the futures of each


def measured(model, windows, gusty):
    """Judge a predictor: one that strides by `blur` on Episodes of the gusty world, one that rolls by windows."""
    if isinstance(model, OneStride):
        return {"blur": blur(model, Situations.of(gusty, SITUATIONS, seed=7)), "cost": {"seconds": model.seconds}}
    drifted = evaluate(model, windows, teacher_forced=True, pixels=False)
    return drifted | {"cost": cost(model)} | planned(model)


# Plans


def planned(model, games=GAMES, limit=LIMIT, seed=20_000):
    """Let a planner play from pixels on a model's dreams: "planned", steps survived by game, and "plans_per_second"."""
    pushes, made, spent = plans(DECISIONS, HOLD), 0, 0.0

    def act(belief):
        nonlocal made, spent
        begun = time.process_time()
        push = best_push(model, belief, pushes, every=HOLD)
        made, spent = made + len(belief) * len(pushes), spent + time.process_time() - begun
        return push

    with one_thread():
        steps, _ = controllers.belief_returns(model, act, games, seed, limit)
    return {"planned": steps.tolist(), "plans_per_second": int(float(f"{made / spent:.2g}"))}


# Blur


def blur(model, situations, samples=SAMPLES):
    """Return how far predictions are from the mean of what may come, and from the nearest thing that may.

    {word: {"to mean", "to nearest", "mean to nearest": a list over situations}}: root mean squares over pixels, all of
    them among what the model's pictures can draw.
    """
    found = {}
    for word in WORDS:
        told, futures, _ = asked(model, situations, word, samples)
        mean = futures.mean(1)
        distances = {
            "to mean": apart(told, mean), "to nearest": apart(told[:, None], futures).amin(1),
            "mean to nearest": apart(mean[:, None], futures).amin(1),
        }  # fmt: skip
        found[word] = {name: plain(values.numpy()) for name, values in distances.items()}
    return found


def apart(one, other, pixels=3200):
    """Return how far frames are apart, given their weights (..., 64): root mean square over pixels."""
    return (one - other).square().sum(-1).div(pixels).sqrt()


@torch.no_grad()
def asked(model, situations, word, samples=SAMPLES, seed=0):
    """Ask a OneStride, and let the world answer: prediction (M, 64), futures (M, F, 64), and these as they are drawn.

    word: what is known of the gusts to come: "nothing", "siren", or "wind", all. Futures begin in states that the exact
    belief holds possible after the same frames, and know what the model is told. The last is (M, F, H, W) in [0, 1].
    """
    world, count, chance = situations.world, len(situations.start), torch.Generator().manual_seed(seed)
    actions = torch.randint(0, 2, (count, AHEAD), generator=chance)
    exact = ExactBelief(world=world)
    start = exact.states(exact.observe(situations.frames, situations.before), samples, chance)  # (M, F, S)
    wind = torch.zeros(count, AHEAD, dtype=torch.float64)
    if word == "wind":
        wind = world.entry(world.simulate(gust_begins(world, situations.start, chance), actions, chance), "gust")
        end = start[..., :4]
        for push, blows in zip(actions.unbind(1), wind.unbind(1)):
            end = cartpole.step(end, push[:, None], wind=blows[:, None])
    else:
        start = gust_begins(world, start, chance) if word == "siren" else start
        every = actions.repeat_interleave(samples, 0)
        end = world.simulate(start.flatten(0, 1), every, chance)[:, -1].unflatten(0, (count, samples))
    frames = torch.from_numpy(from_bytes(world.draw(end.numpy(), workers=1)))
    siren, told = (torch.full((count,), float(known)) for known in (word != "nothing", word == "wind"))
    inputs = model.read(situations.frames), situations.before, actions, siren, (wind / GUST_FORCE).float(), told
    return model(*inputs), model.pictures.see(frames), frames
