"""How far the daemon's loss and ∂L/∂y may be from PyTorch's. Knows the second derivatives and the
kinks of each loss; what the losses are is in losses.py.

Derivation. With e the bound of the error of y, l an element's loss and M = sup |l''| over [y ± e],

    the error of l      <= |l'| e + M e² / 2 + J e
    the error of ∂l/∂y  <= M e + J      J: the jump of l' where a kink lies within e (and e > 0)

Both sides work in double: a few units of it times the sizes of the terms of l and l' come to
that. The sum of the losses adds (B N + 8) units of Σ|l|, a divisor that is a sum of weights
B of the quotient; ∂L/∂y is then rounded to the datatype.
binary_cross_entropy: l is monotonic in each logarithm, so its error is that of the ends of the
interval; g = (y - t) / max(y (1 - y), 1e-12) has |g'| <= 1/q + |y - t| / q², q the least divisor.
cross_entropy, by sample: as log_softmax in functions.py, Σ_n |q_n| times the errors of log p_n;
p_n Σ q - q_n by those of p_n. cosine_embedding: with |y|, |e| Euclid's norms over the sample and
a the least y·y + 1e-12, s moves by at most 2 |e| / √a and ∂s/∂y by 6 |e| / a: s is a product of
unit vectors, whose derivative by y is at most 1 / √a, and the derivative's derivative 3 / a."""

import torch
import torch.nn.functional as F

from units import BOTH, FP64


def element_sizes(loss, y, e):
    """(M, jump at kinks, size of the terms of l, size of the terms of l')"""
    p, t, d = loss.p, loss.target, (y - loss.target).abs()
    zero, one = torch.zeros_like(y), torch.ones_like(y)
    name = loss.name
    near = lambda distance: ((distance.abs() <= e) & (e > 0)) * 1.0  # noqa: E731
    if name == "mse":
        return 2 * one, zero, d * d, 2 * d
    if name == "l1":
        return zero, 2 * near(y - t), d, one
    if name == "smooth_l1":
        if p["beta"] == 0:
            return zero, 2 * near(y - t), d, one
        return one / p["beta"], zero, d + p["beta"], one
    if name == "huber":
        return one, zero, p["delta"] * (d + p["delta"]), one * p["delta"]
    if name == "log_cosh":
        return one, zero, torch.minimum(d * d, d), torch.minimum(d, one)
    if name == "bce_with_logits":
        w = one if loss.pos_weight is None else loss.pos_weight.expand_as(y)
        size = (1 - t).abs() + (w * t).abs() + t.abs() + 1
        return size / 4, zero, size * (y.abs() + 1), size
    if name == "focal":  # an exponent x is good to x units
        size = (1 + p["gamma"]) ** 2 * one
        return size, zero, size * (y.abs() + 1) ** 2, size * (y.abs() + 1)
    if name == "kl_div":
        size = torch.exp(t) if p["log_target"] else t.abs()
        log = t.abs() if p["log_target"] else torch.log(t.clamp(min=1e-308)).abs()
        return zero, zero, size * (log + y.abs()) * (1 + t.abs()), size * (1 + t.abs())
    if name in ("hinge", "squared_hinge"):
        missing = p["margin"] - t * y
        size = abs(p["margin"]) + y.abs()
        if name == "hinge":
            return zero, near(missing) * t.abs(), size, one
        return 2 * one, zero, 2 * size * F.relu(missing + e), 2 * size
    if name == "poisson_nll":
        extra = (t * torch.log(t.clamp(min=1)) + t + 8) if p["full"] else zero
        if p["log_input"]:
            rate = torch.exp(y + e)
            return rate, zero, rate * (1 + y.abs()) + (t * y).abs() + extra, \
                rate * (1 + y.abs()) + t.abs()
        low = (y - e + p["eps"]).clamp(min=0)
        return t / low ** 2, zero, \
            y.abs() + t.abs() * (torch.log(y + p["eps"]).abs() + 1) + extra, 1 + t.abs() / low
    if name == "gaussian_nll":
        v = loss.variance.expand_as(y).clamp(min=p["eps"])
        return 1 / v, zero, torch.log(v).abs() + d * d / v + 2, d / v
    raise KeyError(name)


def probability_bounds(loss, y, e):
    """binary_cross_entropy's (error of l, error of l')."""
    t = loss.target
    low, high = (y - e).clamp(0, 1), (y + e).clamp(0, 1)

    def held(value):
        return torch.log(value).clamp(min=-100)

    def move(a, b, middle):
        return torch.maximum((a - middle).abs(), (b - middle).abs())

    yes = move(held(low), held(high), held(y))
    no = move(held(1 - low), held(1 - high), held(1 - y))
    q = torch.minimum(low * (1 - low), high * (1 - high)).clamp(min=1e-12)
    g = (y - t).abs() / (y * (1 - y)).clamp(min=1e-12)
    # PyTorch's 1e-12 is a float32 for doubles too, 4e-9 of it short.
    g = torch.where(y * (1 - y) <= 1.00001e-12, g * 5e-9 / BOTH + g, g)
    terms = t.abs() * held(y).abs() + (1 - t).abs() * held(1 - y).abs() + 1
    return (t.abs() * yes + (1 - t).abs() * no + BOTH * terms,
            (1 / q + (y - t).abs() / q ** 2) * e + BOTH * (g + 1 / q))


def class_bounds(loss, y, e):
    """cross_entropy's (error of l by sample, error of ∂l/∂y)."""
    N = y.shape[1]
    w = torch.ones(N, dtype=y.dtype) if loss.class_weight is None else loss.class_weight
    smoothing = loss.p.get("label_smoothing", 0.0)
    if loss.has_classes:
        counted = (loss.target != loss.p["ignore_index"])[:, None]
        one = F.one_hot(loss.target * counted[:, 0], N)
        of_class = (one * w).sum(1, keepdim=True)
        q = ((1 - smoothing) * of_class * one + smoothing * w / N) * counted
    else:
        q = w * ((1 - smoothing) * loss.target + smoothing / N)
    q = q.abs()
    whole = q.sum(1, keepdim=True)
    p = F.softmax(y, 1)
    worst = e.max(1, keepdim=True).values
    drop = y.max(1, keepdim=True).values - y
    units = BOTH * (N + drop.clamp(max=1e4))
    e_p = p * (torch.expm1(2 * worst) + units) + FP64.flushed
    e_loss = (q * (e + worst + BOTH * (N + drop))).sum(1)
    return e_loss, e_p * whole + units * p * whole + BOTH * N * q


def cosine_bounds(loss, y, e):
    """cosine_embedding's (error of l by sample, error of ∂l/∂y)."""
    t, other = loss.target, loss.other
    a, c = y.square().sum(1) + 1e-12, other.square().sum(1) + 1e-12
    s = (y * other).sum(1) / torch.sqrt(a * c)
    norm_e = e.square().sum(1).sqrt()
    least = (y.square().sum(1).sqrt() - norm_e).clamp(min=0).square() + 1e-12
    units = BOTH * (y.shape[1] + 4)
    e_s = torch.minimum(2 * norm_e / least.sqrt(), torch.full_like(a, 2.0)) + units
    terms = other.abs() / torch.sqrt(a * c)[:, None] + (s.abs() / a)[:, None] * y.abs()
    slope = (6 * norm_e / least)[:, None] + units * (terms + 1 / a.sqrt()[:, None])
    near = ((s - loss.p["margin"]).abs() <= e_s) & (t < 0) & (norm_e > 0)
    active = (t > 0) | (s - loss.p["margin"] >= -e_s)
    return e_s * active, slope * active[:, None] + near[:, None] * terms


def loss_error(loss, y, e, losses, gradient, unit):
    """Bounds for what the daemon answers as loss, and for ∂L/∂y [B,N], given the answers that
    PyTorch has for y: losses (not reduced, not weighted) and gradient."""
    u, D = loss.weights(y), loss.divisor(y)
    of_sample = u[:, None] if u.dim() == 1 else u
    if loss.name == "binary_cross_entropy":
        e_l, e_g = probability_bounds(loss, y, e)
    elif loss.name == "cross_entropy":
        e_l, e_g = class_bounds(loss, y, e)
    elif loss.name == "cosine_embedding":
        e_l, e_g = cosine_bounds(loss, y, e)
    elif loss.name == "nll":
        w = torch.ones(y.shape[1], dtype=y.dtype) if loss.class_weight is None \
            else loss.class_weight
        c = loss.target.clamp(0, y.shape[1] - 1)[:, None]
        e_l = w[c[:, 0]] * e.gather(1, c)[:, 0] + BOTH * losses.abs()
        e_g = torch.zeros_like(y)
    else:
        M, jump, terms, slope_terms = element_sizes(loss, y, e)
        slope = gradient.abs() * D / of_sample.clamp(min=1e-300)
        e_l = (slope + jump) * e + M * e ** 2 / 2 + BOTH * (terms + losses.abs())
        e_g = M * e + jump + BOTH * slope_terms
    divided = (y.shape[0] + 2) * BOTH / 16 * gradient.abs()  # a divisor that is a sum of weights
    e_gradient = unit.stored(gradient, e_g * of_sample / D + divided, 2)
    if loss.reduction == "none":
        return unit.stored(losses * u, e_l * u), e_gradient
    size = ((e_l + (losses.numel() + 8) * BOTH * losses.abs()) * u).sum() / D
    return size, e_gradient
