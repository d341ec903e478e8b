"""The models of the book, one file a rung of the ladder."""

from .autoencoder import Autoencoder
from .autoencoder_mlp import AutoencoderMLP, LatentMLP

__all__ = ["Autoencoder", "AutoencoderMLP", "LatentMLP"]
