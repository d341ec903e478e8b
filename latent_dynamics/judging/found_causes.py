"""What `unseen_causes` found out about the causes that nobody showed it."""

import torch


@torch.no_grad()
def found_causes(model):
    """Return what an UnseenCauses believes of causes, each a number.

    "starts": the chance that one begins in a calm step; "lasts": steps, in the mean; "strength": its effect along that
    of a push, 1 for as much; "across": its effect at right angles to it, in the same unit.
    """
    rest = torch.zeros(1, 1, 4)
    left, right = (
        model.move(rest, torch.tensor([a]))[0][0, 0, 2:] for a in (0, 1)
    )
    push = (right - left) / 2
    strength = model.cause @ push / push.square().sum()
    across = (model.cause - strength * push).norm() / push.norm()
    return {
        "starts": float(torch.sigmoid(model.starts)),
        "lasts": float(1 / torch.sigmoid(-model.stays)),
        "strength": abs(float(strength)),
        "across": float(across),
    }
