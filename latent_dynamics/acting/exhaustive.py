"""A planner that tries every plan: a few decisions, each held for some steps, dreamt to the end."""

import torch

from .held_pushes import plans


def planner(model, decisions=6, held=5):
    """Return what acts on a model's beliefs by planning: beliefs (B, D) -> actions (B,).

    A plan is worth the logarithm of the chance, by the model's `outcome`, that the episode goes on through all of it.
    Plans vote for their first action by that chance, so that one lucky dream does not decide.
    """
    every = plans(decisions, held)  # (P, N)
    first = torch.nn.functional.one_hot(every[:, 0], model.actions).float()  # (P, actions)

    @torch.no_grad()
    def act(beliefs):
        belief = beliefs.repeat_interleave(len(every), 0)  # (B P, D)
        dreamt = model.imagine(belief, every.repeat(len(beliefs), 1))  # (B P, N, D)
        _, proceed = model.outcome(dreamt)
        worth = proceed.clamp(min=1e-6).log().sum(1).unflatten(0, (-1, len(every)))  # (B, P)
        return (torch.softmax(worth, 1) @ first).argmax(1)

    return act
