"""The tree of plans: all that a planner imagines before it pushes, drawn as it grows, and what it then does.

The page draws reality, looks at it, dreams every plan from what it believes, and pushes. The reader watches, takes over
or lets a gust blow.
"""

import numpy as np
import torch
import traitlets as t
from matplotlib.figure import Figure

from latent_dynamics.acting.held_pushes import plans
from latent_dynamics.models.stepwise import defines
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees

from ...page.base import BookWidget, still_figure, unnoticed, within
from ...page.bundle import bundle, styles
from ...page.chance import blown
from ...page.page_model import page_function, rounded
from ...page.uncertain import Poses
from ..start_states import checked_states, labels_of

ROWS = 64  # states that the page moves at a time
MOST = {"decisions": 6, "held": 8}
ASKS = ("see", "begin", "update", "step", "goes_on_logit", "decode")


class PlanTree(BookWidget):
    """Watch a planner: every plan that it dreams, which of them it believes to survive, and what it pushes.

    models: {name: world model} whose states begin with the two numbers that balance eyes read; the first is shown
    first. states (S, D) of `world`, where gusts blow if the reader wants: starts; `labels` (S,) names them.
    `decisions` of `held` steps each make a plan. `actions` are the pushes so far, `gusts` [step, side] of those that
    the reader let blow (side -1 or 1), `step` the moment shown. `model` and `start` are indices. All can be read and
    set. `tree()` says what is dreamt at the step shown. Raises ValueError for models that cannot plan in a page.
    """

    _esm = bundle("widgets/plan_tree/plan_tree.js")
    _css = styles(
        "page/common.css",
        "page/world.css",
        "widgets/rollout_player/rollout_player.css",
        "widgets/poles.css",
        "widgets/plan_tree/plan_tree.css",
    )

    functions = t.List(help="for each model {see, begin, update, ahead}: graph and weights").tag(sync=True)
    names = t.List(t.Unicode(), help="what the list calls the models").tag(sync=True)
    world = t.Dict(help="what the page's world has other than CartPole, see world.js").tag(sync=True)
    states = t.List(help="S true states").tag(sync=True)
    labels = t.List(t.Unicode(), help="what the list of starts shows").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    decisions = t.Int(6).tag(sync=True)
    held = t.Int(5, help="steps that each is held").tag(sync=True)
    actions = t.List(t.Int(), help="pushes so far, 0 is left").tag(sync=True)
    gusts = t.List(help="[step on whose way it began, side]").tag(sync=True)
    step = t.Int(0, help="moment shown").tag(sync=True)
    playing = t.Bool(False, help="whether the planner plays on").tag(sync=True)
    model = t.Int(0, help="model shown, from 0").tag(sync=True)
    start = t.Int(0, help="start, from 0").tag(sync=True)

    def __init__(self, models, states, labels=None, decisions=6, held=5, actions=(), title="", world=GUSTY):
        if not models:
            raise ValueError("there is no model to plan with; give {name: world model}")
        states = checked_states(states, world)
        self._true, self._models = world, [_checked(name, model) for name, model in models.items()]
        traits = {
            "functions": [_exported(*pair) for pair in self._models],
            "names": list(models), "world": dict(world.page), "states": states.tolist(),
            "labels": labels_of(labels, states, world), "title": title, "decisions": decisions, "held": held,
            "actions": list(map(int, actions)), "step": len(actions),
        }  # fmt: skip
        super().__init__(repr(traits).encode(), **traits)

    @t.validate("decisions", "held")
    def _check_plan(self, proposal):
        return within(proposal, 1, MOST[proposal["trait"].name])

    @t.validate("model", "start")
    def _check_shown(self, proposal):
        return within(proposal, 0, len(self.states if proposal["trait"].name == "start" else self.names) - 1)

    @t.validate("actions")
    def _check_actions(self, proposal):
        if not set(proposal["value"]) <= {0, 1}:
            raise ValueError(f"actions are {proposal['value']}; expected pushes, each 0 (left) or 1 (right)")
        return proposal["value"]

    @unnoticed()
    @torch.no_grad()
    def tree(self):
        """Return what is dreamt at the step shown: {"plans" (P, N), "theta" (P, N) degrees, "survival" (P,) chances,
        "right": how large the vote for a push to the right is, "state" (D,): the truth}.
        """
        model, pose = self._models[self.model]
        states = self._played()
        frames = torch.from_numpy(from_bytes(self._true.draw(states.numpy(), workers=1)))
        belief = model.observe(frames[None], torch.tensor(self.actions[: self.step], dtype=torch.int64)[None])
        every = plans(self.decisions, self.held)
        dreams = model.imagine(belief.expand(len(every), -1), every)
        worth = torch.nn.functional.logsigmoid(model.goes_on_logit(dreams)).sum(1)
        right = float((torch.softmax(worth, 0) * every[:, 0]).sum())
        theta = degrees(pose(dreams)[..., 1])
        return {
            "plans": every.numpy(), "theta": theta.numpy(), "survival": worth.exp().numpy(), "right": right,
            "state": states[-1].numpy(),
        }  # fmt: skip

    def still(self):
        """Return the tree at the step shown as a picture, for pages without JavaScript."""
        return _still(self.tree(), self.title or self.names[self.model])

    def _played(self):
        """The true states up to the step shown: (step + 1, D)."""
        states, begun = [torch.tensor([self.states[self.start]], dtype=torch.float64)], dict(map(tuple, self.gusts))
        for n, push in enumerate(self.actions[: self.step]):
            side = begun.get(n + 1, 0)
            drawn = torch.tensor([float(side == 0)]), torch.tensor([0.25 if side < 0 else 0.75])
            states.append(self._true.step(blown(self._true, states[-1], *drawn), torch.tensor([push])))
        return torch.cat(states)


class _AsShown:
    """What a pen is surveyed by: a model whose beliefs begin with the two numbers to draw."""

    def __init__(self, model):
        self.see, self.decode, self.state_size = model.see, model.decode, model.state_size
        self.observed = lambda codes: model.begin(codes)[:, :2]


def _checked(name, model):
    """Return a model as the page computes it, and where its pen draws."""
    missing = [what for what in ASKS if not defines(model, what)]
    if missing or model.needs_eyes != "balance":
        raise ValueError(
            f"the model {name!r} cannot plan in a page: it "
            + (f"does not define {', '.join(missing)}" if missing else "does not look through balance eyes")
        )
    model = rounded(model)
    return model, Poses(_AsShown(model))


@unnoticed()
@torch.no_grad()
def _exported(model, pose):
    """Return what the page asks of a model: {function: graph and weights}."""
    frame, action = torch.rand(1, *model.frame_shape), torch.ones(1, dtype=torch.int64)
    code = model.see(frame)
    belief = model.begin(code).clone()

    def ahead(states, actions):
        moved = model.step(states, actions)
        return torch.cat([moved, pose(moved), model.goes_on_logit(moved)[:, None]], 1)

    return {
        "see": page_function(model.see, frame), "begin": page_function(model.begin, code),
        "update": page_function(model.update, belief, action, code),
        "ahead": page_function(ahead, belief.repeat(ROWS, 1), action.repeat(ROWS)),
    }  # fmt: skip


def _still(tree, title):
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axis = figure.subplots()
    steps = np.arange(1, tree["theta"].shape[1] + 1)
    order = np.argsort(tree["survival"])
    for one in order:
        alive = float(tree["survival"][one])
        colour = "#0072b2" if alive > 0.5 else "#8a929c"
        axis.plot(steps, tree["theta"][one], color=colour, alpha=0.25 + 0.6 * alive, linewidth=1 + alive)
    axis.set(xlabel="steps ahead", ylabel="imagined pole, degrees", ylim=(-15, 15))
    axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    count = int((tree["survival"] > 0.5).sum())
    side = "right" if tree["right"] > 0.5 else "left"
    words = (
        f"The pole's angle along {len(order)} imagined plans of {len(steps)} steps, a tree that forks at decisions. "
        f"{count} of them are believed to survive; {max(tree['right'], 1 - tree['right']):.0%} of the votes are for a "
        f"push to the {side}."
    )
    return still_figure(figure, words)
