/* The table of activations over double, and the loops over their elements and rows. No formula of
 * an activation lives here. */
#include "kernels/activations_double.h"

#define PAIR(KIND, name) [GRAD_##KIND] = &grad_##name##_double

static const grad_double_pair *const pairs[GRAD_SOFTMAX] = {
    PAIR(IDENTITY, identity),
    PAIR(RELU, relu),
    PAIR(RELU6, relu6),
    PAIR(LEAKY_RELU, leaky_relu),
    PAIR(PRELU, leaky_relu),
    PAIR(THRESHOLD, threshold),
    PAIR(HARD_TANH, hard_tanh),
    PAIR(HARD_SIGMOID, hard_sigmoid),
    PAIR(HARDSWISH, hardswish),
    PAIR(SOFTSHRINK, softshrink),
    PAIR(HARDSHRINK, hardshrink),
    PAIR(EXP, exp),
    PAIR(ELU, elu),
    PAIR(CELU, celu),
    PAIR(SELU, selu),
    PAIR(SIGMOID, sigmoid),
    PAIR(LOG_SIGMOID, log_sigmoid),
    PAIR(SOFTPLUS, softplus),
    PAIR(SILU, silu),
    PAIR(MISH, mish),
    PAIR(TANH, tanh),
    PAIR(TANHSHRINK, tanhshrink),
    PAIR(SOFTSIGN, softsign),
    PAIR(GELU, gelu),
    PAIR(GELU_TANH, gelu_tanh),
};

static double sign_of(grad_activation_kind kind)
{
    return kind == GRAD_SOFTMIN ? -1 : 1;
}

void grad_double_forward(const grad_activation *f, size_t B, size_t N, const double *z, double *y)
{
    if (f->kind < GRAD_SOFTMAX)
        for (size_t i = 0; i < B * N; i++)
            y[i] = pairs[f->kind]->value(z[i], f->parameters);
    else if (f->kind == GRAD_LOG_SOFTMAX)
        for (size_t b = 0; b < B; b++)
            grad_log_softmax_row(N, z + b * N, y + b * N);
    else
        for (size_t b = 0; b < B; b++)
            grad_softmax_row(sign_of(f->kind), N, z + b * N, y + b * N);
}

void grad_double_backward(const grad_activation *f, size_t B, size_t N, const double *z,
                          const double *dy, double *dz)
{
    if (f->kind < GRAD_SOFTMAX)
        for (size_t i = 0; i < B * N; i++)
            dz[i] = pairs[f->kind]->delta(z[i], dy[i], f->parameters);
    else if (f->kind == GRAD_LOG_SOFTMAX)
        for (size_t b = 0; b < B; b++)
            grad_log_softmax_row_delta(N, z + b * N, dy + b * N, dz + b * N);
    else
        for (size_t b = 0; b < B; b++)
            grad_softmax_row_delta(sign_of(f->kind), N, z + b * N, dy + b * N, dz + b * N);
}
