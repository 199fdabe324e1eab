"""Losses with bounds: the value, and the gradient by y, of numbers that carry their error. What lives
here says how large the terms of each loss are, by which its roundings are measured; the losses
element by element are PyTorch's functions, those over rows are written out a second time.

Kernels work losses out in double: sixteen roundings of the largest term, w each, cover theirs and
PyTorch's; a y that is not exact moves them by their slope (bounds.spread)."""

import torch

import twin_rows
from bounds import WORK, Bounded, times

ROUNDINGS = 16 * WORK
COSINE_EPSILON = 1e-12  # PyTorch's, in both squared lengths; there it is a float32


def magnitudes(loss, y):
    """The largest terms of an element's loss and of its slope."""
    t, p = loss.fit(y), loss.parameters
    d, one = y.abs() + t.abs(), torch.ones_like(y)
    name = loss.computed_as
    if name == "mse":
        return d * d, 2 * d
    if name == "l1":
        return d, one
    if name == "smooth_l1":
        return d + p["beta"], one + (d / p["beta"] if p["beta"] > 0 else 0)
    if name == "huber":
        return d * (1 + p["delta"]) + p["delta"] ** 2, d + p["delta"]
    if name == "log_cosh":
        return d + 1, one + d
    if name == "bce_with_logits":
        weight = one if loss.pos_weight is None else 1 + loss.pos_weight
        return (d + 1) * weight, weight * one
    if name == "kl_div":
        size = torch.exp(t) if p["log_target"] else t.abs()
        logarithm = t.abs() if p["log_target"] else torch.log(t.abs().clamp(min=1e-300)).abs()
        return size * (logarithm + y.abs()), size
    return other_magnitudes(loss, y, t, p)


def other_magnitudes(loss, y, t, p):
    name, one = loss.computed_as, torch.ones_like(y)
    if name == "binary_cross_entropy":
        logs = torch.log(y).clamp(min=-100).abs() * t + torch.log1p(-y).clamp(min=-100).abs()
        return logs + 1, (y + t) / (y * (1 - y)).clamp(min=1e-12)
    if name == "hinge":
        return abs(p["margin"]) + (t * y).abs(), t.abs()
    if name == "squared_hinge":
        size = abs(p["margin"]) + (t * y).abs()
        return size * size, 2 * t.abs() * size
    if name == "poisson_nll":
        stirling = t * torch.log(t.clamp(min=1)) + t + 4
        if p["log_input"]:
            return torch.exp(y) + (t * y).abs() + stirling, torch.exp(y) + t
        inside = y + p["eps"]
        return y + t * torch.log(inside).abs() + stirling, one + t / inside
    variance = loss.variance.reshape(y.shape[0], -1).expand(y.shape).clamp(min=p["eps"])
    d = y.abs() + t.abs()
    return torch.log(variance).abs() + d * d / variance + 2, d / variance


def weight_of(loss, y):
    """The sample weights as a column, of ones where there are none."""
    if loss.sample_weight is None:
        return torch.ones(y.shape[0], 1, dtype=y.dtype)
    return loss.sample_weight.reshape(-1, 1)


def slope_of(loss):
    """∂(Σ of the weighted losses)/∂y, by autograd."""
    def slope(y):
        leaf = y.detach().clone().requires_grad_(True)
        loss.losses(leaf).sum().backward()
        return leaf.grad
    return slope


def inside(loss, function):
    """The function of y, as far as y moves inside the domain of the loss."""
    most = 1.0 if loss.computed_as == "binary_cross_entropy" else None
    least = 0.0 if most or loss.parameters.get("log_input") is False else None
    return function if least is None else lambda y: function(y.clamp(least, most))


def by_element(loss, y):
    weight = weight_of(loss, y.value)
    of_value, of_slope = magnitudes(loss, y.value)
    value = y.apply(inside(loss, loss.losses)).loosened(times(ROUNDINGS * of_value, weight))
    slope = y.apply(inside(loss, slope_of(loss))).loosened(times(ROUNDINGS * of_slope, weight))
    return value, slope


def target_masses(loss, y):
    """T[B,N] such that a sample's cross entropy is Σ T_n (ln Σ exp y - y_n)."""
    B, N = y.shape
    weight = torch.ones(N, dtype=y.dtype) if loss.class_weight is None else loss.class_weight
    smoothing, t = loss.parameters.get("label_smoothing", 0.0), loss.fit(y)
    kept = torch.ones(B, 1, dtype=y.dtype)
    if loss.has_classes(y):
        kept = (t != loss.parameters["ignore_index"]).to(y.dtype).unsqueeze(1)
        ignored = torch.where(kept[:, 0] > 0, t, torch.zeros_like(t))
        t = torch.nn.functional.one_hot(ignored, N).to(y.dtype)
    return kept * weight * ((1 - smoothing) * t + smoothing / N) * weight_of(loss, y)


def cross_entropy(loss, y):
    masses = y.rounding.exact(target_masses(loss, y.value)).loosened(
        2 * WORK * target_masses(loss, y.value))
    value = -(masses * twin_rows.log_softmax(y)).sum(1)
    return value, twin_rows.softmax(y) * masses.sum(1, keep=True) - masses


def nll(loss, y):
    masses = y.rounding.exact(target_masses(loss, y.value))
    return -(masses * y).sum(1), -masses


def cosine_embedding(loss, y):
    o = y.rounding.exact(loss.other.reshape(y.shape))
    dot = (y * o).sum(1, keep=True)
    epsilon = y.rounding.exact(torch.tensor(COSINE_EPSILON, dtype=y.value.dtype)).loosened(
        COSINE_EPSILON * 2.0 ** -24)
    length = (y * y).sum(1, keep=True) + epsilon
    lengths = (length * ((o * o).sum(1, keep=True) + epsilon)).apply(torch.sqrt)
    cosine = dot / lengths
    slope = (o - y * (dot / length)) / lengths
    apart = loss.fit(y.value).reshape(-1, 1) < 0
    beyond = cosine - loss.parameters["margin"]
    sign = torch.where(apart, (beyond.value >= 0).to(y.value.dtype), -torch.ones_like(beyond.value))
    unsure = apart & (beyond.value.abs() <= beyond.error)
    value = Bounded(torch.where(apart, beyond.value.clamp(min=0), 1 - cosine.value),
                    beyond.error + 2 * WORK, y.rounding)
    weight = weight_of(loss, y.value)
    slope = slope * sign
    slope = slope.loosened(torch.where(unsure, slope.value.abs() + slope.error,
                                       torch.zeros_like(slope.value)))
    return (value * weight)[:, 0], slope * weight


def value_and_gradient(loss, y):
    """The loss as answered, and ∂L/∂y (of the sum, under none), stored."""
    function = {"cross_entropy": cross_entropy, "nll": nll,
                "cosine_embedding": cosine_embedding}.get(loss.computed_as, by_element)
    value, gradient = function(loss, y)
    if loss.reduction == "none":
        return value.stored(), gradient.stored()
    by = 1 / loss.divisor(y.value) if loss.reduction == "mean" else 1.0
    return value.reshape(-1).sum(0) * by, (gradient * by).stored()
