"""A world may have more actions than two: models take their number, and check what they are given against it."""

import pytest
import torch

from latent_dynamics.judging.references import untrained
from latent_dynamics.models import AutoencoderMLP, MultiStep, NoiseRobust, PositionVelocity, Recurrent, TwoFrame

MODELS = (AutoencoderMLP, TwoFrame, MultiStep, NoiseRobust, Recurrent, PositionVelocity)


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_three_actions_lead_to_three_places(kind, one_thread):
    model = untrained(lambda: kind(actions=3))
    with torch.no_grad():
        for part in model.parameters():
            part.add_(0.01 * torch.randn(part.shape, generator=torch.Generator().manual_seed(0)))
    belief = torch.randn(3, model.state_size, generator=torch.Generator().manual_seed(1))[:1].expand(3, -1)
    later = model.imagine(belief, torch.tensor([[0], [1], [2]]).expand(3, 4))[:, -1]
    assert len({tuple(one.tolist()) for one in later}) == 3
    with pytest.raises(ValueError, match=r"range over 3\.\.3; the world knows 0\.\.2"):
        model.imagine(belief, torch.full((3, 4), 3))
    with pytest.raises(ValueError, match=r"range over 2\.\.2; the world knows 0\.\.1"):
        untrained(kind).imagine(belief, torch.full((3, 4), 2))
