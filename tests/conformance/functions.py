"""The activations as PyTorch has them, in double, and how errors pass through each. What lives here
is f, its kinks and the sizes of its derivatives; what a layer is, is network.py's.

Derivation. The daemon has z' with |z' - z| <= e_z, and PyTorch has y = f(z). By Taylor,

    |f(z') - f(z)|   <= |f'(z)| e_z + M e_z² / 2          M = sup |f''| between the kinks
    |f'(z') - f'(z)| <= M e_z

and where a kink lies within e_z of z, f may be on its other side: the jump of f, that of f' times
e_z, and for f' its jump are added. Where e_z is 0 nothing is added, so that at a kink the
convention itself is compared. To this come the errors of f and f' as worked out: none for those
that pass a number or do not (relu); two roundings for the other piecewise linear ones; 4 ulp (8 u)
for the smooth ones, and near their zeros 1e-7 (FP32), or a few units of double times the size of
the terms that cancel in PyTorch's own formula (FP64).

Softmax and its kin, with m the largest e_z of the row, p = softmax(z), s_i = max z - z_i:

    p_i'  is within p_i (e^(2 m) - 1 + (N + 8 + s_i) u) + the least normal number
                                     e^-s_i computed from a rounded s_i, 0 where it is subnormal
    log p_i' is within e_i + m + (N + 8) u (1 + |log p_i|)
    softmax:      δ_i = p_i (g_i - Σ p_j g_j), each factor and term with its error
    log_softmax:  δ_i = g_i - p_i Σ g_j, the same"""

import math

import torch
import torch.nn.functional as F

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def hardswish(z):
    """F.hardswish holds 1/6 as a float32; this is the same in double, with the f' that 2.14 has at
    the kinks (0 at -3, 1 at 3; versions.py has those of the versions before)."""
    return torch.where(z <= -3, z * 0, torch.where(z < 3, z * (z + 3) / 6, z))


def gelu_tanh(z):
    """F.gelu(approximate="tanh") but for its cube, which overflows far out."""
    far = z.abs() > 1e10
    return torch.where(far, F.relu(z), F.gelu(torch.where(far, z * 0, z), approximate="tanh"))


# name: f(z, p) with p its parameters, the defaults, M(p)
SMOOTH = {
    "exp": (lambda z, p: torch.exp(z), {}, None),
    "elu": (lambda z, p: F.elu(z, p["alpha"]), {"alpha": 1.0}, lambda p: abs(p["alpha"])),
    "celu": (lambda z, p: F.celu(z, p["alpha"]), {"alpha": 1.0}, lambda p: 1 / p["alpha"]),
    "selu": (lambda z, p: F.selu(z), {}, lambda p: 1.7581),
    "sigmoid": (lambda z, p: torch.sigmoid(z), {}, lambda p: 0.1),
    "log_sigmoid": (lambda z, p: F.logsigmoid(z), {}, lambda p: 0.25),
    "softplus": (lambda z, p: F.softplus(z, p["beta"], p["threshold"]),
                 {"beta": 1.0, "threshold": 20.0}, lambda p: p["beta"] / 4),
    "silu": (lambda z, p: F.silu(z), {}, lambda p: 0.5),
    "mish": (lambda z, p: F.mish(z), {}, lambda p: 1.0),
    "tanh": (lambda z, p: torch.tanh(z), {}, lambda p: 0.8),
    "tanhshrink": (lambda z, p: F.tanhshrink(z), {}, lambda p: 0.8),
    "softsign": (lambda z, p: F.softsign(z), {}, lambda p: 2.0),
    "snake": (lambda z, p: z + torch.sin(p["alpha"] * z) ** 2 / p["alpha"], {"alpha": 1.0},
              lambda p: 2 * p["alpha"]),
    "gelu": (lambda z, p: F.gelu(z), {}, lambda p: 0.8),
    "gelu_tanh": (lambda z, p: gelu_tanh(z), {}, lambda p: 1.2),
    "quick_gelu": (lambda z, p: z * torch.sigmoid(1.702 * z), {}, lambda p: 0.86),
    "hard_sigmoid": (lambda z, p: F.relu6(z + 3) / 6, {}, lambda p: 0.0),
    "hardswish": (lambda z, p: hardswish(z), {}, lambda p: 0.34),
    "squared_relu": (lambda z, p: F.relu(z) ** 2, {}, lambda p: 2.0),
}
LINEAR = {
    "identity": (lambda z, p: z * 1, {}),
    "relu": (lambda z, p: F.relu(z), {}), "relu6": (lambda z, p: F.relu6(z), {}),
    "leaky_relu": (lambda z, p: F.leaky_relu(z, p["negative_slope"]), {"negative_slope": 0.01}),
    "threshold": (lambda z, p: F.threshold(z, p["threshold"], p["value"]),
                  {"threshold": 0.0, "value": 0.0}),
    "hard_tanh": (lambda z, p: F.hardtanh(z, p["min_val"], p["max_val"]),
                  {"min_val": -1.0, "max_val": 1.0}),
    "softshrink": (lambda z, p: F.softshrink(z, p["lambda"]), {"lambda": 0.5}),
    "hardshrink": (lambda z, p: F.hardshrink(z, p["lambda"]), {"lambda": 0.5}),
    "prelu": (lambda z, p: F.prelu(z, p["slope"]), {}),
}
ROWS = {"softmax": lambda z: F.softmax(z, 1), "log_softmax": lambda z: F.log_softmax(z, 1),
        "softmin": lambda z: F.softmin(z, 1)}
EXACT = ("identity", "relu", "relu6", "threshold", "hard_tanh", "hardshrink")  # no rounding
NAMES = [*LINEAR, *SMOOTH, *ROWS]


def kinks(name, p):
    """The kinks of f: where, the jump of f, the jump of f'."""
    if name in ("leaky_relu", "prelu"):
        slope = p["slope"].detach() if name == "prelu" else p["negative_slope"]
        return [(0.0, 0.0, abs(1 - slope))]
    if name == "softplus":
        e = math.exp(-p["threshold"])
        return [(p["threshold"] / p["beta"], math.log1p(e) / p["beta"], e / (1 + e))]
    return {
        "relu": [(0.0, 0.0, 1.0)], "relu6": [(0.0, 0.0, 1.0), (6.0, 0.0, 1.0)],
        "threshold": [(p.get("threshold", 0),
                       abs(p.get("threshold", 0) - p.get("value", 0)), 1.0)],
        "hard_tanh": [(p.get("min_val", 0), 0.0, 1.0), (p.get("max_val", 0), 0.0, 1.0)],
        "softshrink": [(side * p.get("lambda", 0), 0.0, 1.0) for side in (1, -1)],
        "hardshrink": [(side * p.get("lambda", 0), abs(p.get("lambda", 0)), 1.0)
                       for side in (1, -1)],
        "elu": [(0.0, 0.0, abs(1 - p.get("alpha", 1)))],
        "selu": [(0.0, 0.0, SELU_SCALE * (SELU_ALPHA - 1))],
        "hard_sigmoid": [(side * 3.0, 0.0, 1 / 6) for side in (1, -1)],
        "hardswish": [(side * 3.0, 0.0, 0.5) for side in (1, -1)],
    }.get(name, [])


class Function:
    """An activation of a layer, as spelled there, in the numbers of a datatype."""

    def __init__(self, spelled, unit, slope=None):
        given = dict(spelled) if isinstance(spelled, dict) else {"name": spelled}
        self.name, self.unit = given.pop("name"), unit
        given.pop("slope", None)
        table = {**LINEAR, **SMOOTH}
        defaults = table[self.name][1] if self.name in table else {}
        self.parameters = {k: unit.round_number(v) for k, v in {**defaults, **given}.items()}
        if slope is not None:
            self.parameters["slope"] = slope
        self.is_matrix = self.name in ROWS

    def __call__(self, z):
        if self.is_matrix:
            return ROWS[self.name](z)
        return (LINEAR.get(self.name) or SMOOTH[self.name])[0](z, self.parameters)

    def derivative(self, z):
        """f'(z), PyTorch's, of one that is element-wise."""
        z = z.detach().requires_grad_()
        return torch.autograd.grad(self(z).sum(), z)[0]

    def _curvature(self, z, e_z):
        if self.name == "exp":
            return torch.exp(z + e_z)
        return SMOOTH[self.name][2](self.parameters) if self.name in SMOOTH else 0.0

    def _jumps(self, z, e_z):
        value, slope = torch.zeros_like(z), torch.zeros_like(z)
        for where, jump, jump_of_slope in kinks(self.name, self.parameters):
            near = ((z - where).abs() <= e_z) & (e_z > 0)
            value = value + near * jump
            slope = slope + near * jump_of_slope
        return value, slope

    def _own(self, z, value, of_slope):
        """The error of f or f' as worked out."""
        if self.name in EXACT:
            return torch.zeros_like(z)
        if self.name in LINEAR:
            return 2 * (self.unit.u * value.abs() + self.unit.eta)
        terms = torch.ones_like(z)
        if self.unit.name == "FP64":
            size = z.abs().clamp(max=40)
            cubic = self.name == "gelu_tanh" and of_slope
            terms = (1 + z.abs().clamp(max=10)) ** 3 if cubic else 1 + size
            if self.name == "snake":  # whose argument PyTorch rounds
                terms = 1 + (self.parameters["alpha"] * z).abs()
        return 8 * self.unit.u * value.abs() + self.unit.smooth * terms

    def value_error(self, z, e_z):
        """A bound for the error of y = f(z)."""
        if self.is_matrix:
            return self._row_value_error(z, e_z)
        y, slope = self(z).detach(), self.derivative(z)
        bound = slope.abs() * e_z + self._curvature(z, e_z) * e_z ** 2 / 2
        jump, jump_of_slope = self._jumps(z, e_z)
        bound = bound + jump + jump_of_slope * e_z + self._own(z, y, False)
        return bound if self.name in EXACT else self.unit.stored(y, bound)

    def delta_error(self, z, e_z, g, e_g):
        """A bound for the error of δ = g ⊙ f'(z), or Jᵀ g."""
        if self.is_matrix:
            return self._row_delta_error(z, e_z, g, e_g)
        slope = self.derivative(z)
        e_slope = (self._curvature(z, e_z) * e_z + self._jumps(z, e_z)[1]
                   + self._own(z, slope, True))
        bound = e_g * (slope.abs() + e_slope) + g.abs() * e_slope
        return bound if self.name in EXACT else self.unit.stored(g * slope, bound)

    def _row_parts(self, z, e_z):
        z = -z if self.name == "softmin" else z
        p = F.softmax(z, 1)
        worst = e_z.max(1, keepdim=True).values
        drop = z.max(1, keepdim=True).values - z
        units = (z.shape[1] + 8 + drop.clamp(max=1e4)) * self.unit.u
        return p, worst, p * (torch.expm1(2 * worst) + units) + self.unit.flushed, units

    def _row_value_error(self, z, e_z):
        p, worst, e_p, _ = self._row_parts(z, e_z)
        if self.name != "log_softmax":
            return self.unit.stored(p, e_p)
        y = F.log_softmax(z, 1)
        own = (z.shape[1] + 8) * self.unit.u * (1 + y.abs())
        return self.unit.stored(y, e_z + worst + own)

    def _row_delta_error(self, z, e_z, g, e_g):
        p, _, e_p, units = self._row_parts(z, e_z)
        if self.name == "log_softmax":
            sums = [t.abs().sum(1, keepdim=True) for t in (g, e_g)]
            terms = g.abs() + p * sums[0]
            bound = e_g + p * sums[1] + e_p * (sums[0] + sums[1])
        else:
            inner = (p * g).abs().sum(1, keepdim=True)
            terms = p * (g.abs() + inner)
            e_inner = (p * e_g + e_p * (g.abs() + e_g)).sum(1, keepdim=True)
            bound = (e_p * (g.abs() + e_g + inner + e_inner)) + p * (e_g + e_inner)
        return self.unit.stored(terms, bound + units * terms)
