"""The classical model, learned from what eyes read: mechanics, noise, and a cause that comes and goes unseen.

Nobody tells it that there are gusts. It is only allowed to believe that now and then something pushes, for a while, one
way or the other; when, how long and how hard it finds out, by making what it reads as likely as it can.
"""

import itertools
import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from .gaussian import choose, positive
from .goes_on import goes_on_lesson
from .on_readings import OnReadings, sequences
from .training import Budget, Lesson

SPEED = 10.0  # velocities are kept in tenths of a spread a step, as positions are in spreads
SIDES = (0.0, -1.0, 1.0)  # no cause, one way, the other
CHUNK, STRIDE = 35, 4  # steps of a training sequence, and between the starts of two
FIRST = Budget(epochs=5, batch_size=256, learning_rate=1e-2, clip=10.0)
THEN = Budget(epochs=4, batch_size=48, learning_rate=1e-2, clip=10.0)
EVERY = 2  # of the sequences, for the second lesson
BEYOND = 5.0  # spreads from the middle: no cart is drawn further out
HARDLY = -16.0  # logarithm of a weight below which a history can hardly be


class Past(nn.Module):
    """The M = 3^remembers ways in which the last `remembers` causes may have followed each other, newest first."""

    def __init__(self, remembers):
        super().__init__()
        ways = list(itertools.product(range(3), repeat=remembers))
        self.remembers, self.count = remembers, len(ways)
        parents = [[i for i, old in enumerate(ways) if way[1:] == old[:-1]] for way in ways]
        for name, table in {
            "sides": [SIDES[way[0]] for way in ways],  # (M,): which way the newest cause pushes
            "new": [way[0] for way in ways],  # (M,): the newest cause
            "parents": parents,  # (M, 3): what each may have come from
            "old": [[ways[i][0] for i in row] for row in parents],  # (M, 3): the newest cause there
            "then": [[ways.index((cause, *way[:-1])) for cause in range(3)] for way in ways],  # (M, 3): what follows
        }.items():
            self.register_buffer(name, torch.tensor(table), persistent=False)


class UnseenCauses(OnReadings):
    """q' = q + v, v' = v + f(q, v, a) + c u, plus noise; c is 0, -1 or 1 and switches by chance; u is learned.

    The likelihood is exact but for two things: an extended Kalman filter takes f as straight, and histories of the
    cause that share their last `remembers` steps are merged (Blom & Bar-Shalom 1988, with modes of several steps).
    A push shows in the readings two frames later, so it must remember three steps to tell how long a cause lasts; it
    learns the mechanics with two, which is quicker.
    A belief is, for each of the M = 3^remembers recent histories, its weight, mean (4) and covariance (16), behind the
    two numbers to draw: D = 2 + 21 M. Imagined samples put all weight on one history and no spread in it.
    """

    scatter_noise = step_noise = 5  # which history, and where in it
    budget = FIRST

    def __init__(self, remembers=3, hidden=32, causes=True, actions=2):
        super().__init__(actions)
        self.causes = causes
        self.past, self.short_past = Past(remembers), Past(min(2, remembers))
        M = self.histories = self.past.count
        self.state_size = 2 + 21 * M
        self.linear = nn.Linear(4 + actions, 2, bias=False)
        self.curve = nn.Sequential(nn.Linear(4 + actions, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        for part in (self.linear.weight, self.curve[2].weight, self.curve[2].bias):
            nn.init.zeros_(part)
        self.cause = nn.Parameter(torch.tensor([0.05, -0.05]) if causes else torch.zeros(2), causes)
        self.starts = nn.Parameter(torch.tensor(-3.0), causes)  # logit of the chance that one begins
        self.stays = nn.Parameter(torch.tensor(0.5), causes)  # and that one goes on
        self.read_noise = nn.Parameter(torch.full((2,), -3.5))
        self.move_noise = nn.Parameter(torch.full((4,), -5.0))

    # The chances

    def chances(self):
        """Return the logarithms of the chances that cause `old` is followed by `new`: (3, 3), rows are old."""
        starts, ends = F.logsigmoid(self.starts), F.logsigmoid(-self.stays)
        calm, stays = F.logsigmoid(-self.starts), F.logsigmoid(self.stays)
        never = torch.full_like(calm, -30.0)
        side = starts - math.log(2)
        if not self.causes:
            calm, side = torch.zeros_like(calm), never
        rows = [[calm, side, side], [ends, stays, never], [ends, never, stays]]
        return torch.stack([torch.stack(row) for row in rows])

    def usual(self, past):
        """Return how probable each way of a Past is when nothing has been seen, as logarithms: (M,)."""
        chances = self.chances()
        blows = torch.sigmoid(self.starts) / torch.sigmoid(-self.stays)
        share = torch.stack([torch.ones_like(blows), blows / 2, blows / 2])
        logs = (share / share.sum()).log()  # of the oldest cause; then one newer after the other
        for _ in range(past.remembers - 1):
            newest = torch.arange(len(logs)) // (len(logs) // 3)
            logs = (chances[newest].T + logs[None]).flatten()
        return logs

    # The mechanics

    def inputs(self, s, action):
        """What the mechanics see: states (B, M, 4), actions (B,) -> (B, M, 4 + actions)."""
        push = self.push(action)[:, None].expand(-1, s.shape[1], -1)
        return torch.cat([s, push, 0 * s[..., :1] + 1], -1)

    def move(self, s, action):
        """One step of the mechanics in calm air, and its derivative: (B, M, 4), (B,) -> (B, M, 4), (B, M, 4, 4)."""
        q, v = s.split([2, 2], -1)
        seen = self.inputs(s, action)
        bent = self.curve[1](self.curve[0](seen))
        v_next = v + self.linear(seen) + 0.3 * self.curve[2](bent)
        slope = (self.curve[2].weight * (1 - bent.square())[..., None, :]) @ self.curve[0].weight[:, :4]
        one = torch.eye(2)
        top = torch.cat([one, one / SPEED], 1).expand(*s.shape[:2], 2, 4)
        below = torch.cat([0 * one, one], 1) + self.linear.weight[:, :4] + 0.3 * slope
        return torch.cat([q + v / SPEED, v_next], -1), torch.cat([top, below], -2)

    def effect(self):
        """What a cause of side 1 adds to the state in a step: (4,)."""
        return torch.cat([torch.zeros(2), self.cause])

    # The filter: weights are logarithms (B, M), means (B, M, 4), covariances (B, M, 4, 4)

    def predicted(self, weight, mean, cov, action, past=None):
        """Move every history by a step, and merge those that now share their recent past."""
        past = past or self.past
        moved, slope = self.move(mean, action)
        cov = slope @ cov @ slope.mT + torch.diag(
            positive(self.move_noise).square()
        )
        each = (
            weight[:, past.parents]
            + self.chances()[past.old, past.new[:, None]]
        )  # (B, M, 3)
        weight = each.logsumexp(-1)
        share = (each - weight[..., None]).exp()
        means = moved[:, past.parents]  # (B, M, 3, 4)
        mean = (share[..., None] * means).sum(2)
        off = means - mean[:, :, None]
        spread = cov[:, past.parents] + off[..., None] * off[..., None, :]
        cov = (share[..., None, None] * spread).sum(2)
        return weight, mean + past.sides[:, None] * self.effect(), cov

    def corrected(self, weight, mean, cov, seen):
        """Correct every history by a reading (B, 3), as Kalman does it; and ln p of the reading: (B,).

        One number of the reading after the other, in Joseph's form, which rounding cannot make indefinite.
        """
        noise, whole, fit = (
            positive(self.read_noise).square(), seen[:, None, 2:], 0.0
        )  # fmt: skip
        for k in range(2):
            expected = cov[..., k, k] + noise[k]  # (B, M)
            gain = whole * cov[..., k] / expected[..., None]  # (B, M, 4)
            miss = seen[:, None, k] - mean[..., k]
            fit = (
                fit
                - (
                    miss.square() / expected
                    + (2 * math.pi * expected).log()
                ) / 2
            )
            mean = mean + gain * miss[..., None]
            kept = torch.eye(4) - gain[..., None] * torch.eye(4)[k]
            cov = (
                kept @ cov @ kept.mT
                + noise[k] * gain[..., None] * gain[..., None, :]
            )
        after = weight + whole[..., 0] * fit
        likelihood = after.logsumexp(1)
        return *self.tidied(after - likelihood[:, None], mean, cov), likelihood

    @staticmethod
    def tidied(weight, mean, cov):
        """Let histories that can hardly be take over what the likeliest one believes: rounding would pile up there."""
        best, lost = weight.argmax(1), (weight < HARDLY)[..., None]
        rows = torch.arange(len(weight))
        mean = torch.where(lost, mean[rows, best][:, None], mean)
        return weight, mean, torch.where(lost[..., None], cov[rows, best][:, None], cov)

    def started(self, seen, past=None):
        """Return the filter after a first reading (B, 3): at any speed, in whatever air."""
        past = past or self.past
        q, whole = seen[:, :2], seen[:, 2:]
        noise = whole * positive(self.read_noise).square() + (1 - whole)
        mean = torch.cat([q, 0 * q], 1)[:, None].expand(-1, past.count, -1)
        cov = torch.diag_embed(torch.cat([noise, 0 * noise + 0.5], 1))[:, None].expand(-1, past.count, -1, -1)
        return self.usual(past).expand(len(seen), -1), mean, cov

    def loss(self, codes, actions, there, past=None):
        """Return minus ln p of what was read, in nats a step: codes (B, T + 1, C), actions (B, T), there (B, T)."""
        seen = self.observed(codes)
        now, total = self.started(seen[:, 0], past), 0.0
        for t in range(actions.shape[1]):
            *now, likelihood = self.corrected(*self.predicted(*now, actions[:, t], past), seen[:, t + 1])
            total = total + (likelihood * there[:, t]).sum()
        return {"loss": -total / there.sum()}

    # The interface

    def pack(self, weight, mean, cov):
        """Lay a filter out as a belief: (B, D)."""
        share = weight.exp()
        shown = (share[..., None] * mean[..., :2]).sum(1).clamp(-BEYOND, BEYOND)
        return torch.cat([shown, share, mean.flatten(1), cov.flatten(1)], 1)

    def split(self, belief):
        """Take a belief apart: what to draw (B, 2), weights (B, M), means (B, 4 M), covariances (B, 16 M)."""
        return belief.split([2, self.histories, 4 * self.histories, 16 * self.histories], -1)

    def unpack(self, belief):
        """Take a belief apart: weights as logarithms, means, covariances."""
        _, share, mean, cov = self.split(belief)
        return share.clamp(min=1e-12).log(), mean.unflatten(-1, (-1, 4)), cov.unflatten(-1, (-1, 4, 4))

    def begin(self, code):
        return self.pack(*self.started(self.observed(code)))

    def update(self, belief, action, code):
        now = self.predicted(*self.unpack(belief), action)
        return self.pack(*self.corrected(*now, self.observed(code))[:3])

    def step(self, belief, action):
        return self.pack(*self.predicted(*self.unpack(belief), action))

    def scatter(self, belief, noise):
        weight, mean, cov = self.unpack(belief)
        which, rows = choose(weight.exp(), noise[:, 0]), torch.arange(len(belief))
        root = torch.linalg.cholesky(cov[rows, which] + 1e-8 * torch.eye(4))
        return self.pack_one(which, mean[rows, which] + (root @ noise[:, 1:, None])[..., 0])

    def sample_step(self, belief, action, noise):
        _, share, mean, _ = self.split(belief)
        which, rows = share.argmax(1), torch.arange(len(belief))
        cause = choose(self.chances().exp()[self.past.new[which]], noise[:, 0])
        which, s = self.past.then[which, cause], mean.unflatten(-1, (-1, 4))[rows, which]
        s = self.move(s[:, None], action)[0][:, 0] + self.past.sides[which][:, None] * self.effect()
        return self.pack_one(which, s + positive(self.move_noise) * noise[:, 1:])

    def pack_one(self, which, s):
        """Lay out as a belief that there is no doubt of a history (B,) and a state (B, 4): (B, D)."""
        share = F.one_hot(which, self.histories).to(s.dtype)
        shown, certain = s[:, :2].clamp(-BEYOND, BEYOND), s.new_zeros(len(s), 16 * self.histories)
        return torch.cat([shown, share, s.repeat(1, self.histories), certain], 1)

    def surprise(self, frames, actions):
        """Return after each step how probable it is that a cause acted in the last `remembers` steps: (B, K)."""
        _, share, _, _ = self.split(self.filter(frames, actions)[:, 1:])
        return 1 - share[..., 0]  # the first history is the one without

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: readings, and whether it goes on."""
        codes = self.looked(splits)
        cut = sequences(splits, codes, CHUNK, STRIDE, least=15)
        yield Lesson(partial(self.loss, past=self.short_past), *cut, self.budget, "readings")
        if self.past.remembers > 2:
            fewer = ([part[::EVERY] for part in windows] for windows in cut)
            yield Lesson(self.loss, *fewer, THEN, "readings, longer remembered")
        yield goes_on_lesson(self, splits, codes)
