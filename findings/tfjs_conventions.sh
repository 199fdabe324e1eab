#!/bin/sh
# TensorFlow.js: defaults, slopes at kinks and divisors that are not PyTorch's under the same names
# Version: @tensorflow/tfjs 4.22.0 (npm, cpu).
# Guessed: one default slope of leaky_relu, |x| of slope 0 at 0, a batch_norm epsilon of 1e-5 where
# the operation and not the layer is called. Seen: leakyRelu 0.2 as an operation and 0.3 as a layer;
# hardSigmoid(1) is 0.7 = 0.2 + 0.5; relu6 has slope 1 at 6; |x| has slope -1 at 0; both norms and
# the operation batchNorm have epsilon 1e-3 (1 / sqrt(1e-3) = 31.62); a prelu begins at 0; sample
# weights [2,0] divide by the count of those that are not 0 (errors 1 and 2: loss 2);
# cosineDistance of (3,4) and (6,8) is 1 - x y = -49; hingeLoss takes labels 0 and 1;
# categoricalCrossentropy takes probabilities; a dense kernel is [K,N].
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install @tensorflow/tfjs@4.22.0
cat >run.js <<'JS'
console.warn = console.info = () => {};
const tf = require("@tensorflow/tfjs");
const line = (name, tensor) =>
  console.log(name, Array.from(tensor.dataSync(), (x) => +x.toPrecision(4)).join(" "));
const layer = (l, ...x) => l.apply(tf.tensor2d([x]));
const slope = (f, ...x) => tf.grad((z) => f(z).sum())(tf.tensor1d(x));
const one = (...x) => tf.tensor1d(x);
async function main() {
  await tf.setBackend("cpu");
  line("leaky", tf.leakyRelu(one(-1)));
  line("leakyLayer", layer(tf.layers.leakyReLU(), -1));
  line("prelu", layer(tf.layers.prelu(), -1));
  line("hardSigmoid", layer(tf.layers.activation({ activation: "hardSigmoid" }), 1));
  line("thresholded", layer(tf.layers.thresholdedReLU(), 0.5, 1.5));
  line("relu6Slope", slope(tf.relu6, 6));
  line("absSlope", slope(tf.abs, 0));
  line("batchNorm", tf.batchNorm(one(1), one(0), one(0)));
  console.log("epsilon", tf.layers.layerNormalization().epsilon,
              tf.layers.batchNormalization().epsilon);
  line("weighted", tf.losses.meanSquaredError(one(0, 0), one(1, 2), one(2, 0)));
  line("cosine", tf.losses.cosineDistance(one(3, 4), one(6, 8), 0));
  line("hinge01", tf.losses.hingeLoss(one(0, 1), one(0.5, 0.25)));
  line("categorical", tf.metrics.categoricalCrossentropy(tf.tensor2d([[0, 1]]),
                                                         tf.tensor2d([[0.25, 0.75]])));
  const dense = tf.layers.dense({ units: 2, inputShape: [3] });
  tf.sequential({ layers: [dense] });
  console.log("kernel", dense.getWeights()[0].shape.join());
}
main();
JS
expected='leaky -0.2
leakyLayer -0.3
prelu 0
hardSigmoid 0.7
thresholded 0 1.5
relu6Slope 1
absSlope -1
batchNorm 31.62
epsilon 0.001 0.001
weighted 2
cosine -49
hinge01 1.125
categorical 0.2877
kernel 3,2'
verdict "$expected" "$(node run.js 2>/dev/null)" \
    'TF.js 4.22.0: slopes 0.2 and 0.3, hardSigmoid 0.2 z + 0.5, epsilon 1e-3, 1 at 6 and -1 at 0'
