#!/bin/sh
# safetensors: 0.8.0 saves a transposed NumPy array as it lies in memory, under its own shape
# Versions: python3-safetensors 0.5.2 and 0.8.0 (Debian 13 and testing).
# Guessed: numbers are written by rows, whatever the array's strides are, or refused as
# safetensors.torch does with a tensor that is not contiguous.
# Seen: x.T of x = [[0,1,2],[3,4,5]] is [[0,1],[2,3],[4,5]] when it is loaded again, and x in
# Fortran's order is another array of the same shape; nothing is said. 0.5.2 had both right. What a
# weight [K,N] goes through on its way to [N,K] is such a transpose: numpy.ascontiguousarray first.
# The header is sorted by size of the type, then by name, not by the names alone.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package python3-safetensors 0.5.2 0.8.0
cat >run.py <<'PY'
import json

import numpy
from safetensors.numpy import load, save

x = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
for name, array in (("rows", x), ("transposed", x.T), ("Fortran", numpy.asfortranarray(x)),
                    ("copied", numpy.ascontiguousarray(x.T))):
    back = load(save({"x": array}))["x"]
    print(name, back.shape == array.shape, back.flatten().astype(int).tolist())
file = save({"a": x, "b": x.astype(numpy.int8), "c": x, "d": x.astype(numpy.float64)})
print(*json.loads(file[8:8 + int.from_bytes(file[:8], "little")]))
PY
case $found in
0.8.0)
    transposed='[0, 1, 2, 3, 4, 5]'
    fortran='[0, 3, 1, 4, 2, 5]'
    ;;
*)
    transposed='[0, 3, 1, 4, 2, 5]'
    fortran='[0, 1, 2, 3, 4, 5]'
    ;;
esac
verdict "rows True [0, 1, 2, 3, 4, 5]
transposed True $transposed
Fortran True $fortran
copied True [0, 3, 1, 4, 2, 5]
d a c b" "$(/usr/bin/python3 run.py)" \
    "safetensors $found: the transpose of 0 1 2, 3 4 5 (0 3 1 4 2 5) is saved as $transposed"
