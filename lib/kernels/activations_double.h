/* The activations over double, what activations.h is to float: for checking gradients, so written
 * for accuracy and not for speed, one call an element. The formulae are in piecewise_double.c,
 * smooth_double.c, gaussian_double.c and rows_double.c; prelu by channel is function.c's.
 *
 * Accuracy. f' is good to a few units of double wherever it is normal and not next to a zero, for
 * any finite z; nothing overflows or becomes NaN on the way to a result that is finite. Comparisons
 * at kinks are those of the float loops. */
#ifndef GRAD_KERNELS_ACTIVATIONS_DOUBLE_H
#define GRAD_KERNELS_ACTIVATIONS_DOUBLE_H

#include "gradient.h"

/* As grad_activation_forward and grad_activation_backward, with the same leave to overlap. */
void grad_double_forward(const grad_activation *f, size_t B, size_t N, const double *z, double *y);
void grad_double_backward(const grad_activation *f, size_t B, size_t N, const double *z,
                          const double *dy, double *dz);

/* f(z), and dy f'(z), of one element; p are the parameters. */
typedef double grad_double_value(double z, const double *p);
typedef double grad_double_delta(double z, double dy, const double *p);

typedef struct grad_double_pair {
    grad_double_value *value;
    grad_double_delta *delta;
} grad_double_pair;

extern const grad_double_pair grad_identity_double, grad_relu_double, grad_relu6_double,
    grad_leaky_relu_double, grad_threshold_double, grad_hard_tanh_double, grad_hard_sigmoid_double,
    grad_hardswish_double, grad_softshrink_double, grad_hardshrink_double; /* piecewise_double.c */
extern const grad_double_pair grad_exp_double, grad_elu_double, grad_celu_double, grad_selu_double,
    grad_sigmoid_double, grad_log_sigmoid_double, grad_softplus_double, grad_silu_double,
    grad_mish_double, grad_tanh_double, grad_tanhshrink_double, grad_softsign_double,
    grad_gelu_double, grad_gelu_tanh_double; /* smooth_double.c, gaussian_double.c */

/* Of one row of N features; rows_double.c. */
void grad_softmax_row(double sign, size_t N, const double *z, double *y);
void grad_softmax_row_delta(double sign, size_t N, const double *z, const double *dy, double *dz);
void grad_log_softmax_row(size_t N, const double *z, double *y);
void grad_log_softmax_row_delta(size_t N, const double *z, const double *dy, double *dz);

#endif
