"""The eyes: what turns a frame into a few numbers, and draws such numbers again. Trained once, then shared by rungs.

There are two kinds. "autoencoder": a latent z of any size, found by redrawing frames (autoencoder.py). "balance": two
positions, found by where the ink of each row balances, and a pen that draws them. A model says which kind it needs
(`needs_eyes`), is handed trained ones as `model.eyes`, and leaves them as they are.
Eyes `see` frames (..., H, W) as codes, `size` numbers and, where they can tell, 1 for a frame that shows everything and
0 for one that does not; and they `decode` the `size` numbers.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ..world.preprocessing import from_bytes
from .autoencoder import Autoencoder
from .training import Budget, Lesson

FAINT = 0.02  # ink below this is haze
SHORT = 0.02  # share of the ink that may be missing before a frame counts as cut off
ROUNDS = 15  # of the alternating fit, which has settled by then
PICTURES = Budget(epochs=8, batch_size=64, learning_rate=2e-2)


def make_eyes(kind, latent_size=8, shape=(32, 100)):
    """Make untrained eyes of a kind, for frames of a shape; `latent_size` is the autoencoder's.

    Raises ValueError for an unknown kind.
    """
    kinds = {"autoencoder": lambda: Autoencoder(latent_size, shape), "balance": lambda: BalanceEyes(*shape)}
    if kind not in kinds:
        raise ValueError(f"no eyes called {kind!r}; there are {', '.join(kinds)}")
    return kinds[kind]()


def reading(code, size):
    """Split codes (..., C) into what they say, (..., size), and whether it can be believed: (..., 1), 1 or 0."""
    return code[..., :size], code[..., size : size + 1] if code.shape[-1] > size else 0 * code[..., :1] + 1


@torch.no_grad()
def seen(eyes, episodes, batch=2048):
    """Look at every frame of Episodes once: codes (F, C)."""
    frames = episodes.frames
    parts = (from_bytes(frames[first : first + batch]) for first in range(0, len(frames), batch))
    return torch.cat([eyes.see(torch.from_numpy(part)) for part in parts])


class Strips(nn.Module):
    """Draw two positions as strips of ink: each row holds two bars that lie about the point where the row balances.

    A bar has a reach, a softness and a darkness. The point is linear in the positions; all of these bend with them by a
    small network, since the rows of a leaning pole are wider, softer, and its top ones empty.
    """

    def __init__(self, height=32, width=100, hidden=16):
        super().__init__()
        self.register_buffer("columns", (torch.arange(width) + 0.5 - width / 2) / (width / 2))  # -1 left, 1 right
        self.middle = nn.Parameter(torch.zeros(height))
        self.slope = nn.Parameter(torch.zeros(2, height))
        usual = [[0.02, 0.08], [0.01, 0.01], [0.1, 0.1]]  # reach, softness, darkness of the two bars
        self.usual = nn.Parameter(torch.tensor(usual).log().flatten()[:, None].repeat(1, height))  # (6, H), logarithms
        self.bend = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 7 * height))
        self.ground = nn.Parameter(torch.zeros(height, 1))  # what never moves: the track
        nn.init.zeros_(self.bend[2].weight)
        nn.init.zeros_(self.bend[2].bias)

    def forward(self, q):
        """Return frames, not yet clipped: (..., 2) -> (..., H, W)."""
        bend = self.bend(q).unflatten(-1, (7, -1))  # (..., 7, H)
        away = self.columns - (  # (..., H, W): columns
            self.middle + q @ self.slope + 0.01 * bend[..., 6, :]
        )[..., None]
        # (..., 6, H, 1)
        bars = (self.usual + bend[..., :6, :]).exp()[..., None]
        frame = 1 - self.ground
        for bar in (0, 1):
            reach, soft, dark = (
                bars[..., part + bar, :, :] for part in (0, 2, 4)
            )
            frame = frame * (1 - dark * (
                torch.sigmoid((away + reach) / soft)
                - torch.sigmoid((away - reach) / soft)
            ))
        return frame


class BalanceEyes(nn.Module):
    """See by balance: each row of a frame balances at a point, and two numbers tell where all these points lie.

    A code is (q, whole): two positions in units of their spread, and 1 if the whole pole and cart are in the picture,
    else 0. No label is used. `pen` draws what was seen.
    """

    size = 2

    def __init__(self, height=32, width=100, *colours):
        if colours:
            raise ValueError("the eyes of balance weigh gray frames (H, W); take a view with gray=True")
        super().__init__()
        self.pen = Strips(height, width)
        self.register_buffer("ones_and_columns", torch.stack([torch.ones(width), self.pen.columns], -1))  # (W, 2)
        self.register_buffer("rows", torch.zeros(height))  # 1 where a row holds what moves
        self.register_buffer("middle", torch.zeros(height))
        self.register_buffer("axes", torch.zeros(height, 2))  # how far each row's point moves with q
        self.register_buffer("whole", torch.ones(()))  # ink of a frame that hides nothing

    def balance(self, frames):
        """Return where the ink of each row balances, and how much there is: (..., H, W) -> (..., H), (..., H)."""
        ink, moment = (
            F.relu(1 - frames - FAINT) @ self.ones_and_columns
        ).unbind(-1)
        return moment / (ink + 1e-3), ink

    def see(self, frames):
        """Return the two positions that explain the rows best, and whether all is in the picture: (..., 3).

        q = argmin over q of sum_r w_r (point_r - middle_r - q axes_r)^2, where w_r is the root of the row's ink: a row
        that the leaning pole does not reach balances at nothing, and must not be believed.
        """
        points, ink = self.balance(frames)
        weights, (one, two) = (
            ink.sqrt() * self.rows,  # (..., H)
            self.axes.unbind(1),  # (H,) each
        )
        squares = weights @ torch.stack(  # (..., 3)
            [one * one, one * two, two * two], 1
        )
        pull = (weights * (points - self.middle)) @ self.axes  # (..., 2)
        aa, ab, bb = squares[..., :1], squares[..., 1:2], squares[..., 2:]
        q = torch.cat([
            bb * pull[..., :1] - ab * pull[..., 1:],
            aa * pull[..., 1:] - ab * pull[..., :1],
        ], -1)
        missing = F.relu(  # (..., 1)
            1 - ink @ self.rows[:, None] / self.whole - SHORT
        )
        return torch.cat([
            q / (aa * bb - ab * ab + 1e-9),
            F.relu(1 - 1e4 * missing),
        ], -1)

    def decode(self, q):
        """Draw positions: (..., 2) -> frames (..., H, W) in [0, 1]."""
        return self.pen(q).clamp(0, 1)

    @torch.no_grad()
    def fit(self, frames):
        """Find the plane in which the balance points of whole frames lie: (M, H, W). Rows and frames take turns."""
        points, ink = self.balance(frames)
        moves = points.std(0) > 0.1 * points.std(0).max()  # the track has much ink, and stays
        self.rows.copy_((moves & (ink.median(0).values > 0.3)).float())
        self.whole.copy_((ink @ self.rows).median())
        whole = ink @ self.rows > (1 - SHORT) * self.whole
        points, weights = points[whole].double(), (ink[whole].sqrt() * self.rows).double()
        middle = (weights * points).sum(0) / (weights.sum(0) + 1e-9)
        q = torch.linalg.svd(weights.sqrt() * (points - middle), full_matrices=False)[0][:, :2]  # (M, 2), a first guess
        for _ in range(ROUNDS):
            q = q - q.mean(0)
            q = q @ torch.linalg.inv(torch.linalg.cholesky(q.T @ q / len(q))).T  # white: unit spread, unrelated
            known = torch.cat([torch.ones(len(q), 1).double(), q], 1)  # (M, 3)
            normal = torch.einsum("fr,fi,fj->rij", weights, known, known) + 1e-6 * torch.eye(3)
            fit = torch.linalg.solve(normal, torch.einsum("fr,fi->ri", weights * points, known))  # (H, 3)
            turn = torch.linalg.svd(weights.mean(0).sqrt()[:, None] * fit[:, 1:], full_matrices=False)[2]  # (2, 2)
            middle, axes = fit[:, 0], fit[:, 1:] @ turn.T  # the first axis is the one along which most ink moves
            normal = torch.einsum("fr,ri,rj->fij", weights, axes, axes)
            q = torch.linalg.solve(normal, (weights * (points - middle)) @ axes)
        self.middle.copy_(middle)
        self.axes.copy_(axes)
        self.pen.middle.data.copy_(middle)
        self.pen.slope.data.copy_(axes.T)

    def picture_loss(self, q, frames):
        """The squared error of drawn frames, (B, 2) and (B, H, W), in hundredths."""
        return {"loss": 100 * F.mse_loss(self.pen(q), frames)}

    def lessons(self, *splits):
        """Fit the eyes to the first of Episodes for training and validation; yield what the pen then learns."""
        self.fit(torch.from_numpy(from_bytes(splits[0].frames)))
        data = []
        for part in splits:
            codes = seen(self, part)
            whole = codes[:, 2] > 0.5
            data.append((codes[whole, :2], torch.from_numpy(from_bytes(part.frames))[whole]))
        yield Lesson(self.picture_loss, *data, PICTURES, "pictures")
