"""What is said of found causes is what the model was made to believe."""

import pytest
import torch

from latent_dynamics.judging.found_causes import found_causes
from latent_dynamics.models import UnseenCauses


def test_what_a_model_was_made_to_believe_is_found():
    model = UnseenCauses(remembers=2)
    with torch.no_grad():
        model.linear.weight[:, 4] = torch.tensor([0.0, 0.4])  # what a push does: -0.4 or 0.4
        model.cause.copy_(torch.tensor([0.1, -0.2]))
        model.starts.copy_(torch.logit(torch.tensor(0.04)))
        model.stays.copy_(torch.logit(torch.tensor(0.75)))
    assert found_causes(model) == pytest.approx(
        {"starts": 0.04, "lasts": 4, "strength": 0.5, "across": 0.25}, rel=1e-4
    )
