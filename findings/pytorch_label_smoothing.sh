#!/bin/sh
# PyTorch: cross_entropy takes a negative label_smoothing for 0 in silence, and refuses one above 1
# Versions: PyTorch 1.13.1, 2.6.0, 2.14.1 (Debian 12, 13, testing), all the same.
# Guessed: both refused, as the message says "must be between 0.0 and 1.0".
# Seen: -0.5 gives the loss of 0, to the bit; 1.5 is refused.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

pytorch_among 1.13 2.6 2.14
cat >run.py <<'PY'
import torch
y, t = torch.tensor([[0.0, 2.0]]), torch.tensor([0])
loss = lambda s: torch.nn.functional.cross_entropy(y, t, label_smoothing=s).item()
print(loss(-0.5) == loss(0.0), loss(0.5) == loss(0.0))
try:
    loss(1.5)
except RuntimeError:
    print("refused")
PY
verdict "$(printf 'True False\nrefused')" "$(/usr/bin/python3 run.py)" \
    "PyTorch $torch: label_smoothing -0.5 is 0, 1.5 is refused"
