"""Small things that several tests share: a few real episodes, and a model with random weights."""

import pytest
import torch

from latent_dynamics.data.collection import collect
from latent_dynamics.judging.references import untrained
from latent_dynamics.models import AutoencoderMLP


@pytest.fixture(scope="module")
def one_thread():
    """Keep torch to one thread: on tiny tensors, threads wait for each other more than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def random_episodes():
    """At least 200 transitions of the random policy."""
    return collect("random", 200, workers=1)


@pytest.fixture(scope="session")
def mixed_episodes():
    """At least 900 transitions of the noisy experts."""
    return collect("mixed", 900, workers=1)


@pytest.fixture(scope="session")
def untrained_model():
    """An AutoencoderMLP with random weights, which decodes to haze; do not train it."""
    return untrained(AutoencoderMLP)
