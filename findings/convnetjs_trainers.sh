#!/bin/sh
# convnetjs: the npm package has no adam and no nesterov: such a method is SGD with momentum
# Version: convnetjs 0.3.0 (npm).
# Guessed: the methods of its repository's code, and an error for a name that is none.
# Seen: "adam", "nesterov" and "whatever" give, without a word, the weights of "sgd" with the
# default momentum of 0.9, to the bit. l2_decay is divided by batch_size together with the summed
# gradient: with a batch of 4 samples 0.1 acts as 0.025.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install convnetjs@0.3.0
cat >run.js <<'JS'
const { Net, Trainer, Vol } = require("convnetjs");

// The weight 1 of one input, which is 1, after a sample for each gradient.
function train(gradients, options) {
  const net = new Net();
  net.makeLayers([{ type: "input", out_sx: 1, out_sy: 1, out_depth: 1 },
                  { type: "regression", num_neurons: 1 }]);
  const { filters: [weight], biases } = net.layers[1];
  weight.w[0] = 1;
  biases.w[0] = 0;
  const trainer = new Trainer(net, { learning_rate: 0.1, ...options });
  return gradients.map((g) => {
    trainer.train(new Vol([1]), [weight.w[0] + biases.w[0] - g]);
    return +weight.w[0].toFixed(6);
  }).join(" ");
}

for (const method of ["sgd", "adam", "nesterov", "whatever", "adagrad"])
  console.log(method, train([0.5, 0.25, -1], { method }));
console.log("decay", train([0.5], { momentum: 0, l2_decay: 0.1 }), "of a batch of 4",
            train([0.5, 0.5, 0.5, 0.5], { momentum: 0, l2_decay: 0.1, batch_size: 4 }));
JS
verdict 'sgd 0.95 0.88 0.917
adam 0.95 0.88 0.917
nesterov 0.95 0.88 0.917
whatever 0.95 0.88 0.917
adagrad 0.9 0.855279 0.942566
decay 0.94 of a batch of 4 1 1 1 0.9475' "$(node run.js 2>&1)" \
    'convnetjs 0.3.0: method "adam" is SGD with momentum; l2_decay is divided by the batch size'
