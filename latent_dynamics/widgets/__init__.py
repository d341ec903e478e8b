"""What a reader touches: widgets that answer in JupyterLab and in the built page, where no kernel runs."""

from IPython.display import display

from .rollout_player import RolloutPlayer

__all__ = ["RolloutPlayer", "show"]


def show(widget):
    """Display a widget and, for pages without JavaScript, the still picture that tells its story."""
    display(widget)
    display(widget.still())
