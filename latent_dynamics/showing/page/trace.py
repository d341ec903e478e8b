"""A model's functions, recorded as lists of plain operations that the page's own engine can run.

PyTorch tells what it does while it does it. We let a function run once and write down each operation. Whatever
does not depend on the inputs is a constant, and travels as it is. The other half is engine.js.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

RENAMES = {"view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "clone", "detach", "alias"}  # same numbers
SPLITS = {"split", "split_with_sizes", "unbind", "unsafe_split", "unsafe_split_with_sizes"}  # become slices
PLAIN = {  # without options
    "abs", "erf", "exp", "expm1", "gelu", "log", "log1p", "logical_not", "neg", "reciprocal", "relu", "rsqrt",
    "sigmoid", "sign", "silu", "softplus", "special_ndtr", "sqrt", "tanh",
}  # fmt: skip
OTHERWISE = {"max": "amax", "min": "amin", "linalg_cholesky_ex": "cholesky"}  # what the page calls it
COMPARISONS = {"eq", "ge", "gt", "le", "logical_and", "logical_or", "lt", "ne"}  # true is 1 and false 0
ALONG = {"argmax", "argmin", "cumsum", "log_softmax", "logsumexp", "softmax"}  # one dimension
OPERATIONS = PLAIN | COMPARISONS | ALONG | {
    "add", "addmm", "amax", "amin", "bmm", "cat", "cholesky", "clamp", "convolution", "div", "elu", "expand", "gather",
    "index", "maximum", "mean", "minimum", "mm", "mul", "native_layer_norm", "new_zeros", "permute", "pow",
    "randn_like", "repeat", "rsub", "scatter", "select", "slice", "sub", "sum", "t", "transpose", "where",
}  # fmt: skip


class CannotBeExported(ValueError):
    """A model does something that the page's engine cannot do."""


class Recorder(TorchDispatchMode):
    """Writes down every operation on tensors: (operation, arguments, keywords, result)."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if _in_place(func):  # written down as a copy and an operation on it
            before = args[0].clone()
            self.calls.append((torch.ops.aten.clone.default, args[:1], {}, before))
        out = func(*args, **kwargs)
        self.calls.append((func, (before, *args[1:]) if _in_place(func) else args, kwargs, out))
        return out


def trace(function, *examples):
    """Record `function` of example tensors, each a batch of one, as a graph for the page.

    Returns {"inputs": [shape, ...], "constants": [tensor, ...], "nodes": [...], "output": slot}. A node is
    {"op", "args", "shape"}; its arguments are numbers, lists, or "%3" for what stands in slot 3. Slots count inputs,
    then constants, then results. Raises CannotBeExported, which names what stands in the way.
    """
    with torch.no_grad(), Recorder() as recorder:
        output = function(*examples)
    calls = _that_matter(recorder.calls, output, examples)
    graph = _Graph(examples)
    for func, args, kwargs, out in calls:
        graph.add(func, args, kwargs, out)
    _check_replay(function, examples, calls, output)
    return graph.finished(output)


def _in_place(func):
    return func.overloadpacket.__name__.endswith("_")


def _tensors(thing):
    if isinstance(thing, dict):
        thing = list(thing.values())
    if isinstance(thing, (list, tuple)):
        return [tensor for part in thing for tensor in _tensors(part)]
    return [thing] if torch.is_tensor(thing) else []


def _that_matter(calls, output, examples):
    """Keep the calls that lead from the inputs to the output; what comes from weights alone is a constant."""
    moved, moving = {id(example) for example in examples}, []
    for call in calls:
        results = {id(tensor) for tensor in _tensors(call[3])}
        depends = any(id(tensor) in moved for tensor in _tensors(call[1:3]))
        moved = moved | results if depends else moved - results
        if depends:
            moving.append((call, results))
    if id(output) not in moved:
        raise CannotBeExported("its result does not depend on what it is given")
    wanted, kept = {id(output)}, []
    for call, results in reversed(moving):
        if results & wanted:
            kept.append(call)
            wanted = (wanted - results) | {id(tensor) for tensor in _tensors(call[1:3])}
    return kept[::-1]


class _Graph:
    """Numbers tensors and turns calls into nodes."""

    def __init__(self, examples):
        self.inputs = [list(example.shape) for example in examples]
        self.slots = {id(example): ("input", number) for number, example in enumerate(examples)}
        self.constants, self.nodes, self._alive = [], [], []

    def add(self, func, args, kwargs, out):
        name = func.overloadpacket.__name__
        if name in SPLITS:
            return self._split(name, args, out)
        if name in RENAMES or (name == "_to_copy" and (out.is_floating_point() or not args[0].is_floating_point())):
            return self._node("view", args[:1], out)  # a truth value or a whole number is a number as well
        if name in ("diag_embed", "stack") or (name in ("max", "min") and not torch.is_tensor(out)):
            return self._several(name, args, out)
        plain = OTHERWISE.get(name, name.removesuffix("_").removeprefix("_"))
        if plain.startswith("bitwise_") and out.dtype == torch.bool:
            plain = plain.replace("bitwise", "logical")
        if plain not in OPERATIONS:
            raise CannotBeExported(
                f"the page's engine has no operation {name!r}; it has {', '.join(sorted(OPERATIONS))}"
            )
        if plain in ALONG and len(args[1] if len(args) > 1 and isinstance(args[1], list) else args[1:2]) != 1:
            raise CannotBeExported(f"the page's engine has {name!r} along one dimension only, not {args[1:]}")
        if plain == "cholesky" and any([*args[1:2], kwargs.get("upper")]):
            raise CannotBeExported("the page's engine has Cholesky's lower triangle only")
        if plain in ALONG or isinstance(out, (list, tuple)):
            kwargs = {}  # whether dimensions stay does not change the numbers
        if isinstance(out, (list, tuple)):
            out = out[0]  # of a normalised layer: what else there is serves training
        if plain in PLAIN and (len(args) > 1 or kwargs):
            raise CannotBeExported(
                f"the page's engine has {name!r} without options only, not with {[*args[1:], kwargs]}"
            )
        self._node(plain, args[:1] if name == "randn_like" else [*args, *kwargs.values()], out)

    def _split(self, name, args, parts):
        dim = args[-1] if len(args) > (1 if name == "unbind" else 2) else 0
        start = 0
        for part in parts:
            if name == "unbind":
                self._node("select", [args[0], dim, start], part)
            else:
                self._node("slice", [args[0], dim, start, start + part.shape[dim], 1], part)
            start += 1 if name == "unbind" else part.shape[dim]

    def _several(self, name, args, out):
        """A stack is slices laid end to end; a diagonal matrix a column times the unit matrix; a maximum along a
        dimension the numbers and their places.
        """
        if name in ("max", "min"):
            self._node(f"a{name}", [args[0], [args[1]]], out[0])
            self._node(f"arg{name}", [args[0], args[1]], out[1])
        elif name == "diag_embed":
            if len(args) > 1:
                raise CannotBeExported(f"the page's engine has {name!r} without options only, not with {args[1:]}")
            column = self._thin(args[0], -1)
            self._node("mul", [column, self._held(torch.eye(out.shape[-1]))], out)
        else:
            dim = (args[1] if len(args) > 1 else 0) % out.ndim
            self._node("cat", [[self._thin(part, dim) for part in args[0]], dim], out)

    def _thin(self, tensor, dim):
        """The same numbers with one dimension more, as a node."""
        thin = self._held(tensor.unsqueeze(dim))
        self._node("view", [tensor], thin)
        return thin

    def _held(self, tensor):
        """Keep a tensor alive, or another one would get its name."""
        self._alive.append(tensor)
        return tensor

    def _node(self, op, args, out):
        self.nodes.append({"op": op, "args": self._encode(list(args)), "shape": list(out.shape)})
        self.slots[id(out)] = ("node", len(self.nodes) - 1)

    def _encode(self, thing):
        if torch.is_tensor(thing):
            if id(thing) not in self.slots:
                self.slots[id(thing)] = ("constant", len(self.constants))
                self.constants.append(thing.detach().float().contiguous())
            return self.slots[id(thing)]
        if isinstance(thing, bool):
            return int(thing)  # in a sum or product the page counts with it
        return [self._encode(part) for part in thing] if isinstance(thing, (list, tuple)) else thing

    def finished(self, output):
        """Return the graph with every slot numbered: inputs, constants, results."""
        first = {"input": 0, "constant": len(self.inputs), "node": len(self.inputs) + len(self.constants)}

        def number(thing):
            if isinstance(thing, tuple):
                return f"%{first[thing[0]] + thing[1]}"
            return [number(part) for part in thing] if isinstance(thing, list) else thing

        nodes = [node | {"args": number(node["args"])} for node in self.nodes]
        where, place = self.slots[id(output)]
        return {"inputs": self.inputs, "constants": self.constants, "nodes": nodes, "output": first[where] + place}


def _check_replay(function, examples, calls, output):
    """Play the recording on other inputs: a function that branches on them cannot be one list of operations."""
    if any(call[0].overloadpacket.__name__ == "randn_like" for call in calls):
        return  # it would draw other noise
    for change in (lambda values: 0.7 * values + 0.1, torch.neg):
        others = [1 - example if example.dtype == torch.int64 else change(example) for example in examples]
        with torch.no_grad():
            try:
                right = function(*others)
            except torch.linalg.LinAlgError:
                continue  # such inputs can't be: a covariance below nought
            replayed = _replayed(calls, output, dict(zip(map(id, examples), others, strict=True)))
        if not torch.allclose(replayed, right, atol=1e-5, equal_nan=True):
            raise CannotBeExported("it decides by its input which way to go; one list of operations cannot follow it")


def _replayed(calls, output, now):
    """Compute the output anew, given what now stands for each of the inputs: {id: tensor}."""

    def replaced(thing):
        if torch.is_tensor(thing):
            return now.get(id(thing), thing)
        return type(thing)(replaced(part) for part in thing) if isinstance(thing, (list, tuple)) else thing

    for func, args, kwargs, out in calls:
        args = replaced(args)
        result = func(args[0].clone(), *args[1:], **kwargs) if _in_place(func) else func(*args, **kwargs)
        now.update(zip(map(id, _tensors(out)), _tensors(result), strict=True))
    return now[id(output)]
