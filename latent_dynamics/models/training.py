"""The one training loop. Everything in this book that learns by gradient learns here."""

import inspect
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from tqdm import tqdm


@dataclass(frozen=True)
class Budget:
    """How long and how hard to train."""

    epochs: int = 16  # passes over the training data
    batch_size: int = 128  # examples a gradient step
    learning_rate: float = 2e-3  # the peak of the one-cycle schedule
    weight_decay: float = 0.0  # AdamW's
    clip: float | None = None  # gradients whose norm is longer are shortened to it; None: as they are


@dataclass(frozen=True)
class Progress:
    """How far the training has come, for a loss that changes on the way (annealing)."""

    share: float  # of all gradient steps done: 0 at the first, 1 after the last
    epoch: int  # passes over the data done
    step: int  # gradient steps done


@dataclass(frozen=True)
class Lesson:
    """One thing that a model learns: what `train` minimises, on what data and how long."""

    loss: Callable  # maps a batch to a dict of scalars; is given `progress` too where it has a parameter of that name
    data: tuple  # of tensors that share their first dimension
    validation: tuple  # the same, from other episodes
    budget: Budget
    name: str = ""  # where a model learns in several lessons
    after_step: Callable | None = None  # called without arguments after each gradient step, as for a moving average


@contextmanager
def seeded(seed):
    """Fix torch's random streams inside the block, those of GPUs too, and leave the ones outside as they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


@contextmanager
def evaluating(model):
    """Put a model into evaluation mode inside the block, and each part back as it was."""
    was_training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in was_training:
            part.training = True


@contextmanager
def one_thread():
    """Let torch use one thread inside the block: networks of a few small layers train faster so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train(module, loss, data, validation, budget, seed=0, label="training", bar=True, after_step=None):
    """Minimise loss(*batch)["loss"] over the parameters of `module`; return the history of every term.

    loss: maps tensors (B, ...) to a dict of scalars, of which "loss" is minimised and the others are logged; where it
    has a parameter `progress`, it is told how far training has come (Progress). data, validation: tuples of tensors
    that share their first dimension; budget: Budget; after_step: called after each gradient step.
    Returns {"train loss": (epochs,), "validation loss": (epochs,), ...}: means over examples.
    AdamW under a one-cycle schedule (Smith & Topin 2019). Raises ValueError for empty data and for a loss that
    is no longer a number.
    """
    for part, examples in (("training", data), ("validation", validation)):
        if len(examples[0]) == 0:
            raise ValueError(f"{label}: the {part} data are empty")
    order = torch.Generator().manual_seed(seed)
    steps = budget.epochs * -(-len(data[0]) // budget.batch_size)
    parameters = list(module.parameters())
    settings = {"weight_decay": budget.weight_decay, "lr": budget.learning_rate}
    optimizer = torch.optim.AdamW(parameters, **settings, fused=True)  # the same rule in fewer passes
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, budget.learning_rate, total_steps=steps)
    annealed = "progress" in inspect.signature(loss).parameters
    done, history = 0, []

    def informed(epoch):
        return partial(loss, progress=Progress(done / steps, epoch, done)) if annealed else loss

    with tqdm(total=budget.epochs, desc=label, unit=" epochs", disable=not bar) as shown, seeded(seed):
        for epoch in range(budget.epochs):
            module.train()
            totals = {}
            for rows in torch.randperm(len(data[0]), generator=order).split(budget.batch_size):
                terms = informed(epoch)(*(tensor[rows] for tensor in data))
                optimizer.zero_grad()
                terms["loss"].backward()
                if budget.clip is not None:
                    nn.utils.clip_grad_norm_(parameters, budget.clip)
                optimizer.step()
                schedule.step()
                done += 1
                if after_step:
                    after_step()
                for name, value in terms.items():
                    totals[name] = totals.get(name, 0.0) + float(value.detach()) * len(rows) / len(data[0])
            if not np.isfinite(totals["loss"]):
                raise ValueError(f"{label}: the loss became {totals['loss']}; lower the learning rate, look for NaN")
            module.eval()
            with torch.no_grad():
                held_out = average(informed(epoch + 1), validation)
            history.append(
                {f"train {k}": v for k, v in totals.items()} | {f"validation {k}": v for k, v in held_out.items()}
            )
            shown.update()
            shown.set_postfix(loss=f"{held_out['loss']:.3g}")
    module.eval()
    return {name: np.array([epoch[name] for epoch in history]) for name in history[0]}


def average(loss, data, batch_size=256):
    """Return each of the loss's terms, averaged over all examples."""
    totals = {}
    for rows in torch.arange(len(data[0])).split(batch_size):
        for name, value in loss(*(tensor[rows] for tensor in data)).items():
            totals[name] = totals.get(name, 0.0) + float(value) * len(rows) / len(data[0])
    return totals
