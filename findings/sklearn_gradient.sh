#!/bin/sh
# scikit-learn: MLPRegressor's loss is a mean over outputs, its gradient that of their sum
# Versions: python3-sklearn 1.2.1, 1.4.2, 1.9.0 (Debian 12, 13, testing), all the same.
# Guessed: loss_ is what the weights descend along: half the mean of the squared errors.
# Seen: with two outputs loss_ is half the mean over samples and outputs, while the output's biases
# move by the mean error over samples alone: the gradient is that of twice the loss_ reported, with
# N outputs of N times. alpha (0.0001 by default) is divided by the number of samples of the batch
# in both: its part of the gradient of W is alpha W / B, and of the loss alpha |W|^2 / (2 B), taken
# before the step. Biases do not decay.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package python3-sklearn 1.2.1 1.4.2 1.9.0
cat >run.py <<'PY'
import warnings

import numpy
from sklearn.neural_network import MLPRegressor

warnings.filterwarnings("ignore")
RATE = 0.1
X = numpy.array([[1.0], [2.0], [3.0], [4.0]])


def step(target, alpha):
    """loss_ of a step, the errors and weights before it, and what moved the outputs."""
    net = MLPRegressor(hidden_layer_sizes=(1,), activation="identity", solver="sgd", alpha=alpha,
                       momentum=0, nesterovs_momentum=False, learning_rate_init=RATE, batch_size=4,
                       shuffle=False, random_state=0)
    net.partial_fit(X, target)
    weights = [w.copy() for w in net.coefs_]
    bias, error = net.intercepts_[1].copy(), net.predict(X).reshape(4, -1) - target.reshape(4, -1)
    hidden = X @ weights[0] + net.intercepts_[0]
    net.partial_fit(X, target)
    return (net.loss_, error, weights, hidden, (bias - net.intercepts_[1]) / RATE,
            (weights[1] - net.coefs_[1]) / RATE)


loss, error, _, _, moved, _ = step(numpy.hstack([2 * X, 3 * X]), 0)
print("two outputs: half the mean", numpy.isclose(loss, (error ** 2).mean() / 2),
      "moved by the mean over samples", numpy.allclose(moved, error.mean(0)))
loss, error, weights, hidden, moved, weight_moved = step(2 * X[:, 0], 0.5)
right = (hidden.T @ error + 0.5 * weights[1]) / 4
print("decay / B of a weight", numpy.allclose(weight_moved, right), "of the loss",
      numpy.isclose(loss, (error ** 2).mean() / 2 + 0.5 / 8 * sum((w ** 2).sum() for w in weights)),
      "of a bias none", numpy.allclose(moved, error.mean(0)))
PY
verdict 'two outputs: half the mean True moved by the mean over samples True
decay / B of a weight True of the loss True of a bias none True' "$(/usr/bin/python3 run.py)" \
    "scikit-learn $found: the gradient of N outputs is N times that of the loss_ reported"
