"""Draws the picture beside a link to the book: a pole that falls, as the package simulates and renders it."""

import textwrap
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from latent_dynamics import preprocessing, rendering
from latent_dynamics.world.worlds import CARTPOLE

SIZE = (1200, 630)  # pixels, as Open Graph wishes
TIMES = (0, 14, 24, 31, 37, 42, 46, 50)  # steps of 0.02 seconds
QUESTION = "What happens next? Ask the model, then ask the world."
INK, PAPER, GRAY, FREE = "#1f2328", "#ffffff", "#5c636b", "#b34700"


def fall():
    """States (8, 4) of a pole that is pushed left and right in turns and falls all the same."""
    start = torch.tensor([[-1.3, 1.0, 0.03, 0.28]], dtype=torch.float64)
    pushes = torch.arange(max(TIMES)) % 2
    states = torch.cat([start[:, None], CARTPOLE.simulate(start, 1 - pushes[None])], 1)[0]
    return states[list(TIMES)].numpy()


def in_one_picture(states):
    """Their frames laid over each other, older ones fainter: the band that the model sees, (160, 600, 3) in [0, 1]."""
    screen, view = rendering.Screen(), preprocessing.DEFAULT
    frames = [screen.rgb(state)[view.top : view.bottom] / 255 for state in states]
    picture = np.ones_like(frames[0])
    for frame, share in zip(frames, (*np.linspace(0.15, 0.6, len(frames) - 1), 1)):
        drawn = share * (frame < 1).any(-1, keepdims=True)
        picture = (1 - drawn) * picture + drawn * frame
    return picture


def draw(path, title, words):
    """Write the card as a PNG."""
    states = fall()
    figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor=PAPER)
    figure.text(0.05, 0.845, title, fontsize=58, weight="bold", color=INK, va="center")
    figure.text(0.052, 0.695, textwrap.fill(words, 62), fontsize=23, color=GRAY, va="center", linespacing=1.35)
    axes = figure.add_axes((0, 0.09, 1, 0.508))
    axes.imshow(in_one_picture(states), extent=(0, 600, 0, 160), aspect="auto", interpolation="lanczos")
    axes.set_axis_off()
    figure.text(0.05, 0.045, QUESTION, fontsize=17, color=FREE, va="center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", metadata={"Software": None})


def draw_card(app, exception):
    """Draw the card of the built book, where its pages have an address to show it at."""
    if not exception and app.builder.format == "html" and app.config.html_baseurl:
        draw(Path(app.outdir) / "_static" / "card.png", app.config.html_title, app.config.site_description)


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", draw_card)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
