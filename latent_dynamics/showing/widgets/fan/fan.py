"""The fan of futures: one belief, the reader's pushes, what a model holds possible and what the world really does.

Where chance blows, a question about the future has many answers. The model draws as many as one likes from its belief;
the world is put back into the very state and let run as often. The page does both, so it needs no kernel; and it asks
the counterfactual question, two action sequences from one belief.
"""

import numpy as np
import torch
import traitlets as t

from latent_dynamics.judging.belief import coverage, crps, held
from latent_dynamics.world.gusty import GUST_STEPS, GUSTY
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees

from ...page.base import unnoticed, within
from ...page.bundle import bundle, styles
from ...page.chance import blown, dice, normals, uniform
from ...page.uncertain import noise_sizes, scattered
from ..doubt import Doubt
from ..start_states import recorded_contexts
from .fan_still import fan_still

GUSTS = ("chance", "none", "left", "right")


class Fan(Doubt):
    """Push as you like, and see the futures that a model imagines beside those that the world has.

    models: {name: world model}, the first is shown first; each has samplers, as `SequentialLatent` has. states
    (B, K + 1, S) and actions (B, K): what was seen before each start, in `world`; the last state is where the future
    begins, what blows there included. `Fan.of` takes both from recorded episodes. `labels` (B,) names the starts.
    horizon: N, steps of the future; `samples`: futures that a model imagines; `real`: futures of the world; `seed`: of
    the chance in both.
    `pushes` (N numbers, 0 is left), `compared` (the same, or none: the pushes of the fan kept to compare), `gusts`
    ("chance"; "none"; "left" or "right": one on the way to step `gust_step`, and no other), `horizon` (the step shown),
    `model` and `start` (indices) can be read and set. `futures()` gives the angles, `worth()` what they are worth.
    Raises ValueError for models that cannot be sampled in a page, and for starts that do not fit together.
    """

    _esm = bundle("widgets/fan/fan.js")
    _css = styles(
        "page/common.css",
        "page/world.css",
        "widgets/rollout_player/rollout_player.css",
        "widgets/poles.css",
        "widgets/fan/fan.css",
    )

    plans = t.List(help="for each start [words, pushes] of what is offered").tag(sync=True)
    real = t.Int(help="futures of the world").tag(sync=True)
    pushes = t.List(t.Int(), help="0 is left").tag(sync=True)
    compared = t.List(t.Int(), help="pushes of the fan kept to compare").tag(sync=True)
    gusts = t.Enum(GUSTS, "chance").tag(sync=True)
    gust_step = t.Int(1, help="on the way to which step a gust begins that is chosen").tag(sync=True)
    horizon = t.Int(help="step shown").tag(sync=True)

    def __init__(
        self, models, states, actions, labels=None, horizon=20, samples=32, real=32, seed=0, step=None, title="",
        world=GUSTY, **settings,
    ):  # fmt: skip
        if horizon < 2 or real < 1:
            raise ValueError(f"a horizon of {horizon} steps and {real} real futures; expected at least 2 and 1")
        traits = self.opened(models, states, actions, labels, samples, seed, title, world)
        plans = [_plans(one["states"][-1], horizon, seed, world) for one in traits["starts"]]
        traits |= {
            "plans": plans, "real": real, "horizon": min(horizon, 15) if step is None else step,
            "pushes": plans[0][1][1], "compared": plans[0][0][1],
        } | settings  # fmt: skip
        super().__init__(repr(traits).encode(), **traits)

    @classmethod
    def of(cls, models, episodes, numbers=None, first=10, context=10, **settings):
        """Begin `context` steps after step `first` of the episodes of these numbers; what was seen before is recorded.

        numbers: where none are given the starts are chosen by rule, by `telling_starts`, and named by it.
        """
        if numbers is None:
            numbers, labels = zip(*telling_starts(episodes, first, context), strict=True)
            settings = {"labels": labels} | settings
        contexts = recorded_contexts(episodes, numbers, first, context)
        return cls(models, *contexts, **{"world": episodes.world} | settings)

    @t.validate("horizon", "gust_step")
    def _check_step(self, proposal):
        return within(proposal, 1, len(self.plans[0][0][1]))

    @t.validate("pushes", "compared")
    def _check_pushes(self, proposal):
        name, value = proposal["trait"].name, list(proposal["value"])
        steps = len(self.plans[0][0][1])
        if (len(value) != steps and (value or name == "pushes")) or not set(value) <= {0, 1}:
            raise ValueError(f"{name} is {value}; expected {steps} pushes, each 0 (left) or 1 (right)")
        return value

    @unnoticed()
    @torch.no_grad()
    def futures(self, pushes=None):
        """Return the pole's angles, in degrees, held where it has fallen: {"dream" (samples, N + 1), "truth" (real,
        N + 1)}. Index 0 is the start. pushes: where they are others than `self.pushes`.
        """
        pushes = torch.tensor(self.pushes if pushes is None else pushes)
        dream, truth = self._imagined(pushes), self._played(pushes)
        return {"dream": held(dream.double()).numpy(), "truth": held(truth).numpy()}

    def worth(self):
        """Return what the fan is worth at each step from the start on: {"crps" degrees, "cover_90"}, each (N + 1,)."""
        dream, truth = (torch.from_numpy(angles)[None] for angles in self.futures().values())
        return {"crps": crps(dream, truth)[0].numpy(), "cover_90": coverage(dream, truth)[0].numpy()}

    def still(self):
        """Return the fan as a picture, for pages without JavaScript."""
        ghost = self.futures(self.compared)["dream"] if self.compared else None
        return fan_still(self.futures(), ghost, self.worth(), self.horizon, self.title or self.names[self.model])

    def _imagined(self, pushes):
        model, pose = self.page_models[self.model].as_computed
        count = self.samples
        start, (kept, stepped) = self.starts[self.start], noise_sizes(model)
        frames = torch.from_numpy(from_bytes(self._true.draw(np.array(start["states"]), workers=1)))
        belief = model.observe(frames[None], torch.tensor(start["actions"])[None])
        states = scattered(model, belief.expand(count, -1), torch.from_numpy(normals(self.seed, 0, count, kept)))
        angles = [pose(states)[:, 1]]
        for n, push in enumerate(pushes):
            noise = torch.from_numpy(normals(self.seed + 1, n * count * stepped, count, stepped))
            states = model.sample_step(states, push.expand(count), noise)
            angles.append(pose(states)[:, 1])
        return degrees(torch.stack(angles, 1))

    def _played(self, pushes):
        world, count = self._true, self.real
        states = torch.tensor(self.starts[self.start]["states"][-1], dtype=torch.float64).expand(count, -1)
        angles = [world.entry(states, "theta")]
        for n, push in enumerate(pushes):
            states = world.step(self._blown(states, n), push.expand(count))
            angles.append(world.entry(states, "theta"))
        return degrees(torch.stack(angles, 1))

    def _blown(self, states, n):
        """Let gusts begin before step n + 1 where chance, or the reader, wills it, and the air is calm."""
        begins, side = dice(self.seed + 2, n, self.real)
        if self.gusts != "chance":
            begins = torch.full_like(begins, float(self.gusts == "none" or n + 1 != self.gust_step))
            side = torch.full_like(side, 0.25 if self.gusts == "left" else 0.75)
        return blown(self._true, states, begins, side)


def telling_starts(episodes, first=10, context=10):
    """Return starts that a belief finds easy and hard, chosen by rule: [(number of an episode, words), ...].

    Each is the first episode of its kind: calm air during the whole context, and a pole that leans less than 3 degrees
    and turns by less than 20 a second; a gust that began four steps before the context's end, and so has shown; one
    that began in its last step, which no picture can have shown yet; both with a pole that leans less than 6 degrees. A
    kind that does not occur is left out; raises ValueError where none does.
    """
    world, found = episodes.world, {}
    for number in np.flatnonzero(episodes.lengths >= first + context):
        states = episodes.states[episodes.first_frames[number] + first + np.arange(context + 1)]
        began = np.flatnonzero((world.entry(states, "gust") != 0) & (world.entry(states, "left") == GUST_STEPS - 1))
        lean, turning = (abs(np.degrees(world.entry(states[-1], name))) for name in ("theta", "theta_dot"))
        if not world.entry(states, "gust").any() and lean < 3 and turning < 20:
            found.setdefault("calm", int(number))
        elif len(began) and lean < 6:
            found.setdefault({context - 3: "seen", context: "unseen"}.get(began[-1]), int(number))
    words = {"calm": "calm air", "seen": "a gust that has shown", "unseen": "a gust that nobody can have seen"}
    if not set(words) & set(found):
        raise ValueError(
            f"no episode has a start of any kind that the rule knows, {context} steps after step {first}; take more "
            "episodes, or name some: numbers="
        )
    return [(found[kind], text) for kind, text in words.items() if kind in found]


def _plans(state, horizon, seed, world):
    """What pushes are offered from a state: [words, N pushes] each."""
    alternate = [n % 2 for n in range(horizon)]
    tosses = (uniform(seed + 3, np.arange(horizon)) < 0.5).astype(int).tolist()
    return [
        ["alternate, left first", alternate],
        ["alternate, right first", [1 - push for push in alternate]],
        ["all left", [0] * horizon],
        ["all right", [1] * horizon],
        ["coin tosses", tosses],
        ["an expert's, were the air calm", _experts(state, horizon, world)],
    ]


def _experts(state, horizon, world):
    state, pushes = torch.tensor(state, dtype=torch.float64), []
    for _ in range(horizon):
        pushes.append(int(world.expert(state)))
        state = world.step(state, torch.tensor(pushes[-1]))
    return pushes
