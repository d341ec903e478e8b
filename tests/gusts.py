"""What was seen before a future begins, in the gusty world: made in moments, for tests that need no recorded data."""

import torch

from latent_dynamics.world.gusty import GUST_FORCE, GUSTY


def contexts(count=3, steps=10, seed=0):
    """Return states (count, steps + 1, 6) and an expert's pushes (count, steps): calm air, but in every third of them a
    gust to the right that began four steps before the end.
    """
    states = GUSTY.reset(count, torch.Generator().manual_seed(seed)) * torch.tensor([1, 1, 0.3, 0.3, 1, 1])
    seen, pushes = [states], []
    for n in range(steps):
        states = seen[-1].clone()
        if n == steps - 4:
            states[1::3, 4], states[1::3, 5] = GUST_FORCE, 3
        pushes.append(torch.as_tensor(GUSTY.expert(states)))
        seen.append(GUSTY.step(states, pushes[-1]))
    return torch.stack(seen, 1).numpy(), torch.stack(pushes, 1).numpy()
