/* Loops over the elements of an array, either datatype: masks, sums, clipping, scaling, decay, and
 * statistics. Those over float are plain enough to become vector code. */
#include "kernels/elements.h"

#include <math.h>

#include "kernels/sums.h"

#define LANES GRAD_SUM_LANES

/* ---- Element by element ---------------------------------------------------------------------- */

/* mask_float, add_float, clip_float, scale_float, decay_float, and those of double. */
#define ELEMENT_LOOPS(real)                                                                        \
    static void mask_##real(size_t count, const real *mask, real factor, const real *x, real *y)   \
    {                                                                                              \
        _Pragma("GCC ivdep") for (size_t i = 0; i < count; i++) y[i] = factor * mask[i] * x[i];    \
    }                                                                                              \
                                                                                                   \
    static void add_##real(size_t count, const real *x, real *sum)                                 \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            sum[i] += x[i];                                                                        \
    }                                                                                              \
                                                                                                   \
    static size_t clip_##real(size_t count, real limit, real *x)                                   \
    {                                                                                              \
        size_t changed = 0;                                                                        \
                                                                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            real held = x[i] > limit ? limit : x[i];                                               \
                                                                                                   \
            changed += x[i] > limit || x[i] < -limit;                                              \
            x[i] = held < -limit ? -limit : held;                                                  \
        }                                                                                          \
        return changed;                                                                            \
    }                                                                                              \
                                                                                                   \
    static void scale_##real(size_t count, double factor, real *x)                                 \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            x[i] = (real)(factor * (double)x[i]);                                                  \
    }                                                                                              \
                                                                                                   \
    static void decay_##real(size_t count, double factor, double l1, double l2, double scale,      \
                             const real *W, real *dW)                                              \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            double lasso = W[i] > 0 ? l1 : W[i] < 0 ? -l1 : 0;                                     \
            double ridge = l2 != 0 ? l2 * (double)W[i] : 0; /* also where W is infinite */         \
                                                                                                   \
            dW[i] = (real)(scale * (factor * (double)dW[i] + lasso + ridge));                      \
        }                                                                                          \
    }

ELEMENT_LOOPS(float)
ELEMENT_LOOPS(double)

void grad_elements_mask(grad_datatype type, size_t count, const void *mask, double factor,
                        const void *x, void *y)
{
    if (type == GRAD_FP64)
        mask_double(count, mask, factor, x, y);
    else
        mask_float(count, mask, (float)factor, x, y);
}

void grad_elements_add(grad_datatype type, size_t count, const void *x, void *sum)
{
    if (type == GRAD_FP64)
        add_double(count, x, sum);
    else
        add_float(count, x, sum);
}

size_t grad_elements_clip(grad_datatype type, size_t count, double limit, void *x)
{
    return type == GRAD_FP64 ? clip_double(count, limit, x) : clip_float(count, (float)limit, x);
}

void grad_elements_scale(grad_datatype type, size_t count, double factor, void *x)
{
    if (factor == 1)
        return;
    if (type == GRAD_FP64)
        scale_double(count, factor, x);
    else
        scale_float(count, factor, x);
}

void grad_elements_decay(grad_datatype type, size_t count, double factor, grad_decay decay,
                         double scale, const void *W, void *dW)
{
    if (type == GRAD_FP64)
        decay_double(count, factor, decay.l1, decay.l2, scale, W, dW);
    else
        decay_float(count, factor, decay.l1, decay.l2, scale, W, dW);
}

/* ---- Statistics ------------------------------------------------------------------------------ */

/* squares_, largest_ and bad_ of float and double: Σ (scale x)², the largest |x| (NaNs aside), and
 * how many are not finite. */
#define STATISTICS_LOOPS(real)                                                                     \
    static double squares_##real(size_t count, double scale, const real *x)                        \
    {                                                                                              \
        double sums[LANES] = {0};                                                                  \
        size_t whole = count - count % LANES;                                                      \
                                                                                                   \
        for (size_t i = 0; i < whole; i += LANES)                                                  \
            for (size_t lane = 0; lane < LANES; lane++) {                                          \
                double scaled = scale * (double)x[i + lane];                                       \
                                                                                                   \
                sums[lane] += scaled * scaled;                                                     \
            }                                                                                      \
        for (size_t i = whole; i < count; i++)                                                     \
            sums[i - whole] += (scale * (double)x[i]) * (scale * (double)x[i]);                    \
        return grad_sum_of_lanes(sums);                                                            \
    }                                                                                              \
                                                                                                   \
    static double largest_##real(size_t count, const real *x)                                      \
    {                                                                                              \
        real tops[LANES] = {0};                                                                    \
                                                                                                   \
        for (size_t i = 0; i + LANES <= count; i += LANES)                                         \
            for (size_t lane = 0; lane < LANES; lane++) {                                          \
                real size = (real)fabs((double)x[i + lane]);                                       \
                                                                                                   \
                tops[lane] = size > tops[lane] ? size : tops[lane];                                \
            }                                                                                      \
        for (size_t i = count - count % LANES; i < count; i++)                                     \
            tops[0] = (real)fmax((double)tops[0], fabs((double)x[i]));                             \
        for (size_t lane = 1; lane < LANES; lane++)                                                \
            tops[0] = tops[lane] > tops[0] ? tops[lane] : tops[0];                                 \
        return (double)tops[0];                                                                    \
    }                                                                                              \
                                                                                                   \
    static size_t bad_##real(size_t count, const real *x, size_t *nans)                            \
    {                                                                                              \
        size_t bad = 0;                                                                            \
                                                                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            *nans += isnan(x[i]) ? 1 : 0;                                                          \
            bad += isfinite(x[i]) ? 0 : 1;                                                         \
        }                                                                                          \
        return bad;                                                                                \
    }

STATISTICS_LOOPS(float)
STATISTICS_LOOPS(double)

/* A power of two that brings numbers of up to `largest` to where their squares, and the sum of any
 * number of them, neither overflow nor vanish. The squares of floats are there already. */
static double scale_for(double largest)
{
    return largest > 0x1p+400 ? 0x1p-600 : largest < 0x1p-400 ? 0x1p+600 : 1;
}

grad_statistics grad_elements_statistics(grad_datatype type, size_t count, const void *x)
{
    bool is_double = type == GRAD_FP64;
    double largest = is_double ? largest_double(count, x) : largest_float(count, x);
    double scale = scale_for(largest);
    double squares = is_double ? squares_double(count, scale, x) : squares_float(count, scale, x);
    grad_statistics s = {.l2_norm = sqrt(squares) / scale, .max_abs = largest};
    size_t nans = 0;

    if (isfinite(squares))
        return s;
    s.non_finite = is_double ? bad_double(count, x, &nans) : bad_float(count, x, &nans);
    s.max_abs = nans > 0 ? (double)NAN : largest;
    return s;
}

void grad_statistics_add(grad_statistics *total, const grad_statistics *more)
{
    /* hypot(∞, NaN) is ∞, but a norm that a NaN is part of is none */
    bool is_nan = isnan(total->l2_norm) || isnan(more->l2_norm);
    double larger = more->max_abs > total->max_abs ? more->max_abs : total->max_abs;

    total->l2_norm = is_nan ? (double)NAN : hypot(total->l2_norm, more->l2_norm);
    total->max_abs = is_nan ? (double)NAN : larger;
    total->non_finite += more->non_finite;
}
