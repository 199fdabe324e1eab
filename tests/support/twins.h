/* Naive twins of the kernels: the textbook's formulae, one element at a time, in double or longer.
 * Slow, obvious, and written without looking at the kernels: what the fast ones are tested by. */
#ifndef TESTS_SUPPORT_TWINS_H
#define TESTS_SUPPORT_TWINS_H

#include "gradient.h"

/* f(z) and f'(z) of an element-wise activation, its parameters rounded to float32. */
long double twin_activation(const grad_activation *f, long double z);
long double twin_derivative(const grad_activation *f, long double z);

/* The same of an array, in double: many times as fast. A few roundings of double from the exact
 * value, except near a place where f' crosses 0; beyond float32 it is only as large as that. */
void twin_activations_fast(const grad_activation *f, size_t count, const float *z, double *y);
void twin_derivatives_fast(const grad_activation *f, size_t count, const float *z, double *y);

/* The same with the parameters as they are. */
long double twin_activation_64(const grad_activation *f, long double z);
long double twin_derivative_64(const grad_activation *f, long double z);

/* y = softmax(sign z) of one sample: sign is 1, or -1 for softmin. */
void twin_softmax(int sign, size_t N, const float *z, long double *y);

/* The same of doubles. */
void twin_softmax_64(int sign, size_t N, const double *z, long double *y);

/* ∂L/∂z_i of softmax, softmin or log_softmax, given ∂L/∂y and y = softmax(z) or, for softmin,
 * softmax(-z); and the magnitude of its terms. */
long double twin_row_delta(grad_activation_kind kind, size_t N, const long double *y,
                           const float *dy, size_t i, long double *magnitude);

/* The same of doubles. */
long double twin_row_delta_64(grad_activation_kind kind, size_t N, const long double *y,
                              const double *dy, size_t i, long double *magnitude);

/* δ[B,N] of one layer, any activation, float32. */
void twin_delta(const grad_layer *layer, size_t B, size_t N, double *dz);

/* Σ_d a[d * a_step] b[d * b_step] over depth terms, and the sum of the terms' absolute values. */
double twin_dot(size_t depth, const double *a, size_t a_step, const float *b, size_t b_step,
                double *magnitude);

/* The same of numbers of either datatype, in long double. */
long double twin_product(grad_datatype type, size_t depth, const void *a, size_t a_step,
                         const void *b, size_t b_step, long double *magnitude);

#endif
