"""Rung three: two frames as before, trained on its own dreams of several steps."""

from .two_frame import TwoFrame


class MultiStep(TwoFrame):
    """TwoFrame whose loss is taken over `horizon` steps, each from the model's own last state.

    So the gradient of a late error reaches back through every step that led there (Venkatraman et al. 2015).
    """

    def __init__(self, horizon=5, **settings):
        super().__init__(horizon=horizon, **settings)
