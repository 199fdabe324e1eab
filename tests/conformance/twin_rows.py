"""Formulae over whole rows, with bounds: softmax and its kin, and the norms. A second reading of the
mathematics, beside PyTorch's: every line is a textbook formula on numbers that carry their error
(bounds.py). Kernels work these out in double and round once, which is what .stored() says.

Sources: Bridle 1990 (softmax's Jacobian); Ba, Kiros and Hinton, arXiv:1607.06450; Ioffe and
Szegedy, arXiv:1502.03167, section 3."""

import torch

from bounds import WORK, Bounded

ROW_NAMES = ("softmax", "log_softmax", "softmin")


def log_softmax(z):
    """z - ln Σ exp z. Its errors: those of z at most twice over, and the roundings of exp, a sum
    of N and ln, of numbers as large as the spread of z."""
    value = torch.log_softmax(z.value, 1)
    N = z.value.shape[1]
    spread = z.value.max(1, keepdim=True).values - z.value
    widest = z.error.max(1, keepdim=True).values
    return Bounded(value, z.error + widest + 2 * WORK * (spread.clamp(max=1e4) + N + 8), z.rounding)


def softmax(z):
    """exp(log_softmax): an absolute error there is a relative one here."""
    logarithm = log_softmax(z)
    value = torch.exp(logarithm.value)
    error = value * torch.expm1(logarithm.error) + 2.0 ** -1022  # 0 where it would be subnormal
    return Bounded(value, torch.where(torch.isnan(error), torch.ones_like(error),
                                      error.clamp(max=1)), z.rounding)


def worked(bounded, magnitude):
    """What float32 arithmetic adds where the datatype is FP32: so many units of a magnitude."""
    if bounded.rounding.datatype == "FP64":
        return bounded
    tiny = 2.0 ** -126 * 4  # exp is 0 where it would be subnormal
    return bounded.loosened(bounded.rounding.unit * magnitude + tiny)


def row_forward(name, z):
    if name == "log_softmax":
        y = log_softmax(z)
        return worked(y, 6 * y.value.abs()).stored()
    y = softmax(-z if name == "softmin" else z)
    return worked(y, 6 * y.value).stored()


def row_backward(name, z, g):
    """δ = Jᵀ g."""
    y = softmax(-z if name == "softmin" else z)
    if name == "log_softmax":
        size = y.value * g.value.abs().sum(1, keepdim=True)
        return worked(g - y * g.sum(1, keep=True), 8 * size + g.value.abs()).stored()
    delta = y * (g - (y * g).sum(1, keep=True))
    apart = (g.value.unsqueeze(2) - g.value.unsqueeze(1)).abs()
    size = y.value * (apart * y.value.unsqueeze(1)).sum(2)
    return worked(-delta if name == "softmin" else delta, 17 * size).stored()


class Norm:
    """z = γ x̂ + β with x̂ = (x - mean) / √(variance + ε), over the axis of one sample (1, layer_norm)
    or of one feature (0, batch_norm); with running values the moments do not depend on x."""

    def __init__(self, x, axis, epsilon, running=None):
        self.axis, self.training = axis, running is None
        if running is None:
            self.count = x.value.shape[axis]
            mean = x.sum(axis, keep=True) * (1 / self.count)
            self.centred = x - mean
            variance = (self.centred * self.centred).sum(axis, keep=True) * (1 / self.count)
        else:
            mean, variance = running
            # PyTorch's forward multiplies x and the mean out before it takes their difference.
            self.centred = (x - mean).loosened(4 * WORK * (x.value.abs() + mean.value.abs()))
        deviation = (variance + epsilon).apply(torch.sqrt)
        self.inverse = deviation.inverse()
        self.normalized = self.centred * self.inverse

    def forward(self, gain, shift):
        z = self.normalized if gain is None else self.normalized * gain
        return (z if shift is None else z + shift).stored()

    def backward(self, dz, gain):
        """∂L/∂x."""
        d = dz if gain is None else dz * gain
        if not self.training:
            return (d * self.inverse).stored()
        mean = d.sum(self.axis, keep=True) * (1 / self.count)
        slope = (d * self.normalized).sum(self.axis, keep=True) * (1 / self.count)
        return ((d - mean - self.normalized * slope) * self.inverse).stored()
