"""Every activation as PyTorch has it, in double, and how accurate f and f' have to be.
What lives here is one table; prelu, whose slope is a tensor, is a function of two arguments.

The demand on a float32 f' is 4 ulp of the right value wherever that is normal, or 1e-7 near a zero
of f' (issue: every gradient). An ulp is at most two units roundoff, so that is 8 u |f'|. The pieces
of straight lines have no error but the rounding of what is stored. In FP64 both sides work in
double: 16 w |f'| for the daemon's few roundings, and the same for PyTorch's, whose terms can be
larger than their difference (growth)."""

import functools

import torch
import torch.nn.functional as F

import tensors
from bounds import WORK

SMALLEST_NORMAL = {"FP32": 2.0 ** -126, "FP64": 2.0 ** -1022}
VECTOR = 32  # PyTorch computes whole vectors of doubles by its vector code, the rest by another


def hard_sigmoid(z):
    """F.hardsigmoid has 1/6 as a float32 even in double: this is its definition."""
    return torch.where(z >= 3, torch.ones_like(z), F.relu(z + 3).clamp(max=6) / 6)


def shrink(function):
    return lambda z, **p: function(z, p.get("lambda", 0.5))


ELEMENT_WISE = {
    "identity": lambda z: z * 1, "relu": F.relu, "relu6": F.relu6,
    "leaky_relu": lambda z, negative_slope=0.01: F.leaky_relu(z, negative_slope),
    "threshold": lambda z, threshold=0.0, value=0.0: F.threshold(z, threshold, value),
    "hard_tanh": F.hardtanh, "hard_sigmoid": hard_sigmoid, "hardswish": F.hardswish,
    "softshrink": shrink(F.softshrink), "hardshrink": shrink(F.hardshrink),
    "exp": torch.exp, "elu": F.elu, "celu": F.celu, "selu": F.selu, "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid, "softplus": F.softplus, "silu": F.silu, "mish": F.mish,
    "tanh": torch.tanh, "tanhshrink": F.tanhshrink, "softsign": F.softsign, "gelu": F.gelu,
    "gelu_tanh": functools.partial(F.gelu, approximate="tanh"),
}
ROWS = {"softmax": F.softmax, "log_softmax": F.log_softmax, "softmin": F.softmin}
NAMES = sorted([*ELEMENT_WISE, *ROWS, "prelu"])

# f and f' are straight lines: nothing is rounded but the result.
EXACT = {"identity", "relu", "relu6", "leaky_relu", "prelu", "threshold", "hard_tanh",
         "softshrink", "hardshrink"}
# Where f' goes through 0, and f where it does so without a straight line beside it.
SLOPE_ZEROS = {"hardswish": (-1.5,), "silu": (-1.2784645,), "mish": (-1.1924312,),
               "gelu": (-0.7517915,), "gelu_tanh": (-0.7524614,), "tanhshrink": (0.0,)}
VALUE_ZEROS = {"tanhshrink"}
KINKS = {"relu": (0,), "relu6": (0, 6), "leaky_relu": (0,), "prelu": (0,), "threshold": (0,),
         "hard_tanh": (-1, 1), "hard_sigmoid": (-3, 3), "hardswish": (-3, 3),
         "softshrink": (-0.5, 0.5), "hardshrink": (-0.5, 0.5), "elu": (0,), "celu": (0,),
         "selu": (0,), "softplus": (20,)}
OTHER_PARAMETERS = (
    ("leaky_relu", {"negative_slope": 0.2}), ("leaky_relu", {"negative_slope": -1.5}),
    ("threshold", {"threshold": 0.5, "value": 20}), ("threshold", {"threshold": -2, "value": -7}),
    ("hard_tanh", {"min_val": -0.25, "max_val": 3}), ("softshrink", {"lambda": 1.25}),
    ("hardshrink", {"lambda": 0}), ("elu", {"alpha": 0.3}), ("celu", {"alpha": 2.5}),
    ("celu", {"alpha": 0.125}), ("softplus", {"beta": 2, "threshold": 3}),
    ("softplus", {"beta": 0.25}), ("prelu", {"slope": 0.1}), ("prelu", {"slope": -0.5}))


def read(activation, datatype):
    """(name, parameters as computed with) of a layer's "activation"; prelu's slope is left out."""
    members = dict(activation) if isinstance(activation, dict) else {"name": activation}
    name = members.pop("name")
    if name == "prelu":
        return name, {}
    if name == "leaky_relu":
        members.setdefault("negative_slope", 0.01)
    return name, {k: tensors.parameter(v, datatype) for k, v in members.items()}


def whole_vectors(function):
    """The function over a tensor, padded so that only PyTorch's vector code sees its numbers."""
    def padded(z):
        flat = z.reshape(-1)
        rest = -flat.numel() % (2 * VECTOR)
        return function(F.pad(flat, (0, rest)))[:flat.numel()].reshape(z.shape)
    return padded


def function_of(name, parameters):
    """f of rows of z, differentiable."""
    if name in ROWS:
        return functools.partial(ROWS[name], dim=1)
    return whole_vectors(functools.partial(ELEMENT_WISE[name], **parameters))


def slope_function(function):
    """f' of an element-wise f, by PyTorch's autograd."""
    def slope(z):
        leaf = z.detach().clone().requires_grad_(True)
        function(leaf).sum().backward()
        return leaf.grad
    return slope


def near_slope_zero(name, z):
    near = torch.zeros_like(z, dtype=torch.bool)
    for zero in SLOPE_ZEROS.get(name, ()):
        near |= (z - zero).abs() < 0.5
    return near


def growth(name, z, result):
    """By how much the terms of PyTorch's formulae are above 1, or above their result."""
    if name == "exp":
        return result.abs()
    if name == "gelu_tanh":
        return (1 + z.abs().clamp(max=10)) ** 3  # the derivative of a cubic, times 1 - tanh²
    if name == "softsign":
        return 1 / (1 + z.abs())  # 1 / (1 + |z|) - |z| / (1 + |z|)²
    return torch.ones_like(z)


def slope_noise(name, datatype, z, slope):
    """How far a computed f' may be from the right one."""
    if name in EXACT:
        return torch.zeros_like(z)
    oracle = 16 * WORK * growth(name, z, slope)
    if datatype == "FP64":
        return oracle + 16 * WORK * slope.abs() + 16 * WORK * near_slope_zero(name, z)
    ulps = 8 * 2.0 ** -24 * slope.abs()
    near = torch.where(near_slope_zero(name, z), ulps.clamp(min=1e-7), ulps)
    subnormal = slope.abs() < SMALLEST_NORMAL[datatype]
    return oracle + torch.where(subnormal, torch.full_like(z, SMALLEST_NORMAL[datatype]), near)


def value_noise(name, datatype, z, value):
    """The same of f: 4 ulp, or 1e-7 where f goes through 0 by a cancellation."""
    if name in EXACT:
        return torch.zeros_like(z)
    oracle = 16 * WORK * (growth(name, z, value) + value.abs() + z.abs().clamp(max=1))
    if datatype == "FP64":
        return oracle
    ulps = 8 * 2.0 ** -24 * value.abs()
    near = ulps.clamp(min=1e-7) if name in VALUE_ZEROS else ulps
    subnormal = value.abs() < SMALLEST_NORMAL[datatype]
    return oracle + torch.where(subnormal, torch.full_like(z, SMALLEST_NORMAL[datatype]), near)
