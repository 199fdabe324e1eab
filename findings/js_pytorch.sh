#!/bin/sh
# js-pytorch: ReLU is 0.001 z below 0, pow's gradient is 2 x always, Adam corrects no bias
# Version: js-pytorch 0.7.2 (npm).
# Guessed: relu(-1) = 0; the gradient of x^3 is 3 x^2; Adam's steps are those of PyTorch, and its
# reg, "l2 regularization", is added to the gradient.
# Seen: relu(-1) = -0.001, with slope 0.001 at -1 and at 0. pow(4, 3) is 64 with a gradient of 8;
# pow(4, 0.5) and pow(4, -1) are 4. Adam does not divide by 1 - b^t: with its default betas of 0.9
# and 0.99 that shows from the second step on (a weight of 1 is 0.7743 after gradients of 0.5 and
# 0.25 at a rate of 0.1; 0.8067 with the correction), with 0.9 and 0.999 in the first, 3.16 rates.
# reg takes rate * reg * w off w, as AdamW does, and is no part of the gradient.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install js-pytorch@0.7.2
cat >run.js <<'JS'
const { torch } = require("js-pytorch");
const numbers = (tensor) => tensor.flat(9).map((x) => +x.toPrecision(4)).join(" ");

function slope(name, f, ...x) {
  const z = torch.tensor([x], true);
  const y = f(z);
  y.backward();
  console.log(name, numbers(y.data), "slope", numbers(z.grad));
}

// The weight 1 after each gradient of a linear layer of one input, whose bias begins at 0.
function adam(gradients, ...options) {
  const linear = new torch.nn.Linear(1, 1);
  linear.W._data = [[1]];
  const optimizer = new torch.optim.Adam(linear.parameters(), 0.1, ...options);
  return gradients.map((g) => {
    linear.forward(torch.tensor([[g]])).backward();
    optimizer.step();
    optimizer.zero_grad();
    return numbers(linear.W.data);
  }).join(", ");
}

slope("relu", (z) => new torch.nn.ReLU().forward(z), -1, 0, 2);
slope("cube", (z) => torch.pow(z, 3), 4);
slope("root", (z) => torch.pow(z, 0.5), 4);
slope("inverse", (z) => torch.pow(z, -1), 4);
console.log("adam", adam([0.5, 0.25]), "|", adam([0.5], 0, [0.9, 0.999]), "|", adam([0.5], 0.1));
JS
verdict 'relu -0.001 0 2 slope 0.001 0.001 1
cube 64 slope 8
root 4 slope 8
inverse 4 slope 8
adam 0.9, 0.7743 | 0.6838 | 0.89' "$(node run.js 2>&1)" \
    "js-pytorch 0.7.2: relu(-1) is -0.001, the gradient of x^3 at 4 is 8, Adam corrects no bias"
