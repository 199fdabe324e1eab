#!/bin/sh
# convnetjs: dropout multiplies by the dropped share in prediction, and regression reports 2 e^2
# Version: convnetjs 0.3.0 (npm).
# Guessed: in prediction x is multiplied by 1 - drop_prob, so that it is what training gives on
# average. Seen: with drop_prob 0.2, x = 1 becomes 0.2; in training it is 1 (not scaled) or 0. The
# two agree at the default of 0.5 alone.
# Its regression layer reports 2 e^2 while its gradient is e, that of e^2 / 2: e = 2 gives 8 and 2.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install convnetjs@0.3.0
cat >run.js <<'JS'
const { DropoutLayer, RegressionLayer, Vol } = require("convnetjs");
const dropout = new DropoutLayer({ in_sx: 1, in_sy: 1, in_depth: 1, drop_prob: 0.2 });
const predicted = dropout.forward(new Vol(1, 1, 1, 1), false).w[0];
let kept = 0;
for (let i = 0; i < 200; i++)
  kept = Math.max(kept, dropout.forward(new Vol(1, 1, 1, 1), true).w[0]);
const layer = new RegressionLayer({ in_sx: 1, in_sy: 1, in_depth: 1, num_neurons: 1 });
const output = new Vol(1, 1, 1, 3);
layer.forward(output, true);
console.log(predicted, kept, layer.backward([1]), output.dw[0]);
JS
verdict '0.2 1 8 2' "$(node run.js 2>&1)" \
    'convnetjs 0.3.0: dropout 0.2 predicts 0.2 x; regression of e = 2 reports 8, gradient 2'
