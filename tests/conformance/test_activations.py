#!/usr/bin/python3
"""Every activation against PyTorch's: δ through `gradient compute --local`, f through the shared
library. PyTorch computes in double, on the float32 that our side gets; at kinks it is its
convention that is compared. Prints the comparisons of each activation, then how many cases passed.

    tests/conformance/test_activations.py BUILD [ROUNDS]

The tolerances are what the library promises: 4 units in the last place (8 u) of f and of f'
wherever they are normal float32 numbers, and one rounding of their product with ∂L/∂y; 1e-7 beside
a zero of f'; what is subnormal may come out as 0. In a row of N that spreads over s, N + 8 + s
roundings of its sum and its exponentials. To this comes what PyTorch's own formula loses in double
where its terms cancel."""

import ctypes
import functools
import json
import math
import pathlib
import random
import struct
import subprocess
import sys

import torch
import torch.nn.functional as F

FLOAT_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
UNIT, UNIT_DOUBLE = 2.0 ** -24, 2.0 ** -53
ULPS = 4 * 2 * UNIT
NORMAL_MIN = 2.0 ** -126
CROSSING = ("silu", "mish", "gelu", "gelu_tanh", "quick_gelu", "hardswish")  # f' crosses 0
PACK = 16  # each number stands that often in a row: PyTorch's vector code reads whole vectors
SEED = 3


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def neighbours(*values):
    """The values and the float32 beside each."""
    tensor = torch.tensor(values, dtype=torch.float32)
    both = [torch.nextafter(tensor, tensor + side) for side in (1, -1)]
    return sorted({v for t in (tensor, *both) for v in t.tolist()})


def hardswish(z):
    """F.hardswish, but for f' at -3, which is 0 since PyTorch 2.14 and was -1/2."""
    return torch.where(z == -3, z * 0, F.hardswish(z))


def snake(z, alpha=1.0):
    """Its f' is 1 + sin(2 alpha z), but PyTorch rounds the product; and 2 alpha z is exact here."""
    return z + torch.sin(alpha * z) ** 2 / alpha


# name: PyTorch's function, its kinks with the default parameters
ELEMENT_WISE = {
    "identity": (lambda z: z * 1, ()),
    "relu": (F.relu, (0,)), "relu6": (F.relu6, (0, 6)),
    "leaky_relu": (lambda z, negative_slope=float32(0.01): F.leaky_relu(z, negative_slope), (0,)),
    "prelu": (lambda z, slope=0.25: F.prelu(z, z.new_tensor([slope])), (0,)),
    "threshold": (lambda z, threshold=0.0, value=0.0: F.threshold(z, threshold, value), (0,)),
    "hard_tanh": (F.hardtanh, (-1, 1)),
    "hard_sigmoid": (F.hardsigmoid, (-3, 3)), "hardswish": (hardswish, (-3, 3)),
    "softshrink": (lambda z, **p: F.softshrink(z, p.get("lambda", 0.5)), (-0.5, 0.5)),
    "hardshrink": (lambda z, **p: F.hardshrink(z, p.get("lambda", 0.5)), (-0.5, 0.5)),
    "squared_relu": (lambda z: F.relu(z) ** 2, (0,)),
    "exp": (torch.exp, ()), "elu": (F.elu, (0,)), "celu": (F.celu, (0,)), "selu": (F.selu, (0,)),
    "sigmoid": (torch.sigmoid, ()), "log_sigmoid": (F.logsigmoid, ()),
    "softplus": (F.softplus, (1.5, 20)), "silu": (F.silu, ()), "mish": (F.mish, ()),
    "tanh": (torch.tanh, ()), "tanhshrink": (F.tanhshrink, ()), "softsign": (F.softsign, ()),
    "snake": (snake, ()),
    "gelu": (F.gelu, ()), "gelu_tanh": (functools.partial(F.gelu, approximate="tanh"), ()),
    "quick_gelu": (lambda z: z * torch.sigmoid(1.702 * z), ()),
}
ROWS = {"softmax": F.softmax, "log_softmax": F.log_softmax, "softmin": F.softmin}
OTHER_PARAMETERS = (
    ("leaky_relu", {"negative_slope": 0.2}), ("leaky_relu", {"negative_slope": -1.5}),
    ("prelu", {"slope": -0.375}),
    ("threshold", {"threshold": 0.5, "value": 20}), ("threshold", {"threshold": -2, "value": -7}),
    ("hard_tanh", {"min_val": -0.25, "max_val": 3}), ("softshrink", {"lambda": 1.25}),
    ("hardshrink", {"lambda": 0}), ("elu", {"alpha": 0.3}), ("celu", {"alpha": 2.5}),
    ("celu", {"alpha": 0.125}), ("softplus", {"beta": 2, "threshold": 3}),
    ("softplus", {"beta": 0.25}),
    ("snake", {"alpha": 0.3}), ("snake", {"alpha": 11}))
EXTREMES = (0.0, 2.0 ** -149, 1e-40, 2.0 ** -126, 1e-20, 1e-7, 1e-3, 0.0625, 0.75179, 1.1924, 1.278,
            2, 5, 9.5, 13, 17, 20, 36, 50, 87.3, 88.72, 89, 104, 150, 1e4, 1e10, 1e19, 3e38)


class Case:
    """One layer of a batch of one: z, ∂L/∂y, and what PyTorch says."""

    def __init__(self, name, parameters, z, dy):
        self.name, self.dy = name, [float32(v) for v in dy]
        self.z = [float32(v) for v in z]
        self.parameters = {k: float32(v) for k, v in parameters.items()}
        function = ELEMENT_WISE[name][0] if name in ELEMENT_WISE else functools.partial(
            ROWS[name], dim=0)
        tensor = torch.tensor(self.z, dtype=torch.float64, requires_grad=True)
        y = function(tensor, **self.parameters)
        y.backward(torch.tensor(self.dy, dtype=torch.float64))
        self.value, self.delta = y.tolist(), tensor.grad.tolist()

    def layer(self):
        return {"activation": {"name": self.name, **self.parameters}, "input": [1],
                "pre_activation": [spelled(v) for v in self.z],
                "grad_output": [spelled(v) for v in self.dy]}

    def tolerances(self):
        """Of y and of δ, a number each."""
        if self.name in ROWS:
            return self.row_tolerances()
        return ([ULPS * abs(y) + 8 * UNIT_DOUBLE * (abs(z) + 1) + NORMAL_MIN
                 for y, z in zip(self.value, self.z)],
                [(ULPS + 1.1 * UNIT) * abs(d) + abs(g) * self.slope_tolerance(z, d, g) + 2.0 ** -149
                 for d, g, z in zip(self.delta, self.dy, self.z)])

    def slope_tolerance(self, z, d, g):
        """What f' may be off by beside its ulps: PyTorch's own in double, the subnormal numbers,
        and 1e-7 near a zero of it."""
        near_zero = self.name in CROSSING and abs(d) < abs(g) / 2
        return 8 * UNIT_DOUBLE * self.growth(z) + NORMAL_MIN + (1e-7 if near_zero else 0)

    def growth(self, z):
        """By how much the terms of PyTorch's f' are above 1, or its constants short of double."""
        if self.name == "exp":
            return math.exp(min(z, 700))
        if self.name == "hard_sigmoid":
            return UNIT / UNIT_DOUBLE / 8  # 1 / 6 as a float32
        if self.name == "gelu_tanh":
            return (1 + min(abs(z), 10)) ** 3  # the derivative of a cubic, times 1 - tanh²
        return 1

    def row_tolerances(self):
        y = [math.exp(v) for v in self.value] if self.name == "log_softmax" else self.value
        inner = sum(abs(a * g) for a, g in zip(y, self.dy))
        total = sum(map(abs, self.dy))
        spread = max(self.z) - min(self.z)
        units = (len(y) + 8 + min(spread, 110)) * UNIT + 8 * UNIT_DOUBLE * (len(y) + spread)
        if self.name == "log_softmax":
            return ([units * (1 + abs(v)) + 8 * UNIT_DOUBLE * (spread + len(y))
                     for v in self.value],
                    [units * (abs(g) + a * total) + NORMAL_MIN * (1 + total)
                     for a, g in zip(y, self.dy)])
        return ([units * a + NORMAL_MIN for a in y],
                [(units * a + NORMAL_MIN) * (abs(g) + inner) + 2.0 ** -149
                 for a, g in zip(y, self.dy)])


def spelled(value):
    """A float32 as JSON has it under non_finite: allow."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def agrees(found, expected, tolerance):
    if math.isnan(expected):
        return math.isnan(found)
    if abs(expected) > FLOAT_MAX * (1 + UNIT / 2):
        return found == math.copysign(math.inf, expected)
    return abs(found - expected) <= tolerance


def element_wise_cases(generator, rounds):
    defaults = [(name, {}) for name in ELEMENT_WISE]
    for name, parameters in defaults + list(OTHER_PARAMETERS):
        kinks = [float32(v) for v in parameters.values()] + list(ELEMENT_WISE[name][1])
        special = neighbours(*kinks, *(-k for k in kinks)) if kinks else []
        special += [sign * v for v in EXTREMES for sign in (1, -1)]
        packed = [v for v in special for _ in range(PACK)]
        for dy in (1, -0.3, 1e-30, 1e30):
            yield Case(name, parameters, packed, [dy] * len(packed))
        for i in range(rounds):
            scale, size = (1e-3, 1, 10, 100)[i % 4], 509
            yield Case(name, parameters, [generator.gauss(0, scale) for _ in range(size)],
                       [generator.gauss(0, 1) for _ in range(size)])
            bits = [struct.unpack("<f", generator.getrandbits(32).to_bytes(4, "little"))[0]
                    for _ in range(size)]
            yield Case(name, parameters, [b for b in bits if math.isfinite(b)],
                       [1 for b in bits if math.isfinite(b)])


def row_cases(generator, rounds):
    for name in ROWS:
        for i in range(rounds):
            for N in (1, 2, 3, 7, 10, 64, 127, 513):
                scale = (1e-3, 1, 10, 100)[i % 4]
                yield Case(name, {}, [generator.gauss(0, scale) for _ in range(N)],
                           [generator.gauss(0, 1) for _ in range(N)])
        for z in ([0.0] * 5, [88, -88, 0, 1e4], [-1e30, 3e38, 0], [1e-40, -0.0, 2.0 ** -149]):
            yield Case(name, {}, z, [generator.gauss(0, 1) for _ in z])


class Activation(ctypes.Structure):
    """grad_activation of lib/gradient.h."""
    _fields_ = [("kind", ctypes.c_int), ("parameters", ctypes.c_double * 2)]


def forward(library, case):
    """f through the library: the parameters come in the order of case's, those of the table."""
    info = library.grad_activation_find(case.name.encode())
    f = library.grad_activation_default(ctypes.cast(info, ctypes.POINTER(ctypes.c_int))[0])
    names = {"max_val": 1, "value": 1, "threshold": 1 if case.name == "softplus" else 0}
    for name, value in case.parameters.items():
        f.parameters[names.get(name, 0)] = value
    array = ctypes.c_float * len(case.z)
    y = array()
    library.grad_activation_forward(ctypes.byref(f), 1, len(case.z), array(*case.z), y)
    return list(y)


def backward(build, cases):
    document = {"outputs": ["bias_delta"], "non_finite": "allow",
                "layers": [case.layer() for case in cases]}
    answer = subprocess.run([build / "gradient", "compute", "--local", "-"], check=True,
                            input=json.dumps(document).encode(), stdout=subprocess.PIPE).stdout
    for layer in json.loads(answer)["layers"]:
        yield [float32(float(v)) for v in layer["bias_delta"]]


def differences(case, what, found, expected, tolerances):
    for i, row in enumerate(zip(found, expected, tolerances)):
        if not agrees(*row):
            yield "%s %s %s: z = %r, dy = %r: found %r, PyTorch has %r" % (
                case.name, case.parameters or "", what, case.z[i], case.dy[i], row[0], row[1])


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    library = ctypes.CDLL(str(next(build.glob("libgradient.so.*"))))
    library.grad_activation_find.restype = ctypes.c_void_p
    library.grad_activation_default.restype = Activation
    library.grad_activation_forward.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t,
                                                ctypes.c_void_p, ctypes.c_void_p]
    generator = random.Random(SEED)
    cases = [*element_wise_cases(generator, rounds), *row_cases(generator, rounds)]
    counts, wrong, failed = {}, 0, 0
    for start in range(0, len(cases), 32):
        some = cases[start:start + 32]
        for case, delta in zip(some, backward(build, some)):
            value_tolerance, delta_tolerance = case.tolerances()
            problems = [*differences(case, "f", forward(library, case), case.value,
                                     value_tolerance),
                        *differences(case, "delta", delta, case.delta, delta_tolerance)]
            counts[case.name] = counts.get(case.name, 0) + 2 * len(case.z)
            wrong += len(problems)
            failed += bool(problems)
            print("".join(p + "\n" for p in problems[:5]), end="")
    for name, count in counts.items():
        print("%-12s %7d comparisons" % (name, count))
    print("%d comparisons, %d wrong; of %d cases" % (sum(counts.values()), wrong, len(cases)))
    print("%d passed, %d failed" % (len(cases) - failed, failed))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
