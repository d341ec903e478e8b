"""The autoencoder: a frame squeezed through a few numbers, and drawn again from them."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def patches(channels, height, width, width_1=32, width_2=64):
    """Encode by patches: two convolutions whose kernels do not overlap, so a frame costs little."""
    size = second_patch(height, width)
    return nn.Sequential(
        nn.Conv2d(channels, width_1, 4, 4), nn.GELU(),  # (B, 32, H/4, W/4)
        nn.Conv2d(width_1, width_2, size, size), nn.GELU(),  # (B, 64, H/16, W/20)
        nn.Flatten(),
    ), width_2 * (height // 16) * (width // (4 * size[1]))  # fmt: skip


def second_patch(height, width):
    """Return the size of a patch of patches, 4 x 5 of them where it fits; ValueError for frames that none fits."""
    across = next((size for size in (5, 4) if width % (4 * size) == 0), None)
    if height % 16 or across is None:
        raise ValueError(
            f"frames of {height} x {width} do not fall into patches: rows must be a multiple of 16, columns of 16 or "
            '20, as in 32 x 100 and 64 x 64; architecture="dense" takes any'
        )
    return 4, across


def unpatches(channels, height, width, width_1=32, width_2=64):
    """Mirror `patches`."""
    size = second_patch(height, width)
    return nn.Sequential(
        nn.Unflatten(1, (width_2, height // 16, width // (4 * size[1]))),
        nn.ConvTranspose2d(width_2, width_1, size, size), nn.GELU(),
        nn.ConvTranspose2d(width_1, channels, 4, 4),
    )  # fmt: skip


def patched(height, width, width_2=64):
    """Return how many numbers `unpatches` draws a frame from."""
    return width_2 * (height // 16) * (width // (4 * second_patch(height, width)[1]))


def strided(channels, height, width):
    """Encode by the usual overlapping strided convolutions."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, 4, 2, 1), nn.GELU(),  # (B, 4, H/2, W/2)
        nn.Conv2d(4, 12, 4, 2, 1), nn.GELU(),  # (B, 12, H/4, W/4)
        nn.Conv2d(12, 32, 4, 4), nn.GELU(),  # (B, 32, H/16, W/16)
        nn.Flatten(),
    ), 32 * (height // 16) * (width // 16)  # fmt: skip


def dense(channels, height, width):
    """Encode by fully connected layers, blind to where a pixel is."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 64), nn.GELU()), 64


def undense(channels, height, width):
    """Mirror `dense`."""
    return nn.Sequential(
        nn.Linear(64, channels * height * width), nn.Unflatten(1, (channels, height, width))
    )


ARCHITECTURES = {
    "patches": (patches, unpatches, patched),
    "strided": (strided, unpatches, patched),
    "dense": (dense, undense, lambda height, width: 64),
}


class Autoencoder(nn.Module):
    """Encoder E: frame -> z, and decoder D: z -> frame.

    shape: (H, W) or (H, W, 3); latent_size: numbers in z; mean_frame: subtracted first, so that the network is
    left with what moves. Hinton & Salakhutdinov (2006).
    """

    def __init__(self, latent_size=8, shape=(32, 100), architecture="patches", hidden=256):
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise ValueError(f"no architecture called {architecture!r}; there are {', '.join(ARCHITECTURES)}")
        if latent_size < 1:
            raise ValueError(f"a latent of {latent_size} numbers; it needs at least 1")
        self.shape, self.latent_size, self.size = tuple(shape), latent_size, latent_size
        self.channels, (height, width) = (shape[2] if len(shape) == 3 else 1), shape[:2]
        encode, decode, drawn_from = ARCHITECTURES[architecture]
        self.trunk, features = encode(self.channels, height, width)
        self.to_latent = nn.Sequential(nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, latent_size))
        self.from_latent = nn.Sequential(
            nn.Linear(latent_size, hidden), nn.GELU(), nn.Linear(hidden, drawn_from(height, width)), nn.GELU()
        )
        self.head = decode(self.channels, height, width)
        self.register_buffer("mean_frame", torch.zeros(self.channels, height, width))
        self.to(memory_format=torch.channels_last)  # as frames lie in memory: convolutions are a sixth cheaper

    def _planes(self, frames):
        frames = frames if self.channels > 1 else frames.unsqueeze(-1)
        return frames.movedim(-1, -3)  # (..., channels, H, W)

    def fit_mean(self, frames):
        """Remember the mean of the training frames (M, H, W[, 3]), which is not learned by gradient."""
        self.mean_frame.copy_(self._planes(frames.mean(0)))

    def encode(self, frames):
        """E: (..., H, W[, 3]) in [0, 1] -> z (..., latent_size)."""
        lead = frames.shape[: frames.ndim - len(self.shape)]
        planes = (
            self._planes(frames)
            .reshape(math.prod(lead), *self.mean_frame.shape)
            - self.mean_frame
        )
        return (
            self.to_latent(self.trunk(planes))
            .reshape(*lead, self.latent_size)
        )

    see = encode  # as all eyes do

    def decode_raw(self, z):
        """D before it is clipped to what a screen can show, which is what the loss is taken of."""
        lead = z.shape[:-1]
        planes = (
            self.head(self.from_latent(z.reshape(-1, self.latent_size)))
            + self.mean_frame
        )
        frames = (
            planes.movedim(-3, -1)
            .reshape(*lead, *self.shape[:2], self.channels)
        )
        return frames if self.channels > 1 else frames[..., 0]

    def decode(self, z):
        """D: (..., latent_size) -> frames (..., H, W[, 3]) in [0, 1]."""
        return self.decode_raw(z).clamp(0, 1)

    def loss(self, frames):
        """L_rec: the squared error of a pixel, averaged over pixels and frames."""
        return {
            "loss": F.mse_loss(self.decode_raw(self.encode(frames)), frames)
        }
