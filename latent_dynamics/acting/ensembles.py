"""Several models that believe at once: what they do not agree on, none of them knows."""

import torch

from ..models.stepwise import stepwise
from ..models.world_model import WorldModel

AGREED = {  # chances that the episode goes on, (M, ...), one for each model -> (...)
    "mean": lambda chances: chances.mean(0),
    "worst": lambda chances: chances.min(0).values,
    "best": lambda chances: chances.max(0).values,
}


class Ensemble(WorldModel):
    """Models that dream side by side of the same pushes. A state is all of theirs, one after another.

    models: with the same eyes; agreed: whose word counts, "mean", "worst" (pessimism) or "best" (optimism in the
    face of uncertainty).
    """

    def __init__(self, models, agreed="mean"):
        super().__init__()
        if agreed not in AGREED:
            raise ValueError(f"no ensemble agrees on {agreed!r}; there are {', '.join(AGREED)}")
        self.models = torch.nn.ModuleList(stepwise(model) for model in models)
        self.sizes = [model.state_size for model in self.models]
        self.state_size, self.agreed = sum(self.sizes), AGREED[agreed]

    def see(self, frames):
        return self.models[0].see(frames)

    def begin(self, code):
        return torch.cat([model.begin(code) for model in self.models], 1)

    def update(self, belief, action, code):
        return self._each(belief, lambda model, own: model.update(own, action, code))

    def step(self, belief, action):
        return self._each(belief, lambda model, own: model.step(own, action))

    def decode(self, states):
        return self.models[0].decode(states[..., : self.sizes[0]])

    def outcome(self, states):
        parts = zip(self.models, states.split(self.sizes, -1), strict=True)
        chances = torch.stack([model.outcome(own)[1] for model, own in parts])
        return torch.ones(states.shape[:-1]), self.agreed(chances)

    def _each(self, belief, move):
        own = zip(self.models, belief.split(self.sizes, 1), strict=True)
        return torch.cat([move(model, part) for model, part in own], 1)
