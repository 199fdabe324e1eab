"""From the deltas of samples to the answer: reduction, clipping (by PyTorch's clip_grad_value_ and
clip_grad_norm_), weight decay, scale; each delta with the bound of its error. Knows no layers.

Derivation. A sum over B samples: the errors add, (B + 4) u of Σ|terms| (units.py). Holding a number
within ±value moves no error up. A norm n has the error |e| (Euclid's of all errors); the factor
c = min(1, max / (n + 1e-6)) moves by at most c |e| / n, so that c v has c e + |v| c |e| / n. Decay
and scale are one rounding each."""

import math

import torch

from units import BOTH

NORM_EPSILON = 1e-6


def reduce(request, node, bound):
    """{name: (value, error)} of a layer's deltas, those that the request asks for."""
    how, unit, wanted = request.get("reduction", "sum"), node.unit, request.get("outputs")
    values, parts, by = node.sample_deltas(), bound.sample_deltas(), node.deltas()
    B, made = node.x.shape[0], {}
    for name in values:
        if wanted is not None and name not in wanted:
            continue
        error, size = parts[name]
        if how == "none":
            made[name] = (values[name], unit.stored(values[name], error + unit.u * size + unit.eta))
            continue
        # The slope's sum goes over the features too, one sample's part being summed already.
        value, error = by[name].reshape(values[name].shape[1:]), error.sum(0)
        error = unit.product(error, size.sum(0), B)
        D = B if how == "mean" else 1
        made[name] = (value / D, unit.stored(size.sum(0), error, 2) / D + unit.eta)
    return made


class Clipping:
    """What the answer's clipping member has to say: norm and factor with the bound of the norm,
    and the least and most values that were held."""

    def __init__(self, held, norm, error, factor):
        self.held, self.norm, self.error, self.factor = held, norm, error, factor


def clip_values(layers, value):
    """Clips in place; the (least, most) counts of each layer."""
    counts = []
    for deltas in layers:
        least = most = 0
        for name, (v, e) in deltas.items():
            least += int((v.abs() > value + e).sum())
            most += int((v.abs() + e > value).sum())
            p = torch.nn.Parameter(v.clone())
            p.grad = v.clone()
            torch.nn.utils.clip_grad_value_([p], value)
            deltas[name] = (p.grad, e)
        counts.append((least, most))
    return counts


def clip_norm(layers, most):
    """Clips those layers together, in place; (norm, its error, factor). most may be None."""
    parts = [pair for deltas in layers for pair in deltas.values()]
    if not parts:
        return 0.0, 0.0, 1.0
    error = math.sqrt(sum(float(e.square().sum()) for _, e in parts))
    parameters = [torch.nn.Parameter(v.clone()) for v, _ in parts]
    for p, (v, _) in zip(parameters, parts):
        p.grad = v.clone()
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, math.inf if most is None else most))
    count = sum(v.numel() for v, _ in parts)
    error += BOTH * (8 + count) * norm + math.sqrt(count) * 2.0 ** -537  # squares underflow
    if most is None:
        return norm, error, 1.0
    factor = min(1.0, most / (norm + NORM_EPSILON))
    is_touched = norm + error >= most - NORM_EPSILON
    at = iter(parameters)
    for deltas in layers:
        for name, (v, e) in deltas.items():
            p = next(at)
            if is_touched:
                e = factor * e + p.grad.abs() * (error / norm if norm > 0 else 0.0)
            deltas[name] = (p.grad, e)
    return norm, error, factor


def finish(request, layers, weights, unit):
    """Clips, decays and scales the deltas of all layers in place; the Clipping of each layer and of
    the whole, or None where the request does not clip."""
    clip, reports = request.get("clip"), None
    if clip:
        counts = clip_values(layers, clip["value"]) if "value" in clip else [(0, 0)] * len(layers)
        reports = [Clipping(c, *clip_norm([d], clip.get("layer_norm")))
                   for c, d in zip(counts, layers)]
        for deltas in layers:
            store(deltas, unit)
        total = tuple(map(sum, zip(*counts)))
        reports.append(Clipping(total, *clip_norm(layers, clip.get("global_norm"))))
    decay = request.get("weight_decay", {})
    for deltas, W in zip(layers, weights):
        if decay and "weight_delta" in deltas:
            v, e = deltas["weight_delta"]
            l1, l2 = decay.get("l1", 0.0), decay.get("l2", 0.0)
            size = v.abs() + l1 + l2 * W.abs()
            deltas["weight_delta"] = (v + l1 * torch.sign(W) + l2 * W, e + 2 * unit.u * size)
        scale = request.get("scale", 1)
        for name, (v, e) in deltas.items():
            deltas[name] = (v * scale, unit.stored(v * scale, e * abs(scale), 3))
    return reports


def store(deltas, unit):
    for name, (v, e) in deltas.items():
        deltas[name] = (v, unit.stored(v, e, 2))
