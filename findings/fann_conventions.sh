#!/bin/sh
# FANN: activations see z / 2, slopes never end, and errors e are log((1+e)/(1-e)) in training
# Version: libfann-dev 2.2.0 (Debian).
# Guessed: linear is z, a symmetric sigmoid tanh(z), and a weight moves by rate e f'(z) x.
# Seen: a steepness of 0.5 is in all of them, so linear is z / 2 and the symmetric sigmoid
# tanh(z / 2). The slope of a sigmoid is at least 0.0099 (at z = 20 too) and a linear piece's is 0.5
# outside its ends. By default e is replaced by log((1 + e) / (1 - e)), 17 where e is 1 or more, and
# errors of symmetric activations are halved first: an error of 0.5 is reported as 0.0625, not 0.25.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libfann-dev 2.2.0
command -v cc >/dev/null || skip "there is no C compiler"
cat >run.c <<'C'
#include <fann.h>
#include <stdio.h>

/* One neuron of input 1, weight z and bias 0, trained once for a target of y + e, at rate 1. */
static void show(enum fann_activationfunc_enum activation, float z, float e,
                 enum fann_errorfunc_enum error)
{
    struct fann *net = fann_create_standard(2, 1, 1);
    fann_set_activation_function_output(net, activation);
    fann_set_training_algorithm(net, FANN_TRAIN_INCREMENTAL);
    fann_set_learning_rate(net, 1);
    if (error == FANN_ERRORFUNC_LINEAR)
        fann_set_train_error_function(net, error);
    fann_set_weight(net, 0, 2, z);
    fann_set_weight(net, 1, 2, 0);
    fann_type one = 1, y = *fann_run(net, &one), target = y + e;
    fann_reset_MSE(net);
    fann_train(net, &one, &target);
    struct fann_connection connections[2];
    fann_get_connection_array(net, connections);
    printf("y %.4f, bias %.4f, mse %.4f\n", y, connections[1].weight, fann_get_MSE(net));
    fann_destroy(net);
}

int main(void)
{
    show(FANN_LINEAR, 1, 1, FANN_ERRORFUNC_LINEAR);
    show(FANN_SIGMOID_SYMMETRIC, 1, 0.5, FANN_ERRORFUNC_LINEAR);
    show(FANN_SIGMOID, 20, 1, FANN_ERRORFUNC_LINEAR);
    show(FANN_LINEAR_PIECE, 4, 1, FANN_ERRORFUNC_LINEAR);
    show(FANN_LINEAR, 1, 0.5, FANN_ERRORFUNC_TANH);
    show(FANN_LINEAR, 1, 1, FANN_ERRORFUNC_TANH);
}
C
cc -o run run.c -lfann -lm
verdict 'y 0.5000, bias 0.5000, mse 1.0000
y 0.4621, bias 0.0983, mse 0.0625
y 1.0000, bias 0.0099, mse 1.0000
y 1.0000, bias 0.5000, mse 1.0000
y 0.5000, bias 0.5493, mse 0.2500
y 0.5000, bias 8.5000, mse 1.0000' "$(./run 2>&1)" \
    'libfann 2.2.0: linear(1) = 0.5; the slope of a sigmoid at 20 is 0.0099; error 1 counts as 17'
