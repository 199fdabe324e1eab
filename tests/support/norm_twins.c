/* Naive twins of the norms: one element at a time, everything worked out again for each. */
#include "support/norm_twins.h"

#include <math.h>

size_t norm_twin_groups(size_t N)
{
    size_t divisor = 2;

    while (N > 1 && N % divisor != 0)
        divisor++;
    return N > 1 ? divisor : 1;
}

/* Where the i-th element of the set of (b, n) lies, and how many there are. */
static size_t member(const norm_twin *norm, size_t b, size_t n, size_t i)
{
    size_t width = norm->N / norm->groups;

    return norm->by_sample ? b * norm->N + n / width * width + i : i * norm->N + n;
}

static size_t members(const norm_twin *norm)
{
    return norm->by_sample ? norm->N / norm->groups : norm->B;
}

void norm_twin_moments(const norm_twin *norm, size_t b, size_t n, long double *mean,
                       long double *deviation)
{
    size_t count = members(norm);
    long double sum = 0, squares = 0;

    for (size_t i = 0; i < count; i++)
        sum += norm->x[member(norm, b, n, i)];
    *mean = norm->mean != NULL ? norm->mean[n] : sum / (long double)count;
    if (norm->is_uncentred)
        *mean = 0;
    for (size_t i = 0; i < count; i++) {
        long double d = norm->x[member(norm, b, n, i)] - *mean;

        squares += d * d;
    }
    *deviation = sqrtl(norm->epsilon +
                       (norm->variance != NULL ? norm->variance[n] : squares / (long double)count));
}

static long double normalized(const norm_twin *norm, size_t b, size_t n)
{
    long double mean, deviation;

    norm_twin_moments(norm, b, n, &mean, &deviation);
    return (norm->x[b * norm->N + n] - mean) / deviation;
}

void norm_twin_forward(const norm_twin *norm, long double *z)
{
    for (size_t b = 0; b < norm->B; b++)
        for (size_t n = 0; n < norm->N; n++)
            z[b * norm->N + n] = norm->gain[n] * normalized(norm, b, n) + norm->shift[n];
}

/* ∂x̂_i/∂x_j = ((i = j) - 1/n) / σ - x̂_i x̂_j / (n σ), in parts whose sizes are added up too. */
static long double input_slope(const norm_twin *norm, size_t i, size_t j, long double *magnitude)
{
    size_t bi = i / norm->N, ni = i % norm->N, bj = j / norm->N, nj = j % norm->N;
    long double n = (long double)members(norm), mean, deviation, own, product;

    norm_twin_moments(norm, bi, ni, &mean, &deviation);
    own = (i == j ? 1 : 0) - (norm->mean != NULL || norm->is_uncentred ? 0 : 1 / n);
    product = norm->mean != NULL ? 0 : normalized(norm, bi, ni) * normalized(norm, bj, nj) / n;
    *magnitude = ((i == j ? 1 : 0) + 1 / n + fabsl(product)) / deviation;
    return (own - product) / deviation;
}

void norm_twin_grad_input(const norm_twin *norm, const long double *dz, long double *dx,
                          long double *magnitude)
{
    for (size_t j = 0; j < norm->B * norm->N; j++) {
        dx[j] = magnitude[j] = 0;
        for (size_t m = 0; m < members(norm); m++) {
            size_t i = member(norm, j / norm->N, j % norm->N, m);
            long double g = dz[i] * norm->gain[i % norm->N], size;

            dx[j] += g * input_slope(norm, i, j, &size);
            magnitude[j] += fabsl(g) * size;
        }
    }
}

long double norm_twin_gain_delta(const norm_twin *norm, const long double *dz, size_t n,
                                 long double *magnitude)
{
    long double sum = 0;

    *magnitude = 0;
    for (size_t b = 0; b < norm->B; b++) {
        long double term = dz[b * norm->N + n] * normalized(norm, b, n);

        sum += term;
        *magnitude += fabsl(term);
    }
    return sum;
}
