"""Rung four: two frames as before, trained on latents to which noise was added."""

from .two_frame import TwoFrame


class NoiseRobust(TwoFrame):
    """TwoFrame that sees noised latents in training, and still has to predict the clean one.

    The noise stands for the errors that the model will meet in its own dreams: it learns to lead back from where no
    real frame would have put it (Sanchez-Gonzalez et al. 2020). noise: its spread, in units of a step's change.
    """

    def __init__(self, noise=0.3, **settings):
        super().__init__(noise=noise, **settings)
