/* What an activation is: its row. Each family of activations is a file, which has for each of them
 * f and f' over float and over double, and the row. To add one: a line of GRAD_ACTIVATIONS in
 * gradient.h, and those in the file of its family.
 *
 * Arithmetic over float. z, ∂L/∂y and what is between are float32; where an argument of e^x
 * has more digits than that, it is held in two floats or in a double, because its error would be
 * a relative one of e^x. f and f' are within 4 units in the last place of the correctly rounded
 * float32, over all finite z, wherever that is a normal number; within 1e-7 next to a place
 * where f' crosses 0 (gelu, silu, mish); and where it is subnormal they may come out as 0. δ is
 * the product of ∂L/∂y and that f', rounded once more. So where f' underflows δ is 0, however
 * large ∂L/∂y is; f' overflows in exp alone, which multiplies by ∂L/∂y before it does: what
 * float32 holds comes out, and 0 times any f' of a finite z is 0 (PyTorch has a NaN there).
 * Nothing between overflows where f' does not. Comparisons are PyTorch's, also for NaN.
 *
 * Arithmetic over double, which is for checking gradients: written for accuracy and not for speed,
 * one call an element. f' is good to a few units of double wherever it is normal and not next to a
 * zero, for any finite z; nothing overflows or becomes NaN on the way to a result that is finite.
 * Comparisons at kinks are those over float.
 *
 * Softmax and its kin over float: y is good to 6u (u = 2^-24), δ_i to
 * 17u y_i Σ_j y_j |g_i - g_j|; a y below the normal numbers may come out as 0.
 * tests/support/tolerances.h counts the roundings. */
#ifndef GRAD_KERNELS_ACTIVATIONS_H
#define GRAD_KERNELS_ACTIVATIONS_H

#include "core/foreign.h"
#include "gradient.h"
#include "kernels/loops.h"

/* An activation over double: of one element, f(z) and dy f'(z) with the parameters p; or, where it
 * couples the features of a sample (softmax), of a row of N. The others are NULL. */
typedef struct grad_double_function {
    double (*value)(double z, const double *p);
    double (*delta)(double z, double dy, const double *p);
    void (*row)(size_t N, const double *z, double *y);
    void (*row_delta)(size_t N, const double *z, const double *dy, double *dz);
} grad_double_function;

/* All there is of an activation. */
typedef struct grad_activation_row {
    grad_activation_info info;
    const grad_loops *loops; /* over float, for each path of the processor */
    const grad_double_function *exact;
} grad_activation_row;

/* The row of name_loops and name_double: its formula, derivative, parameters and synonyms follow.
 */
#define GRAD_ACTIVATION_ROW(KIND, name, ...)                                                       \
    const grad_activation_row grad_##name##_activation = {                                         \
        {GRAD_##KIND, #name, __VA_ARGS__}, &name##_loops, &name##_double}

#define GRAD_ACTIVATION_ROW_DECLARED(KIND, name)                                                   \
    extern const grad_activation_row grad_##name##_activation;
GRAD_ACTIVATIONS(GRAD_ACTIVATION_ROW_DECLARED)
#undef GRAD_ACTIVATION_ROW_DECLARED

/* The same as grad_activation_forward and grad_activation_backward, over double. */
void grad_double_forward(const grad_activation *f, size_t B, size_t N, const double *z, double *y);
void grad_double_backward(const grad_activation *f, size_t B, size_t N, const double *z,
                          const double *dy, double *dz);

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

#endif
