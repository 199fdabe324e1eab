#!/bin/sh
# brain.js: leaky-relu multiplies the positive side by its slope and makes the negative side 0
# Version: brain.js 1.6.1 (npm).
# Guessed: f(2) = 2, f(-2) = -0.02, the leaky_relu of everybody else with slope 0.01.
# Seen: f(2) = 0.02, f(-2) = 0, while its training uses the slopes of the usual function (1 above 0,
# 0.01 below), which are not those of this f. Weights trained there fit no other leaky_relu.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install brain.js@1.6.1
cat >run.js <<'JS'
const { NeuralNetwork } = require("brain.js");
function f(x) {
  const net = new NeuralNetwork();
  net.fromJSON({
    sizes: [1, 1], activation: "leaky-relu", inputLookup: false, outputLookup: false,
    trainOpts: {}, layers: [{ 0: {} }, { 0: { bias: 0, weights: { 0: 1 } } }],
  });
  return net.run([x])[0];
}
// A delta of the output unit is (target - y) times the slope that training uses.
function slope(y) {
  const net = new NeuralNetwork({ activation: "leaky-relu" });
  net.sizes = [1]; net.outputLayer = 0; net.outputs = [[y]]; net.errors = [[0]];
  net.deltas = [[0]]; net.setActivation();
  net.calculateDeltas([y + 1]);
  return net.deltas[0][0];
}
console.log(f(2).toFixed(4), f(-2).toFixed(4), slope(2).toFixed(4), slope(-2).toFixed(4));
JS
verdict '0.0200 0.0000 1.0000 0.0100' "$(node run.js 2>&1)" \
    "brain.js 1.6.1's leaky-relu is 0.02 at 2 and 0 at -2; training uses slopes 1 and 0.01"
