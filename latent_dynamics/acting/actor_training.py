"""Two ways to train an actor in dreams alone: by the gradient through the dream, and by evolution.

Neither is shown a frame, a reward or an expert. What both make larger is `dreamt_return`.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from tqdm import tqdm

from ..models.stepwise import stepwise
from ..models.training import one_thread, seeded
from .dreamt_games import Actor, dreamt_return


@dataclass(frozen=True)
class Gradient:
    """How an actor is trained by the gradient: Adam under a one-cycle schedule."""

    steps: int = 200  # of each dream
    updates: int = 100
    dreams: int = 64  # an update
    learning_rate: float = 0.05
    clip: float = 1.0  # of the gradient's norm
    hard: bool = False  # whether pushes are whole in its dreams


@dataclass(frozen=True)
class Evolution:
    """How an actor is evolved."""

    steps: int = 200  # of each dream
    generations: int = 30
    actors: int = 64  # a generation
    elites: int = 8  # who are followed
    dreams: int = 16  # that each actor plays
    least: float = 0.05  # added to the spread, lest it dies out too soon


def by_gradient(
    model, beliefs, budget=Gradient(), temperature=0.0, seed=0, known=None
):
    """Train an Actor by back-propagation through dreams that begin at some of beliefs (M, D).

    It dreams of the mean of both pushes, weighed by how likely it makes each; or, hard, of the likelier one alone, with
    the gradient of the mean (straight through: Bengio et al. 2013).
    Returns (Actor, (updates,) steps that the dreams were expected to last).
    """
    model, history = stepwise(model, ("step",)), []
    actor = Actor(beliefs, _next(model, beliefs))
    chance = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(actor.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, budget.learning_rate, total_steps=budget.updates
    )

    def policy(states):
        right = torch.sigmoid(actor(states))
        whole = (right > 0.5).float() + right - right.detach()
        return whole if budget.hard else right

    with one_thread(), seeded(seed):
        for _ in tqdm(
            range(budget.updates), "gradient", unit=" updates", disable=None
        ):
            rows = torch.randint(
                len(beliefs), (budget.dreams,), generator=chance
            )
            dreamt = dreamt_return(
                model, policy, beliefs[rows], budget.steps,
                temperature, chance, known,
            ).mean()  # fmt: skip
            optimizer.zero_grad()
            (-dreamt / budget.steps).backward()
            nn.utils.clip_grad_norm_(actor.parameters(), budget.clip)
            optimizer.step()
            schedule.step()
            history.append(float(dreamt.detach()))
    return actor.requires_grad_(False), torch.tensor(history)


@torch.no_grad()
def by_evolution(
    model, beliefs, budget=Evolution(), temperature=0.0, seed=0, known=None
):
    """Evolve an Actor in dreams that begin at some of beliefs (M, D): the cross-entropy method on its weights.

    Draw actors, let all play the same dreams, move mean and spread of the weights to those of the best (Rubinstein
    1999). Returns (Actor, (generations,) steps that a generation's dreams were expected to last).
    """
    model, history = stepwise(model, ("step",)), []
    actor = Actor(beliefs, _next(model, beliefs))
    chance = torch.Generator().manual_seed(seed)
    size = beliefs.shape[1] + 1  # weights and bias
    mean, spread = torch.zeros(size), torch.ones(size)
    with one_thread():
        for _ in tqdm(
            range(budget.generations), "evolution",
            unit=" generations", disable=None,
        ):  # fmt: skip
            drawn = torch.randn(budget.actors, size, generator=chance)
            tried = mean + spread * drawn  # (A, D + 1)
            rows = torch.randint(
                len(beliefs), (budget.dreams,), generator=chance
            )
            dreamt = dreamt_return(
                model, partial(_all_act, actor, tried),
                beliefs[rows].repeat(budget.actors, 1),
                budget.steps, temperature, chance, known,
            )  # fmt: skip
            worth = dreamt.unflatten(0, (budget.actors, -1)).mean(1)  # (A,)
            best = tried[worth.topk(budget.elites).indices]
            mean, spread = best.mean(0), best.std(0) + budget.least
            history.append(float(worth.mean()))
    actor.weight.copy_(mean[:-1])
    actor.bias.copy_(mean[-1])
    return actor.requires_grad_(False), torch.tensor(history)


@torch.no_grad()
def _next(model, beliefs):
    """What is dreamt of one push right: (M, D) -> (M, D)."""
    return model.step(beliefs, torch.ones(len(beliefs), dtype=torch.int64))


def _all_act(actor, tried, states):
    """Let each actor of a generation, tried (A, D + 1), push in dreams of its own: (A B, D) -> (A B,)."""
    seen = actor.standardised(states).unflatten(0, (len(tried), -1))
    logits = seen @ tried[:, :-1, None] + tried[:, -1:, None]
    return (logits[..., 0] > 0).long().flatten()


WAYS = {"gradient": (by_gradient, Gradient), "evolution": (by_evolution, Evolution)}
