"""One function of tensors, as the page runs it: for widgets that need less than a whole world model."""

import torch

from .page_model import Weights
from .trace import trace


def page_function(function, *examples):
    """Export a function of a batch of one: {"graph", "weights"}, to be sent as a trait or as a part of one.

    Raises trace.CannotBeExported where the page's engine cannot follow.
    """
    with torch.no_grad():
        graph = trace(function, *examples)
    weights = Weights.of(graph.pop("constants"))
    return {"graph": graph, "weights": f"IPY_MODEL_{weights.model_id}"}
