"""What a reader touches: widgets that answer in JupyterLab and in the built page, where no kernel runs."""

from IPython.display import display

from .choose import Choose
from .crop_explorer import CropExplorer
from .dream import Dream
from .rollout_player import RolloutPlayer
from .sketch import Sketch

__all__ = ["Choose", "CropExplorer", "Dream", "RolloutPlayer", "Sketch", "show"]


def show(widget):
    """Display a widget and, for pages without JavaScript, the still picture that tells its story."""
    display(widget)
    display(widget.still())
