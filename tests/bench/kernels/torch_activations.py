#!/usr/bin/python3
"""Times PyTorch on the activations, one thread, float32: the forward call, autograd's backward
alone, and both, which is what a user pays who has z and wants the gradient. Prints one JSON object,
nanoseconds an element by name. Before that it compares what the benchmark in C wrote into SAMPLE
with autograd in double: a wrong formula stops it; accuracy is the unit tests' business. NAMES are
the activations of SAMPLE in their order, with commas.

    tests/bench/kernels/torch_activations.py ELEMENTS SECONDS SAMPLE NAMES"""

import array
import json
import sys
import time

import torch
import torch.nn.functional as F

FEATURES = 250  # of a sample, for those over the features

SAMPLE_SHAPE = (64, 256)
TOLERANCE = 2e-6  # some units of float32, relative to what is larger than 1

ACTIVATIONS = {
    "identity": lambda z: z.clone(), "prelu": lambda z: F.prelu(z, z.new_tensor([0.25])),
    "relu": F.relu, "relu6": F.relu6, "leaky_relu": F.leaky_relu,
    "threshold": lambda z: F.threshold(z, 0.0, 0.0), "hard_tanh": F.hardtanh,
    "hard_sigmoid": F.hardsigmoid, "hardswish": F.hardswish, "softshrink": F.softshrink,
    "hardshrink": F.hardshrink, "squared_relu": lambda z: F.relu(z) ** 2,
    "exp": torch.exp, "elu": F.elu, "celu": F.celu, "selu": F.selu,
    "sigmoid": torch.sigmoid, "log_sigmoid": F.logsigmoid, "softplus": F.softplus,
    "silu": F.silu, "mish": F.mish, "tanh": torch.tanh, "tanhshrink": F.tanhshrink,
    "softsign": F.softsign, "snake": lambda z: z + torch.sin(z) ** 2, "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "quick_gelu": lambda z: z * torch.sigmoid(1.702 * z),
    "softmax": lambda z: F.softmax(z, dim=1), "log_softmax": lambda z: F.log_softmax(z, dim=1),
    "softmin": lambda z: F.softmin(z, dim=1),
}


CALLS = 4  # of a sample: the kernel's account of a thread's time has steps


def best(work, seconds):
    """CPU seconds of one call, the best of at least three samples."""
    least, begin, count = float("inf"), time.thread_time(), 0
    while count < 3 or time.thread_time() - begin < seconds:
        before = time.thread_time()
        for _ in range(CALLS):
            work()
        least, count = min(least, (time.thread_time() - before) / CALLS), count + 1
    return least


def check(name, way, found, expected):
    error = ((found.double() - expected).abs() / expected.abs().clamp(min=1)).max().item()
    if not error <= TOLERANCE:
        sys.exit("%s %s differs from PyTorch's by %g" % (name, way, error))


def check_sample(path, names):
    numbers = array.array("f")
    with open(path, "rb") as file:
        numbers.frombytes(file.read())
    arrays = torch.tensor(numbers).reshape(-1, *SAMPLE_SHAPE)
    if len(arrays) != 2 + 2 * len(names):
        sys.exit("the sample holds %d arrays" % len(arrays))
    z, dy = arrays[0].double().requires_grad_(), arrays[1].double()
    for name, found_y, found_dz in zip(names, arrays[2::2], arrays[3::2]):
        y = ACTIVATIONS[name](z)
        check(name, "forward", found_y, y.detach())
        check(name, "backward", found_dz, torch.autograd.grad(y, z, dy)[0])


def main():
    elements, seconds = int(sys.argv[1]), float(sys.argv[2])
    check_sample(sys.argv[3], sys.argv[4].split(","))
    torch.set_num_threads(1)
    torch.manual_seed(1)
    z = (torch.rand(elements // FEATURES, FEATURES) * 8 - 4).requires_grad_()
    dy = torch.rand(elements // FEATURES, FEATURES) * 8 - 4
    times = {}
    for name, function in ACTIVATIONS.items():
        y = function(z)
        times[name] = {
            "forward_ns": best(lambda f=function: f(z), seconds) * 1e9 / elements,
            "backward_ns": best(lambda y=y: torch.autograd.grad(y, z, dy, retain_graph=True),
                                seconds) * 1e9 / elements,
            "both_ns": best(lambda f=function: torch.autograd.grad(f(z), z, dy),
                            seconds) * 1e9 / elements}
    print(json.dumps(times))


if __name__ == "__main__":
    main()
