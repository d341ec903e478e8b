"""The ELBO, proved where everything is known: the very code that trains the rungs, on a world that Kalman solves.

z_t = a z_{t-1} + b u_{t-1} + w, o_t = z_t + v. The ELBO's terms are quadratic in the noise from which the latents are
drawn, so their mean over the points +-sqrt(n) e_i is exact: no sampling stands between the code and the theorem.
"""

import math

import pytest
import torch

from latent_dynamics.models.elbo import unroll
from latent_dynamics.models.gaussian import Gaussian, kl, positive
from latent_dynamics.models.kalman import LinearGaussian, cartpole_near_upright, log_normal
from latent_dynamics.world.worlds import CARTPOLE

A, B, Q, R, T = 0.95, 0.3, 0.1, 1.0, 12
double = torch.float64


def number(value):
    return torch.tensor([[value]], dtype=double)


KALMAN = LinearGaussian(number(A), number(B)[0], number(1.0), number(Q), number(R), number(0.0)[0], number(1.0))


@pytest.fixture(scope="module")
def data():
    """Observations (B, T, 1) of that world and its actions (B, T - 1) of -1 or 1."""
    g = torch.Generator().manual_seed(0)
    actions = torch.randint(0, 2, (5, T - 1), generator=g).double() * 2 - 1
    z, shown = torch.randn(5, 1, dtype=double, generator=g), []
    for t in range(T):
        shown.append(z + math.sqrt(R) * torch.randn(5, 1, dtype=double, generator=g))
        if t < T - 1:
            z = A * z + B * actions[:, t : t + 1] + math.sqrt(Q) * torch.randn(5, 1, dtype=double, generator=g)
    return torch.stack(shown, 1), actions


def exact_noise(count):
    """The 2 n noises (2 n, T, 1) over which means of quadratics are exact."""
    points = math.sqrt(count) * torch.eye(count, dtype=double)
    return torch.cat([points, -points])[..., None]


class Linear:
    """The linear world as `unroll` takes it. What is carried is (z before, action, begun)."""

    def first(self, count):
        return torch.zeros(count, 3, dtype=double)

    def advance(self, memory, z, action):
        return torch.cat([z, action[:, None], torch.ones_like(z)], 1)

    def remember(self, memory, z, seen):
        return memory

    def prior(self, memory):
        z, action, begun = memory.split(1, -1)
        return Gaussian(A * z + B * action, begun * math.sqrt(Q) + (1 - begun))

    def fit(self, memory, z, seen):
        return Gaussian(z, torch.tensor(math.sqrt(R), dtype=double)).log_prob(seen[..., :1])


class Smoothing(Linear):
    """q(z_t | z_{t-1}, o_{t:T}), exactly: the prior times what all later observations say of z_t."""

    @staticmethod
    def evidence(o, actions):
        """o_t, and ln p(o_{t:T} | z_t) = h z - J z^2 / 2 + constant, from the last step backwards: (B, T, 3)."""
        J, h = torch.full_like(o[:, 0], 1 / R), o[:, -1] / R
        found = [torch.cat([o[:, -1], h, J], 1)]
        for t in range(T - 2, -1, -1):
            h = o[:, t] / R + A * (h - J * B * actions[:, t : t + 1]) / (1 + Q * J)
            J = 1 / R + A * A * J / (1 + Q * J)
            found.append(torch.cat([o[:, t], h, J], 1))
        return torch.stack(found[::-1], 1)

    def posterior(self, memory, p, seen):
        _, h, J = seen.split(1, -1)
        precision = p.std**-2 + J
        return Gaussian((p.mean / p.std**2 + h) / precision, precision**-0.5)


class Filtering(Linear):
    """q(z_t | z_{t-1}, o_t): it sees no later observation. How far it moves, and how sure it is, can be learned."""

    def __init__(self, gain, std):
        self.gain, self.std = gain, std

    def posterior(self, memory, p, seen):
        return Gaussian(p.mean + self.gain * (seen[..., :1] - p.mean), self.std + 0 * p.std)


def elbo(model, seen, actions):
    """The ELBO of each sequence (B,), exactly."""
    noise, n = exact_noise(T), len(seen)
    every = [part.repeat_interleave(len(noise), 0) for part in (seen, actions)]
    terms = unroll(model, *every, noise.repeat(n, 1, 1))
    return terms.elbo(torch.ones(len(every[0]), T, dtype=double)).unflatten(0, (n, -1)).mean(1)


def test_with_the_smoothing_posterior_the_elbo_is_the_likelihood(data):
    o, actions = data
    likelihood = KALMAN.filter(o, actions).log_likelihood.sum(1)
    found = elbo(Smoothing(), Smoothing.evidence(o, actions), actions)
    torch.testing.assert_close(found, likelihood, rtol=0, atol=1e-9)


def test_any_other_posterior_leaves_less_and_never_more(data):
    o, actions = data
    likelihood = KALMAN.filter(o, actions).log_likelihood.sum(1)
    for gain, std in ((0.1, 0.3), (0.3, 0.3), (0.9, 0.1), (0.0, 1.0)):
        assert (elbo(Filtering(gain, std), o, actions) < likelihood - 0.05).all()


def test_the_best_filtering_posterior_pays_for_not_seeing_what_comes(data):
    """Bayer et al. (2021): a filtering q is not the posterior, whatever it has learned."""
    g = torch.Generator().manual_seed(1)
    n, long = 400, 12
    actions = torch.zeros(n, long - 1, dtype=double)
    z, shown = torch.randn(n, 1, dtype=double, generator=g) * math.sqrt(Q / (1 - A * A)), []
    for _ in range(long):
        shown.append(z + torch.randn(n, 1, dtype=double, generator=g))
        z = A * z + math.sqrt(Q) * torch.randn(n, 1, dtype=double, generator=g)
    o = torch.stack(shown, 1)
    likelihood = KALMAN.filter(o, actions).log_likelihood.sum(1)
    raw = torch.tensor([0.0, -1.0], dtype=double, requires_grad=True)
    step = torch.optim.Adam([raw], 0.1)
    for _ in range(60):
        loss = -elbo(Filtering(raw[0].sigmoid(), positive(raw[1])), o[:60], actions[:60]).mean()
        step.zero_grad()
        loss.backward()
        step.step()
    with torch.no_grad():
        gap = (likelihood - elbo(Filtering(raw[0].sigmoid(), positive(raw[1])), o, actions)).mean() / long
    assert 0.05 < gap < 0.3


def test_masked_steps_change_nothing(data):
    o, actions = data
    there = torch.ones(5, T, dtype=double)
    there[:, 7:] = 0
    noise = torch.randn(5, T, 1, dtype=double, generator=torch.Generator().manual_seed(2))
    other = o.clone()
    other[:, 7:] = 99.0
    one, two = (unroll(Filtering(0.3, 0.3), seen, actions, noise).elbo(there) for seen in (o, other))
    assert torch.equal(one, two)
    assert not torch.equal(one, unroll(Filtering(0.3, 0.3), o, actions, noise).elbo(torch.ones(5, T)))


def test_the_kl_in_closed_form_is_what_samples_say():
    g = torch.Generator().manual_seed(3)
    q = Gaussian(torch.randn(4, 3, dtype=double, generator=g), torch.rand(4, 3, dtype=double, generator=g) + 0.2)
    p = Gaussian(torch.randn(4, 3, dtype=double, generator=g), torch.rand(4, 3, dtype=double, generator=g) + 0.5)
    z = q.draw(torch.randn(40_000, 4, 3, dtype=double, generator=g))
    sampled = q.log_prob(z) - p.log_prob(z)  # (40000, 4)
    off = (sampled.mean(0) - kl(q, p).sum(-1)).abs()
    assert (off < 4 * sampled.std(0) / math.sqrt(len(z))).all()
    assert kl(q, q).abs().max() < 1e-12 and (kl(q, p) > 0).all()


def test_densities_are_those_of_torch():
    g = torch.Generator().manual_seed(4)
    mean, std, value = (torch.rand(6, 3, dtype=double, generator=g) + 0.1 for _ in range(3))
    expected = torch.distributions.Normal(mean, std).log_prob(value).sum(-1)
    torch.testing.assert_close(Gaussian(mean, std).log_prob(value), expected)
    L = torch.randn(6, 3, 3, dtype=double, generator=g)
    covariance = L @ L.mT + torch.eye(3, dtype=double)
    expected = torch.distributions.MultivariateNormal(mean, covariance).log_prob(value)
    torch.testing.assert_close(log_normal(value - mean, covariance), expected)


def test_kalmans_belief_is_the_true_posterior_of_all_that_was_seen(data):
    """Held against one Gaussian over everything: the states' and observations' joint distribution, conditioned."""
    o, actions = data
    A_, B_ = cartpole_near_upright()
    C = torch.eye(4, dtype=double)[[0, 2]]
    Q_, R_ = 1e-3 * torch.eye(4, dtype=double), 1e-2 * torch.eye(2, dtype=double)
    model = LinearGaussian(A_, B_, C, Q_, R_, torch.zeros(4, dtype=double), torch.eye(4, dtype=double))
    steps = 5
    shown = torch.randn(1, steps, 2, dtype=double, generator=torch.Generator().manual_seed(5))
    pushes = torch.tensor([[1.0, -1.0, -1.0, 1.0]], dtype=double)
    found = model.filter(shown, pushes)
    rows, means = [torch.eye(4 * steps, dtype=double)[:4]], [torch.zeros(4, dtype=double)]
    for t in range(1, steps):  # each state is linear in the independent noises that made it
        rows.append(A_ @ rows[-1] + torch.eye(4 * steps, dtype=double)[4 * t : 4 * t + 4])
        means.append(A_ @ means[-1] + B_ * pushes[0, t - 1])
    noises = torch.block_diag(torch.eye(4, dtype=double), *([Q_] * (steps - 1)))
    W, mean = torch.cat(rows), torch.cat(means)
    joint = W @ noises @ W.T
    see = torch.block_diag(*([C] * steps))
    expected = see @ joint @ see.T + torch.block_diag(*([R_] * steps))
    gain = torch.linalg.solve(expected, see @ joint).T
    miss = shown.flatten() - see @ mean
    torch.testing.assert_close(found.mean[0, -1], (mean + gain @ miss)[-4:])
    torch.testing.assert_close(found.covariance[0, -1], (joint - gain @ see @ joint)[-4:, -4:])
    torch.testing.assert_close(found.log_likelihood.sum(), log_normal(miss, expected))


def test_near_the_upright_pole_the_linear_model_is_cartpole():
    A_, B_ = cartpole_near_upright()
    rest, right = torch.zeros(1, 4, dtype=double), torch.ones(1, dtype=torch.int64)
    torch.testing.assert_close(A_, CARTPOLE.jacobian(rest, right)[0])
    torch.testing.assert_close(B_, CARTPOLE.step(rest, right)[0])
    heavy, _ = cartpole_near_upright(pole_mass=1.0)
    assert heavy[3, 2] != A_[3, 2]  # control: the mass matters
