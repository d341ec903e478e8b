"""The dream, live: reality and a model's dream of it, driven by the same pushes, in the page itself.

A film of a dream shows one future. Here the reader pushes, and sees at which push the dream begins to lie, or which of
two dreams does so first. Reality is the exact physics, the dreams are the trained weights; all run in the page, so it
needs no kernel.
"""

import numpy as np
import torch
import traitlets as t

from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees, limits, read
from latent_dynamics.world.worlds import CARTPOLE

from ...page.base import BookWidget, within
from ...page.bundle import bundle, styles
from ...page.chance import blown, dice
from ...page.page_model import PageModel, rounded
from ..start_states import recorded_contexts
from .dream_still import dream_still

LOOKS = (0, 20, 10, 5, 3, 2, 1)  # how often it may look at reality: every so many steps, 0 is never
SPEEDS = (0.1, 0.25, 0.5, 1.0)  # of real time
DRIVERS = ("you", "expert", "coin", "actor")
GUSTS = 9  # by which stream of chance gusts come, as in dream_try.js
OUTLINES = ("truth", "physics", "none")


class Dream(BookWidget):
    """Steer CartPole and a model's dream of it at once.

    models: {name: world model}, the first is shown first; actors: {name: Actor} of each, if one may drive; states:
    (B, 4), where each start's context begins; actions: (B, K), its pushes, after which the model's eyes close.
    `opening`: an expert, or the actor, plays so many steps, or until a dream's pole is gone, before the reader takes
    over. Where gusts blow they come by chance, and the same in each
    try. `step`, `playing`, `look_every` (steps; 0 never), `driver` ("you", "expert", "coin", or "actor", who sees the
    dream alone), `speed` (of real time), `model`, `start`, `beside` (a model that dreams beside it, -1 for none) and
    `outline` (what is outlined in the dreams: "truth", "physics", which is exact physics from the frames that the
    models saw, or "none") can be read and set. `history` tells of the present try: {actions, theta_true, theta_dream,
    theta_beside, theta_physics (degrees, None for no pole), looked, true_fell, dream_fell, beside_fell}.
    Raises ValueError for starts that do not fit together.
    """

    _esm = bundle("widgets/dream/dream.js")
    _css = styles(
        "page/common.css",
        "page/world.css",
        "widgets/rollout_player/rollout_player.css",
        "widgets/dream/dream.css",
    )

    key = t.Unicode(help="what two views of one widget know each other by").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    models = t.List(t.Unicode(), help="the page's models").tag(sync=True)
    names = t.List(t.Unicode(), help="and what the list calls them").tag(sync=True)
    starts = t.List(help="[{state, actions}, ...]").tag(sync=True)
    labels = t.List(t.Unicode()).tag(sync=True)
    world = t.Dict(help="what the page's world has other than CartPole, see world.js").tag(sync=True)
    limits = t.Dict(help="what the reader of angles takes for a pole").tag(sync=True)
    actors = t.List(help="[{mean, spread, weight, bias}, ...] of each model's actor; none if empty").tag(sync=True)
    opening = t.Int(help="steps that are played before the reader takes over").tag(sync=True)
    model = t.Int(0, help="model shown, from 0").tag(sync=True)
    beside = t.Int(-1, help="model that dreams beside it, from 0; -1 for none").tag(sync=True)
    outline = t.Enum(OUTLINES, "truth", help="which pole is outlined in the dreams").tag(sync=True)
    start = t.Int(0, help="start shown, from 0").tag(sync=True)
    look_every = t.Enum(LOOKS, 0).tag(sync=True)
    driver = t.Enum(DRIVERS, "expert", help="until the reader pushes").tag(sync=True)
    speed = t.Enum(SPEEDS, 0.25).tag(sync=True)
    step = t.Int(0, help="step shown; below 0 the model sees").tag(sync=True)
    playing = t.Bool(False).tag(sync=True)
    history = t.Dict(help="what happened in the present try").tag(sync=True)

    def __init__(
        self, models, states, actions, labels=None, opening=60, title="", world=CARTPOLE, actors=None, **settings
    ):  # fmt: skip
        if not models:
            raise ValueError("there is no model to dream with; give {name: world model}")
        states, actions = np.asarray(states, dtype=np.float64), np.asarray(actions, dtype=np.int64)
        starts = _checked_starts(states, actions, world.size)
        labels = [f"number {n + 1}" for n in range(len(starts))] if labels is None else list(labels)
        if len(labels) != len(starts):
            raise ValueError(f"{len(labels)} labels for {len(starts)} starts; give one for each")
        if actors and set(actors) != set(models):
            raise ValueError(f"actors of {sorted(actors)} for models {sorted(models)}; give each model its own")
        self.world_models, self.actors_of = dict(models), dict(actors or {})
        self.page_models = [PageModel.of(model, name) for name, model in models.items()]
        self._true, packed = world, [_packed(self.actors_of[name]) for name in models if actors]
        content = repr(
            (starts, labels, opening, title, world.page, [page.model_id for page in self.page_models], packed)
        ).encode()
        super().__init__(
            content,
            title=title,
            models=[f"IPY_MODEL_{page.model_id}" for page in self.page_models],
            names=list(models),
            world=dict(world.page),
            starts=starts,
            labels=labels,
            limits={name: list(pair) for name, pair in limits().items()},
            opening=opening,
            actors=packed,
            **settings,
        )
        self.key = self.model_id

    @classmethod
    def of(cls, models, episodes, numbers, first=10, context=10, **settings):
        """Begin at step `first` of the episodes of these numbers, whose recorded pushes are the context."""
        return cls(models, *recorded_starts(episodes, numbers, first, context), **{"world": episodes.world} | settings)

    @t.validate("model", "beside", "start")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        return within(proposal, -(name == "beside"), len(self.starts if name == "start" else self.names) - 1)

    @t.validate("driver")
    def _check_driver(self, proposal):
        if proposal["value"] == "actor" and not self.actors:
            raise t.TraitError("no actor can drive where there is none; give actors={name: Actor}")
        return proposal["value"]

    def still(self):
        """Return the opening as a picture, for pages without JavaScript."""
        name, model = next(iter(self.world_models.items()))
        start = self.starts[0]
        actor = self.actors_of[name] if self.driver == "actor" else None
        exact = self.page_models[0].in_kernel
        run = opening(model if exact else rounded(model), start, self.opening, self._true, actor)
        return dream_still(*run, context=len(start["actions"]), title=self.title or name)


def _packed(actor):
    """An actor as the page runs it."""
    return {name: getattr(actor, name).tolist() for name in ("mean", "spread", "weight", "bias")}


def recorded_starts(episodes, numbers, first=10, context=10):
    """Return states (B, 4) at step `first` of these episodes, and the pushes (B, K) that follow in each."""
    states, actions = recorded_contexts(episodes, numbers, first, context)
    return states[:, 0], actions


def _checked_starts(states, actions, size):
    if states.ndim != 2 or states.shape[1] != size or len(states) == 0:
        raise ValueError(f"states have shape {states.shape}; expected (B, {size}): where each start's context begins")
    if actions.ndim != 2 or len(actions) != len(states):
        raise ValueError(f"actions have shape {actions.shape}; expected ({len(states)}, K): the pushes of each context")
    if not np.isin(actions, (0, 1)).all():
        raise ValueError("actions must be 0 (left) or 1 (right)")
    return [
        {"state": state.tolist(), "actions": pushes.tolist()} for state, pushes in zip(states, actions, strict=True)
    ]


@torch.no_grad()
def opening(model, start, steps, world=CARTPOLE, actor=None):
    """Play what the widget opens with: frames of truth and dream (N + 1, H, W), their angles in degrees (N + 1,).

    Where gusts blow, they begin when they do in the page. actor: who drives, on the dream alone, even when in truth the
    pole lies; else an expert.
    """
    state, pushes = torch.tensor(start["state"], dtype=torch.float64)[None], torch.as_tensor(start["actions"])
    states = [state]
    for push in pushes:
        states.append(world.step(states[-1], push))
    shown = _drawn(torch.cat(states), world)
    belief = model.observe(shown[None], pushes[None])
    truth, dream = [states[-1]], [shown[-1:]]
    for n in range(steps):
        push = torch.as_tensor(world.expert(truth[-1])) if actor is None else actor.act(belief)
        fell = bool(world.fallen(truth[-1]).any())
        truth.append(truth[-1] if fell else world.step(blown(world, truth[-1], *dice(GUSTS, n)), push))
        belief = model.imagine(belief, push[None])[:, 0]
        dream.append(model.decode(belief))
        if _gone(dream[-1], world) or (actor is None and world.fallen(truth[-1]).any()):
            break
    dreamt = torch.cat(dream)
    seen = read(dreamt)
    angle = torch.where(seen.valid, degrees(seen.theta), torch.nan)
    truth = torch.cat(truth)
    return _drawn(truth, world), dreamt, degrees(world.entry(truth, "theta")), angle


def _gone(frame, world):
    seen = read(frame)
    return not bool(seen.valid) or bool(world.fallen(world.state(x=seen.x, theta=seen.theta)))


def _drawn(states, world):
    return torch.from_numpy(from_bytes(world.draw(states.numpy(), workers=1)))
