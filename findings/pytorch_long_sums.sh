#!/bin/sh
# PyTorch: bias gradients of norms and of embeddings drift with the number of rows, to 2^24 at most
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing), x86-64, one thread.
# Guessed: sums over rows are made in parts or in double, as that of linear's bias is.
# Seen, with grad_output 0.1 in every row and in float: the bias gradients of layer_norm and of
# batch_norm and the gradient of an embedding's row are 4 % too small with 4 million rows (B T: 8192
# sequences of 512) and 15 % too large with 17 million; with 1 in each of 2^25 rows they stop at
# 2^24, which is half. Linear's bias has no such error. Each thread adds up its rows one after the
# other in float, so that two threads have another answer; embeddings have one thread's always.
# softmax over another dimension than the last does so too: columns of 2^25 zeros sum to 2.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
ONES, INDEX = torch.ones(2), torch.zeros(1 << 25, dtype=torch.long)


def share(layer, rows, value):
    """What the bias gradient of so many equal rows is, of what it should be."""
    x = torch.zeros(rows, 2)
    x[:, 0] = 1
    bias = torch.zeros(2, requires_grad=True)
    layer(x, bias).backward(torch.full((rows, 2), value))
    return "%.3f" % (bias.grad[0].item() / (rows * value))


for rows, value in ((1 << 22, 0.1), (1 << 24, 0.1), (1 << 25, 1.0)):
    print(share(lambda x, b: F.linear(x, torch.zeros(2, 2), b), rows, value),
          share(lambda x, b: F.layer_norm(x, (2,), None, b), rows, value),
          share(lambda x, b: F.batch_norm(x, None, None, ONES, b, training=True), rows, value),
          share(lambda x, b: F.embedding(INDEX[:len(x)], b.view(1, 2)), rows, value))
print("%.3f" % (F.softmax(torch.zeros(1 << 25, 2), 0)[0, 0].item() * (1 << 25)))
PY
verdict '1.000 0.960 0.960 0.960
1.000 1.153 1.153 1.153
1.000 0.500 0.500 0.500
2.000' "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: bias gradients of 2^25 ones are 2^24 in layer_norm, batch_norm, embedding"
