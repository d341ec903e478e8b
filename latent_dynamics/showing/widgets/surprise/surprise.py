"""Live surprise: drive a gusty world, shove the pole, cover the camera, and see what a model that doubts believes.

The KL from prior to posterior is how much a frame changes the model's mind. It should leap when something happens that
nobody could expect, and nowhere else; and what is believed should spread while nothing is seen. Here the reader does
both to the model, in the page itself, which needs no kernel.
"""

import numpy as np
import torch
import traitlets as t

from latent_dynamics.models.eyes import reading
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees

from ...page.base import unnoticed
from ...page.bundle import bundle, styles
from ...page.chance import blown, normals
from ...page.uncertain import noise_sizes, scattered, surprise_step
from ..doubt import Doubt
from ..start_states import recorded_contexts
from .surprise_still import surprise_still

SPEEDS = (0.1, 0.25, 0.5, 1.0)  # of real time
DRIVERS = ("you", "expert", "coin")
SIDES = {"left": -1, "right": 1}


class Surprise(Doubt):
    """Shove the pole or cover the camera, and see a model's surprise leap and its belief spread.

    models: {name: world model}, the first is shown first; each has a latent at each step and samplers, as
    `SequentialLatent` has. states (B, K + 1, S) and actions (B, K): what happened before each start, in `world`, where
    gusts blow. `Surprise.of` takes both from recorded episodes.
    It opens `opening` steps after the first state, played by an expert: a gust to the side `gust[1]` began at step
    `gust[0]`, and the camera was covered at steps `dark[0]` to `dark[1]` - 1. `samples`: how many possible poles
    are drawn; `seed`: of their noise, and of nothing else.
    `model`, `start` (indices), `step`, `playing`, `covered` (the camera, from now on), `windy` (whether gusts blow by
    themselves), `driver` ("you", "expert", "coin") and `speed` (of real time) can be read and set. `history` tells of
    the present game: {actions, covered, seen, surprise (nats), theta_true, mean, spread, low, high (degrees), gusts
    ([step, side])}.
    Raises ValueError for models that cannot be surprised or sampled in a page, and for starts that do not fit together.
    """

    _esm = bundle("widgets/surprise/surprise.js")
    _css = styles(
        "page/common.css",
        "page/world.css",
        "widgets/rollout_player/rollout_player.css",
        "widgets/poles.css",
        "widgets/surprise/surprise.css",
    )

    asks = ("surprise", *Doubt.asks)

    key = t.Unicode(help="what two views of one widget know each other by").tag(sync=True)
    opening = t.Dict(help="{steps, gust: [step, side], covered: [first, after the last]}").tag(sync=True)
    step = t.Int(0, help="step shown").tag(sync=True)
    playing = t.Bool(False).tag(sync=True)
    covered = t.Bool(False, help="whether the camera is covered from now on").tag(sync=True)
    windy = t.Bool(False, help="whether gusts blow by themselves from now on").tag(sync=True)
    driver = t.Enum(DRIVERS, "expert", help="until the reader pushes").tag(sync=True)
    speed = t.Enum(SPEEDS, 0.25).tag(sync=True)
    history = t.Dict(help="what happened in the present game").tag(sync=True)

    def __init__(
        self, models, states, actions, labels=None, opening=60, gust=(22, "right"), dark=(36, 48), samples=32,
        seed=0, title="", world=GUSTY, **settings,
    ):  # fmt: skip
        traits = self.opened(models, states, actions, labels, samples, seed, title, world)
        traits["opening"] = _checked_script(opening, gust, dark, len(traits["starts"][0]["actions"]))
        super().__init__(repr(traits).encode(), **traits, **settings)
        self.key = self.model_id

    @classmethod
    def of(cls, models, episodes, numbers=None, first=10, context=10, **settings):
        """Begin `context` steps after step `first` of the episodes of these numbers; what was seen before is recorded.

        numbers: where none are given, the first three that `calm_episodes` finds, so that the gust that the widget
        opens with is the first.
        """
        numbers = calm_episodes(episodes, 3, first, context) if numbers is None else numbers
        contexts = recorded_contexts(episodes, numbers, first, context)
        return cls(models, *contexts, **{"world": episodes.world} | settings)

    def still(self):
        """Return the opening as a picture, for pages without JavaScript."""
        return surprise_still(self.played(), self.opening, self.title or self.names[self.model])

    @unnoticed()
    @torch.no_grad()
    def played(self):
        """Play what the widget opens with: {"states" (N + 1, S), "actions" (N,), "seen" (N + 1,), "surprise" (N,) nats,
        "thetas" (N + 1, samples) and "theta_true" (N + 1,) degrees, "frame", the last that the camera showed}.
        """
        model, pose = self.page_models[self.model].as_computed
        states, actions = self._driven()
        frames = torch.from_numpy(from_bytes(self._true.draw(states.numpy(), workers=1)))
        frames[slice(*self.opening["covered"])] = 1.0
        codes, kept, stepped = model.see(frames), *noise_sizes(model)
        seen = reading(codes, 2)[1][:, 0] > 0.5
        count = self.samples
        scatter = torch.from_numpy(normals(self.seed, 0, count, kept))
        belief, surprises, thetas = model.begin(codes[:1]), [], []
        for n in range(len(states)):
            if n:
                push, before = actions[n - 1 : n], belief
                surprises.append(float(surprise_step(model, before, push, codes[n : n + 1]).sum()))
                belief = model.update(before, push, codes[n : n + 1])
            if n == 0 or seen[n]:
                samples = scattered(model, belief.expand(count, -1), scatter)
            else:
                noise = torch.from_numpy(normals(self.seed + 1, n * count * stepped, count, stepped))
                samples = model.sample_step(samples, push.expand(count), noise)
            thetas.append(degrees(pose(samples)[:, 1]))
        return {
            "states": states.numpy(), "actions": actions.numpy(), "seen": seen.numpy(), "frame": frames[-1].numpy(),
            "surprise": np.array(surprises), "thetas": torch.stack(thetas).numpy(),
            "theta_true": degrees(self._true.entry(states, "theta")).numpy(),
        }  # fmt: skip

    def _driven(self):
        """The opening's states (N + 1, S) and pushes (N,): what was recorded, then an expert, and one gust."""
        start, (when, side) = self.starts[self.start], self.opening["gust"]
        states, actions = list(torch.tensor(start["states"], dtype=torch.float64)), list(start["actions"])
        while len(actions) < self.opening["steps"] and not self._true.fallen(states[-1]):
            actions.append(int(self._true.expert(states[-1])))
            drawn = torch.tensor([float(len(states) != when)]), torch.tensor([0.25 if side < 0 else 0.75])
            here = blown(self._true, states[-1][None], *drawn)[0]
            states.append(self._true.step(here, torch.tensor(actions[-1])))
        return torch.stack(states), torch.tensor(actions)


def calm_episodes(episodes, count, first=10, context=10):
    """Return the numbers of the first episodes in whose context no gust blows, and after it the pole leans less than 3
    degrees: (count,), or as many as there are. Raises ValueError where there are none.
    """
    world, found = episodes.world, []
    for number in np.flatnonzero(episodes.lengths >= first + context):
        states = episodes.states[episodes.first_frames[number] + first + np.arange(context + 1)]
        if not world.entry(states, "gust").any() and abs(np.degrees(world.entry(states[-1], "theta"))) < 3:
            found.append(int(number))
        if len(found) == count:
            return found
    if not found:
        raise ValueError(f"no episode is calm for {context} steps from step {first}; take more, or name some: numbers=")
    return found


def _checked_script(steps, gust, dark, context):
    """What the widget opens with, as the page takes it; raises ValueError where it does not fit into the opening."""
    (when, side), (first, after) = gust, dark
    if side not in SIDES:
        raise ValueError(f"a gust to the {side!r}; it can blow to the 'left' or to the 'right'")
    if not context < when <= steps:
        raise ValueError(f"a gust at step {when}; expected one after the context of {context}, up to step {steps}")
    if not context < first <= after <= steps + 1:
        raise ValueError(
            f"the camera covered at steps {first} to {after - 1}; expected steps after the context of {context}, up to "
            f"{steps}"
        )
    return {"steps": int(steps), "gust": [int(when), SIDES[side]], "covered": [int(first), int(after)]}
