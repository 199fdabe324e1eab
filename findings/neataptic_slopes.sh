#!/bin/sh
# neataptic: the slope of softsign is negative below 0, and its mean squared logarithmic error too
# Version: neataptic 1.4.7 (npm).
# Guessed: softsign'(z) = 1 / (1 + |z|)^2, so 0.25 at both -1 and 1 and 0.1111 at 2; msle squares.
# Seen: z / (1 + |z|)^2: -0.25, 0.25 and 0.2222; MSLE sums log differences without squaring them, so
# that an output above its target makes it negative. MSLE and HINGE are sums, MSE is a mean.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install neataptic@1.4.7
cat >run.js <<'JS'
const { activation, cost } = require("neataptic").methods;
const slopes = [-1, 1, 2].map((z) => activation.SOFTSIGN(z, true).toFixed(4));
const msle = cost.MSLE([1, 1], [2, 2]), hinge = cost.HINGE([1, 1], [0.5, 0.5]);
console.log(...slopes, msle.toFixed(4), hinge, cost.MSE([1, 1], [0, 0]));
JS
verdict '-0.2500 0.2500 0.2222 -1.3863 1 1' "$(node run.js 2>&1)" \
    "neataptic 1.4.7: softsign' is -0.25 at -1; MSLE of outputs 2 for targets 1 is -1.3863"
