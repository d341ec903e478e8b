"""What all widgets owe: their making and showing takes nothing from the reader's random streams."""

import random

import numpy as np
import pytest
import torch
from gallery import MAKERS, NOISY

from latent_dynamics.showing.widgets import show


def drawn():
    """What Python, NumPy and PyTorch draw next."""
    return random.random(), np.random.random(), float(torch.rand(()))


def fresh():
    """Begin all three streams anew."""
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)


@pytest.mark.parametrize("kind", {**MAKERS, **NOISY})
def test_the_readers_random_streams_stay_as_they_are(kind):
    make = {**MAKERS, **NOISY}[kind]
    make()  # what it loads or draws for itself, it has now
    expected = [fresh(), drawn(), drawn()][1:]
    fresh()
    widget = make()
    found = [drawn()]
    show(widget)
    assert [*found, drawn()] == expected


@pytest.mark.parametrize("kind", NOISY)
def test_what_comes_by_chance_comes_the_same_on_every_run(kind):
    torch.manual_seed(1)
    one = NOISY[kind]()
    torch.manual_seed(2)
    assert NOISY[kind]().still().data == one.still().data
