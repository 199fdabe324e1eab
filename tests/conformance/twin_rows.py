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
    error = value * torch.expm1(logarithm.error)
    return Bounded(value, torch.where(torch.isnan(error), torch.ones_like(error),
                                      error.clamp(max=1)), z.rounding)


def row_forward(name, z):
    if name == "log_softmax":
        return log_softmax(z).stored()
    return softmax(-z if name == "softmin" else z).stored()


def row_backward(name, z, g):
    """δ = Jᵀ g."""
    if name == "log_softmax":
        return (g - softmax(z) * g.sum(1, keep=True)).stored()
    y = softmax(-z if name == "softmin" else z)
    delta = y * (g - (y * g).sum(1, keep=True))
    return (-delta if name == "softmin" else delta).stored()


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
            self.centred = x - mean
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
