"""The controller duel: A knows the true state, B looks at pictures, and both balance a pole from the same start.

An accuracy is not yet a balanced pole. Here both play, decision by decision, and one sees who was sure of what when
the first of them fell.
"""

import base64
import io

import numpy as np
import torch
import traitlets as t
from matplotlib.figure import Figure

from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.reader import degrees
from latent_dynamics.world.worlds import CARTPOLE

from ...page.base import BookWidget, noscript_figure
from ...page.bundle import bundle, styles
from ...page.page_model import page_function, rounded
from ..start_states import checked_states, labels_of

RULES = {"fair": 0.0, "unfair": 0.5}  # seconds: how much of theta_dot the rule adds to theta
WORDS = {"fair": "fair: the side to which the pole leans", "unfair": "unfair: lean and turning"}
PLAYERS = ("A", "B")
SEES = {"A": "true state", "B": "latent z"}


class Duel(BookWidget):
    """Two controllers play live, side by side: A on the true state, B on the latent of the drawn frame.

    `autoencoder` is B's eye: encode, frames (B, 32, 100) to z (B, D). `controllers` maps the name of a rule, "fair" or
    "unfair", to a pair of `controllers.Controller`: A of states, B of z. `states` (S, 4) are starts, `labels` (S,)
    names them. `rule` (a name), `start` (index), `step`, `playing` and `speed` (steps a second) can be read and set; a
    step of -1 lets the page go to where the first of the two falls. Raises ValueError for what it cannot play.
    """

    _esm = bundle("widgets/duel/duel.js")
    _css = styles("page/common.css", "page/world.css", "widgets/duel/duel.css")

    functions = t.Dict(help="{see, 'fair A', ...}: graph and weights of each").tag(sync=True)
    rules = t.List(help="[name, words, weight of theta_dot] of each rule").tag(sync=True)
    world = t.Dict(help="what the page's world has other than CartPole, see world.js").tag(sync=True)
    states = t.List(help="S true states").tag(sync=True)
    labels = t.List(t.Unicode(), help="what the list of starts shows").tag(sync=True)
    title = t.Unicode().tag(sync=True)
    limit = t.Int(CARTPOLE.time_limit, help="steps after which a game ends").tag(sync=True)
    rule = t.Unicode(help="the rule that both imitate").tag(sync=True)
    start = t.Int(help="start, from 0").tag(sync=True)
    step = t.Int(-1, help="step shown; -1 is where the first one falls").tag(sync=True)
    playing = t.Bool(False, help="whether it is playing").tag(sync=True)
    speed = t.Float(12.5, help="steps a second").tag(sync=True)

    def __init__(
        self, autoencoder, controllers, states, labels=None, rule=None, start=0, step=-1, title="", world=CARTPOLE
    ):
        self._true = world
        states = checked_states(states, world)
        _check_rules(controllers)
        self._eyes = rounded(autoencoder)
        self._controllers = {name: tuple(map(rounded, pair)) for name, pair in controllers.items()}
        traits = {
            "functions": self._exported(states),
            "rules": [[name, WORDS[name], RULES[name]] for name in controllers],
            "world": dict(world.page),
            "states": states.tolist(),
            "labels": labels_of(labels, states, world),
            "title": title,
            "rule": rule if rule is not None else list(controllers)[-1],
            "start": start,
            "step": step,
        }
        super().__init__(repr(traits).encode(), **traits)

    @t.validate("rule")
    def _check_rule(self, proposal):
        names = [name for name, *_ in self.rules]
        if proposal["value"] not in names:
            raise ValueError(f"rule is {proposal['value']!r}; there are controllers for {', '.join(map(repr, names))}")
        return proposal["value"]

    @t.validate("start", "step", "speed")
    def _check_number(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        low, high = {"start": (0, len(self.states) - 1), "step": (-1, self.limit), "speed": (0.5, 60)}[name]
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}; expected a number from {low} to {high}.")
        return value

    def game(self, player, steps=None):
        """Play "A" or "B" from the start: states (n + 1, 4) and the probability of right in each, (n + 1,).

        It ends where the pole has fallen, or after `steps` (the limit, unless said otherwise).
        """
        state, states, sure = torch.tensor([self.states[self.start]], dtype=torch.float64), [], []
        for _ in range((self.limit if steps is None else steps) + 1):
            states.append(state[0])
            sure.append(float(self._probability(player, state)))
            if self._true.fallen(state)[0]:
                break
            state = self._true.step(state, torch.tensor([int(sure[-1] > 0.5)]))
        return torch.stack(states).numpy(), np.array(sure)

    def still(self):
        """Return both games as curves of angle and confidence, for pages without JavaScript."""
        return _still({player: self.game(player, 200) for player in PLAYERS}, self.rule, self.title, self._true)

    @torch.no_grad()
    def _probability(self, player, states):
        controller = self._controllers[self.rule][PLAYERS.index(player)]
        if player == "A":
            return controller.probability_right(states.float())[0]
        frames = torch.from_numpy(from_bytes(self._true.draw(states.numpy(), workers=1)))
        return controller.probability_right(self._eyes.encode(frames))[0]

    def _exported(self, states):
        frame, state = (
            torch.from_numpy(from_bytes(self._true.draw(states[:1], workers=1))),
            torch.from_numpy(states[:1]).float(),
        )
        with torch.no_grad():
            code = self._eyes.encode(frame)
        functions = {"see": page_function(self._eyes.encode, frame)}
        for name, pair in self._controllers.items():
            for player, controller, example in zip(PLAYERS, pair, (state, code), strict=True):
                functions[f"{name} {player}"] = page_function(_probability_of(controller), example)
        return functions


def _probability_of(controller):
    """Return the function inputs (1, D) -> probability of right (1, 1), in operations that the page has."""

    def probability(inputs):
        logits = controller(inputs)
        return torch.sigmoid(logits[:, 1:] - logits[:, :1])

    return probability


def _check_rules(controllers):
    if not controllers or not set(controllers) <= set(RULES):
        given = list(controllers)
        raise ValueError(f"controllers are for {given}; expected a pair for 'fair', for 'unfair', or for both")
    for name, pair in controllers.items():
        if len(pair) != 2:
            raise ValueError(f"there are {len(pair)} controllers for {name!r}; expected two: A of states and B of z")


def _still(games, rule, title, world):
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    angle, sure = figure.subplots(2, 1, sharex=True)
    for (player, (states, right)), colour, line in zip(games.items(), ("#1b1f24", "#0072b2"), ("-", "--"), strict=True):
        angle.plot(degrees(world.entry(states, "theta")), line, color=colour, label=f"{player}, {SEES[player]}")
        sure.plot(100 * right, line, color=colour)
        if world.fallen(states[-1]):
            angle.plot(len(states) - 1, degrees(world.entry(states[-1], "theta")), "x", color=colour, markersize=8)
    angle.set(ylabel="pole, degrees")
    sure.set(ylabel="right, %", xlabel="step", ylim=(-5, 105))
    angle.legend(frameon=False, fontsize=9)
    for axis in (angle, sure):
        axis.spines[["top", "right"]].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=11)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    fates = " ".join(
        f"{player} {'falls at step' if world.fallen(states[-1]) else 'is still up at step'} {len(states) - 1}."
        for player, (states, _) in games.items()
    )
    scene = "Pole angle, and below it the probability of pushing right, over the steps of two games"
    return noscript_figure(base64.b64encode(png.getvalue()).decode(), f"{scene} under the {rule} rule. {fates}")
