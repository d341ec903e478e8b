"""What a page shows of a model's doubt: samples of a belief, how surprised it was, and where it would draw the pole.

The page runs one sample at a time, and hands the noise in: the same noise gives the same sample there and here.
"""

from contextlib import suppress

import numpy as np
import torch

from latent_dynamics.models.gaussian import kl
from latent_dynamics.models.stepwise import defines
from latent_dynamics.world.cartpole import X_LIMIT
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import read
from latent_dynamics.world.rendering import draw

SAMPLERS = ("scatter", "sample_step")
PIECES = ("split", "advance", "prior", "posterior", "observed")  # of a model with a latent at each step
POWERS = torch.tensor([[i, j] for i in range(4) for j in range(4 - i)]).float()  # of a cubic in two numbers
LEAST = 0.25  # of a pen's drawings that must be readable
LEAN = np.radians(15)  # as far as poles lean by which a pen is surveyed


def noise_sizes(model):
    """Return of how many standard normal numbers a model's `scatter` and `sample_step` make a sample."""
    return model.scatter_noise, model.step_noise


def has_samplers(model):
    """Say whether a model can be asked for one sample at a time, and draws what it reads."""
    return all(defines(model, name) for name in (*SAMPLERS, "observed"))


def has_surprise(model):
    """Say whether a model has a latent at each step, and so a prior and a posterior to be compared."""
    return all(defines(model, name) for name in PIECES)


def scattered(model, belief, noise):
    """Return one of the states that a belief holds possible, as it would be drawn: (B, D), (B, n) -> (B, D).

    It is the model's `scatter`, but for the two numbers to draw, which there are still those of the belief's mean.
    """
    state = model.scatter(belief, noise)
    if not has_surprise(model):
        return state
    (shown, memory, mean, _), (_, _, z, _) = model.split(belief), model.split(state)
    moved = model.emission(memory, z) - model.emission(memory, mean)
    return torch.cat([shown + moved, state[:, 2:]], 1)


def surprise_step(model, belief, action, code):
    """Return KL(q_t || p_t) of each number of the latent, nats: a belief (B, D), a push (B,) and what was then seen
    (B, C) -> (B, Z). Their sum is what `model.surprise` says of the step.
    """
    _, memory, z, _ = model.split(belief)
    memory = model.advance(memory, z, action)
    p = model.prior(memory)
    return kl(model.posterior(memory, p, model.observed(code)), p)


class Poses:
    """Where cart and pole stand in what a model's pen draws: states (..., D) -> (..., 2), metres and radians.

    To draw and read a frame for each of many samples is too slow for a page. So the pen is surveyed once, all over the
    track: its drawings are read as the judge reads them, and a cubic in the two numbers that it draws is fitted to
    that. The rest, `error` (metres, radians; root mean square), is about what the reader is off by on any frame. Raises
    ValueError for a pen of whose drawings the reader can make nothing.
    """

    def __init__(self, model, points=25):
        x, theta = np.meshgrid(np.linspace(-X_LIMIT, X_LIMIT, 9), np.linspace(-LEAN, LEAN, 7))
        states = np.column_stack([x.ravel(), 0 * x.ravel(), theta.ravel(), 0 * x.ravel()])
        with torch.no_grad():
            codes = model.see(torch.from_numpy(from_bytes(draw(states, workers=1))))
            seen = model.observed(codes[codes[:, 2] > 0.5])[:, :2]
            self.low, self.high = seen.amin(0), seen.amax(0)
            sides = [torch.linspace(float(a), float(b), points) for a, b in zip(self.low, self.high, strict=True)]
            shown = torch.cartesian_prod(*sides)  # (points^2, 2)
            drawn = read(model.decode(torch.cat([shown, shown.new_zeros(len(shown), model.state_size - 2)], 1)))
        there = drawn.valid & (drawn.x.abs() < X_LIMIT)
        if there.float().mean() < LEAST:
            raise ValueError("hardly any of the pen's drawings shows a pole that can be read: teach its eyes first")
        pose = torch.stack([drawn.x, drawn.theta], -1)[there]
        terms = self._terms(shown[there]).double()
        self.weights = torch.linalg.lstsq(terms, pose).solution.float()
        self.error = (terms @ self.weights.double() - pose).square().mean(0).sqrt()

    def __call__(self, states):
        return self._terms(states[..., :2].maximum(self.low).minimum(self.high)) @ self.weights

    @staticmethod
    def _terms(shown):
        return shown[..., :1] ** POWERS[:, 0] * shown[..., 1:] ** POWERS[:, 1]


def extra_functions(model, belief, action, code):
    """Return what a page may be asked of this model beside the usual: {name: (function, examples of its inputs)}.

    Samples are of use there only where it can be told what they would draw.
    """
    found = {}
    if has_samplers(model):
        kept, stepped = (torch.zeros(1, size) for size in noise_sizes(model))
        with suppress(ValueError):
            found["pose"] = Poses(model), (belief,)
            found["scatter"] = (lambda belief, noise: scattered(model, belief, noise)), (belief, kept)
            found["sample_step"] = model.sample_step, (belief, action, stepped)
    if has_surprise(model):
        found["surprise"] = (lambda *inputs: surprise_step(model, *inputs)), (belief, action, code)
    return found
