#!/bin/sh
# ONNX Runtime: LayerNormalization and GroupNormalization lose the variance of numbers far from 0
# Versions: ONNX Runtime 1.21 and 1.23 (python3-onnxruntime of Debian 13 and testing), x86-64.
# Guessed: the mean is taken off before squaring, so that 10001 10003 10002 10006 has the answer of
# 1 3 2 6, as InstanceNormalization and MeanVarianceNormalization have it, and PyTorch.
# Seen, in float: LayerNormalization answers -632 0 -316 949 for -1.07 0 -0.53 1.60, and
# GroupNormalization (opset 21) of pairs -316 316 for -1 1; at a mean of 100 both are right still.
# The variance is the mean of squares less the square of the mean, which is 0 here, and
# 1 / sqrt(1e-5) is 316. ONNX's own reference evaluator has LayerNormalization right, and
# GroupNormalization wrong in the same way, by the formula of the standard.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

case $(dpkg-query -W -f '${Version}' python3-onnxruntime 2>/dev/null || true) in
1.23*) debian_package python3-onnxruntime 1.23 ;;
*) debian_package python3-onnxruntime 1.21 ;;
esac
/usr/bin/python3 -c 'import onnx' 2>/dev/null || skip "python3-onnx is not installed"
cat >run.py <<'PY'
import numpy
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator  # before onnxruntime: Debian 13's fails after it
import onnxruntime


def model(operator, arrays, opset, attributes):
    graph = helper.make_graph(
        [helper.make_node(operator, list(arrays), ["y"], **attributes)], "one",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in arrays.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def show(operator, shape, parameters, opset=17, **attributes):
    for mean in (0, 100, 10000):
        x = (mean + numpy.array([1, 3, 2, 6], numpy.float32)).reshape(shape)
        arrays = {"x": x, **{f"p{n}": numpy.array(p, numpy.float32)
                             for n, p in enumerate(parameters)}}
        one = model(operator, arrays, opset, attributes)
        session = onnxruntime.InferenceSession(one.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        print(operator, mean, *(" ".join("%.2f" % v for v in y.flatten()) for y in (
            session.run(None, arrays)[0], ReferenceEvaluator(one).run(None, arrays)[0])), sep=" | ")


show("LayerNormalization", (1, 4), [[1, 1, 1, 1]])
show("GroupNormalization", (1, 4, 1), [[1, 1, 1, 1], [0, 0, 0, 0]], 21, num_groups=2)
show("InstanceNormalization", (1, 1, 4), [[1], [0]])
PY
layer='-1.07 0.00 -0.53 1.60'
group='-1.00 1.00 -1.00 1.00'
verdict "LayerNormalization | 0 | $layer | $layer
LayerNormalization | 100 | $layer | $layer
LayerNormalization | 10000 | -632.46 0.00 -316.23 948.68 | $layer
GroupNormalization | 0 | $group | $group
GroupNormalization | 100 | $group | $group
GroupNormalization | 10000 | -316.23 316.23 -632.46 632.46 | -316.23 316.23 -632.46 632.46
InstanceNormalization | 0 | $layer | $layer
InstanceNormalization | 100 | $layer | $layer
InstanceNormalization | 10000 | $layer | $layer" "$(/usr/bin/python3 run.py 2>run.log)" \
    "ONNX Runtime $found: LayerNormalization of 10001 10003 10002 10006 is 592 times too large"
