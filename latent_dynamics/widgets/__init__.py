"""What a reader touches: widgets that answer in JupyterLab and in the built page, where no kernel runs."""

from IPython.display import display

from .choose import Choose
from .crop_explorer import CropExplorer
from .dream import Dream
from .duel import Duel
from .latent_explorer import LatentExplorer
from .page_model import PageModel
from .rollout_player import RolloutPlayer
from .sketch import Sketch
from .what_if import WhatIf

__all__ = [
    "Choose", "CropExplorer", "Dream", "Duel", "LatentExplorer", "PageModel", "RolloutPlayer", "Sketch", "WhatIf",
    "show",
]  # fmt: skip


def show(widget):
    """Display a widget and, for pages without JavaScript, the still picture that tells its story."""
    display(widget)
    display(widget.still())
