"""Trains a model on a data set: what its weights depend on, besides its own file and the training loop."""

from .training import train


def teach(model, episodes, seed, label, eyes=None):
    """Train a model on the training episodes, lesson by lesson; returns its history, {name: (epochs,)}.

    eyes: state dict of the eyes that it needs, which were trained before and stay as they are.
    """
    if eyes is not None:
        model.eyes.load_state_dict(eyes)
        model.eyes.requires_grad_(False)
    history = {}
    for lesson in model.lessons(episodes.split("train"), episodes.split("validation")):
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
