"""The chain in closed form, held to brute force, to one Gaussian over everything, and to the code that trains rungs."""

import math

import pytest
import torch

from latent_dynamics.judging import judging_set
from latent_dynamics.keeping.artifacts import UNCERTAIN, load_model
from latent_dynamics.models.elbo import unroll
from latent_dynamics.models.gaussian import Gaussian
from latent_dynamics.models.linear_chain import FAMILIES, Chain, Walk, brute_force
from latent_dynamics.models.sequential import SequentialLatent
from latent_dynamics.world.gusty import GUSTY

T = 6
double = torch.float64
CHAINS = [Chain(), Chain(a=0.6, Q=1.5, R=0.3, P=0.5), Chain(a=1.1, Q=0.4, R=2.0, P=3.0)]


def readings(chain, count=3, steps=T, seed=0):
    """Readings (count, steps) that the chain might show."""
    noise = torch.randn(count, steps, 2, dtype=double, generator=torch.Generator().manual_seed(seed))
    return chain.from_noise(noise)


class AsModel:
    """A chain and any Gaussian walk as `unroll` takes them. Seen: (o_t, c_t, k_t, s_t). Carried: (z before, begun)."""

    def __init__(self, chain):
        self.chain = chain

    def first(self, count):
        return torch.zeros(count, 2, dtype=double)

    def advance(self, memory, z, action):
        return torch.cat([z, torch.ones_like(z)], 1)

    def remember(self, memory, z, seen):
        return memory

    def prior(self, memory):
        z, begun = memory.split(1, -1)
        return Gaussian(self.chain.a * z, begun * math.sqrt(self.chain.Q) + (1 - begun) * math.sqrt(self.chain.P))

    def posterior(self, memory, p, seen):
        return Gaussian(seen[:, 1:2] + seen[:, 2:3] * memory[:, :1], seen[:, 3:])

    def fit(self, memory, z, seen):
        return Gaussian(z, torch.tensor(math.sqrt(self.chain.R), dtype=double)).log_prob(seen[..., :1])


def corners(count):
    """The 2 n noises (2 n, n) over which means of quadratics are exact."""
    points = math.sqrt(count) * torch.eye(count, dtype=double)
    return torch.cat([points, -points])


def terms(chain, o, walk):
    """The Terms of the ELBO for one sequence (T,), at the noises whose mean is exact."""
    steps = len(o)
    k, std = torch.tensor(walk.k, dtype=double), torch.tensor(walk.s2, dtype=double).sqrt()
    shown = torch.stack([o, walk.c[0], k, std], 1)
    noise = corners(steps)[..., None]
    return unroll(AsModel(chain), shown.expand(2 * steps, -1, -1), torch.zeros(2 * steps, steps - 1), noise)


def joint(c, k, s2):
    """The mean (T,) and covariance (T, T) of a Gaussian walk."""
    back = torch.eye(len(c), dtype=double) - torch.diag(torch.as_tensor(k, dtype=double)[1:], -1)
    there = torch.linalg.inv(back)
    return there @ c, there @ torch.diag(torch.as_tensor(s2, dtype=double)) @ there.T


def divergence(q, p):
    """KL of two Gaussians, (mean, covariance) each."""
    apart = torch.linalg.solve(p[1], q[0] - p[0]) @ (q[0] - p[0])
    ratio = torch.linalg.solve(p[1], q[1])
    return (apart + ratio.trace() - len(q[0]) - torch.logdet(ratio)) / 2


def prior_walk(chain, steps=T):
    return torch.zeros(steps, dtype=double), [0.0, *[chain.a] * (steps - 1)], [chain.P, *[chain.Q] * (steps - 1)]


def true_posterior(chain, o):
    """p(z | o) of one sequence as the conditional of one Gaussian over everything: mean and covariance."""
    _, spread = joint(*prior_walk(chain, len(o)))
    gain = spread @ torch.linalg.inv(spread + chain.R * torch.eye(len(o), dtype=double))
    return gain @ o, spread - gain @ spread


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_ledger_closes_at_each_step_and_its_elbo_is_that_of_the_code_that_trains(chain, family):
    o = readings(chain)
    q = chain.best(family, o)
    found = chain.ledger(q, o)
    before = torch.cat([found.whole[:, None], found.left[:, :-1]], 1)
    torch.testing.assert_close(found.fit - found.kl + found.gap, before - found.left, rtol=0, atol=1e-12)
    torch.testing.assert_close((found.fit - found.kl + found.gap).sum(1), found.whole, rtol=0, atol=1e-12)
    for row in range(len(o)):
        trained_by = terms(chain, o[row], Walk(q.c[row : row + 1], q.k, q.s2))
        torch.testing.assert_close(trained_by.fit.mean(0), found.fit[row], rtol=0, atol=1e-12)
        torch.testing.assert_close(trained_by.kl[..., 0].mean(0), found.kl[row], rtol=0, atol=1e-12)
        off = divergence(joint(q.c[row], q.k, q.s2), true_posterior(chain, o[row]))
        torch.testing.assert_close(off, found.gap[row].sum(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_who_may_know_more_leaves_less_and_smoothing_leaves_nothing(chain):
    o = readings(chain, 2000)
    left = {family: chain.ledger(chain.best(family, o), o).gap.sum(1) for family in FAMILIES}
    assert left["smoothing"].abs().max() < 1e-12
    assert left["filtering"].mean() > 0.01 and (left["mean-field"] > 0.001).all()
    assert all((one > -1e-12).all() for one in left.values())


@pytest.mark.parametrize("family", ["mean-field", "filtering"])
def test_no_other_member_of_its_family_does_better(family):
    chain = CHAINS[0]
    o = readings(chain, 4000)
    best = chain.best(family, o)
    least = chain.ledger(best, o).gap.sum(1)
    for change in ({"s2": [0.9 * one for one in best.s2]}, {"s2": [1.1 * one for one in best.s2]},
                   {"c": best.c + 0.05}, {"c": 0.97 * best.c}):  # fmt: skip
        worse = chain.ledger(best._replace(**change), o).gap.sum(1)
        assert worse.mean() > least.mean() + 1e-4
    if family == "filtering":  # nor does one that leans otherwise on z_{t-1}
        for k in (0.97, 1.03):
            assert chain.ledger(best._replace(k=[k * one for one in best.k]), o).gap.mean() > least.mean() / T


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_brute_force_over_a_grid_is_kalmans_likelihood(chain):
    o = readings(chain, 1, 3)
    likelihood = chain.kalman(o)[2].sum()
    assert brute_force(chain, o[0], 121).log() == pytest.approx(float(likelihood), abs=1e-9)
    assert abs(brute_force(chain, o[0], 7).log() - likelihood) > 1e-3  # control: too few points


def test_the_trajectory_kl_is_the_sum_of_the_steps_exactly():
    """KL(q(z_{1:T}) || p(z_{1:T})), of two Gaussians over whole trajectories, against sum_t E_q KL(q_t || p_t)."""
    for chain in CHAINS:
        o = readings(chain, 1)
        for family in FAMILIES:
            q = chain.best(family, o)
            whole = divergence(joint(q.c[0], q.k, q.s2), joint(*prior_walk(chain)))
            torch.testing.assert_close(terms(chain, o[0], q).kl.sum((1, 2)).mean(), whole, rtol=0, atol=1e-10)


class Learner(AsModel):
    """A filtering q that has all to learn: its mean from z_{t-1} and what it may see, its spread, at each step.

    Seen: the readings up to t, (B, T), and which step it is, (B, T). Carried: (z before, begun).
    """

    def __init__(self, chain, sees):
        super().__init__(chain)
        self.sees = sees  # (T, T): which readings, at each step
        self.k = torch.full((T,), 0.5, dtype=double, requires_grad=True)
        self.weights = torch.zeros(T, T, dtype=double, requires_grad=True)
        self.log_std = torch.zeros(T, dtype=double, requires_grad=True)

    def posterior(self, memory, p, seen):
        o, step = seen.split(T, 1)
        mean = (step @ (self.weights * self.sees) * o).sum(1) + step @ self.k * memory[:, 0]
        return Gaussian(mean[:, None], (step @ self.log_std).exp()[:, None])

    def fit(self, memory, z, seen):
        now = (seen[..., :T] * seen[..., T:]).sum(-1, keepdim=True)
        return super().fit(memory, z, now)


def least_gap(chain, sees):
    """Train a filtering q by the ELBO's own code, on average over readings and noise exactly: what it leaves, nats."""
    _, spread = joint(*prior_walk(chain))
    cover = spread + chain.R * torch.eye(T, dtype=double)
    points = corners(2 * T)  # of the noise in readings and in latents, together
    o = points[:, :T] @ torch.linalg.cholesky(cover).T
    shown = torch.cat([o[:, None].expand(-1, T, -1), torch.eye(T, dtype=double).expand(len(o), -1, -1)], 2)
    whole = chain.kalman(o)[2].sum(1).mean()
    q = Learner(chain, sees)
    learn = torch.optim.LBFGS([q.k, q.weights, q.log_std], max_iter=400, tolerance_grad=1e-10, tolerance_change=1e-14,
                              history_size=50, line_search_fn="strong_wolfe")  # fmt: skip

    def gap():
        found = unroll(q, shown, torch.zeros(len(o), T - 1), points[:, T:, None])
        return whole - found.elbo(torch.ones(len(o), T, dtype=double)).mean()

    def closure():
        learn.zero_grad()
        left = gap()
        left.backward()
        return left

    learn.step(closure)
    return float(gap().detach())


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_a_trained_filter_pays_exactly_the_price_of_filtering(chain):
    price = float(chain.price_of_filtering(T).sum())
    past = torch.ones(T, T, dtype=double).tril()
    assert least_gap(chain, past) == pytest.approx(price, rel=1e-5)


def test_who_sees_less_pays_more_and_who_sees_what_comes_pays_nothing():
    """The control of the test above; one that sees only o_t has its own z_{t-1} for a memory, as `state_space` has."""
    chain = CHAINS[0]
    price = float(chain.price_of_filtering(T).sum())
    assert least_gap(chain, torch.eye(T, dtype=double)) > 1.01 * price
    assert least_gap(chain, torch.ones(T, T, dtype=double)) == pytest.approx(0, abs=1e-5)


def test_the_price_is_what_the_best_filter_leaves_on_average():
    chain = CHAINS[0]
    o = readings(chain, 20_000, 12)
    gap = chain.ledger(chain.best("filtering", o), o).gap
    off = (gap.mean(0) - chain.price_of_filtering(12)).abs()
    assert (off < 4 * gap.std(0) / math.sqrt(len(o)) + 1e-12).all()


@pytest.mark.parametrize("name", [name for name in UNCERTAIN if issubclass(UNCERTAIN[name], SequentialLatent)])
@torch.no_grad()
def test_the_trajectory_kl_of_each_rung_is_the_sum_of_its_steps(name):
    """By Monte Carlo: along latents drawn from q, ln q(z_{1:T}) - ln p(z_{1:T}) is the sum of KLs, on average."""
    model, draws, steps = load_model(name), 400, 20
    frames, actions, _ = map(torch.from_numpy, judging_set.collected("validation", GUSTY).windows(steps, stride=400))
    seen = model.observed(model.see(frames[:6].flatten(0, 1)).unflatten(0, (6, steps + 1)))
    noise = torch.randn(6 * draws, steps + 1, model.latent, generator=torch.Generator().manual_seed(0))
    every = (seen.repeat_interleave(draws, 0), actions[:6].repeat_interleave(draws, 0))
    found = unroll(model, *every, noise)
    ratio = (found.posterior.log_prob(found.latents) - found.prior.log_prob(found.latents)).double().sum(1)
    off = ratio - found.kl.double().sum((1, 2))
    assert abs(off.mean()) < 3 * off.std() / math.sqrt(len(off))
    late = found.prior.log_prob(found.latents.roll(1, 1))  # control: the latents of the step before
    assert (found.posterior.log_prob(found.latents) - late).double().sum(1).mean() > 1.1 * ratio.mean()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="expected numbers above 0"):
        Chain(Q=0.0)
    with pytest.raises(ValueError, match="no family 'best'; there are mean-field, filtering, smoothing"):
        Chain().best("best", torch.zeros(1, 3, dtype=double))
