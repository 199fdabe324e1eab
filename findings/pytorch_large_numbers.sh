#!/bin/sh
# PyTorch: numbers whose square overflows: layer_norm is NaN, batch_norm and rms_norm 0, clipping 0
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing; rms_norm since 2.4), x86-64.
# Guessed: one of these everywhere, or the right answer, which is an ordinary number.
# Seen, of the row 1e20 2e20 3e20 -1e20 in float: layer_norm and group_norm are NaN, batch_norm (of
# a column), rms_norm and normalize are 0, and so are their gradients. clip_grad_norm_ of the
# gradients 3e20 and 4e20 makes both 0 and raises nothing (its norm is inf; error_if_nonfinite is
# False by default), where 0.6 and 0.8 times the largest norm were meant; and of 3e-24 and 4e-24
# the norm that it returns is 0.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import torch
import torch.nn.functional as F


def show(name, f, *row):
    x = torch.tensor([row], requires_grad=True)
    y = f(x)
    (y * torch.arange(4.0).view_as(y)).sum().backward()
    print(name, *sorted({"%g" % abs(v) for v in (*y.flatten().tolist(), *x.grad[0].tolist())}))


LARGE = (1e20, 2e20, 3e20, -1e20)
show("layer_norm", lambda x: F.layer_norm(x, (4,)), *LARGE)
show("group_norm", lambda x: F.group_norm(x, 2), *LARGE)
show("batch_norm", lambda x: F.batch_norm(x.view(4, 1), None, None, training=True), *LARGE)
show("normalize", F.normalize, *LARGE)
if hasattr(F, "rms_norm"):
    show("rms_norm", lambda x: F.rms_norm(x, (4,)), *LARGE)
w = torch.nn.Parameter(torch.zeros(2))
w.grad = torch.tensor([3e20, 4e20])
print("clip", torch.nn.utils.clip_grad_norm_([w], 1.0).item(), w.grad.tolist())
w.grad = torch.tensor([3e-24, 4e-24])
print("norm", torch.nn.utils.clip_grad_norm_([w], 1.0).item())
PY
case $torch in
1.13) rms='' ;;
*) rms='
rms_norm 0' ;;
esac
verdict "layer_norm nan
group_norm nan
batch_norm 0
normalize 0$rms
clip inf [0.0, 0.0]
norm 0.0" "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: of 1e20 layer_norm is NaN, batch_norm 0; clip_grad_norm_ makes 3e20, 4e20 0"
