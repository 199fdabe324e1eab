#!/bin/sh
# synaptic: an output's delta is its error alone, whatever its activation and cost; tanh(800) is NaN
# Version: synaptic 1.1.4 (npm).
# Guessed: the delta of an output is the cost's gradient times f'(z), as its hidden layers have it.
# Seen: it is target - output. At z = 1, with a target of 0.25 and a rate of 1, the bias of a tanh
# moves by -0.5116, with MSE as with CROSS_ENTROPY (the gradient of MSE would be 2 e f'(z), a move
# of -0.4297), and that of a ReLU at z = -1, where its slope is 0, by 0.25. The cost is only
# reported. Networks compile themselves (setOptimize(true), the default), and then tanh is a
# quotient of exponentials: NaN at 800.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install synaptic@1.1.4
cat >run.js <<'JS'
const { Layer, Network, Neuron, Trainer } = require("synaptic");
const { TANH, RELU } = Neuron.squash, { MSE, CROSS_ENTROPY } = Trainer.cost;

// One neuron of one input, weight z and bias 0.
function neuron(squash, z) {
  const input = new Layer(1), output = new Layer(1);
  input.project(output).list[0].weight = z;
  output.set({ squash });
  output.list[0].bias = 0;
  return new Network({ input, output });
}

function move(squash, z, cost) {
  const network = neuron(squash, z);
  new Trainer(network).train([{ input: [1], output: [0.25] }], { rate: 1, iterations: 1, cost });
  network.restore();
  return network.layers.output.list[0].bias.toFixed(4);
}

function value(z, optimise) {
  const network = neuron(TANH, z);
  network.setOptimize(optimise);
  return network.activate([1])[0];
}

console.log(move(TANH, 1, MSE), move(TANH, 1, CROSS_ENTROPY), move(RELU, -1, MSE));
console.log(value(800, false), value(800, true));
JS
verdict '-0.5116 -0.5116 0.2500
1 NaN' "$(node run.js 2>&1)" "synaptic 1.1.4: an output's delta has no f'(z); tanh(800) is NaN"
