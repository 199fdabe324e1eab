#!/bin/sh
# dlib: the squared error is a sum over outputs with half its gradient, and dropout does not scale
# Version: libdlib-dev 19.24 and 20.0 (Debian 12 and testing).
# Guessed: loss and gradient belong together; kept units are divided by 1 - p; epsilon is 1e-5.
# Seen: errors of 1 and 3 on two outputs are a loss of 10 (not 5), and the gradient of the outputs
# is -1 and -3 (of 10 it would be -2 and -6). A dense layer has one array of parameters, [K+1,N]:
# weights by input, then the biases. Dropout leaves kept units at 1 in training. The epsilon of
# batch norm is 1e-4, that of layer norm 1e-5.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

case $(dpkg-query -W -f '${Version}' libdlib-dev 2>/dev/null || true) in
20.0*) debian_package libdlib-dev 20.0 ;;
*) debian_package libdlib-dev 19.24 ;;
esac
command -v c++ >/dev/null || skip "there is no C++ compiler"
cat >run.cpp <<'CPP'
#include <dlib/dnn.h>
#include <iostream>
using namespace dlib;

int main()
{
    loss_mean_squared_multioutput<fc<2, input<matrix<float>>>> net;
    matrix<float> x(1, 1), target(2, 1);
    x = 2;
    target = 1, 3;
    net(x);
    auto &dense = layer<1>(net);
    dense.layer_details().get_layer_params() = 0;
    std::vector<matrix<float>> inputs{x}, targets{target};
    resizable_tensor tensor;
    net.to_tensor(inputs.begin(), inputs.end(), tensor);
    std::cout << net.compute_loss(tensor, targets.begin()) << ':';
    net.compute_parameter_gradients(tensor, targets.begin());
    for (auto v : dense.get_parameter_gradient())
        std::cout << ' ' << v;
    resizable_tensor ones(64), kept(64);
    ones = 1;
    dropout_(0.5f).forward_inplace(ones, kept);
    std::cout << "\nlargest kept " << max(mat(kept)) << "\nepsilon " << bn_<FC_MODE>().get_eps()
              << ' ' << layer_norm_().get_eps() << '\n';
}
CPP
c++ -std=c++17 -o run run.cpp -ldlib -lblas -llapack -lpthread
verdict '10: -2 -6 -1 -3
largest kept 1
epsilon 0.0001 1e-05' "$(./run 2>&1)" "dlib $version: a loss of 10 with the gradient of 5"
