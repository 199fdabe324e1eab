/* Naive twins of layer and batch normalization in long double: the definitions, and the backward
 * pass by the whole Jacobian of each normalized set. Written without looking at the kernels. */
#ifndef TESTS_SUPPORT_NORM_TWINS_H
#define TESTS_SUPPORT_NORM_TWINS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct norm_twin {
    size_t B, N;
    bool by_sample;                     /* else by feature */
    size_t groups;                      /* by sample: of its features, side by side */
    bool is_uncentred;                  /* the mean is taken for 0 */
    const long double *mean, *variance; /* [N]: given ones; or NULL: of x */
    const long double *gain, *shift;    /* [N] */
    long double epsilon;
    const long double *x; /* [B,N] */
} norm_twin;

/* How many groups the tests cut N features into: the least divisor of N above 1; of 1 1. */
size_t norm_twin_groups(size_t N);

/* Mean and √(variance + ε) of the set that element (b, n) belongs to. */
void norm_twin_moments(const norm_twin *norm, size_t b, size_t n, long double *mean,
                       long double *deviation);

/* z[B,N] */
void norm_twin_forward(const norm_twin *norm, long double *z);

/* ∂L/∂x[B,N], and how large its terms are together. */
void norm_twin_grad_input(const norm_twin *norm, const long double *dz, long double *dx,
                          long double *magnitude);

/* Σ_b dz x̂ at feature n, and how large its terms are together. */
long double norm_twin_gain_delta(const norm_twin *norm, const long double *dz, size_t n,
                                 long double *magnitude);

#endif
