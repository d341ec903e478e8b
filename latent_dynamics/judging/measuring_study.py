"""One row of a table: every metric that this book knows, of one model, and what three ways to act get from it.

All is measured on validation episodes and on games of their own: nothing of the test split is touched.
"""

import math
import time

import numpy as np
import torch

from ..acting.actor_training import Evolution, by_evolution
from ..acting.controllers import belief_returns, clone, returns
from ..acting.held_pushes import plans
from ..acting.planning import Planner, planned_returns, survival
from ..models.eyes import seen
from ..models.goes_on import filtered
from . import drift, probes

HORIZONS = (1, 5, 10, 20)  # steps dreamt
GAMES, LIMIT, SEED = 8, 300, 30_000  # that each way to act plays, stopped after so many steps
DECISIONS, HELD = 6, 5  # of the planner
ACTORS = Evolution(generations=15, actors=32, elites=4, dreams=8)
SAMPLES = 8  # futures of a model that doubts
LIKELY = 1e-6  # no step is believed to be deadlier, or safer
WORST = 24.0  # degrees, in a mean: what is missed where no pole can be read


def measured(model, terms, windows, episodes, splits, seed):
    """Judge one model by everything: {column: number}; inf where nothing could be read, NaN where it does not apply.

    terms: of its loss, on its own validation episodes; windows: drift.Windows of both protocols; episodes: on which
    all models are judged; splits: Episodes for training and for validation of what acts on its belief.
    """
    begun = time.process_time()
    *beliefs, judged = [filtered(model, part, seen(model.eyes, part)) for part in (*splits, episodes)]
    row = drifted(model, windows) | ends(model, judged, episodes)
    row |= probed((beliefs[0], judged), (splits[0], episodes))
    row |= {"loss": terms["loss"], "kl": terms.get("KL", math.nan)} | latent_errors(model, windows["intervened"])
    row |= observability(model, judged) | acted(model, beliefs, splits, seed)
    row["seconds"] = time.process_time() - begun
    return {name: _short(value) for name, value in row.items()}


def measured_physics(model, windows, episodes, splits, seed):
    """Judge disturbed physics likewise, as far as it has what is asked for; it is told the true states."""
    beliefs = [torch.from_numpy(part.states) for part in splits]
    row = drifted(model, windows, learned=False) | ends(model, torch.from_numpy(episodes.states), episodes)
    row |= acted(model, beliefs, splits, seed)
    return {name: _short(value) for name, value in row.items()}


def drifted(model, windows, learned=True):
    """Errors of dreams by both protocols: degrees, pixels, the first step beyond two degrees, what plans are worth."""
    row = {}
    for protocol, cut in windows.items():
        free = drift.judge(model, cut, pixels=learned and protocol == "intervened")
        row |= {f"{protocol}_{h}": free.median()[h - 1] for h in HORIZONS}
        row[f"{protocol}_steps_2"] = min(free.survival(2.0).steps, cut.horizon + 1)
        if learned:  # physics would be fitted to each frame anew
            forced = drift.judge(model, cut, "teacher_forced")
            row[f"{protocol}_teacher_forced"] = np.nanmedian(forced.theta_error)
    if learned:
        row |= {f"pixels_{h}": np.nanmedian(free.pixel_error[:, h - 1]) for h in HORIZONS}
    row["x_20"] = free.median("x")[-1]
    return row | crps(model, windows["intervened"], free) | believed(model, windows["intervened"])


def crps(model, windows, free):
    """The continuous ranked probability score of the angle, degrees: of a point, its mean absolute error.

    free: drift.Judgement of the model's mean path.
    """
    if not getattr(model, "stochastic", False):
        score = np.minimum(free.theta_error, WORST)  # (B, N)
    else:
        _, theta = drift.fan(model, windows, SAMPLES)  # (B, S, N)
        theta = np.where(np.isnan(theta), free.theta_true[:, None] + WORST, theta)
        off = np.abs(theta - free.theta_true[:, None]).mean(1)
        apart = np.abs(theta[:, :, None] - theta[:, None]).sum((1, 2)) / (2 * SAMPLES * (SAMPLES - 1))
        score = np.where(free.alive, off - apart, np.nan)
    return {f"crps_{h}": np.nanmean(score[:, h - 1]) for h in HORIZONS}


@torch.no_grad()
def believed(model, windows):
    """What a model believes of survival, after the context of windows whose future is pushed by coins.

    "survival_brier": of the chance that it gives to surviving all steps; "regret": in how many windows the plan that it
    likes best falls, although another one survives; "ranks": Spearman's correlation, over all plans of all windows,
    of what it believes with how many steps the plan truly survives.
    """
    told = getattr(model, "sees_the_truth", False)
    start, frames = windows.states[:, 0], windows.frames[:, : windows.context + 1]
    belief = start if told else model.observe(frames, windows.actions_before)
    alone = survival(model, belief, windows.actions[:, None])[:, 0].exp().double()
    lived = (~windows.world.fallen(windows.states[:, 1:])).all(1).double()
    every = plans(DECISIONS, HELD)  # (P, N)
    liked = torch.cat([survival(model, rows, every.expand(len(rows), -1, -1)) for rows in belief.split(64)])
    path = windows.world.simulate(start.repeat_interleave(len(every), 0), every.repeat(len(start), 1))
    steps = (~windows.world.fallen(path)).cumprod(1).sum(1).unflatten(0, (-1, len(every)))  # (B, P)
    best = steps.gather(1, liked.argmax(1, keepdim=True))[:, 0]
    lost = (best < every.shape[1]) & (steps.amax(1) == every.shape[1])
    return {
        "survival_brier": float((alone - lived).square().mean()), "regret": float(lost.double().mean()),
        "ranks": spearman(liked.flatten().numpy(), steps.flatten().numpy()),
    }  # fmt: skip


@torch.no_grad()
def ends(model, beliefs, episodes):
    """How well a model knows whether a push ends the episode: the log score (nats), AUC, and calibration of the sum."""
    before, ended = episodes.before, torch.from_numpy(episodes.terminated).double()
    after = model.step(beliefs[before], torch.from_numpy(episodes.actions))
    chance = (1 - model.outcome(after)[1].double()).clamp(LIKELY, 1 - LIKELY)
    score = -(ended * chance.log() + (1 - ended) * (1 - chance).log()).mean()
    ranks = torch.from_numpy(_ranks(chance.numpy()))
    positive = ended.sum()
    auc = (ranks[ended > 0].sum() - positive * (positive - 1) / 2) / (positive * (len(ended) - positive))
    return {"ends_score": float(score), "ends_auc": float(auc), "ends_ratio": abs(math.log(chance.sum() / positive))}


def probed(beliefs, splits):
    """What straight lines read of the true state off beliefs: {"probe_theta": share of its variance missed, ...}."""
    truths = [torch.from_numpy(part.states).float() for part in splits]
    missed = 1 - probes.r_squared(probes.linear_probe(beliefs[0], truths[0])(beliefs[1]), truths[1])
    return dict(zip((f"probe_{name}" for name in splits[0].world.state_names), missed.tolist(), strict=True))


@torch.no_grad()
def latent_errors(model, windows):
    """Root mean square of what a dreamt latent misses, in units of its spread: {"latent_1": ..., ...}.

    The latent is the part of a belief that a frame shows; it is held to the belief that sees that frame.
    """
    context, size = windows.context, model.eyes.size
    dreamt = model.imagine(model.observe(windows.frames[:, : context + 1], windows.actions_before), windows.actions)
    truth = model.filter(windows.frames, windows.all_actions)[:, context + 1 :, :size]
    missed = ((dreamt[..., :size] - truth) / truth[windows.alive].std(0)).square().mean(-1)  # (B, N)
    missed = torch.where(windows.alive, missed, torch.nan)
    return {f"latent_{h}": float(missed[:, h - 1].nanmean().sqrt()) for h in HORIZONS}


def observability(model, beliefs, count=64, steps=20):
    """How many directions of the belief the chance of going on tells of, over so many steps of pushes by coins.

    The effective rank and the logarithm of the trace of the observability Gramian of `goes_on`: sums over steps of the
    squared slopes of its logit with respect to the belief, each number in units of its spread.
    """
    chance = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(beliefs), generator=chance)[:count]
    pushes = torch.randint(model.actions, (count, steps), generator=chance)
    spread, start = beliefs.std(0), beliefs[rows].clone().requires_grad_()
    state, slopes = start, []
    for action in pushes.unbind(1):
        state = model.step(state, action)
        slopes.append(torch.autograd.grad(model.goes_on_logit(state).sum(), start, retain_graph=True)[0] * spread)
    slopes = torch.stack(slopes, 1).detach().double()  # (count, steps, D)
    size = slopes.square().sum((1, 2)).clamp(min=1e-12)
    ranks = [_effective_rank(one) for one in slopes]
    return {"observed_rank": float(np.median(ranks)), "observed_size": float(size.log10().median())}


def _effective_rank(slopes):
    """The effective rank (Roy & Vetterli 2007) of slopes (steps, D)."""
    shares = torch.linalg.svdvals(slopes).square()
    shares = shares / shares.sum().clamp(min=1e-300)
    return float(torch.exp(-(shares * shares.clamp(min=1e-300).log()).sum()))


def acted(model, beliefs, splits, seed):
    """Mean returns of three ways to act, on all games and on the first half: {"plan": , "plan_half": , ...}."""
    told = getattr(model, "sees_the_truth", False)
    experts = [torch.from_numpy(part.world.expert(part.states)) for part in splits]
    cloned, _ = clone(beliefs[0], experts[0], (beliefs[1], experts[1]), seed=seed)
    begins = beliefs[0][splits[0].before].float()
    actor, _ = by_evolution(model, begins, ACTORS, seed=seed)
    planner = Planner(model, decisions=DECISIONS, held=HELD)

    def play(act):
        if told:
            return returns(lambda states: act(states.float()), GAMES, SEED, limit=LIMIT)
        return belief_returns(model, lambda belief: act(belief[:, : model.state_size]), GAMES, SEED, LIMIT)[0]

    planned = planned_returns(planner, GAMES, SEED, LIMIT)
    played = {"clone": play(cloned.act), "actor": play(actor.act), "plan": planned}
    row = {}
    for way, steps in played.items():
        row |= {way: float(steps.mean()), f"{way}_half": float(steps[: GAMES // 2].mean())}
    return row


def spearman(one, other):
    """Spearman's rank correlation of two arrays (M,): of equal values each has the mean of their ranks."""
    one, other = (_ranks(np.asarray(values)) for values in (one, other))
    if one.std() == 0 or other.std() == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values):
    """Ranks from 0; ties share their mean."""
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[which]


def _short(value):
    return float(f"{value:.4g}")
