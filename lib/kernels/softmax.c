/* The activations over the features of each sample: softmax, softmin, log_softmax. Arithmetic as
 * activations.h says; the largest u is taken off first, so that exp never overflows. Sums are made
 * in LANES partial sums, in an order that depends on N alone. */
#include "kernels/elementary.h"

#include <math.h>

#include "kernels/activations.h"

#define LANES 8
#define BLOCK 512 /* a multiple of LANES */

/* A row u = sign z of N features: softmin is the softmax of -z. The exponentials of one block of it
 * are kept, so that a short row has them worked out once. */
typedef struct row {
    size_t N;
    const float *z;
    double sign;
    size_t m;     /* where the largest u is */
    double top;   /* that u */
    double rest;  /* Σ_{j≠m} e^(u_j - top); with e^0 = 1 for m, the whole sum is 1 + rest */
    size_t begin; /* the block: begin … begin + count */
    size_t count;
    double e[BLOCK]; /* e^(u_j - top) of the block */
} row;

/* Makes the block at begin the one that is kept, and says whether there is one. */
GRAD_INLINE bool take_block(row *r, size_t begin)
{
    if (begin >= r->N)
        return false;
    if (r->begin == begin && r->count > 0)
        return true;
    r->begin = begin;
    r->count = r->N - begin < BLOCK ? r->N - begin : BLOCK;
    for (size_t i = 0; i < r->count; i++)
        r->e[i] = grad_exp(r->sign * r->z[begin + i] - r->top);
    return true;
}

/* The sum of the block's terms, without that of m. */
GRAD_INLINE double block_sum(const row *r, double *terms)
{
    double sums[LANES] = {0};
    size_t whole = r->count - r->count % LANES;
    size_t m = r->m - r->begin;
    double kept = 0;

    if (m < r->count) {
        kept = terms[m];
        terms[m] = 0;
    }
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += terms[i + lane];
    for (size_t i = whole; i < r->count; i++)
        sums[i - whole] += terms[i];
    if (m < r->count)
        terms[m] = kept;
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* The largest of u, or a NaN if one comes first. */
GRAD_INLINE float largest(size_t N, const float *z, float sign)
{
    float tops[LANES], top = sign * z[0];
    size_t whole = N - N % LANES;

    for (size_t lane = 0; lane < LANES; lane++)
        tops[lane] = top;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            tops[lane] = sign * z[i + lane] > tops[lane] ? sign * z[i + lane] : tops[lane];
    for (size_t i = whole; i < N; i++)
        top = sign * z[i] > top ? sign * z[i] : top;
    for (size_t lane = 0; lane < LANES; lane++)
        top = tops[lane] > top ? tops[lane] : top;
    return top;
}

GRAD_INLINE void begin_row(row *r, size_t N, const float *z, float sign)
{
    float top = largest(N, z, sign);

    r->N = N;
    r->z = z;
    r->sign = sign;
    r->top = top;
    r->m = 0;
    while (r->m + 1 < N && sign * z[r->m] != top)
        r->m++;
    r->count = 0;
    r->rest = 0;
    for (size_t begin = 0; take_block(r, begin); begin += BLOCK)
        r->rest += block_sum(r, r->e);
}

/* ---- softmax, softmin ------------------------------------------------------------------------ */

GRAD_INLINE void normalized_forward(size_t N, const float *z, float sign, float *y)
{
    row r;
    double sum;

    begin_row(&r, N, z, sign);
    sum = 1 + r.rest;
    for (size_t begin = 0; take_block(&r, begin); begin += BLOCK)
        for (size_t i = 0; i < r.count; i++)
            y[begin + i] = (float)(r.e[i] / sum);
}

/* Σ_{j≠m} e^(u_j - top) (dy_j - shift) */
GRAD_INLINE double weighted_rest(row *r, const float *dy, double shift)
{
    double terms[BLOCK], sum = 0;

    for (size_t begin = 0; take_block(r, begin); begin += BLOCK) {
        for (size_t i = 0; i < r->count; i++)
            terms[i] = r->e[i] * (dy[begin + i] - shift);
        sum += block_sum(r, terms);
    }
    return sum;
}

/* ∂L/∂u_i = y_i (g_i - Σ_j y_j g_j), where g is ∂L/∂y less its value at the largest u. As Σ y = 1
 * the shift changes nothing but the rounding: a confident row (one y near 1, the others tiny) would
 * otherwise be a difference of two nearly equal numbers. */
GRAD_INLINE void normalized_backward(size_t N, const float *z, float sign, const float *dy,
                                     float *dz)
{
    row r;
    double shift, mean, factor;

    begin_row(&r, N, z, sign);
    shift = dy[r.m];
    mean = weighted_rest(&r, dy, shift) / (1 + r.rest);
    factor = sign / (1 + r.rest);
    for (size_t begin = 0; take_block(&r, begin); begin += BLOCK) {
#pragma GCC ivdep
        for (size_t i = 0; i < r.count; i++)
            dz[begin + i] = (float)(r.e[i] * factor * (dy[begin + i] - shift - mean));
    }
}

GRAD_INLINE void softmax_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t b = 0; b < B; b++)
        normalized_forward(N, z + b * N, 1, y + b * N);
}

GRAD_INLINE void softmax_backward(const float *p, size_t B, size_t N, const float *z,
                                  const float *dy, float *dz)
{
    (void)p;
    for (size_t b = 0; b < B; b++)
        normalized_backward(N, z + b * N, 1, dy + b * N, dz + b * N);
}

GRAD_ALL_PATHS(softmax);

GRAD_INLINE void softmin_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t b = 0; b < B; b++)
        normalized_forward(N, z + b * N, -1, y + b * N);
}

GRAD_INLINE void softmin_backward(const float *p, size_t B, size_t N, const float *z,
                                  const float *dy, float *dz)
{
    (void)p;
    for (size_t b = 0; b < B; b++)
        normalized_backward(N, z + b * N, -1, dy + b * N, dz + b * N);
}

GRAD_ALL_PATHS(softmin);

/* ---- log_softmax ----------------------------------------------------------------------------- */

GRAD_INLINE void log_softmax_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t b = 0; b < B; b++, z += N, y += N) {
        row r;
        double log_of_sum;

        begin_row(&r, N, z, 1);
        log_of_sum = log1p(r.rest);
#pragma GCC ivdep
        for (size_t i = 0; i < N; i++)
            y[i] = (float)((z[i] - r.top) - log_of_sum);
    }
}

/* Σ_{j≠m} dy_j */
GRAD_INLINE double rest_of_gradient(row *r, const float *dy)
{
    double terms[BLOCK], sum = 0;

    for (size_t begin = 0; take_block(r, begin); begin += BLOCK) {
        for (size_t i = 0; i < r->count; i++)
            terms[i] = dy[begin + i];
        sum += block_sum(r, terms);
    }
    return sum;
}

/* δ_i = dy_i - y_i Σ_j dy_j. At the largest z, where y may be near 1, it is
 * (1 - y_m) dy_m - y_m Σ_{j≠m} dy_j, with 1 - y_m worked out as rest / sum. */
GRAD_INLINE void log_softmax_backward(const float *p, size_t B, size_t N, const float *z,
                                      const float *dy, float *dz)
{
    (void)p;
    for (size_t b = 0; b < B; b++, z += N, dy += N, dz += N) {
        row r;
        double others, factor;
        float at_top;

        begin_row(&r, N, z, 1);
        others = rest_of_gradient(&r, dy);
        factor = (others + dy[r.m]) / (1 + r.rest);
        at_top = (float)((r.rest * dy[r.m] - others) / (1 + r.rest));
        for (size_t begin = 0; take_block(&r, begin); begin += BLOCK) {
#pragma GCC ivdep
            for (size_t i = 0; i < r.count; i++)
                dz[begin + i] = (float)(dy[begin + i] - r.e[i] * factor);
        }
        dz[r.m] = at_top;
    }
}

GRAD_ALL_PATHS(log_softmax);
