"""An answer beside the right one: every number of it within its bound, and nothing missing, left over
or of another shape. Counts what was compared; knows nothing of how an answer came to be."""

import dataclasses
import math

import torch

import activations
import options
import tensors
from bounds import WORK

# A comparison is weak where its bound is above this share of the largest number of its tensor: the
# conditions of the problem leave it little to say. They are counted apart.
WEAK = 1e-2


@dataclasses.dataclass
class Tally:
    """What was compared, in one category."""

    cases: int = 0
    compared: int = 0
    weak: int = 0
    unbounded: int = 0
    failed: int = 0

    def __add__(self, other):
        return Tally(*(a + b for a, b in zip(dataclasses.astuple(self),
                                             dataclasses.astuple(other))))


class Expected:
    """The right answer to a request: values by PyTorch, tolerances by the twin. Both are doubles: the
    twin's error in double, which PyTorch's own resembles, is added."""

    def __init__(self, request, datatype, graph, twin, exact_twin):
        self.request, self.datatype, self.graph, self.twin = request, datatype, graph, twin
        self.torch = options.TorchOptions(request, graph.values)
        self.bounded = options.TwinOptions(request, twin.values)
        own = options.TwinOptions(request, exact_twin.values)
        self.values = {k: v for k, v in self.torch.values.items() if self._wanted(k)}
        self.errors = {k: self.bounded.values[k].error + own.values[k].error for k in self.values}

    def _wanted(self, key):
        outputs = self.request.get("outputs")
        name = key[2] if isinstance(key, tuple) else key
        if name == "loss":
            return True
        return name != "predictions" if outputs is None else name in outputs


def members_of(answer):
    """{key: JSON} of the tensors and the loss of an answer."""
    found = {k: answer[k] for k in ("loss", "predictions", "grad_input") if k in answer}
    for i, layer in enumerate(answer["layers"]):
        for name in (*options.PARAMETERS, "grad_input"):
            if name in layer:
                found[("layers", i, name)] = layer[name]
    return found


def label(key):
    return "/".join(map(str, key)) if isinstance(key, tuple) else key


def compare_tensor(key, found, expected, error, datatype, tally):
    """Problems, in words."""
    shape = tensors.shape_of(found)
    of_one = list(expected.shape[1:]) if expected.dim() == 2 and expected.shape[0] == 1 else None
    if shape not in (list(expected.shape), of_one):
        yield "%s has shape %s, not %s" % (label(key), shape, list(expected.shape))
        return
    actual = torch.tensor(list(tensors.flatten(found)), dtype=tensors.DOUBLE)
    if key != "loss" or expected.dim():
        actual = tensors.rounded(actual, datatype)
    expected, error = expected.reshape(-1), error.reshape(-1)
    known = torch.isfinite(error)
    good = ((actual - expected).abs() <= error) | (actual == expected)
    size = expected[known].abs().max().item() if known.any() else 0.0
    tally.compared += int(known.sum())
    tally.unbounded += int((~known).sum())
    tally.weak += int((known & (error > WEAK * size)).sum())
    for i in (known & ~good).nonzero().reshape(-1).tolist()[:3]:
        yield "%s[%d] is %r, not %r ± %.3g" % (label(key), i, actual[i].item(),
                                               expected[i].item(), error[i].item())
    tally.failed += int((known & ~good).sum())


def within(what, found, low, high, tally):
    """One number between two bounds."""
    tally.compared += 1
    value = tensors.WORDS.get(found, found)
    if not low <= value <= high:
        tally.failed += 1
        yield "%s is %r, not in [%r, %r]" % (what, found, low, high)


def compare_clipping(expected, answer, tally):
    for index, report in expected.bounded.clipping.items():
        where = answer if index is None else answer["layers"][index]
        found = where.get("clipping")
        if found is None:
            yield "no clipping in %s" % ("the answer" if index is None else "layer %d" % index)
            continue
        for name, (low, high) in zip(("clipped_values", "norm", "factor"), report):
            slack = 0 if name == "clipped_values" else 1e-12 * abs(high)
            yield from within("clipping/%s of %s" % (name, index), found[name], low - slack,
                              high + slack, tally)


def compare_statistics(expected, answer, tally):
    """Of each tensor as answered: computed again from the answer itself, to rounding in double."""
    for i, layer in enumerate(answer["layers"]):
        for name, found in layer["statistics"].items():
            if name == "zero_derivative":
                continue
            numbers = list(tensors.flatten(layer[name]))
            yield from compare_statistic("layer %d %s" % (i, name), found, numbers,
                                         expected.datatype, tally)
        missing = set(layer) & set(options.PARAMETERS) - set(layer["statistics"])
        if missing:
            yield "layer %d: no statistics of %s" % (i, missing)
        yield from compare_zeros(expected, i, layer["statistics"], tally)


def compare_statistic(where, found, numbers, datatype, tally):
    if datatype == "FP32":
        numbers = [tensors.float32(v) for v in numbers]
    finite = [v for v in numbers if math.isfinite(v)]
    yield from within(where + " non_finite", found["non_finite"], len(numbers) - len(finite),
                      len(numbers) - len(finite), tally)
    if len(finite) < len(numbers):
        return
    norm, slack = math.sqrt(math.fsum(v * v for v in finite)), (len(numbers) + 8) * WORK
    yield from within(where + " l2_norm", found["l2_norm"], norm * (1 - slack),
                      norm * (1 + slack), tally)
    largest = max(map(abs, finite), default=0.0)
    yield from within(where + " max_abs", found["max_abs"], largest, largest, tally)


def compare_zeros(expected, index, found, tally):
    """The share of f'(z) = 0: between those that surely are and those that may be."""
    layer = expected.twin.layers[index]
    if layer.layer.activation in activations.ROWS:
        if "zero_derivative" in found:
            yield "layer %d has a zero_derivative, of a matrix" % index
        return
    if not hasattr(layer, "slope"):
        return  # fused with the loss
    slope = layer.slope
    surely = int(((slope.value == 0) & (slope.error == 0)).sum())
    maybe = int((slope.value.abs() <= slope.error).sum())
    count = slope.value.numel()
    yield from within("layer %d zero_derivative" % index, found["zero_derivative"],
                      surely / count - 1e-12, maybe / count + 1e-12, tally)


def compare(expected, answer, tally):
    """Everything in an answer; problems, in words. Adds to the tally."""
    tally.cases += 1
    found = members_of(answer)
    for key in set(found) ^ set(expected.values):
        tally.failed += 1
        yield "%s: %s" % (label(key), "left over" if key in found else "missing")
    for key, value in expected.values.items():
        if key in found:
            yield from compare_tensor(key, found[key], value, expected.errors[key],
                                      expected.datatype, tally)
    if "clip" in expected.request:
        yield from compare_clipping(expected, answer, tally)
    if expected.request.get("statistics"):
        yield from compare_statistics(expected, answer, tally)
