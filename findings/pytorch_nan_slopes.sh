#!/bin/sh
# PyTorch: the gradient at a NaN is 1, 0 or NaN by function and by the element's place in the tensor
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing), x86-64, all the same.
# Guessed: NaN wherever f is NaN, or at least one answer for a function.
# Seen, of 37 elements that are NaN (f is NaN in all, but for softshrink's 0 in 1.13): relu 1,
# leaky_relu its slope; relu6, hardtanh, hardshrink and softshrink 0 in some elements and 1 in the
# others; elu, celu and hardswish NaN in some and 1 in the others; gelu NaN. So a NaN in front of a
# relu does not show in the gradients.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import math
import torch
import torch.nn.functional as F
for f in (F.relu, F.leaky_relu, F.relu6, F.hardtanh, F.hardshrink, F.softshrink, F.elu, F.celu,
          F.hardswish, F.gelu):
    x = torch.full((37,), math.nan, dtype=torch.float64, requires_grad=True)
    f(x).sum().backward()
    print(f.__name__, *sorted({"%g" % v for v in x.grad.tolist()}))
PY
expected='relu 1
leaky_relu 0.01
relu6 0 1
hardtanh 0 1
hardshrink 0 1
softshrink 0 1
elu 1 nan
celu 1 nan
hardswish 1 nan
gelu nan'
verdict "$expected" "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: slopes at NaN differ by function, and by place for seven of ten"
