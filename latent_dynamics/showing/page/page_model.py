"""A world model that travels with the page: its five functions as graphs, its weights in half precision.

A model that doubts brings more: samples of its belief, and its surprise (uncertain.py).
Where a model does something that the page's engine cannot do, the kernel computes for it, as long as there is one.
"""

import copy
import hashlib
import zlib
from contextlib import suppress
from functools import cached_property

import numpy as np
import torch
import traitlets as t

from latent_dynamics.models.stepwise import STEPS, defines, stepwise

from .base import BookWidget, unnoticed
from .trace import CannotBeExported, trace
from .uncertain import Poses, extra_functions

FUNCTIONS = (*STEPS, "decode")
LARGE = 3_300  # weights in a matrix; a frame has fewer pixels, and they stay as they are
_kept = {}  # by content: models that share an encoder share its weights in the page


class Weights(BookWidget):
    """The constants of one function as packed bytes, in half precision where that is exact, and their shapes."""

    _esm = "export default { render() {} }"
    _weights = t.Bool(True, help="lets the book's build know it").tag(sync=True)
    chunk = t.Bytes().tag(sync=True)
    layout_of = t.List(help="[{shape, half}, ...] in the order of the bytes").tag(sync=True)

    @classmethod
    def of(cls, constants):
        """Pack tensors; equal ones are packed once a session."""
        arrays = [constant.numpy() for constant in constants]
        kinds = ["<f2" if (array.astype("<f2").astype("<f4") == array).all() else "<f4" for array in arrays]
        raw = b"".join(array.astype(kind).tobytes() for array, kind in zip(arrays, kinds, strict=True))
        layout = [
            {"shape": list(array.shape), "half": kind == "<f2"} for array, kind in zip(arrays, kinds, strict=True)
        ]
        chunk = zlib.compress(b"".join(raw[first::2] for first in (0, 1)), 9)  # low bytes, then high ones
        name = hashlib.sha256(repr(layout).encode() + chunk).digest()
        if name not in _kept:
            _kept[name] = cls(name, chunk=chunk, layout_of=layout)
        return _kept[name]


class PageModel(BookWidget):
    """A world model as the page runs it; `PageModel.of(model)` makes one of anything that answers to the interface."""

    _esm = "export default { render() {} }"
    name = t.Unicode(help="what the page calls it").tag(sync=True)
    functions = t.Dict(help="{function: {graph, weights}}").tag(sync=True)
    in_kernel = t.Bool(help="whether only Python can compute it").tag(sync=True)

    @classmethod
    @unnoticed()
    def of(cls, model, name=""):
        """Export `model`, or keep it in the kernel where it cannot be exported (`why_in_kernel` says why)."""
        name = name or type(model).__name__
        try:
            functions, why = exported(model), None
        except CannotBeExported as reason:
            functions, why = {}, str(reason)
        page = cls((name + repr(functions)).encode(), name=name, functions=functions, in_kernel=bool(why))
        page.model, page.why_in_kernel = stepwise(model), why
        page.on_msg(page._answer)
        return page

    def needs(self, *names):
        """Raise a ValueError that says which of these functions the page cannot compute; returns itself otherwise."""
        missing = [name for name in names if name not in self.functions]
        if missing:
            raise ValueError(
                f"the model {self.name!r} cannot be asked in a page for {', '.join(missing)}; expected one with a "
                "latent or samplers whose operations the page has, and trained: teach its eyes first"
            )
        return self

    @cached_property
    def as_computed(self):
        """The model as the page computes it, its weights rounded, and where its pen draws: (model, Poses)."""
        model = rounded(self.model)
        return model, Poses(model)

    def _answer(self, _, message, buffers):
        """Compute what the page asks for by {id, call} and buffers of float32, or say why not by {id, error}."""
        if message.get("call") not in FUNCTIONS:
            return
        try:
            inputs = [torch.from_numpy(np.frombuffer(buffer, "<f4").copy())[None] for buffer in buffers]
            if message["call"] in ("update", "step"):
                inputs[1] = inputs[1][0].long()
            if message["call"] == "see":
                inputs = [inputs[0].reshape(1, *self.model.frame_shape)]
            with torch.no_grad():
                result = getattr(self.model, message["call"])(*inputs)
            self.send({"id": message["id"]}, [result.numpy().astype("<f4").tobytes()])
        except Exception as error:  # noqa: BLE001  the page shows it to the reader
            self.send({"id": message["id"], "error": f"{type(error).__name__}: {error}"})


def rounded(model):
    """Return a copy of the model with its weights rounded as the page's are: to half precision, large matrices coarser.

    Where thousands of weights are added up, their errors average out: seven bits of fraction do, and pack better.
    """
    model = copy.deepcopy(model)
    with torch.no_grad():
        for values in model.state_dict().values():
            if values.is_floating_point():
                halves = values.half().numpy()
                values.copy_(torch.from_numpy(_seven_bits(halves) if values.numel() > LARGE else halves))
    return model


def _seven_bits(halves):
    """Round the fractions of half-precision numbers from ten bits to seven."""
    return ((halves.view(np.uint16) + 4) & 0xFFF8).astype(np.uint16).view(np.float16)


def exported(model):
    """Return {function: {graph, weights}} of a WorldModel that defines see, begin, update, step and decode.

    One that also defines `scatter` and `sample_step`, or prior and posterior, brings what `uncertain.extra_functions`
    makes of them, as far as the page can follow. Raises CannotBeExported for a model that lacks one of the five or does
    there what the page's engine cannot.
    """
    missing = [name for name in FUNCTIONS if not defines(model, name)]
    if missing:
        raise CannotBeExported(f"{type(model).__name__} does not define {', '.join(missing)}")
    model = rounded(model)
    frame, action = torch.rand(1, *model.frame_shape), torch.ones(1, dtype=torch.int64)
    with torch.no_grad():
        code = model.see(frame)
        belief = model.begin(code).clone()
    examples = {
        "see": (frame,),
        "begin": (code,),
        "update": (belief, action, code),
        "step": (belief, action),
        "decode": (belief,),
    }
    functions = {name: page_function(getattr(model, name), *inputs) for name, inputs in examples.items()}
    for name, (function, inputs) in extra_functions(model, belief, action, code).items():
        with suppress(CannotBeExported):  # the widgets that need it say so
            functions[name] = page_function(function, *inputs)
    return functions


def page_function(function, *examples):
    """Export a function of a batch of one: {"graph", "weights"}, to be sent as a trait or as a part of one.

    Raises trace.CannotBeExported where the page's engine cannot follow.
    """
    with torch.no_grad():
        graph = trace(function, *examples)
    weights = Weights.of(graph.pop("constants"))
    return {"graph": graph, "weights": f"IPY_MODEL_{weights.model_id}"}
