/* What the files of kernels/ and batch/ need to know of the activations beyond gradient.h. The
 * formulae are in the .c files, one for each family.
 *
 * Arithmetic of all of them. z, ∂L/∂y and what is between are float32; where an argument of e^x
 * has more digits than that, it is held in two floats or in a double, because its error would be
 * a relative one of e^x. f and f' are within 4 units in the last place of the correctly rounded
 * float32, over all finite z, wherever that is a normal number; within 1e-7 next to a place
 * where f' crosses 0 (gelu, silu, mish); and where it is subnormal they may come out as 0. δ is
 * the product of ∂L/∂y and that f', rounded once more. So where f' underflows δ is 0, however
 * large ∂L/∂y is; f' overflows in exp alone, which multiplies by ∂L/∂y before it does: what
 * float32 holds comes out, and 0 times any f' of a finite z is 0 (PyTorch has a NaN there).
 * Nothing between overflows where f' does not. Comparisons are PyTorch's, also for NaN.
 *
 * Softmax and its kin: y is good to 6u (u = 2^-24), δ_i to 17u y_i Σ_j y_j |g_i - g_j|; a y
 * below the normal numbers may come out as 0. tests/support/tolerances.h counts the roundings. */
#ifndef GRAD_KERNELS_ACTIVATIONS_H
#define GRAD_KERNELS_ACTIVATIONS_H

#include "gradient.h"
#include "kernels/loops.h"

/* Whether f mixes the features of a sample (softmax), so that a row of z is not to be cut. */
bool grad_activation_couples_features(grad_activation_kind kind);

/* f over either datatype, with prelu's slopes. */
typedef struct grad_function {
    const grad_activation *f;
    grad_datatype type;
    const void *slope;  /* prelu's [slope_count], or NULL: its parameter, shared */
    size_t slope_count; /* 1, or N: then rows must be whole */
} grad_function;

/* y[rows,N] = f(z[rows,N]). y may be z. */
void grad_function_forward(const grad_function *function, size_t rows, size_t N, const void *z,
                           void *y);

/* dz[rows,N] = dy ⊙ f'(z). dz may be dy. */
void grad_function_backward(const grad_function *function, size_t rows, size_t N, const void *z,
                            const void *dy, void *dz);

/* How many elements of z[rows,N] have f'(z) = 0, rounded to the datatype. Not for those that couple
 * features. */
size_t grad_function_zeros(const grad_function *function, size_t rows, size_t N, const void *z);

/* Elements [begin, end) of prelu's slope delta by channel, [N]: factor Σ_b (z > 0 ? 0 : z dy). */
void grad_prelu_slope_delta(grad_datatype type, size_t B, size_t N, const void *z, const void *dy,
                            double factor, size_t begin, size_t end, void *dslope);

/* The one of a shared slope: the same summed over the features too. */
void grad_prelu_shared_slope_delta(grad_datatype type, size_t B, size_t N, const void *z,
                                   const void *dy, double factor, void *dslope);

/* Whether this processor can run that path. */
bool grad_path_is_supported(grad_path path);

/* The loops of an activation on every path: for the tests, which compare the paths. */
const grad_loops *grad_activation_loops(grad_activation_kind kind);

extern const grad_loops grad_identity_loops, grad_relu_loops, grad_relu6_loops,
    grad_leaky_relu_loops, grad_threshold_loops, grad_hard_tanh_loops, grad_hard_sigmoid_loops,
    grad_hardswish_loops, grad_softshrink_loops, grad_hardshrink_loops; /* piecewise.c */
extern const grad_loops grad_exp_loops, grad_elu_loops, grad_celu_loops,
    grad_selu_loops; /* exponential.c */
extern const grad_loops grad_sigmoid_loops, grad_log_sigmoid_loops, grad_softplus_loops,
    grad_silu_loops, grad_tanh_loops, grad_tanhshrink_loops, grad_mish_loops,
    grad_softsign_loops;                                       /* sigmoidal.c */
extern const grad_loops grad_gelu_loops, grad_gelu_tanh_loops; /* gaussian.c */
extern const grad_loops grad_softmax_loops, grad_log_softmax_loops, grad_softmin_loops;

#endif
