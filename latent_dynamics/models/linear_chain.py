"""A chain of single numbers, small enough that everything about its ELBO is known in closed form.

z_1 ~ N(0, P); z_t = a z_{t-1} + w, w ~ N(0, Q); o_t = z_t + v, v ~ N(0, R): the linear-Gaussian world of one dimension.
What the readings from t on say of z_t is a parabola, ln p(o_{t:T} | z_t) = eta_t z_t - J_t z_t^2 / 2 + n_t.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

FAMILIES = ("mean-field", "filtering", "smoothing")  # of q; each may know more than the one before it
GRID = 8.0  # standard deviations that a grid reaches to either side


class Parabolas(NamedTuple):
    """ln p(o_{t:T} | z_t) = eta z - J z^2 / 2 + n."""

    eta: torch.Tensor  # (B, T)
    J: list  # T numbers: they depend on no reading
    n: torch.Tensor  # (B, T)


class Walk(NamedTuple):
    """q(z_t | z_{t-1}) = N(c_t + k_t z_{t-1}, s_t^2), along a sequence."""

    c: torch.Tensor  # (B, T)
    k: list  # T numbers
    s2: list  # T variances


class Ledger(NamedTuple):
    """Where ln p(o_{1:T}) goes, at each step, in nats: (B, T). Each closes: fit - kl + gap = left before - left."""

    fit: torch.Tensor  # E_q ln p(o_t | z_t)
    kl: torch.Tensor  # E_q KL(q_t || p_t)
    gap: torch.Tensor  # E_q KL(q_t || p(z_t | z_{t-1}, o_{t:T})): what q can't know, or can't say
    left: torch.Tensor  # E_q ln p(o_{t+1:T} | z_t): what is left to explain
    whole: torch.Tensor  # (B,): ln p(o_{1:T}), by Kalman's filter


@dataclass(frozen=True)
class Chain:
    """a, the variances Q of a step and R of a reading, and P of z_1. Raises ValueError for a variance not above 0."""

    a: float = 0.95
    Q: float = 0.1
    R: float = 1.0
    P: float = 1.0

    def __post_init__(self):
        if not min(self.Q, self.R, self.P) > 0:
            raise ValueError(f"variances Q {self.Q}, R {self.R}, P {self.P}; expected numbers above 0")

    def from_noise(self, noise):
        """Return the readings (B, T) that standard normal noise (B, T, 2) makes, of steps and of readings."""
        z, shown = 0.0, []
        for t, (w, v) in enumerate(zip(*(part.unbind(1) for part in noise.double().unbind(2)))):
            z = self.a * z + math.sqrt(self.Q if t else self.P) * w
            shown.append(z + math.sqrt(self.R) * v)
        return torch.stack(shown, 1)

    def kalman(self, o):
        """Filter readings (B, T): predicted means (B, T) and variances (T numbers), and ln p(o_t | o_{<t}) (B, T)."""
        mean, spread, means, spreads, logs = torch.zeros_like(o[:, 0]), self.P, [], [], []
        for seen in o.unbind(1):
            means.append(mean), spreads.append(spread)
            expected = spread + self.R
            logs.append(_log_normal(seen - mean, expected))
            mean = self.a * (mean + spread / expected * (seen - mean))
            spread = self.a**2 * spread * self.R / expected + self.Q
        return torch.stack(means, 1), spreads, torch.stack(logs, 1)

    def parabolas(self, o):
        """Gather what readings (B, T) say of each latent, from the last step backwards: Parabolas."""
        etas, Js, ns = [], [], []
        for seen in o.flip(1).unbind(1):
            eta, J, n = seen / self.R, 1 / self.R, _log_normal(seen, self.R)
            if etas:
                shrink = 1 + self.Q * Js[-1]
                eta = eta + self.a * etas[-1] / shrink
                J = J + self.a**2 * Js[-1] / shrink
                n = n + ns[-1] - math.log(shrink) / 2 + self.Q * etas[-1].square() / (2 * shrink)
            etas.append(eta), Js.append(J), ns.append(n)
        return Parabolas(torch.stack(etas[::-1], 1), Js[::-1], torch.stack(ns[::-1], 1))

    def posterior(self, o):
        """Return p(z_t | z_{t-1}, o_{t:T}) of readings (B, T) exactly, as a Walk."""
        told = self.parabolas(o)
        s2 = [1 / (1 / self._step(t) + J) for t, J in enumerate(told.J)]
        k = [self._slope(t) * one / self._step(t) for t, one in enumerate(s2)]
        return Walk(told.eta * o.new_tensor(s2), k, s2)

    def best(self, family, o):
        """Return the q of a family that leaves the least of ln p(o): a Walk. Raises ValueError for another family.

        smoothing: q(z_t | z_{t-1}, o_{1:T}), which is the true posterior. filtering: q(z_t | z_{t-1}, o_{<=t}), least
        on average over readings: eta_t gives way to what is expected of it. mean-field: q(z_t | o_{1:T}), no z_{t-1}.
        """
        true = self.posterior(o)
        if family == "smoothing":
            return true
        if family == "filtering":
            ahead = torch.cat([self.kalman(o)[0][:, 1:], torch.zeros_like(o[:, :1])], 1)  # E[z_{t+1} | o_{<=t}]
            J = self.parabolas(o).J
            expected = o / self.R + ahead * o.new_tensor([*(self._carry(one) * one for one in J[1:]), 0.0])
            return true._replace(c=expected * o.new_tensor(true.s2))
        if family == "mean-field":
            precision = [1 / self._step(t) + 1 / self.R + self.a**2 / self.Q for t in range(o.shape[1])]
            precision[-1] -= self.a**2 / self.Q
            return Walk(_means(true), [0.0] * o.shape[1], [1 / one for one in precision])
        raise ValueError(f"no family {family!r}; there are {', '.join(FAMILIES)}")

    def ledger(self, q, o):
        """Return where ln p(o) goes with a q (Walk) of readings (B, T): Ledger."""
        told, true, mean, spread = self.parabolas(o), self.posterior(o), torch.zeros_like(o[:, 0]), 0.0
        found = []
        for t, seen in enumerate(o.unbind(1)):
            step = q.c[:, t], q.k[t], q.s2[t], mean, spread
            kl = _kl(*step, 0.0, self._slope(t), self._step(t))
            gap = _kl(*step, true.c[:, t], true.k[t], true.s2[t])
            mean, spread = q.c[:, t] + q.k[t] * mean, q.k[t] ** 2 * spread + q.s2[t]
            fit = _log_normal(seen - mean, self.R) - spread / (2 * self.R)
            left = self._ahead(told, t, mean, spread) if t + 1 < o.shape[1] else torch.zeros_like(fit)
            found.append((fit, kl, gap, left))
        return Ledger(*(torch.stack(part, 1) for part in zip(*found)), self.kalman(o)[2].sum(1))

    def price_of_filtering(self, steps):
        """Return what the best filtering q leaves of ln p(o) at each step, on average over readings: (steps,) nats.

        KL(q || p(z | o)) = sum_t E_q KL(q_t || p(z_t | z_{t-1}, o_{t:T})), and the true one is
        N(s^2 (a z_{t-1} / Q + eta_t), s^2) with s^2 = 1 / (1 / Q + J_t). A filter knows eta_t up to what the future
        adds: its best mean has E[eta_t | o_{<=t}] there, its best variance is s^2, whatever z_{t-1}. What remains is
        s^2 Var(eta_t | o_{<=t}) / 2. Of that eta_t only a eta_{t+1} / (1 + Q J_{t+1}) is unknown. Given z_{t+1} = z,
        eta_{t+1} ~ N(J z, J), and the variance of z_{t+1} given o_{<=t} is Kalman's predicted one, V:
          price_t = s^2 / 2 (a / (1 + Q J))^2 (J + J^2 V), J and V of step t + 1; nothing at the last step.
        After Bayer et al. (2021), who show that there is such a price.
        """
        o = torch.zeros(1, steps, dtype=torch.float64)  # neither J nor V depends on readings
        J, V, s2 = self.parabolas(o).J, self.kalman(o)[1], self.posterior(o).s2
        unknown = [self._carry(one) ** 2 * (one + one**2 * spread) for one, spread in zip(J[1:], V[1:])]  # Var(eta_t)
        return torch.tensor([*(s * var / 2 for s, var in zip(s2, unknown)), 0.0], dtype=torch.float64)

    def _step(self, t):
        return self.Q if t else self.P

    def _slope(self, t):
        return self.a if t else 0.0

    def _carry(self, J):
        return self.a / (1 + self.Q * J)

    def _ahead(self, told, t, mean, spread):
        """E ln p(o_{t+1:T} | z_t) for z_t of this mean (B,) and variance: (B,)."""
        eta, J, n, shrink = told.eta[:, t + 1], told.J[t + 1], told.n[:, t + 1], 1 + self.Q * told.J[t + 1]
        square = self.a**2 * (mean.square() + spread)
        return n - math.log(shrink) / 2 + (self.Q * eta.square() / 2 + self.a * mean * eta - J * square / 2) / shrink


def brute_force(chain, o, points):
    """Return p(o_{1:T}) of one sequence (T,) as it is written: a sum over all latent paths on a grid, points^T."""
    wide = GRID * math.sqrt(chain.P + chain.Q * len(o))
    z = torch.linspace(-wide, wide, points, dtype=torch.float64)
    cell = 2 * wide / (points - 1)
    log = torch.zeros((), dtype=torch.float64)
    for t, seen in enumerate(o):
        before = z[:, None] if t else torch.zeros(())
        now = _log_normal(z - chain._slope(t) * before, chain._step(t))  # ln p(z_t | z_{t-1}), (points, points)
        log = log[..., None] + now + _log_normal(seen - z, chain.R)  # ln p(z_{1:t}, o_{1:t}): points^t numbers
    return log.exp().sum() * cell ** len(o)


def _log_normal(miss, variance):
    return -(miss.square() / variance + math.log(2 * math.pi * variance)) / 2


def _kl(c, k, s2, mean, spread, d, b, u2):
    """E KL(N(c + k z, s2) || N(d + b z, u2)) over z of this mean and variance."""
    apart = (c - d + (k - b) * mean).square() + (k - b) ** 2 * spread
    return ((apart + s2) / u2 - 1 - math.log(s2 / u2)) / 2


def _means(walk):
    """Means of a Walk's latents: (B, T)."""
    mean, found = torch.zeros_like(walk.c[:, 0]), []
    for c, k in zip(walk.c.unbind(1), walk.k):
        mean = c + k * mean
        found.append(mean)
    return torch.stack(found, 1)
