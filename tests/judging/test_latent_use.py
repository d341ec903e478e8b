"""Whether a latent is used: what is measured of one that is, and of one that has collapsed."""

import pytest
import torch

from latent_dynamics.judging.latent_use import latent_use
from latent_dynamics.models import VRNN
from latent_dynamics.models.eyes import BalanceEyes
from latent_dynamics.models.gaussian import Gaussian
from latent_dynamics.models.training import seeded

pytestmark = pytest.mark.usefixtures("one_thread")


class Says(VRNN):
    """Its first number says how the reading changed, the others nothing."""

    def prior(self, memory):
        zero = memory.new_zeros(len(memory), self.latent)
        return Gaussian(zero, zero + 1)

    def posterior(self, memory, p, seen):
        mean, std = p.mean.clone(), p.std.clone()
        mean[:, 0], std[:, 0] = 10 * (seen[:, 1] - self.parts(memory)[1][:, 1]), 0.5
        return Gaussian(mean, std)

    def emission(self, memory, z):
        _, before, _, _ = self.parts(memory)
        return before + torch.stack([0 * z[..., 0], z[..., 0] / 10], -1)


class Silent(Says):
    """The same, but its posterior is its prior."""

    def posterior(self, memory, p, seen):
        return p


@pytest.fixture(scope="module")
def used(mixed_episodes):
    eyes = BalanceEyes()
    eyes.fit(torch.from_numpy(mixed_episodes.frames).float() / 255)

    def measure(kind):
        with seeded(0):
            model = kind(latent=3)
        model.eyes.load_state_dict(eyes.state_dict())
        return latent_use(model, mixed_episodes)

    return {kind: measure(kind) for kind in (Says, Silent)}


def test_a_number_that_speaks_has_a_kl_and_is_missed(used):
    kl = used[Says]["kl"]
    assert kl[0] > 0.3 > 1e-6 > max(kl[1:]) and used[Says]["moved"][0] > 0.1
    assert used[Says]["swapped"] > 0.05, "another window's latents say what is not so"


def test_a_collapsed_latent_has_none_and_nobody_misses_it(used):
    assert max(used[Silent]["kl"]) == 0 and max(used[Silent]["moved"]) == 0
    assert abs(used[Silent]["swapped"]) < 0.1 * used[Says]["swapped"]
    assert used[Silent]["speed"] < 0.2 and used[Silent]["speed"] != used[Says]["speed"]
