"""A latent with the structure of mechanics, positions and velocities, and a filter that corrects both.

What the rungs of Part II must find out from pixels, that things have a place and a speed, and that a push changes the
speed, is built in here; and so is, in its eyes, what a picture of a thin thing is: rows of ink that balance somewhere.
No true state is used.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .eyes import make_eyes, reading, seen
from .goes_on import goes_on_lesson, goes_on_net
from .latent_world import code_windows
from .training import Budget, Lesson
from .world_model import WorldModel

SPEED = 10.0  # velocities are shown to the network in tenths of a spread a step
CONTEXT = 10  # steps seen before a dream, in training
DREAMS = Budget(epochs=30, batch_size=256, learning_rate=1e-2)
LONGER_DREAMS = Budget(epochs=16, batch_size=256, learning_rate=3e-3)


class PositionVelocity(WorldModel):
    """q' = q + v, v' = v + f(q, v, a); each frame corrects q and v by gains that depend on how many were seen.

    A state is (q, v, count), D = 2 P + remembers: P positions in units of their spread, their changes in a step, and
    which of the gains was used last, one-hot; the first frame is taken as it is, and uses none. Kalman's filter (1960)
    is of this kind; here the gains are learned.
    horizon: steps dreamt in training; curved=False leaves f a linear map; learn_gains=False keeps the gains by which a
    straight line would be fitted; filters=False believes the last reading and the last change alone, as a line through
    two frames; eyes: where positions come from, the two of "balance", or "autoencoder" with `latent_size` of
    them; actions: how many its world has; shape: of the frames that it sees.
    """

    def __init__(
        self, hidden=32, remembers=15, horizon=12, curved=True, learn_gains=True, filters=True, eyes="balance",
        latent_size=8, actions=2, shape=(32, 100),
    ):  # fmt: skip
        super().__init__()
        if horizon < 1 or remembers < 2:
            raise ValueError(f"a horizon of {horizon} steps, {remembers} gains; expected at least 1, and at least 2")
        if not filters:
            remembers, learn_gains = 2, False
        self.needs_eyes, self.frame_shape, self.eyes = eyes, shape, make_eyes(eyes, latent_size, shape)
        self.actions, self.positions = actions, self.eyes.size
        P = self.positions
        self.state_size, self.horizon, self.curved = 2 * P + remembers, horizon, curved
        self.register_buffer("mean", torch.zeros(P))
        self.register_buffer("spread", torch.ones(P))
        self.linear = nn.Linear(2 * P + actions, P, bias=False)
        self.curve = nn.Sequential(nn.Linear(2 * P + actions, hidden), nn.Tanh(), nn.Linear(hidden, P))
        for part in (self.linear.weight, self.curve[2].weight, self.curve[2].bias):
            nn.init.zeros_(part)
        self.gains = nn.Parameter(_line_fit_gains(remembers, P), learn_gains)  # (remembers, 2 P P)
        self.register_buffer("shift", torch.diag(torch.ones(remembers - 1), 1))
        self.shift[-1, -1] = 1.0
        self.register_buffer("ones", torch.ones(P, 1))
        self.goes_on = goes_on_net(P)

    def see(self, frames):
        return self.eyes.see(frames)

    def placed(self, code):
        """Return the positions that a code says, (B, P) in units of their spread, and how far to believe it, (B, 1)."""
        z, whole = reading(code, self.positions)
        return (z - self.mean) / self.spread, whole

    def move(self, q, v, action):
        """One step of the mechanics: (B, P), (B, P), (B,) -> the next q and v."""
        which = F.one_hot(action, self.actions).to(q.dtype)  # (B, actions)
        push = which[:, 1:] - which[:, :1]  # of two actions one number: -1 or 1
        # (B, 2 P + actions)
        inputs = torch.cat([q, SPEED * v, push, 0 * q[:, :1] + 1], 1)
        bent = 0.3 * self.curve(inputs) if self.curved else 0
        return q + v, v + (self.linear(inputs) + bent) / SPEED

    def split(self, belief):
        """Take a belief apart: (B, D) -> q (B, P), v (B, P), count (B, remembers)."""
        P = self.positions
        return belief[:, :P], belief[:, P : 2 * P], belief[:, 2 * P :]

    def begin(self, code):
        q, _ = self.placed(code)
        first = (0 * q[:, :1] + 1) * self.shift[0].roll(-1)[None]  # (B, remembers): the first of the gains
        return torch.cat([q, 0 * q, first], 1)

    def step(self, belief, action):
        q, v, count = self.split(belief)
        return torch.cat([*self.move(q, v, action), count], 1)

    def update(self, belief, action, code):
        q, v, count = self.split(belief)
        q, v = self.move(q, v, action)
        count = count @ self.shift
        gains = (count @ self.gains).unflatten(
            1, (2 * self.positions, self.positions)
        )
        read, whole = self.placed(code)
        # (B, P); none where the frame hides something
        surprise = whole * (read - q)
        # (B, 2 P): the sum over all surprises
        correction = ((gains * surprise[:, None]) @ self.ones)[..., 0]
        return torch.cat([torch.cat([q, v], 1) + correction, count], 1)

    def decode(self, states):
        return self.eyes.decode(self.mean + self.spread * states[..., : self.positions])

    def goes_on_logit(self, states):
        """Return how surely the episode goes on, as a logit: (..., D) -> (...)."""
        return self.goes_on(states[..., : self.positions])[..., 0]

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(self.goes_on_logit(states))

    def dream_loss(self, codes, actions, there):
        """The Huber loss of dreamt positions: codes (B, T + 1, C), actions (B, T); what follows step CONTEXT is dreamt.

        In training the last 5 to 10 steps before are seen, else all of them. There (B, T) is 0 after the episode's end.
        """
        first = int(torch.randint(0, CONTEXT - 4, ())) if self.training else 0
        belief = self.begin(codes[:, first])
        for t in range(first, CONTEXT):
            belief = self.update(belief, actions[:, t], codes[:, t + 1])
        errors, counts = [], []
        for t in range(CONTEXT, actions.shape[1]):
            belief = self.step(belief, actions[:, t])
            q, whole = self.placed(codes[:, t + 1])
            errors.append(F.huber_loss(belief[:, : self.positions], q, delta=0.3, reduction="none").mean(1))
            counts.append(whole[:, 0] * there[:, t])
        counts = torch.stack(counts)
        return {"loss": (torch.stack(errors) * counts).sum() / counts.sum().clamp(min=1)}

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and validation: dreams, and whether the episode goes on."""
        codes = [seen(self.eyes, part) for part in splits]
        z, whole = reading(codes[0], self.positions)
        self.mean.copy_(z[whole[:, 0] > 0.5].mean(0))
        self.spread.copy_(z[whole[:, 0] > 0.5].std(0))
        short = min(self.horizon, 12)  # a longer dream is learned after a shorter one: at first it would only fall over
        for horizon, budget in {short: DREAMS, self.horizon: LONGER_DREAMS if self.horizon > short else DREAMS}.items():
            cut = (code_windows(part, code, CONTEXT + horizon, least=CONTEXT + 1) for part, code in zip(splits, codes))
            yield Lesson(self.dream_loss, *cut, budget, f"dreams of {horizon}")
        yield goes_on_lesson(self, splits, codes)


def _line_fit_gains(count, positions):
    """Return the gains by which a straight line is fitted frame by frame, (count, 2 P P): where the learning begins."""
    n, one = torch.arange(count)[:, None, None], torch.eye(positions)
    place, speed = 2 * (2 * n + 1) / ((n + 1) * (n + 2)) * one, 6 / ((n + 1) * (n + 2)) * one
    return torch.cat([place.clamp(max=1), speed.clamp(max=1) * (n > 0)], 1).flatten(1)
