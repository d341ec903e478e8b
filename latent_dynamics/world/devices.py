"""Where tensors are made, whatever torch's default device is."""

from contextlib import contextmanager, nullcontext
from itertools import chain

import torch


@contextmanager
def made_on(device):
    """Make new tensors inside the block, or inside the function that this decorates, on a device such as "cpu"."""
    device = torch.device(device)
    with nullcontext() if torch.get_default_device() == device else device:
        yield


@contextmanager
def at_home(model):
    """Make new tensors inside the block where a module's own are; yields what brings tensors there.

    They come in the precision of its parameters too, where it has any.
    """
    own = next(chain(model.parameters(), model.buffers()), torch.zeros((), device="cpu"))
    precision = next((one.dtype for one in model.parameters() if one.is_floating_point()), None)

    def bring(tensor):
        return tensor.to(own.device, precision if tensor.is_floating_point() else None)

    with made_on(own.device):
        yield bring
