/* The loops of softmax, softmin and log_softmax, compiled for one path by each file that includes
 * this: it defines GRAD_ROW_FUNCTION(name), what the six functions at the end are called there.
 * Arithmetic as activations.h says; the largest u is taken off first, so that exp never overflows.
 * The order of every sum depends on N alone. */
#ifndef GRAD_KERNELS_SOFTMAX_ROWS_H
#define GRAD_KERNELS_SOFTMAX_ROWS_H

#include <math.h>

#include "kernels/single.h"
#include "kernels/softmax_top.h"

/* What e^(u - top) is worked out with: v = u - offset, held at least, less top there. high and low
 * are the two parts of that top. */
typedef struct below_top {
    float offset, top, high, low, least;
} below_top;

/* A row u = sign z of N >= LANES features: softmin is the softmax of -z. */
typedef struct row {
    size_t N;
    const float *z, *dy;
    float sign;
    below_top below;
    size_t top;   /* where u is the largest */
    bool skips;   /* e is put to 0 there, for log_softmax's sums */
    size_t begin; /* the block that is kept: begin … begin + count; the last has up to */
    size_t count; /* BLOCK + LANES - 1 features, so that none has less than LANES */
    float e[BLOCK + LANES]; /* its e^(u_j - top): a short row has them worked out once */
} row;

/* ---- The exponentials ------------------------------------------------------------------------ */

#define TOP_NEAR 256.0f
#define TOP_ROUNDER 0x1.8p9f /* to multiples of 2^-14, within TOP_NEAR */

/* u - top loses digits to rounding where top is near 0, and they would be a relative error of the
 * result. There k log 2 + top is worked out in two parts instead, whose high one is exact, and
 * taken off u. Elsewhere u is within a factor of 2 of top or far below it: u - top is exact. */
static below_top below_top_of(float top)
{
    float high = (top + TOP_ROUNDER) - TOP_ROUNDER;

    if (fabsf(top) < TOP_NEAR)
        return (below_top){0, top, high, top - high, top - GRAD_EXPM1_FAR};
    return (below_top){top, 0, 0, 0, -GRAD_EXPM1_FAR};
}

/* e^(u - top), 0 below the normal numbers. */
GRAD_INLINE float exp_below_top(float u, below_top below)
{
    const float rounder = GRAD_ROUNDER_SINGLE + GRAD_EXPM1_BIAS;
    float from = u - below.offset, held = from < below.least ? below.least : from;
    float shifted = (held - below.top) * GRAD_SINGLE_LOG2_E + rounder, k = shifted - rounder;
    float high = k * GRAD_SINGLE_LOG_2_HIGH + below.high;
    float low = k * GRAD_SINGLE_LOG_2_LOW + below.low;
    uint32_t exponent;

    memcpy(&exponent, &shifted, sizeof shifted);
    return (1 + grad_exp_rest((held - high) - low)) * grad_power(exponent);
}

static void exps_below_top(size_t count, float sign, below_top below, const float *z, float *e)
{
    for (size_t i = 0; i < count / LANES * LANES; i++)
        e[i] = exp_below_top(sign * z[i], below);
    if (count % LANES != 0)
        for (size_t i = count - LANES; i < count; i++)
            e[i] = exp_below_top(sign * z[i], below);
}

/* Makes the block at begin the one that is kept, and says whether there is one. */
GRAD_INLINE bool take_block(row *r, size_t begin)
{
    size_t rest = r->N - begin;

    if (rest == 0)
        return false;
    if (r->begin == begin && r->count > 0)
        return true;
    r->begin = begin;
    r->count = rest < BLOCK + LANES ? rest : BLOCK;
    exps_below_top(r->count, r->sign, r->below, r->z + begin, r->e);
    if (r->skips && r->top >= begin && r->top < begin + r->count)
        r->e[r->top - begin] = 0;
    return true;
}

/* dy is z where there is none. */
static void begin_row(row *r, size_t N, float sign, bool skips, const float *z, const float *dy)
{
    const float top = largest(N, sign, z);

    r->N = N;
    r->sign = sign;
    r->z = z;
    r->dy = dy;
    r->below = below_top_of(top);
    r->top = place_of_top(N, sign, z, top);
    r->skips = skips;
    r->begin = r->count = 0;
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static double total_of(const double *lanes)
{
    double part[LANES / 2];

    for (size_t i = 0; i < LANES / 2; i++)
        part[i] = lanes[i] + lanes[i + LANES / 2];
    return ((part[0] + part[4]) + (part[1] + part[5])) +
           ((part[2] + part[6]) + (part[3] + part[7]));
}

/* lanes += x, but for the first `skipped` elements */
GRAD_INLINE void add_step(const float *x, size_t skipped, double *lanes)
{
    for (size_t lane = 0; lane < LANES; lane++)
        lanes[lane] += lane < skipped ? 0 : (double)x[lane];
}

static void add_all(size_t count, const float *x, double *lanes)
{
    size_t whole = count / LANES * LANES;
    double sum[LANES] = {0};

    for (size_t step = 0; step < whole; step += LANES)
        add_step(x + step, 0, sum);
    if (whole < count)
        add_step(x + count - LANES, whole + LANES - count, sum);
    for (size_t lane = 0; lane < LANES; lane++)
        lanes[lane] += sum[lane];
}

/* NaN where the largest u is no number, which may be the one that is skipped. */
static double exp_sum(row *r)
{
    const float top = r->z[r->top];
    double lanes[LANES] = {0};

    for (size_t begin = 0; take_block(r, begin); begin += r->count)
        add_all(r->count, r->e, lanes);
    return total_of(lanes) + (double)(top - top);
}

/* Sums over a row of e_i, and of e_i (dy_i - shift). */
typedef struct sums {
    double e[LANES], weighted[LANES];
} sums;

GRAD_INLINE void add_both_steps(const float *e, const float *dy, double shift, size_t skipped,
                                sums *s)
{
    for (size_t lane = 0; lane < LANES; lane++) {
        double weighted = (double)e[lane] * ((double)dy[lane] - shift);

        s->e[lane] += lane < skipped ? 0 : (double)e[lane];
        s->weighted[lane] += lane < skipped ? 0 : weighted;
    }
}

static void add_both(size_t count, const float *e, const float *dy, double shift, sums *all)
{
    size_t whole = count / LANES * LANES;
    sums s = {{0}, {0}};

    for (size_t step = 0; step < whole; step += LANES)
        add_both_steps(e + step, dy + step, shift, 0, &s);
    if (whole < count)
        add_both_steps(e + count - LANES, dy + count - LANES, shift, whole + LANES - count, &s);
    for (size_t lane = 0; lane < LANES; lane++) {
        all->e[lane] += s.e[lane];
        all->weighted[lane] += s.weighted[lane];
    }
}

/* ---- softmax, softmin ------------------------------------------------------------------------ */

/* out[i] = value for the count elements of a block, which may be an input: so the last LANES, which
 * overlap those before, are worked out first and written last. */
#define WRITE_BLOCK(out, count, value)                                                             \
    do {                                                                                           \
        const size_t whole = (count) / LANES * LANES, tail = (count)-LANES;                        \
        float last[LANES];                                                                         \
                                                                                                   \
        for (size_t lane = 0; lane < LANES; lane++) {                                              \
            const size_t i = tail + lane;                                                          \
                                                                                                   \
            last[lane] = (value);                                                                  \
        }                                                                                          \
        _Pragma("GCC ivdep") for (size_t i = 0; i < whole; i++)(out)[i] = (value);                 \
        memcpy((out) + tail, last, sizeof last);                                                   \
    } while (0)

static void normalized_value(size_t N, float sign, const float *z, float *y)
{
    row r;
    float scale;

    begin_row(&r, N, sign, false, z, z);
    scale = (float)(1 / exp_sum(&r));
    for (size_t begin = 0; take_block(&r, begin); begin += r.count)
        WRITE_BLOCK(y + begin, r.count, r.e[i] * scale);
}

/* ∂L/∂u_i = y_i (g_i - Σ_j y_j g_j), where g is ∂L/∂y less its value at the largest u. As Σ y =
 * 1 the shift changes nothing but the rounding: a confident row (one y near 1, the others tiny)
 * would otherwise be a difference of two nearly equal numbers. The mean is held in two floats. */
static void normalized_delta(size_t N, float sign, const float *z, const float *dy, float *dz)
{
    row r;
    sums s = {{0}, {0}};
    double at_top, sum, mean;
    float shift, rest, scale;

    begin_row(&r, N, sign, false, z, dy);
    at_top = dy[r.top];
    for (size_t begin = 0; take_block(&r, begin); begin += r.count)
        add_both(r.count, r.e, dy + begin, at_top, &s);
    sum = total_of(s.e);
    mean = total_of(s.weighted) / sum;
    shift = (float)(at_top + mean);
    rest = (float)(mean - (shift - at_top));
    scale = (float)(sign / sum);
    for (size_t begin = 0; take_block(&r, begin); begin += r.count) {
        const float *g = dy + begin;

        WRITE_BLOCK(dz + begin, r.count, r.e[i] * scale * ((g[i] - shift) - rest));
    }
}

/* ---- log_softmax ----------------------------------------------------------------------------- */

static void log_value(size_t N, float sign, const float *z, float *y)
{
    row r;
    float top, log_of_sum;

    begin_row(&r, N, sign, true, z, z);
    top = z[r.top];
    log_of_sum = (float)log1p(exp_sum(&r));
    WRITE_BLOCK(y, N, (z[i] - top) - log_of_sum);
}

/* Σ_{j≠m} dy_j, m being where u is the largest */
static double others_gradient(const row *r)
{
    double lanes[LANES] = {0};
    float dy[BLOCK + LANES];

    for (size_t begin = 0, count; begin < r->N; begin += count) {
        count = r->N - begin < BLOCK + LANES ? r->N - begin : BLOCK;
        memcpy(dy, r->dy + begin, count * sizeof *dy);
        if (r->top >= begin && r->top < begin + count)
            dy[r->top - begin] = 0;
        add_all(count, dy, lanes);
    }
    return total_of(lanes);
}

/* δ_i = dy_i - y_i Σ_j dy_j. At the largest u, where y may be near 1, it is
 * (rest dy_m - Σ_{j≠m} dy_j) / (1 + rest) with rest = Σ_{j≠m} e_j. */
static void log_delta(size_t N, float sign, const float *z, const float *dy, float *dz)
{
    row r;
    double at_top, rest, others;
    float factor;

    begin_row(&r, N, sign, true, z, dy);
    at_top = dy[r.top];
    rest = exp_sum(&r);
    others = others_gradient(&r);
    factor = (float)((others + at_top) / (1 + rest));
    for (size_t begin = 0; take_block(&r, begin); begin += r.count) {
        const float *g = dy + begin;

        WRITE_BLOCK(dz + begin, r.count, g[i] - factor * r.e[i]);
    }
    dz[r.top] = (float)((rest * at_top - others) / (1 + rest));
}

/* ---- The loops over rows --------------------------------------------------------------------- */

/* A row of less than LANES features, filled up with those whose exponential is 0. */
typedef struct short_row {
    float z[LANES], dy[LANES], result[LANES];
} short_row;

static void fill_up(size_t N, float sign, const float *z, const float *dy, short_row *s)
{
    for (size_t i = 0; i < LANES; i++) {
        s->z[i] = -sign * INFINITY;
        s->dy[i] = 0;
    }
    memcpy(s->z, z, N * sizeof *z);
    memcpy(s->dy, dy, N * sizeof *dy);
}

/* prefix_forward and prefix_backward from value and delta of one row. */
#define ROW_LOOPS(prefix, value, delta, sign)                                                      \
    void GRAD_ROW_FUNCTION(prefix##_forward)(const float *p, size_t B, size_t N, const float *z,   \
                                             float *y)                                             \
    {                                                                                              \
        bool is_short = N < LANES;                                                                 \
        short_row s;                                                                               \
                                                                                                   \
        (void)p;                                                                                   \
        for (size_t b = 0; b < B; b++, z += N, y += N) {                                           \
            if (is_short)                                                                          \
                fill_up(N, sign, z, z, &s);                                                        \
            value(is_short ? LANES : N, sign, is_short ? s.z : z, is_short ? s.result : y);        \
            if (is_short)                                                                          \
                memcpy(y, s.result, N * sizeof *y);                                                \
        }                                                                                          \
    }                                                                                              \
    void GRAD_ROW_FUNCTION(prefix##_backward)(const float *p, size_t B, size_t N, const float *z,  \
                                              const float *dy, float *dz)                          \
    {                                                                                              \
        bool is_short = N < LANES;                                                                 \
        short_row s;                                                                               \
                                                                                                   \
        (void)p;                                                                                   \
        for (size_t b = 0; b < B; b++, z += N, dy += N, dz += N) {                                 \
            if (is_short)                                                                          \
                fill_up(N, sign, z, dy, &s);                                                       \
            delta(is_short ? LANES : N, sign, is_short ? s.z : z, is_short ? s.dy : dy,            \
                  is_short ? s.result : dz);                                                       \
            if (is_short)                                                                          \
                memcpy(dz, s.result, N * sizeof *dz);                                              \
        }                                                                                          \
    }

ROW_LOOPS(softmax, normalized_value, normalized_delta, 1)
ROW_LOOPS(softmin, normalized_value, normalized_delta, -1)
ROW_LOOPS(log_softmax, log_value, log_delta, 1)

#endif
