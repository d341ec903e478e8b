"""What is known of the truth: the oracle, to whom nothing is hidden, and the exact belief, who sees the same frames.

Both know the physics, and how gusts come and go. What a learned belief is worth is said by how near it comes to them.
"""

import torch

from ..models.world_model import check_actions, check_frames
from ..world.curtain import read_behind
from ..world.gusty import GUST_CHANCE, GUST_FORCE, GUST_STEPS, GUSTY
from ..world.reader import errors, read
from .references import THETA_DOT_PRIOR, X_DOT_PRIOR, _TrueUnits

CALM = 1 / (1 + GUST_CHANCE * GUST_STEPS)  # share of time in which no gust blows
NEVER = 1e6  # steps since the last gust began, where there was none
PARTS = (1, 4, 3, 16)  # of a history: log weight; mean; gust, steps left and steps since it began; covariance
BLUR = torch.diag(torch.tensor([1e-4, 1e-3, 1e-4, 1e-3], dtype=torch.float64).square())  # for what the filter bends


class ExactBelief(_TrueUnits):
    """The belief of one who knows the gusty world's rules and sees frames: a Rao-Blackwellised particle filter.

    A particle is a history of gusts, and within it an extended Kalman filter follows the state (Doucet et al. 2000). In
    calm air each history splits in three: calm, a gust to the left, one to the right. The `histories` most probable
    are kept. A belief holds all of them, D = histories x 24 numbers; imagined states are the world's own.
    """

    stochastic = True

    def __init__(self, histories=64, world=GUSTY):
        super().__init__(world)
        self.histories, self.state_size = histories, histories * sum(PARTS)

    def filter(self, frames, actions):
        check_frames(frames, self.frame_shape)
        check_actions(actions, frames.shape[0], frames.shape[1] - 1)
        seen = read_behind(frames)
        error = errors(read(frames)).masked_fill(~seen.valid[..., None], torch.inf)
        shown = torch.stack([seen.x, seen.theta], -1).double().nan_to_num(0.0)  # (B, K + 1, 2)
        now = self._begin(shown[:, 0], error[:, 0])
        beliefs = [_pack(now)]
        for t, action in enumerate(actions.unbind(1), 1):
            now = self._most_probable(_corrected(self._predicted(now, action), shown[:, t], error[:, t]))
            beliefs.append(_pack(now))
        return torch.stack(beliefs, 1)

    def imagine(self, belief, actions, samples=None, generator=None):
        """Return what may come, from states drawn from the belief: (B, samples, N, S); or the mean of 64 futures."""
        generator = generator or torch.Generator().manual_seed(0)
        states = self.states(belief, samples or 64, generator)
        count = states.shape[1]
        futures = self.world.simulate(states.flatten(0, 1), actions.repeat_interleave(count, 0), generator)
        futures = futures.unflatten(0, (-1, count))
        return futures if samples else futures.mean(1)

    def states(self, belief, samples, generator):
        """Draw states of the world from a belief (B, D): (B, samples, S)."""
        weight, mean, air, spread = _unpack(belief)
        which = torch.multinomial(weight[..., 0].exp(), samples, True, generator=generator)
        rows = torch.arange(len(belief))[:, None]
        root = torch.linalg.cholesky(spread[rows, which].unflatten(-1, (4, 4)))
        dice = torch.randn(*which.shape, 4, 1, dtype=torch.float64, generator=generator)
        return torch.cat([mean[rows, which] + (root @ dice)[..., 0], air[rows, which][..., :2]], -1)

    def surprise(self, frames, actions, recent=4):
        """Return after each step the chance that a gust began in the last `recent` steps: (B, K)."""
        weight, _, air, _ = _unpack(self.filter(frames, actions)[:, 1:].flatten(0, 1))
        return (weight[..., 0].exp() * (air[..., 2] <= recent)).sum(-1).unflatten(0, actions.shape)

    def _begin(self, shown, error):
        """Histories after a first frame: at rest or not, nobody knows, and in whatever air."""
        airs = [(0.0, 0.0, NEVER, CALM)]
        for left in range(GUST_STEPS):
            share = GUST_CHANCE * CALM / 2
            airs += [(side * GUST_FORCE, float(left), float(GUST_STEPS - left), share) for side in (-1, 1)]
        airs = torch.tensor(airs, dtype=torch.float64)
        air = torch.zeros(len(shown), self.histories, 3, dtype=torch.float64)
        air[:, : len(airs)] = airs[:, :3]
        weight = torch.full((len(shown), self.histories, 1), -torch.inf, dtype=torch.float64)
        weight[:, : len(airs), 0] = airs[:, 3].log()
        unseen = torch.tensor([1.0, 0.1], dtype=torch.float64)  # metres and radians, where a first frame tells nothing
        place = torch.where(error.isfinite(), error, unseen)
        deviation = torch.stack([
            place[:, 0], 0 * place[:, 0] + X_DOT_PRIOR, place[:, 1], 0 * place[:, 1] + THETA_DOT_PRIOR
        ], -1)  # fmt: skip
        mean = torch.stack([shown[:, 0], 0 * shown[:, 0], shown[:, 1], 0 * shown[:, 1]], -1)
        spread = torch.diag_embed(deviation.square()).flatten(1)
        return weight, *(one[:, None].expand(-1, self.histories, -1) for one in (mean,)), air, spread[:, None].expand(
            -1, self.histories, -1)  # fmt: skip

    def _predicted(self, now, action):
        """Split every history in three, and move each by one step."""
        weight, mean, air, spread = (part.repeat_interleave(3, 1) for part in now)  # (B, 3 M, ...)
        side = torch.tensor([0.0, -1.0, 1.0], dtype=torch.float64).repeat(self.histories).expand(len(mean), -1)
        gust, left, age = air.unbind(-1)
        blows, begins = left > 0, side != 0
        chance = torch.where(begins, GUST_CHANCE / 2, 1 - GUST_CHANCE).log()
        chance = torch.where(blows, torch.where(begins, -torch.inf, 0.0), chance)
        gust, left = torch.where(begins, side * GUST_FORCE, gust), torch.where(begins, float(GUST_STEPS), left)
        states = torch.cat([mean, gust[..., None], left[..., None]], -1)
        moved = self.world.step(states, action[:, None].expand(-1, states.shape[1]))
        flat = action[:, None].expand(-1, states.shape[1]).flatten()
        slope = self.world.jacobian(states.flatten(0, 1), flat)[:, :4, :4].unflatten(0, states.shape[:2])
        spread = slope @ spread.unflatten(-1, (4, 4)) @ slope.mT + BLUR
        air = torch.cat([moved[..., 4:], torch.where(begins, 1.0, (age + 1).clamp(max=NEVER))[..., None]], -1)
        return weight + chance[..., None], moved[..., :4], air, spread.flatten(-2)

    def _most_probable(self, now):
        """Keep the most probable histories, and make their weights those of a whole: (B, M, ...)."""
        best = now[0][..., 0].topk(self.histories, 1).indices
        weight, *rest = (torch.gather(part, 1, best[..., None].expand(-1, -1, part.shape[-1])) for part in now)
        return weight - weight.logsumexp(1, keepdim=True), *rest


class Oracle(_TrueUnits):
    """Nothing is hidden from it: a belief is the world's true state, and futures are the world's own."""

    stochastic = sees_the_truth = True

    def imagine(self, belief, actions, samples=None, generator=None):
        count, generator = samples or 64, generator or torch.Generator().manual_seed(0)
        start, pushes = (one.repeat_interleave(count, 0) for one in (belief, actions))
        futures = self.world.simulate(start, pushes, generator).unflatten(0, (-1, count))
        return futures if samples else futures.mean(1)


def _corrected(now, shown, error):
    """Correct each history by what a frame shows (B, 2), as Kalman does it; an infinite error tells nothing."""
    weight, mean, air, spread = now
    spread, told = spread.unflatten(-1, (4, 4)), error.isfinite().all(-1)[:, None]
    miss = shown[:, None] - mean[..., [0, 2]]  # (B, M, 2)
    noise = torch.diag_embed(torch.where(error.isfinite(), error, 1.0).square())[:, None]
    expected = spread[..., [0, 2], :][..., [0, 2]] + noise  # (B, M, 2, 2): how much it may miss
    gain = torch.linalg.solve(expected, spread[..., [0, 2], :]).mT  # (B, M, 4, 2)
    distance = (miss * torch.linalg.solve(expected, miss[..., None])[..., 0]).sum(-1)
    fit = -(distance + torch.logdet(expected)) / 2
    mean = torch.where(told[..., None], mean + (gain @ miss[..., None])[..., 0], mean)
    shrunk = spread - gain @ spread[..., [0, 2], :]
    spread = torch.where(told[..., None, None], (shrunk + shrunk.mT) / 2, spread)
    return weight + torch.where(told, fit, 0.0)[..., None], mean, air, spread.flatten(-2)


def _pack(now):
    return torch.cat(now, -1).flatten(1)


def _unpack(belief):
    return belief.unflatten(-1, (-1, sum(PARTS))).split(PARTS, -1)
