#!/bin/sh
# PyTorch: silu, mish, gelu and hardswish of -infinity are NaN, and softsign of either infinity
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing), x86-64, all the same.
# Guessed: their limits, 0 and 1, as sigmoid, tanh and softplus have them.
# Seen: NaN; and the gradients of silu, mish and gelu are NaN at +infinity too, where f itself is
# infinite. A mask of -infinity in front of such a layer makes NaN of what it touches.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import math
import torch
import torch.nn.functional as F
for f in (torch.sigmoid, F.softplus, F.softsign, F.silu, F.mish, F.gelu, F.hardswish):
    x = torch.tensor([-math.inf, math.inf], dtype=torch.float64, requires_grad=True)
    y = f(x)
    y.sum().backward()
    print(f.__name__, *("%g" % (v + 0.0) for v in (*y.tolist(), *x.grad.tolist())))
PY
expected='sigmoid 0 1 0 0
softplus 0 inf 0 1
softsign nan nan nan nan
silu nan inf nan nan
mish nan inf nan nan
gelu nan inf nan nan
hardswish nan inf 0 1'
verdict "$expected" "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: f(-inf) is NaN for softsign, silu, mish, gelu and hardswish"
