#!/bin/sh
# ONNX Runtime: softmax of opset 12 is over all axes but the first, and ThresholdedRelu(NaN) is 0
# Versions: ONNX Runtime 1.21 and 1.23 (python3-onnxruntime of Debian 13 and testing), x86-64.
# Guessed: softmax is over the last axis, NaN stays NaN, hard sigmoid is clip(z / 6 + 0.5, 0, 1).
# Seen: Softmax of [[1,2],[3,4]] in a batch of 1 sums to 1 over all four with opset 12, by row with
# 13; NaN is 0 in ThresholdedRelu and in Shrink; HardSigmoid(2) is 0.9 (0.2 z + 0.5), the default
# alpha of ThresholdedRelu 1 and of LeakyRelu 0.01, a weight of Gemm [K,N], epsilon 1e-5 in both
# norms. In training the running variance of BatchNormalization takes in the batch's, divided by B
# (in PyTorch by B - 1).
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
import onnxruntime
from onnx import TensorProto, helper


def run(operator, *inputs, opset=17, outputs=1, **attributes):
    arrays = {f"i{n}": numpy.asarray(x, numpy.float32) for n, x in enumerate(inputs)}
    names = [f"o{n}" for n in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(operator, list(arrays), names, **attributes)], "one",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in arrays.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    return " ".join("%.4g" % v for y in session.run(None, arrays) for v in y.flatten())


NAN = float("nan")
print("leaky", run("LeakyRelu", [-1]), "hard", run("HardSigmoid", [2]),
      "thresholded", run("ThresholdedRelu", [1, 1.5, NAN]), "shrink", run("Shrink", [2, NAN]))
print("softmax 12:", run("Softmax", [[[1, 2], [3, 4]]], opset=12))
print("softmax 13:", run("Softmax", [[[1, 2], [3, 4]]], opset=13))
print("gemm", run("Gemm", [[1, 1, 1]], [[1, 2], [3, 4], [5, 6]]))
print("norms", run("BatchNormalization", [[1]], [1], [0], [0], [0]),
      run("LayerNormalization", [[0.01, 0.02]], [1, 1]))
print("training", run("BatchNormalization", [[1], [3]], [1], [0], [0], [0], outputs=3,
                      training_mode=1))
PY
verdict 'leaky -0.01 hard 0.9 thresholded 0 1.5 0 shrink 2 0
softmax 12: 0.03206 0.08714 0.2369 0.6439
softmax 13: 0.2689 0.7311 0.2689 0.7311
gemm 9 12
norms 316.2 -0.8452 0.8452
training -1 1 0.2 0.1' "$(/usr/bin/python3 run.py 2>run.log)" \
    "ONNX Runtime $version: softmax of opset 12 is over all four; ThresholdedRelu(NaN) is 0"
