#!/usr/bin/python3
"""Times PyTorch on the activations, one thread, float32: the forward call, and autograd's backward
alone. Prints one JSON object, nanoseconds an element by name. Whether the answers agree is the
business of tests/conformance.

    tests/bench/kernels/torch_activations.py ELEMENTS SECONDS"""

import json
import sys
import time

import torch
import torch.nn.functional as F

FEATURES = 250  # of a sample, for those over the features

ACTIVATIONS = {
    "relu": F.relu, "relu6": F.relu6, "leaky_relu": F.leaky_relu,
    "threshold": lambda z: F.threshold(z, 0.0, 0.0), "hard_tanh": F.hardtanh,
    "hard_sigmoid": F.hardsigmoid, "hardswish": F.hardswish, "softshrink": F.softshrink,
    "hardshrink": F.hardshrink, "exp": torch.exp, "elu": F.elu, "celu": F.celu, "selu": F.selu,
    "sigmoid": torch.sigmoid, "log_sigmoid": F.logsigmoid, "softplus": F.softplus,
    "silu": F.silu, "mish": F.mish, "tanh": torch.tanh, "tanhshrink": F.tanhshrink,
    "softsign": F.softsign, "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
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


def main():
    elements, seconds = int(sys.argv[1]), float(sys.argv[2])
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
                                seconds) * 1e9 / elements}
    print(json.dumps(times))


if __name__ == "__main__":
    main()
