"""What the options of a request make of the gradients: reduction, clipping, weight decay, scale, and
the reports on them. Two readings: PyTorch's own (torch.nn.utils.clip_grad_*) gives the values, the
same on numbers with bounds gives the tolerances. Knows no layers but their deltas.

    delta = scale (clip(reduction of the samples' deltas) + l1 sign(W) + l2 W)"""

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import tensors
from bounds import INFINITY, WORK, Bounded

PARAMETERS = ("weight_delta", "bias_delta", "slope_delta", "gain_delta", "shift_delta")
NORM_GUARD = 1e-6  # PyTorch's, added to the norm


def is_delta(key):
    return isinstance(key, tuple) and key[2] in PARAMETERS


def deltas_of(values, layer=None):
    return [k for k in values if is_delta(k) and layer in (None, k[1])]


def samples_of(request):
    first = request.get("input", request["layers"][0].get("input"))
    return tensors.matrix_of(first).shape[0]


def batch_of(request, key):
    """The number of samples of the layer that the key is of."""
    layer = request["layers"][key[1]]
    return tensors.matrix_of(layer["input"]).shape[0] if "input" in layer else samples_of(request)


def decay_of(request, key):
    """l1 sign(W) + l2 W, or None."""
    decay = request.get("weight_decay")
    if decay is None or key[2] != "weight_delta":
        return None
    W = tensors.tensor_of(request["layers"][key[1]]["weight"])
    return decay.get("l1", 0) * torch.sign(W) + decay.get("l2", 0) * W


class TorchOptions:
    """The answered values, by PyTorch; clipping: {layer index or None: (clipped values, norm,
    factor)} where the request asks for clipping."""

    def __init__(self, request, values):
        self.values, self.clipping = dict(values), {}
        self.request = request
        self.parameters = {}
        for key in deltas_of(values):
            parameter = torch.nn.Parameter(torch.zeros_like(values[key]))
            mean = request.get("reduction") == "mean"
            parameter.grad = values[key] / batch_of(request, key) if mean else values[key].clone()
            self.parameters[key] = parameter
        if "clip" in request:
            self._clip(request["clip"])
        for key, parameter in self.parameters.items():
            decay = decay_of(request, key)
            total = parameter.grad if decay is None else parameter.grad + decay
            self.values[key] = total * request.get("scale", 1)

    def _clip(self, clip):
        layers = range(len(self.request["layers"]))
        counts = [0 for _ in layers]
        for key, parameter in self.parameters.items():
            if "value" in clip:
                counts[key[1]] += int((parameter.grad.abs() > clip["value"]).sum())
                clip_grad_value_([parameter], clip["value"])
        for i in layers:
            mine = [self.parameters[k] for k in deltas_of(self.parameters, i)]
            self.clipping[i] = (counts[i], *clipped(mine, clip.get("layer_norm")))
        everything = list(self.parameters.values())
        self.clipping[None] = (sum(counts), *clipped(everything, clip.get("global_norm")))


def clipped(parameters, most):
    """(norm before, factor) of clip_grad_norm_, which is applied where there is a maximum."""
    if not parameters:
        return 0.0, 1.0
    norm = clip_grad_norm_(parameters, INFINITY if most is None else most).item()
    return norm, 1.0 if most is None else min(1.0, most / (norm + NORM_GUARD))


def norm_of(bounded):
    """The l2 norm of tensors with bounds: it moves by at most the norm of their errors."""
    square = sum(((b.value ** 2).sum() for b in bounded), torch.zeros((), dtype=tensors.DOUBLE))
    errors = sum(((b.error ** 2).sum() for b in bounded), torch.zeros((), dtype=tensors.DOUBLE))
    count = sum(b.value.numel() for b in bounded)
    value = torch.sqrt(square)
    return value, torch.sqrt(errors) + (count + 8) * WORK * value


class TwinOptions:
    """The answered values with bounds; clipping: the same members as TorchOptions's, each a pair of
    bounds (low, high)."""

    def __init__(self, request, values):
        self.values, self.clipping = dict(values), {}
        self.request = request
        for key in deltas_of(values):
            if request.get("reduction") == "mean":
                self.values[key] = (values[key] * (1 / batch_of(request, key))).stored()
        if "clip" in request:
            self._clip(request["clip"])
        for key in deltas_of(values):
            decay = decay_of(request, key)
            if decay is not None:
                self.values[key] = (self.values[key]
                                    + values[key].rounding.exact(decay).stored()).stored()
            if "scale" in request:
                self.values[key] = (self.values[key] * request["scale"]).stored()

    def _clip(self, clip):
        layers = range(len(self.request["layers"]))
        counts = [self._clip_values(i, clip.get("value", INFINITY)) for i in layers]
        for i in layers:
            self.clipping[i] = (counts[i], *self._clip_norm(deltas_of(self.values, i),
                                                            clip.get("layer_norm")))
        total = tuple(sum(c[side] for c in counts) for side in (0, 1))
        self.clipping[None] = (total, *self._clip_norm(deltas_of(self.values),
                                                       clip.get("global_norm")))

    def _clip_values(self, layer, most):
        """Clamps; (least, most) numbers that may have been beyond."""
        surely = maybe = 0
        for key in deltas_of(self.values, layer):
            b = self.values[key]
            surely += int((b.value.abs() - b.error > most).sum())
            maybe += int((b.value.abs() + b.error > most).sum())
            self.values[key] = Bounded(b.value.clamp(-most, most), b.error, b.rounding)
            if most != INFINITY:
                self.values[key] = self.values[key].stored()  # the bound itself, as stored
        return surely, maybe

    def _clip_norm(self, keys, most):
        norm, error = norm_of([self.values[k] for k in keys])
        bounds = (max(0.0, float(norm - error)), float(norm + error))
        if most is None:
            return bounds, (1.0, 1.0)
        low, high = (min(1.0, most / (n + NORM_GUARD)) for n in reversed(bounds))
        middle = min(1.0, most / (float(norm) + NORM_GUARD))
        for key in keys:
            b = self.values[key]
            factor = Bounded(torch.tensor(middle, dtype=tensors.DOUBLE),
                             torch.tensor(high - low, dtype=tensors.DOUBLE), b.rounding).stored()
            self.values[key] = (b * factor).stored()
        return bounds, (low - 8 * WORK, high + 8 * WORK)
