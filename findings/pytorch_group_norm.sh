#!/bin/sh
# PyTorch: group_norm of a tensor in channels_last loses the variance of numbers far from 0
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing), x86-64, all the same.
# Guessed: a tensor's layout is no part of its value, and both layouts take the mean off first, as
# layer_norm, batch_norm and instance_norm do.
# Seen, of the numbers mean + 0, 1, 2, 3, 4 in float: the largest |y| is 1.434 in both layouts at a
# mean of 100; at 1000 it is 1.558 in channels_last, at 10000 0.41, and the gradients are wrong by
# the same factor. There the variance is the mean of squares less the square of the mean, which is
# only rounding by then: where that comes out as 0, y is too large by 1 / sqrt(1e-5) = 316 times
# the deviation. Without channels_last y is right.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import torch
import torch.nn.functional as F


def largest(x):
    """The largest |y| and |dx|, which the mean does not change."""
    x = x.clone().requires_grad_()
    y = F.group_norm(x, 2)
    y.backward(steps % 3)
    return torch.stack([y.detach().abs().max(), x.grad.abs().max()])


steps = torch.arange(256.0).reshape(1, 4, 8, 8)
right = largest(steps % 5)
for mean in (100, 1000, 10000):
    x = mean + steps % 5
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, last)
    errors = [(largest(v) / right - 1).abs().max().item() for v in (x, last)]
    print(mean, *("right" if error < 0.05 else "off by 0.05 or more" for error in errors), sep=", ")
PY
verdict '100, right, right
1000, right, off by 0.05 or more
10000, right, off by 0.05 or more' "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: group_norm in channels_last is wrong where mean / deviation is 700 or more"
