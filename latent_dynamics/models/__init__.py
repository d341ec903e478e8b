"""The models of the book, one file a rung of the ladder."""

from .autoencoder import Autoencoder
from .autoencoder_mlp import AutoencoderMLP, LatentMLP, latent_transitions
from .eyes import BalanceEyes, make_eyes
from .multi_step import MultiStep
from .noise_robust import NoiseRobust
from .position_velocity import PositionVelocity
from .recurrent import Recurrent
from .two_frame import TwoFrame

__all__ = [
    "Autoencoder", "AutoencoderMLP", "BalanceEyes", "LatentMLP", "MultiStep", "NoiseRobust", "PositionVelocity",
    "Recurrent", "TwoFrame", "latent_transitions", "make_eyes",
]  # fmt: skip
