"""The last rung: a latent with the structure of mechanics, positions and velocities, and a filter that corrects both.

What the rungs before must find out from pixels, that things have a place and a speed, and that a push changes the
speed, is built in here; and so is what a picture of a thin thing is: rows of ink that balance somewhere. No true
state is used. All of it together has fewer weights than one layer of the autoencoder.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ..world.preprocessing import from_bytes
from .latent_world import code_windows
from .training import Budget, Lesson
from .world_model import WorldModel

FAINT = 0.02  # ink below this is haze
SHORT = 0.02  # share of the ink that may be missing before a frame counts as cut off
SPEED = 10.0  # velocities are shown to the network in tenths of a spread a step
CONTEXT = 10  # steps seen before a dream, in training
DREAMS = Budget(epochs=15, batch_size=128, learning_rate=1e-2)
LONGER_DREAMS = Budget(epochs=8, batch_size=128, learning_rate=3e-3)
PICTURES = Budget(epochs=8, batch_size=64, learning_rate=2e-2)


class Strips(nn.Module):
    """Draw two positions as strips of ink: each row holds two bars that lie about the point where the row balances.

    A bar has a width, a softness and a darkness, learned for its row; the point is linear in the positions.
    """

    def __init__(self, height=32, width=100):
        super().__init__()
        self.register_buffer("columns", (torch.arange(width) + 0.5 - width / 2) / (width / 2))  # -1 left, 1 right
        self.middle = nn.Parameter(torch.zeros(height))
        self.slope = nn.Parameter(torch.zeros(2, height))
        self.reach = nn.Parameter(torch.tensor([0.02, 0.08]).log().expand(height, 2).T.clone())  # (2, H), logarithms
        self.soft = nn.Parameter(torch.full((2, height), 0.01).log())
        self.dark = nn.Parameter(torch.full((2, height), 0.1))
        self.bend = nn.Parameter(torch.zeros(2, 2, height))  # how darkness changes with the squared positions
        self.ground = nn.Parameter(torch.zeros(height, 1))  # what never moves: the track

    def forward(self, q):
        """Return frames, not yet clipped: (..., 2) -> (..., H, W)."""
        away = self.columns - (self.middle + q @ self.slope)[..., None]  # (..., H, W): columns from the balance point
        frame = 1 - self.ground
        for reach, soft, dark, bend in zip(self.reach.exp(), self.soft.exp(), self.dark, self.bend):
            left, right = (away + reach[:, None]) / soft[:, None], (away - reach[:, None]) / soft[:, None]
            darkness = dark + q.square() @ bend  # (..., H)
            frame = frame * (1 - darkness[..., None] * (torch.sigmoid(left) - torch.sigmoid(right)))
        return frame


class PositionVelocity(WorldModel):
    """q' = q + v, v' = v + f(q, v, a); each frame corrects q and v by gains that depend on how many were seen.

    A state is (q, v, count), D = 4 + remembers: two positions in units of their spread, their changes in a step, and
    which of the gains was used last, one-hot; the first frame is taken as it is, and uses none. Kalman's filter (1960)
    is of this kind; here the gains are learned.
    horizon: steps dreamt in training; curved=False leaves f a linear map; learn_gains=False keeps the gains by which a
    straight line would be fitted.
    """

    def __init__(self, hidden=32, remembers=15, horizon=12, curved=True, learn_gains=True):
        super().__init__()
        if horizon < 1 or remembers < 2:
            raise ValueError(f"a horizon of {horizon} steps, {remembers} gains; expected at least 1, and at least 2")
        self.state_size, self.horizon, self.curved = 4 + remembers, horizon, curved
        self.strips = Strips(*self.frame_shape)
        self.register_buffer("ones_and_columns", torch.stack([torch.ones(100), self.strips.columns], -1))  # (W, 2)
        self.register_buffer("rows", torch.zeros(32))  # 1 where a row holds what moves
        self.register_buffer("middle", torch.zeros(32))
        self.register_buffer("axes", torch.zeros(32, 2))
        self.register_buffer("whole", torch.ones(()))  # ink of a frame that hides nothing
        self.linear = nn.Linear(6, 2, bias=False)
        self.curve = nn.Sequential(nn.Linear(6, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        for part in (self.linear.weight, self.curve[2].weight, self.curve[2].bias):
            nn.init.zeros_(part)
        self.gains = nn.Parameter(_line_fit_gains(remembers), learn_gains)  # (remembers, 8): 4 from 2 surprises
        self.register_buffer("shift", torch.diag(torch.ones(remembers - 1), 1))
        self.shift[-1, -1] = 1.0
        self.goes_on = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))

    # The eyes: the points at which the rows of a frame balance lie in a plane, and two numbers tell where.

    def balance(self, frames):
        """Return where the ink of each row balances, and how much there is: (..., H, W) -> (..., H), (..., H)."""
        ink, moment = (F.relu(1 - frames - FAINT) @ self.ones_and_columns).unbind(-1)
        return moment / (ink + 1e-3), ink

    def see(self, frames):
        """Return two positions, and 1 if the whole pole and cart are in the picture, else 0: (B, H, W) -> (B, 3)."""
        points, ink = self.balance(frames)
        missing = F.relu(1 - ink @ self.rows[:, None] / self.whole - SHORT)  # (B, 1)
        return torch.cat([(points - self.middle) @ self.axes, F.relu(1 - 1e4 * missing)], -1)

    def fit_eyes(self, frames):
        """Find the plane in which the balance points of whole frames lie: (M, H, W). No label is used."""
        points, ink = self.balance(frames)
        moves = points.std(0) > 0.1 * points.std(0).max()  # the track has much ink, and stays
        self.rows.copy_((moves & (ink.median(0).values > 0.3)).float())
        self.whole.copy_((ink @ self.rows).median())
        whole = ink @ self.rows > (1 - SHORT) * self.whole
        self.middle.copy_(points[whole].mean(0))
        centred = (points[whole] - self.middle) * self.rows
        _, size, directions = torch.linalg.svd(centred, full_matrices=False)
        spread = size[:2] / len(centred) ** 0.5
        self.axes.copy_(directions[:2].T / spread)
        self.strips.middle.data.copy_(self.middle)
        self.strips.slope.data.copy_(directions[:2] * spread[:, None])

    # The mechanics, and the filter.

    def move(self, q, v, action):
        """One step of the mechanics: (B, 2), (B, 2), (B,) -> the next q and v."""
        push = (2 * action.to(q.dtype) - 1)[:, None]
        inputs = torch.cat([q, SPEED * v, push, 0 * push + 1], 1)  # (B, 6)
        bent = 0.3 * self.curve(inputs) if self.curved else 0
        return q + v, v + (self.linear(inputs) + bent) / SPEED

    def begin(self, code):
        first = (0 * code[:, :1] + 1) * self.shift[0].roll(-1)[None]  # (B, remembers): the first of the gains
        return torch.cat([code[:, :2], 0 * code[:, :2], first], 1)

    def step(self, belief, action):
        q, v = self.move(belief[:, :2], belief[:, 2:4], action)
        return torch.cat([q, v, belief[:, 4:]], 1)

    def update(self, belief, action, code):
        q, v = self.move(belief[:, :2], belief[:, 2:4], action)
        count = belief[:, 4:] @ self.shift
        gains = (count @ self.gains).unflatten(1, (4, 2))
        surprise = code[:, 2:] * (code[:, :2] - q)  # (B, 2); none where the frame hides something
        correction = ((gains * surprise[:, None]) @ self.ones_and_columns[:2, :1])[..., 0]  # (B, 4): the sum over both
        return torch.cat([torch.cat([q, v], 1) + correction, count], 1)

    def decode(self, states):
        return self.strips(states[..., :2]).clamp(0, 1)

    def outcome(self, states):
        return torch.ones(states.shape[:-1]), torch.sigmoid(self.goes_on(states[..., :2]))[..., 0]

    # What is learned, and in which order.

    def dream_loss(self, codes, actions, terminated):
        """The Huber loss of dreamt positions: codes (B, T + 1, 3), actions (B, T); what follows step CONTEXT is dreamt.

        In training the last 5 to 10 steps before are seen, else all of them.
        """
        first = int(torch.randint(0, CONTEXT - 4, ())) if self.training else 0
        belief = self.begin(codes[:, first])
        for t in range(first, CONTEXT):
            belief = self.update(belief, actions[:, t], codes[:, t + 1])
        losses = []
        for t in range(CONTEXT, actions.shape[1]):
            belief = self.step(belief, actions[:, t])
            q, whole = codes[:, t + 1, :2], codes[:, t + 1, 2:]
            losses.append(F.huber_loss(whole * belief[:, :2], whole * q, delta=0.3))
        return {"loss": torch.stack(losses).mean()}

    def picture_loss(self, q, frames, terminated):
        """The squared error of drawn frames, (B, 2) and (B, H, W); and whether the episode goes on."""
        picture = F.mse_loss(self.strips(q), frames)
        goes_on = F.binary_cross_entropy_with_logits(self.goes_on(q)[..., 0], 1 - terminated)
        return {"loss": 100 * picture + 0.1 * goes_on, "picture": picture, "goes on": goes_on}

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and validation: dreams, and then pictures."""
        with torch.no_grad():
            frames = [torch.from_numpy(from_bytes(part.frames)) for part in splits]
            self.fit_eyes(frames[0])
            codes = [self.see(part) for part in frames]
        short = min(self.horizon, 12)  # a longer dream is learned after a shorter one: at first it would only fall over
        for horizon, budget in {short: DREAMS, self.horizon: LONGER_DREAMS if self.horizon > short else DREAMS}.items():
            data = (code_windows(part, code, CONTEXT + horizon) for part, code in zip(splits, codes))
            yield Lesson(self.dream_loss, *data, budget, f"dreams of {horizon}")
        whole = [code[:, 2] > 0.5 for code in codes]
        data = ((c[w, :2], f[w], _ends(part)[w]) for part, c, f, w in zip(splits, codes, frames, whole))
        yield Lesson(self.picture_loss, *data, PICTURES, "pictures")


def _line_fit_gains(count):
    """Return the gains by which a straight line is fitted frame by frame: (count, 8); where the learning begins."""
    n = torch.arange(count)[:, None, None]
    one = torch.eye(2)
    place, speed = 2 * (2 * n + 1) / ((n + 1) * (n + 2)) * one, 6 / ((n + 1) * (n + 2)) * one
    return torch.cat([place.clamp(max=1), speed.clamp(max=1) * (n > 0)], 1).flatten(1)


def _ends(episodes):
    """Whether the episode had ended at each frame: (F,) float."""
    ended = torch.zeros(len(episodes.frames))
    ended[torch.from_numpy(episodes.before + 1)] = torch.from_numpy(episodes.terminated).float()
    return ended
