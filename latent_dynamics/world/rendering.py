"""Pictures of true states, as Gymnasium renders them and as a model sees them."""

from functools import partial

import numpy as np

from .cartpole import make
from .preprocessing import DEFAULT, to_bytes
from .processes import pool


class Screen:
    """Draws any true state as Gymnasium renders it, without the copies that cost most of a rendered frame."""

    def __init__(self):
        import pygame

        self._env = make("rgb_array").unwrapped
        self._env.render_mode = "surface only"  # a mode it does not know: it draws, and makes no array of the screen
        self._env.screen = pygame.Surface((1, 1))  # nor is the finished picture copied to a screen that is a dot

    def view(self, state):
        """Return the frame of state (S,), of which the first four count, as `env.render()` would.

        A (400, 600, 3) uint8 view of the drawing itself.
        """
        import pygame

        self._env.state = np.asarray(state, dtype=np.float64)[:4]
        self._env.render()
        return pygame.surfarray.pixels3d(self._env.surf).transpose(1, 0, 2)

    def rgb(self, state):
        """Return the same frame as an array of its own, to keep."""
        return self.view(state).copy()


def draw(states, view=DEFAULT, workers=None):
    """Draw true states as the renderer does: (..., S) -> model frames (..., *view.shape) uint8."""
    states = np.asarray(states, dtype=np.float64)
    flat = states.reshape(-1, states.shape[-1])
    if len(flat) == 0:
        return np.zeros((*states.shape[:-1], *view.shape), np.uint8)
    parts = np.array_split(flat, max(1, len(flat) // 512))
    with pool(workers, len(flat)) as run:
        frames = np.concatenate(list(run(partial(_draw_some, view=view), parts)))
    return frames.reshape(*states.shape[:-1], *view.shape)


def _draw_some(states, view):
    return np.stack([to_bytes(_screen().view(state), view) for state in states])


_SCREENS = []


def _screen():
    """One screen a process: opening one costs as much as many frames."""
    if not _SCREENS:
        _SCREENS.append(Screen())
    return _SCREENS[0]
