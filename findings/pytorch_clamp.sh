#!/bin/sh
# PyTorch: since 2.14 clamp has slope 0 at its ends, and margin losses none at the margin
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing), x86-64.
# Guessed: 1 at the ends, as ever; the same whether the ends are numbers or tensors.
# Seen: 1 and 1 before 2.14; in 2.14 it is 0 for ends that are numbers, 0.5 for ends that are
# tensors. So hinge_embedding_loss, margin_ranking_loss and cosine_embedding_loss have no gradient
# exactly at the margin: two orthogonal vectors under a margin of 0 are not pushed any more, nor is
# a vector of zeros.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import torch
import torch.nn.functional as F
minus, one = -torch.ones(1), torch.ones(1)
def slope(f, *x):
    x = torch.tensor(x, requires_grad=True)
    f(x).sum().backward()
    return "%g" % x.grad.flatten()[-1]
print(slope(lambda x: x.clamp(-1, 1), 1.0), slope(lambda x: torch.clamp(x, minus, one), 1.0),
      slope(lambda x: F.hinge_embedding_loss(x, minus, margin=1), 1.0),
      slope(lambda x: F.margin_ranking_loss(x, 0 * one, one, margin=1), 1.0),
      slope(lambda x: F.cosine_embedding_loss(x, torch.tensor([[0.0, 1]]), minus), [1.0, 0]))
PY
case $torch in
2.14) expected='0 0.5 0 -0 0' ;;
*) expected='1 1 -1 -1 1' ;;
esac
verdict "$expected" "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: clamp', by tensors, hinge_embedding, margin_ranking, cosine: $expected"
