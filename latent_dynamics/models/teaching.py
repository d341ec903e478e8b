"""Trains a model on a data set: what its weights depend on, besides its own file and the training loop."""

import torch

from ..world.preprocessing import from_bytes
from .training import Budget, train

PICTURES = Budget(epochs=16, batch_size=64, learning_rate=5e-3)  # of an autoencoder that no budget was named for


def train_on(model, train_episodes, validation_episodes, seed=0, label=None):
    """Train a model of one's own on Episodes, lesson by lesson, its eyes first; returns it.

    The model has `lessons`, as those of the ladder do; whatever it looks through (`needs_eyes`) is trained on the same
    episodes. It is given back in evaluation mode, its curves in `model.history`. Raises ValueError where the
    frames are of another size than the model's, and TypeError for a model without lessons.
    """
    label = label or type(model).__name__
    if not hasattr(model, "lessons"):
        raise TypeError(f"{label} has no `lessons(train, validation)` that yield what it learns (training.Lesson)")
    for part in (train_episodes, validation_episodes):
        if part.view.shape != tuple(model.frame_shape):
            raise ValueError(
                f"{label} sees frames of {tuple(model.frame_shape)}, and these are {part.view.shape}: "
                "collect with another view, or make it for this one (those that can take shape=view.shape)"
            )
    parts, history = (train_episodes, validation_episodes), {}
    if model.needs_eyes == "autoencoder":
        frames = [torch.from_numpy(from_bytes(part.frames)) for part in parts]
        history |= teach_autoencoder(model.eyes, *frames, PICTURES, seed, f"{label}: eyes")
    elif model.needs_eyes == "balance":
        history |= _learned(model.eyes, parts, seed, f"{label}: eyes")
    if model.needs_eyes:
        model.eyes.eval().requires_grad_(False)
    model.history = history | _learned(model, parts, seed, label)
    return model.eval()


def teach(model, episodes, seed, label, eyes=None):
    """Train a model on the training episodes, lesson by lesson; returns its history, {name: (epochs,)}.

    eyes: state dict of the eyes that it needs, which were trained before and stay as they are.
    """
    if eyes is not None:
        model.eyes.load_state_dict(eyes)
        model.eyes.requires_grad_(False)
    return _learned(model, (episodes.split("train"), episodes.split("validation")), seed, label)


def _learned(model, parts, seed, label):
    history = {}
    for lesson in model.lessons(*parts):
        said = f"{label}: {lesson.name}" if lesson.name else label
        curves = train(
            model, lesson.loss, lesson.data, lesson.validation, lesson.budget, seed, said, after_step=lesson.after_step
        )
        history |= {f"{lesson.name} {name}".strip(): curve for name, curve in curves.items()}
    return history


def teach_autoencoder(model, fit, held_out, budget, seed, label):
    """Train an autoencoder on frames (M, *shape), validated on others; returns its history, {name: (epochs,)}."""
    model.fit_mean(fit)
    return train(model, model.loss, (fit,), (held_out,), budget, seed, label)
