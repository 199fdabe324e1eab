#!/bin/sh
# ml-fnn: whatever activation is asked for, it is tanh, and a regularization of 0 is 0.01
# Version: ml-fnn 5.0.0 (npm).
# Guessed: the activations that its options list are used, with their slopes at z; 0 is 0.
# Seen: relu, logistic and identity give the weights of tanh, to the bit, and 0.01 times W is added
# to the gradient, which is a sum over samples. A network loaded from JSON has its activation, and
# then its slopes are taken at f(z) where z is meant, which is right for tanh alone: a hidden bias
# moves by 1.116 times of what it should with logistic at z = 1, 1.237 with arctan, 1.778 with
# softsign, 1.078 with softplus.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install ml-fnn@5.0.0
cat >run.js <<'JS'
const Network = require("ml-fnn");
const X = [[1], [-2]], LABELS = ["a", "b"];

function layer(activation, W, b, epsilon) {
  return { model: "Layer", inputSize: W.length, outputSize: W[0].length, regularization: 0, epsilon,
           activation, W, b: [b] };
}

// The weights after a step from equal ones, with the activation and regularization asked for.
function trained(activation, regularization) {
  const random = Math.random;
  Math.random = () => 0.5;
  const network = new Network({ hiddenLayers: [1], iterations: 1, learningRate: 0.1, activation,
                                regularization });
  network.train(X, LABELS);
  Math.random = random;
  return JSON.stringify(network.toJSON().layers.map(({ W, b }) => [W, b]));
}

// How far a hidden bias moves at z = 1, of what f'(1) gives; outputs [w, -w] of one hidden unit.
function move(activation, f, slope) {
  const w = 0.5, e = 1e-3;
  const network = Network.load({
    model: "FNN", hiddenLayers: [1], iterations: 1, learningRate: e, activation, dicts: {},
    layers: [layer(activation, [[1]], [0], e), layer(activation, [[w, -w]], [0, 0], e)] });
  network.train([[1]], ["a"]);
  network.iterations = 1;
  const p = 1 / (1 + Math.exp(-2 * w * f));
  return (network.toJSON().layers[0].b.get(0, 0) / (e * 2 * w * (1 - p) * slope)).toFixed(3);
}

const tanh = trained("tanh", 0.01);
for (const activation of ["relu", "logistic", "identity"])
  console.log(activation, trained(activation, 0.01) === tanh);
console.log("regularization", trained("tanh", 0) === tanh, trained("tanh", 1e-9) === tanh);
const s = 1 / (1 + Math.exp(-1));
console.log("slopes", move("tanh", Math.tanh(1), 1 - Math.tanh(1) ** 2),
            move("logistic", s, s * (1 - s)), move("arctan", Math.atan(1), 0.5),
            move("softsign", 0.5, 0.25), move("softplus", Math.log(1 + Math.E), s));
JS
verdict 'relu true
logistic true
identity true
regularization true false
slopes 1.000 1.116 1.237 1.778 1.078' "$(node run.js 2>&1)" \
    "ml-fnn 5.0.0: relu is tanh, regularization 0 is 0.01; loaded, slopes are taken at f(z)"
