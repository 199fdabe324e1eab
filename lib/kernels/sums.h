/* Sums in double of short blocks: in LANES partial sums, so that they become vector code, in an
 * order that depends on the count alone. */
#ifndef GRAD_KERNELS_SUMS_H
#define GRAD_KERNELS_SUMS_H

#include <stddef.h>

#define GRAD_SPAN 128 /* numbers of a block on the stack: 1 KiB */
#define GRAD_SUM_LANES 8

static inline double grad_sum_of_lanes(const double *sums)
{
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* Σ a b */
static inline double grad_sum_of_products(size_t count, const double *a, const double *b)
{
    double sums[GRAD_SUM_LANES] = {0};
    size_t whole = count - count % GRAD_SUM_LANES;

    for (size_t i = 0; i < whole; i += GRAD_SUM_LANES)
        for (size_t lane = 0; lane < GRAD_SUM_LANES; lane++)
            sums[lane] += a[i + lane] * b[i + lane];
    for (size_t i = whole; i < count; i++)
        sums[i - whole] += a[i] * b[i];
    return grad_sum_of_lanes(sums);
}

/* Σ a */
static inline double grad_sum(size_t count, const double *a)
{
    double sums[GRAD_SUM_LANES] = {0};
    size_t whole = count - count % GRAD_SUM_LANES;

    for (size_t i = 0; i < whole; i += GRAD_SUM_LANES)
        for (size_t lane = 0; lane < GRAD_SUM_LANES; lane++)
            sums[lane] += a[i + lane];
    for (size_t i = whole; i < count; i++)
        sums[i - whole] += a[i];
    return grad_sum_of_lanes(sums);
}

#endif
