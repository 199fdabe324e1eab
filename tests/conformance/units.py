"""What a datatype is, for the tests that compare with PyTorch: its unit of rounding, its smallest
and its largest number, and how an error bound grows when a result is stored. No mathematics of
layers lives here.

An answer is compared with a reference that PyTorch works out in double. Beside every value v of the
reference stands e, a bound for how far the daemon's may be from it. Storing adds u (|v| + e), one
rounding of what may be as large as that, and eta (a subnormal's); a value that may have overflowed
on the way has no bound."""

import math

import torch

DOUBLE = 2.0 ** -53
# Both sides work out losses and norms in double, a dozen operations each.
BOTH = 32 * DOUBLE


class Unit:
    """u, eta and the largest number of a datatype; smooth, the absolute error that an element of a
    smooth f or f' may have beside its relative one; flushed, below which an exponential may come
    out as 0."""

    def __init__(self, name, digits, smallest, largest, smooth, flushed):
        self.name, self.u, self.eta = name, 2.0 ** -digits, smallest
        self.epsilon = torch.finfo(torch.float32 if name == "FP32" else torch.float64).eps
        self.flushed = flushed
        self.largest, self.smooth = largest, smooth

    def round(self, tensor):
        """The numbers that the datatype has for these."""
        return tensor.float().double() if self.name == "FP32" else tensor.double()

    def round_number(self, value):
        return float(self.round(torch.tensor(value, dtype=torch.float64)))

    def stored(self, value, error, roundings=1):
        """The bound behind that many roundings; infinite where the number may have overflowed."""
        error = error + roundings * (self.u * (value.abs() + error) + self.eta)
        beyond = ~(value.abs() + error <= self.largest)
        return torch.where(beyond, torch.full_like(error, math.inf), error)

    def product(self, error, magnitude, depth):
        """The bound of sums of depth products, |terms| summing to magnitude: Higham, Accuracy and
        Stability of Numerical Algorithms, 3.5; a product below the normal numbers loses eta."""
        return error + (depth + 4) * (self.u * magnitude + self.eta)


FP32 = Unit("FP32", 24, 2.0 ** -149, 3.4028234663852886e38, 1e-7, 2.0 ** -126)
# The reference's own errors are of the size of the daemon's: the unit counts for both.
FP64 = Unit("FP64", 52, 2.0 ** -1073, 1.7976931348623157e308, 64 * DOUBLE,
            math.exp(-708))
UNITS = {"FP32": FP32, "FP64": FP64}
