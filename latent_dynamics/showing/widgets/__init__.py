"""What a reader touches: widgets that answer in JupyterLab and in the built page, where no kernel runs."""

from IPython.display import display

from ..page.page_model import PageModel
from .choose.choose import Choose
from .collapse.collapse import Collapse
from .crop_explorer.crop_explorer import CropExplorer
from .dream.dream import Dream, opening, recorded_starts
from .duel.duel import Duel
from .fan.fan import Fan
from .ladder_figure.ladder_figure import LadderFigure, ladder_table
from .latent_explorer.latent_explorer import LatentExplorer
from .ledger.ledger import Ledger
from .metric_map.metric_map import MetricMap
from .plan_tree.plan_tree import PlanTree
from .rollout_player.rollout_player import RolloutPlayer
from .sketch.sketch import Sketch
from .stepper.stepper import Stepper
from .surprise.surprise import Surprise
from .what_if.what_if import WhatIf

__all__ = [
    "Choose", "Collapse", "CropExplorer", "Dream", "Duel", "Fan", "LadderFigure", "LatentExplorer", "Ledger",
    "MetricMap", "PageModel", "PlanTree", "RolloutPlayer", "Sketch", "Stepper", "Surprise", "WhatIf", "ladder_table",
    "opening", "recorded_starts", "show",
]  # fmt: skip


def show(widget):
    """Display a widget and, for pages without JavaScript, the still picture that tells its story."""
    display(widget)
    display(widget.still())
