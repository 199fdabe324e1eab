#!/bin/sh
# PyTorch: before 2.14 the slope of hardswish at 3 depended on the element's place in the tensor
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing), x86-64, in double.
# Guessed: one number at each kink, the same in all elements.
# Seen, of 37 equal elements: at 3 it is 1 in all that the vector code has, and 1.5 in those behind
# the last whole vector; at -3 it is -0.5. In 2.14 both are the slope of least size, 1 and 0.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import torch
for z in (-3.0, 3.0):
    x = torch.full((37,), z, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.hardswish(x).sum().backward()
    print(sorted(set(x.grad.tolist())))
PY
case $torch in
2.14) expected=$(printf '[0.0]\n[1.0]') ;;
*) expected=$(printf '[-0.5]\n[1.0, 1.5]') ;;
esac
verdict "$expected" "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: hardswish'(-3), hardswish'(3): $(echo "$expected" | tr '\n' ' ')"
