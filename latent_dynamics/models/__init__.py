"""The models of the book, one file a rung of the ladder."""

from .autoencoder import Autoencoder
from .autoencoder_mlp import AutoencoderMLP, LatentMLP, latent_transitions
from .eyes import BalanceEyes, make_eyes
from .jepa import JEPA
from .mdn_rnn import MDNRNN
from .multi_step import MultiStep
from .noise_robust import NoiseRobust
from .position_velocity import PositionVelocity
from .recurrent import Recurrent
from .rssm import RSSM
from .state_space import StateSpace
from .two_frame import TwoFrame
from .unseen_causes import UnseenCauses
from .vrnn import VRNN

__all__ = [
    "Autoencoder", "AutoencoderMLP", "BalanceEyes", "JEPA", "LatentMLP", "MDNRNN", "MultiStep", "NoiseRobust",
    "PositionVelocity", "RSSM", "Recurrent", "StateSpace", "TwoFrame", "UnseenCauses", "VRNN", "latent_transitions",
    "make_eyes",
]  # fmt: skip
