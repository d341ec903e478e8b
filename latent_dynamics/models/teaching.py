"""Trains a model on a data set: what its weights depend on, besides its own file and the training loop."""

from .training import train


def teach(model, episodes, seed, label, eyes=None):
    """Train a model on the training episodes, lesson by lesson; returns its history, {name: (epochs,)}.

    eyes: state dict of its autoencoder, which was trained before and stays as it is.
    """
    if eyes is not None:
        model.autoencoder.load_state_dict(eyes)
        model.autoencoder.requires_grad_(False)
    history = {}
    for lesson in model.lessons(episodes.split("train"), episodes.split("validation")):
        said = f"{label}: {lesson.name}" if lesson.name else label
        curves = train(model, lesson.loss, lesson.data, lesson.validation, lesson.budget, seed, said)
        history |= {f"{lesson.name} {name}".strip(): curve for name, curve in curves.items()}
    return history


def teach_autoencoder(model, fit, held_out, budget, seed, label):
    """Train an autoencoder on frames (M, *shape), validated on others; returns its history, {name: (epochs,)}."""
    model.fit_mean(fit)
    return train(model, model.loss, (fit,), (held_out,), budget, seed, label)
