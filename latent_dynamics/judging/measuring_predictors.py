"""What is measured of the predictors of chapter 10: what a planner makes of them, and what blur is the mean of."""

import time
from typing import NamedTuple

import torch

from ..acting import controllers
from ..acting.held_pushes import best_push, plans
from ..models.one_stride import AHEAD, OneStride, Situations, coin
from ..models.training import one_thread
from ..world.air import gust_begins, with_air
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
    """Judge a predictor: one that strides by `blur`, on Episodes of the gusty world; one that rolls on drift.Windows.

    Of the latter, {"intervened": ...} as `drift.evaluate` returns it, "cost", and what `planned` returns.
    """
    if isinstance(model, OneStride):
        return {"blur": blur(model, Situations.of(gusty, SITUATIONS, seed=7)), "cost": {"seconds": model.seconds}}
    drifted = evaluate(model, {"intervened": windows}, pixels=False)
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
    """Return how far predictions are from what they might be: {word: {what: a list over situations}}.

    Root mean squares over pixels, of what the model's pictures can draw: "to mean", of the pictures of all that may
    come; "to nearest" of them; "to middle", the one picture of the mean state; and "mean to nearest".
    """
    found = {}
    for word in WORDS:
        answer = asked(model, situations, word, samples)
        found[word] = {name: plain(values.numpy()) for name, values in distances(answer).items()}
    return found


def distances(answer):
    """Return the four distances of `blur` for an Answer: {what: (M,)}."""
    mean = answer.futures.mean(1)
    return {
        "to mean": apart(answer.told, mean),
        "to nearest": apart(answer.told[:, None], answer.futures).amin(1),
        "to middle": apart(answer.told, answer.middle),
        "mean to nearest": apart(mean[:, None], answer.futures).amin(1),
    }


def apart(one, other, pixels=3200):
    """Return how far frames are apart, given their weights (..., 64): root mean square over pixels."""
    return (one - other).square().sum(-1).div(pixels).sqrt()


class Answer(NamedTuple):
    """What a OneStride predicts, and what may come: frames as the weights of its pictures."""

    told: torch.Tensor  # (M, 64): the prediction
    futures: torch.Tensor  # (M, F, 64)
    middle: torch.Tensor  # (M, 64): of the mean of the states in which the futures end
    frames: torch.Tensor  # (M, F, H, W): the futures as they are drawn


@torch.no_grad()
def asked(model, situations, word, samples=SAMPLES, seed=0):
    """Ask a OneStride what comes, and let the world answer: Answer.

    word: what is known of the gusts to come: "nothing", "siren", or "wind", all. Futures begin in states that the exact
    belief holds possible after the same frames, and have the gusts that the model is told of.
    """
    world, count, chance = situations.world, len(situations.start), torch.Generator().manual_seed(seed)
    actions = torch.randint(0, 2, (count, AHEAD), generator=chance)
    exact = ExactBelief(world=world)
    start = exact.states(exact.observe(situations.frames, situations.before), samples, chance)  # (M, F, S)
    wind = torch.zeros(count, AHEAD, dtype=torch.float64)
    if word == "wind":
        begun = gust_begins(world, situations.start, coin(chance, count))
        wind = world.entry(world.simulate(begun, actions, chance), "gust")
        end = start
        for push, blows in zip(actions.unbind(1), wind.unbind(1)):
            end = world.step(with_air(world, end, blows[:, None], 1), push[:, None])
    else:
        start = gust_begins(world, start, coin(chance, count, samples)) if word == "siren" else start
        every = actions.repeat_interleave(samples, 0)
        end = world.simulate(start.flatten(0, 1), every, chance)[:, -1].unflatten(0, (count, samples))
    states = torch.cat([end, end.mean(1, keepdim=True)], 1)  # the last of each is their middle
    frames = torch.from_numpy(from_bytes(world.draw(states.numpy(), workers=1)))
    futures, middle = model.pictures.see(frames).split([samples, 1], 1)
    siren, told = (torch.full((count,), float(known)) for known in (word != "nothing", word == "wind"))
    inputs = model.read(situations.frames), situations.before, actions, siren, (wind / GUST_FORCE).float(), told
    return Answer(model(*inputs), futures, middle[:, 0], frames[:, :-1])
