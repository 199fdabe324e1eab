"""How far a right answer may be from the exact one: numbers that carry a bound of their own error.
What lives here is arithmetic on such numbers; which arithmetic a layer takes is in twin.py.

The model is running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd
ed., 3.1 to 3.3): every operation hands on the errors of its operands, by its partial derivatives
taken in absolute value, and adds what its own rounding does. u is the unit roundoff of what is
stored (2^-24 for FP32, 2^-53 for FP64), w = 2^-53 that of what the kernels work in.

    product of depth K    (K + 2) u |a| |b|, in whatever order it is summed, and |a| e_b + e_a |b|
    sum of n              n w Σ|x|
    + - * / √ exp ln      w |result| (2 w for exp and ln)
    stored                u |result|; and the smallest subnormal, as every operation
    f of an uncertain x   max |f(x ± e) - f(x)|: at a kink inside the interval that is its jump

So the bound of each quantity is a multiple of K u times the product of absolute values, propagated
through the network, without a factor that was tuned. Where a sum of absolute values goes beyond
the largest number of the datatype an intermediate result may overflow: the bound is infinite."""

import torch

WORK = 2.0 ** -53
UNITS = {"FP32": 2.0 ** -24, "FP64": WORK}
TINY = {"FP32": 2.0 ** -149, "FP64": 2.0 ** -1074}
LARGEST = {"FP32": (2 - 2.0 ** -23) * 2.0 ** 127, "FP64": (2 - 2.0 ** -52) * 2.0 ** 1023}
INFINITY = float("inf")


def finite_or_unbounded(error, *magnitudes, largest):
    """The error, infinite where it is not a number or where a magnitude is beyond the largest."""
    bad = torch.isnan(error)
    for magnitude in magnitudes:
        bad |= ~(magnitude.abs() + error <= largest)
    return torch.where(bad, torch.full_like(error, INFINITY), error)


class Rounding:
    """The unit roundoffs of one datatype. work=False: those of a program that stores and works in
    double, as the reference does."""

    def __init__(self, datatype):
        self.datatype = datatype
        self.unit, self.tiny = UNITS[datatype], TINY[datatype]
        self.largest = LARGEST[datatype]

    def exact(self, value):
        return Bounded(value, torch.zeros_like(value), self)


class Bounded:
    """A tensor of doubles and the bounds of their errors."""

    def __init__(self, value, error, rounding):
        self.value, self.error, self.rounding = value, error, rounding

    def _new(self, value, error, worked=1.0):
        error = error + worked * (WORK * value.abs() + TINY["FP64"])
        return Bounded(value, torch.where(torch.isnan(error), torch.full_like(error, INFINITY),
                                          error), self.rounding)

    def _other(self, other):
        if isinstance(other, Bounded):
            return other
        value = torch.as_tensor(other, dtype=torch.float64)
        return Bounded(value, torch.zeros_like(value), self.rounding)

    @property
    def shape(self):
        return self.value.shape

    def __getitem__(self, where):
        return Bounded(self.value[where], self.error[where], self.rounding)

    def reshape(self, *shape):
        return Bounded(self.value.reshape(*shape), self.error.reshape(*shape), self.rounding)

    def unsqueeze(self, axis):
        return Bounded(self.value.unsqueeze(axis), self.error.unsqueeze(axis), self.rounding)

    def t(self):
        return Bounded(self.value.t(), self.error.t(), self.rounding)

    def __neg__(self):
        return Bounded(-self.value, self.error, self.rounding)

    def __add__(self, other):
        other = self._other(other)
        return self._new(self.value + other.value, self.error + other.error)

    def __sub__(self, other):
        return self + -self._other(other)

    def __mul__(self, other):
        other = self._other(other)
        error = times(self.value.abs(), other.error) + times(self.error, other.value.abs()) \
            + times(self.error, other.error)
        return self._new(self.value * other.value, error)

    __radd__, __rmul__ = __add__, __mul__

    def inverse(self):
        """1 / x; unbounded where x may be 0."""
        left = self.value.abs() - self.error
        error = torch.where(left > 0, self.error / (self.value.abs() * left),
                            torch.full_like(left, INFINITY))
        return self._new(1 / self.value, error)

    def __truediv__(self, other):
        return self * self._other(other).inverse()

    def sum(self, axis, keep=False):
        """In any order, in double."""
        value = self.value.sum(axis, keepdim=keep)
        magnitude = (self.value.abs() + self.error).sum(axis, keepdim=keep)
        count = self.value.shape[axis] if self.value.dim() else 1
        return self._new(value, self.error.sum(axis, keepdim=keep) + count * WORK * magnitude)

    def stored(self):
        """Rounded to the datatype."""
        r = self.rounding
        error = self.error + r.unit * self.value.abs() + r.tiny
        return Bounded(self.value, finite_or_unbounded(error, self.value, largest=r.largest), r)

    def loosened(self, error):
        """With so much more error."""
        return Bounded(self.value, self.error + error, self.rounding)

    def spread(self, function):
        """max |f(x') - f(x)| over the ends of the interval of x, and its middles."""
        return spread(function, self.value, self.error)

    def apply(self, function, worked=1.0):
        """f of each number, with so many roundings of double in f."""
        return self._new(function(self.value), self.spread(function), worked)


def times(a, b):
    """a b for errors: 0 times infinity is 0, since an exact 0 stays one."""
    return torch.where((a == 0) | (b == 0), torch.zeros_like(a * b), a * b)


def spread(function, value, error):
    """How far f moves when its argument moves by up to error."""
    here = function(value)
    widest = torch.zeros_like(here)
    for part in (-1, -0.5, 0.5, 1):
        moved = (function(value + part * error) - here).abs()
        widest = torch.maximum(widest, moved)
    known = torch.where(error == 0, torch.zeros_like(widest), widest)
    return torch.where(torch.isnan(known) | ~torch.isfinite(error),
                       torch.where(error == 0, torch.zeros_like(known),
                                   torch.full_like(known, INFINITY)), known)


def product(a, b, extra=None):
    """a[m,K] b[K,n] (+ extra[n]) as a matrix product in the datatype makes it, in whatever order."""
    r = a.rounding
    value = a.value @ b.value
    size_a, size_b = a.value.abs() + a.error, b.value.abs() + b.error
    magnitude = matrix_times(size_a, size_b)
    error = matrix_times(a.value.abs(), b.error) + matrix_times(a.error, size_b)
    depth = a.value.shape[1]
    if extra is not None:
        value = value + extra.value
        magnitude = magnitude + extra.value.abs()
        error = error + extra.error
    error = error + (depth + 2) * (r.unit * magnitude + r.tiny)
    return Bounded(value, finite_or_unbounded(error, magnitude, largest=r.largest), r)


def matrix_times(a, b):
    """a b for sizes and errors, of which some may be infinite."""
    if torch.isfinite(a).all() and torch.isfinite(b).all():
        return a @ b
    return times(a.unsqueeze(2), b.unsqueeze(0)).sum(1)
