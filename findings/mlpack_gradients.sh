#!/bin/sh
# mlpack: LogCoshLoss's gradient has the wrong sign, a mean squared error's that of B times its loss
# Versions: libmlpack-dev 4.6.0 and 4.8.0 (Debian 13 and testing), both the same.
# Guessed: Backward is the derivative of Forward, in every loss and both reductions.
# Seen, for B = 3 samples of outputs 2 and -1: LogCoshLoss falls where Backward says that it rises,
# so that training leaves its targets. MeanSquaredError (by default a mean) divides its loss by
# samples and outputs, its gradient by outputs alone. HingeLoss has no gradient for the label 0,
# though its loss is that of -1 there and rises with the output. Sums, and HuberLoss, are right.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libmlpack-dev 4.6.0 4.8.0
command -v c++ >/dev/null || skip "there is no C++ compiler"
cat >run.cpp <<'CPP'
#include <mlpack/base.hpp>

#include <cstdio>
#include <mlpack/methods/ann/loss_functions/hinge_loss.hpp>
#include <mlpack/methods/ann/loss_functions/huber_loss.hpp>
#include <mlpack/methods/ann/loss_functions/log_cosh_loss.hpp>
#include <mlpack/methods/ann/loss_functions/mean_squared_error.hpp>

// Backward and, behind it, central differences of Forward, for three samples of two outputs.
template <typename Loss> void show(const char *name, Loss loss, const arma::mat &target)
{
    const arma::mat outputs = arma::mat("2 2 2; -1 -1 -1");
    arma::mat gradient(2, 3);
    loss.Forward(outputs, target);
    loss.Backward(outputs, target, gradient);
    std::printf("%s", name);
    for (int i = 0; i < 2; i++)
    {
        arma::mat above = outputs, below = outputs;
        above[i] += 1e-6;
        below[i] -= 1e-6;
        const double slope = (loss.Forward(above, target) - loss.Forward(below, target)) / 2e-6;
        std::printf(" %.3f (%.3f)", gradient[i], slope);
    }
    std::puts("");
}

int main()
{
    const arma::mat target = arma::mat("1 1 1; 1 1 1"), labels = arma::mat("0 0 0; 1 1 1");
    show("log cosh", mlpack::LogCoshLoss(), target);
    show("mean squared, sum", mlpack::MeanSquaredError(true), target);
    show("mean squared, mean", mlpack::MeanSquaredError(false), target);
    show("hinge", mlpack::HingeLoss(), labels);
    show("huber", mlpack::HuberLoss(), target);
}
CPP
c++ -std=c++17 -w -o run run.cpp -larmadillo
verdict 'log cosh -0.762 (0.762) 0.964 (-0.964)
mean squared, sum 2.000 (2.000) -4.000 (-4.000)
mean squared, mean 1.000 (0.333) -2.000 (-0.667)
hinge 0.000 (1.000) -1.000 (-1.000)
huber 1.000 (1.000) -1.000 (-1.000)' "$(./run 2>&1)" \
    "mlpack $found: the gradient of log cosh is that of its negative, of a mean B times its own"
