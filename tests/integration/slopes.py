"""The derivative of every activation, by an independent reading of the formulae in plain Python
doubles, and δ from it. Knows nothing of requests; shares no code with the library."""

import math
import struct

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def float32(value):
    """The nearest float32, as a double."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def sigmoid(z):
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    return math.exp(z) / (1 + math.exp(z))


def silu_slope(z):
    s = sigmoid(z)
    return s * (1 + z * (1 - s))


def gelu_slope(z):
    return 0.5 * math.erfc(-z / math.sqrt(2)) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def gelu_tanh_slope(z):
    c = math.sqrt(2 / math.pi)
    t = math.tanh(c * (z + 0.044715 * z ** 3))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z)


def mish_slope(z):
    t = math.tanh(max(z, 0) + math.log1p(math.exp(-abs(z))))
    return t + z * (1 - t * t) * sigmoid(z)


def hardswish_slope(z):
    if z <= -3:
        return 0.0
    return 1.0 if z >= 3 else (2 * z + 3) / 6


def softplus_slope(z, beta=1.0, threshold=20.0):
    return 1.0 if z * beta > threshold else sigmoid(beta * z)


def inside(z, low, high):
    return 1.0 if low < z < high else 0.0


def quick_gelu_slope(z):
    u = 1.702 * z
    return sigmoid(u) * (1 + u * sigmoid(-u))


def outside(z, bound):
    return 0.0 if -bound <= z <= bound else 1.0


def exponential_branch(z, below, steepness=1.0, above=1.0):
    return above if z > 0 else below * math.exp(z * steepness)


SLOPES = {
    "identity": lambda z: 1.0,
    "relu": lambda z: 1.0 if z > 0 else 0.0,
    "relu6": lambda z: inside(z, 0, 6),
    "leaky_relu": lambda z, negative_slope=0.01: 1.0 if z > 0 else float32(negative_slope),
    "threshold": lambda z, threshold=0, value=0: 1.0 if z > float32(threshold) else 0.0,
    "hard_tanh": lambda z, min_val=-1, max_val=1: inside(z, float32(min_val), float32(max_val)),
    "hard_sigmoid": lambda z: inside(z, -3, 3) / 6,
    "hardswish": hardswish_slope,
    "softshrink": lambda z, **parameters: outside(z, float32(parameters.get("lambda", 0.5))),
    "hardshrink": lambda z, **parameters: outside(z, float32(parameters.get("lambda", 0.5))),
    "squared_relu": lambda z: 2 * z if z > 0 else 0.0,
    "exp": lambda z: math.exp(min(z, 700)),
    "elu": lambda z, alpha=1.0: exponential_branch(z, float32(alpha)),
    "celu": lambda z, alpha=1.0: exponential_branch(z, 1.0, 1 / float32(alpha)),
    "selu": lambda z: exponential_branch(z, SELU_SCALE * SELU_ALPHA, above=SELU_SCALE),
    "sigmoid": lambda z: sigmoid(z) * sigmoid(-z),
    "log_sigmoid": lambda z: sigmoid(-z),
    "softplus": softplus_slope,
    "silu": silu_slope,
    "mish": mish_slope,
    "tanh": lambda z: 1 - math.tanh(z) ** 2 if abs(z) < 1 else 4 * sigmoid(2 * z) * sigmoid(-2 * z),
    "tanhshrink": lambda z: math.tanh(z) ** 2,
    "softsign": lambda z: (1 + abs(z)) ** -2,
    "snake": lambda z, alpha=1.0: 1 + math.sin(2 * float32(alpha) * z),
    "gelu": gelu_slope,
    "gelu_tanh": gelu_tanh_slope,
    "quick_gelu": quick_gelu_slope,
}


def softmax_of(z):
    e = [math.exp(v - max(z)) for v in z]
    return [v / math.fsum(e) for v in e]


def softmax_delta(z, g):
    y = softmax_of(z)
    inner = math.fsum(a * b for a, b in zip(y, g))
    return [a * (b - inner) for a, b in zip(y, g)]


def softmin_delta(z, g):
    return [-d for d in softmax_delta([-v for v in z], g)]


def log_softmax_delta(z, g):
    return [b - a * math.fsum(g) for a, b in zip(softmax_of(z), g)]


ROW_DELTAS = {"softmax": softmax_delta, "softmin": softmin_delta, "log_softmax": log_softmax_delta}


def delta_of(activation, z, g):
    """δ of every sample: rows of z and ∂L/∂y."""
    name, parameters = activation, {}
    if isinstance(activation, dict):
        parameters = {k: v for k, v in activation.items() if k != "name"}
        name = activation["name"]
    if name in ROW_DELTAS:
        return [ROW_DELTAS[name](zr, gr) for zr, gr in zip(z, g)]
    slope = SLOPES[name]
    return [[gv * slope(zv, **parameters) for zv, gv in zip(zr, gr)] for zr, gr in zip(z, g)]
