"""A memory without a latent: a recurrent network that says, as a mixture of Gaussians, what it will read next."""

import torch
from torch import nn
from torch.nn import functional as F

from .gaussian import Gaussian, choose, positive
from .goes_on import goes_on_lesson
from .on_readings import OnReadings, sequences
from .sequential import CHUNK, SMALL, STRIDE, average
from .training import Budget, Lesson


class MDNRNN(OnReadings):
    """h_{t+1} = GRU(h_t, (o_t, a_t)); o_{t+1} ~ sum_k w_k N(m_k, s_k^2), of h_{t+1}: Ha & Schmidhuber (2018).

    Its likelihood is exact: there is nothing to be inferred. A state is (reading, its change, h), D = 4 + memory.
    mixtures: how many Gaussians; 1 is a memory that can be uncertain, but not undecided.
    """

    budget = Budget(epochs=10, batch_size=64, learning_rate=3e-3, clip=10.0)
    step_noise = 3  # which Gaussian, and where in it

    def __init__(self, mixtures=5, memory=64, hidden=64, actions=2):
        super().__init__(actions)
        self.wide, self.mixtures, self.state_size = memory, mixtures, memory + 4
        self.cell = nn.GRUCell(4 + actions - 1, memory)
        self.says = nn.Sequential(nn.Linear(memory, hidden), nn.Tanh(), nn.Linear(hidden, 5 * mixtures))

    # The density of the next reading

    def advance(self, state, action):
        """Return the memory after a push: (B, D), (B,) -> h (B, memory)."""
        shown, change, h = self.split(state)
        return self.cell(torch.cat([shown, change / SMALL, self.push(action)], 1), h)

    def density(self, h, shown):
        """Return the next reading's mixture: logarithms of weights (..., K), and Gaussians (..., K, 2)."""
        weight, change, raw = self.says(h).split(
            [self.mixtures, 2 * self.mixtures, 2 * self.mixtures], -1
        )
        mean = shown[..., None, :] + SMALL * change.unflatten(-1, (-1, 2))
        return F.log_softmax(weight, -1), Gaussian(
            mean, positive(raw.unflatten(-1, (-1, 2)) - 3)
        )

    @staticmethod
    def log_prob(weight, parts, o):
        """Return ln p(o) of a mixture: o (..., 2) -> (...) nats."""
        return (weight + parts.log_prob(o[..., None, :])).logsumexp(-1)

    @staticmethod
    def expected(weight, parts):
        """Return the mean of a mixture: (..., 2)."""
        return (weight.exp()[..., None] * parts.mean).sum(-2)

    # The interface

    def split(self, state):
        """Take a state apart: reading (B, 2), its change (B, 2), h (B, memory)."""
        return state.split([2, 2, self.wide], -1)

    def begin(self, code):
        shown = self.observed(code)[:, :2]
        return torch.cat([shown, 0 * shown, shown.new_zeros(len(shown), self.wide)], 1)

    def update(self, belief, action, code):
        seen, h = self.observed(code), self.advance(belief, action)
        whole = seen[:, 2:]
        o = whole * seen[:, :2] + (1 - whole) * self.expected(*self.density(h, belief[:, :2]))
        return self._arrive(belief, h, o)

    def step(self, belief, action):
        h = self.advance(belief, action)
        return self._arrive(belief, h, self.expected(*self.density(h, belief[:, :2])))

    def scatter(self, belief, noise):
        """Return the belief itself: it has no doubt about what is, only about what will be."""
        return belief

    def sample_step(self, belief, action, noise):
        h = self.advance(belief, action)
        weight, parts = self.density(h, belief[:, :2])
        which, rows = choose(weight.exp(), noise[:, 0]), torch.arange(len(h))
        return self._arrive(belief, h, parts.mean[rows, which] + parts.std[rows, which] * noise[:, 1:])

    def surprise(self, frames, actions):
        """Return -ln p of what was read after each step, nats: (B, K + 1, H, W), (B, K) -> (B, K)."""
        seen = self.observed(self.see(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]))
        return -self.likelihoods(seen, actions)

    @staticmethod
    def _arrive(belief, h, o):
        return torch.cat([o, o - belief[:, :2], h], 1)

    # Learning

    def likelihoods(self, seen, actions):
        """Return ln p(o_t | o_{<t}, a_{<t}) of each step: seen (B, T + 1, 3), actions (B, T) -> (B, T) nats."""
        state, found = self.begin(seen[:, 0]), []
        for t, action in enumerate(actions.unbind(1)):
            h, whole = self.advance(state, action), seen[:, t + 1, 2:]
            weight, parts = self.density(h, state[:, :2])
            found.append(self.log_prob(weight, parts, seen[:, t + 1, :2]) * whole[:, 0])
            o = whole * seen[:, t + 1, :2] + (1 - whole) * self.expected(weight, parts)
            state = self._arrive(state, h, o)
        return torch.stack(found, 1)

    def loss(self, codes, actions, there):
        """Return minus ln p of what was read, in nats a step: codes (B, T + 1, C), actions (B, T), there (B, T)."""
        return {"loss": -average(self.likelihoods(self.observed(codes), actions), there)}

    def lessons(self, *splits):
        """Yield what is learned from Episodes for training and for validation: readings, and whether it goes on."""
        codes = self.looked(splits)
        yield Lesson(self.loss, *sequences(splits, codes, CHUNK, STRIDE, least=20), self.budget, "readings")
        yield goes_on_lesson(self, splits, codes)
