/* The loops of softmax, softmin and log_softmax, compiled for one path by each file that includes
 * this: it defines GRAD_ROW_FUNCTION(name), what the six functions at the end are called there.
 * Arithmetic as activations.h says; the largest u is taken off first, so that exp never overflows.
 * The order of every sum depends on N alone. */
#ifndef GRAD_KERNELS_SOFTMAX_ROWS_H
#define GRAD_KERNELS_SOFTMAX_ROWS_H

#include <math.h>

#include "kernels/single.h"

/* Sums are made of LANES partial ones, by loops of that many steps exactly: the compiler makes of
 * them what vectors the processor has. The last LANES features of a row are a step of their own,
 * which overlaps the one before; what was there already counts nothing. */
#define LANES 16
#define BLOCK 1024 /* a multiple of LANES */

/* A row u = sign z of N >= LANES features: softmin is the softmax of -z. */
typedef struct row {
    size_t N;
    const float *z, *dy;
    float sign;
    float top;    /* the largest u */
    size_t m;     /* where it is, and e is put to 0 for log_softmax's sums; N: not sought */
    size_t begin; /* the block that is kept: begin … begin + count; the last has up to */
    size_t count; /* BLOCK + LANES - 1 features, so that none has less than LANES */
    float e[BLOCK + LANES]; /* its e^(u_j - top): a short row has them worked out once */
} row;

/* ---- The largest u --------------------------------------------------------------------------- */

/* A float's bits as an integer in the same order, where a NaN without a sign is above all; and
 * back. */
GRAD_INLINE int32_t ordered_bits(int32_t bits)
{
    return bits ^ (bits < 0 ? INT32_MAX : 0);
}

static float largest(size_t N, float sign, const float *z)
{
    int32_t top = INT32_MIN;
    float u;

    for (size_t i = 0; i < N; i++) {
        float here = sign * z[i];
        int32_t bits;

        memcpy(&bits, &here, sizeof bits);
        bits = ordered_bits(bits);
        top = bits > top ? bits : top;
    }
    top = ordered_bits(top);
    memcpy(&u, &top, sizeof u);
    return u;
}

/* dy is z where there is none. */
static void begin_row(row *r, size_t N, float sign, const float *z, const float *dy)
{
    r->N = N;
    r->sign = sign;
    r->z = z;
    r->dy = dy;
    r->top = largest(N, sign, z);
    r->m = N;
    r->begin = r->count = 0;
}

/* Where u is the largest: the first of several such places; 0 if there is none. */
static size_t place_of_top(const row *r)
{
    const float sign = r->sign, top = r->top;

    for (size_t begin = 0; begin < r->N; begin += BLOCK) {
        const float *z = r->z + begin;
        int32_t count = r->N - begin < BLOCK ? (int32_t)(r->N - begin) : BLOCK, place = BLOCK;

        for (int32_t i = 0; i < count; i++) {
            int32_t here = sign * z[i] == top ? i : BLOCK;

            place = here < place ? here : place;
        }
        if (place < BLOCK)
            return begin + (size_t)place;
    }
    return 0;
}

/* ---- The exponentials ------------------------------------------------------------------------ */

/* e^(u - top), 0 below the normal numbers. What the difference loses to rounding is kept: it would
 * be a relative error of the result (Knuth's sum in two parts). */
GRAD_INLINE float exp_below_top(float u, float top)
{
    float x = u - top, back = x - u;
    float lost = (top + back) - (u - (x - back));
    bool is_far = x < -GRAD_EXPM1_FAR;
    grad_reduced reduced =
        grad_reduce_difference(is_far ? -GRAD_EXPM1_FAR : x, is_far ? 0 : lost, GRAD_EXPM1_BIAS);

    return (1 + grad_exp_rest(reduced.r)) * grad_power(reduced.exponent);
}

static void exps_below_top(size_t count, float sign, float top, const float *z, float *e)
{
    for (size_t i = 0; i < count / LANES * LANES; i++)
        e[i] = exp_below_top(sign * z[i], top);
    for (size_t i = count - LANES; i < count; i++)
        e[i] = exp_below_top(sign * z[i], top);
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
    exps_below_top(r->count, r->sign, r->top, r->z + begin, r->e);
    if (r->m >= begin && r->m < begin + r->count)
        r->e[r->m - begin] = 0;
    return true;
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

/* name(row, shift): the sum over a row of term, an expression in e_i and dy_i. */
#define SUM(name, term)                                                                            \
    static void add_##name(size_t count, const float *e, const float *dy, double shift,            \
                           double *lanes)                                                          \
    {                                                                                              \
        size_t whole = count / LANES * LANES, doubled = whole + LANES - count;                     \
        double sum[LANES] = {0};                                                                   \
                                                                                                   \
        (void)e, (void)dy, (void)shift;                                                            \
        for (size_t step = 0; step < whole; step += LANES)                                         \
            for (size_t lane = 0; lane < LANES; lane++) {                                          \
                const size_t i = step + lane;                                                      \
                                                                                                   \
                sum[lane] += (term);                                                               \
            }                                                                                      \
        for (size_t lane = 0; lane < LANES && doubled < LANES; lane++) {                           \
            const size_t i = count - LANES + lane;                                                 \
                                                                                                   \
            sum[lane] += lane < doubled ? 0 : (term);                                              \
        }                                                                                          \
        for (size_t lane = 0; lane < LANES; lane++)                                                \
            lanes[lane] += sum[lane];                                                              \
    }                                                                                              \
    static double name(row *r, double shift)                                                       \
    {                                                                                              \
        double lanes[LANES] = {0};                                                                 \
                                                                                                   \
        for (size_t begin = 0; take_block(r, begin); begin += r->count)                            \
            add_##name(r->count, r->e, r->dy + begin, shift, lanes);                               \
        return total_of(lanes);                                                                    \
    }

SUM(exp_sum, (double)e[i])
SUM(weighted_sum, e[i] * (dy[i] - shift))

/* ---- softmax, softmin ------------------------------------------------------------------------ */

static void normalized_value(size_t N, float sign, const float *z, float *y)
{
    row r;
    float scale;

    begin_row(&r, N, sign, z, z);
    scale = (float)(1 / exp_sum(&r, 0));
    for (size_t begin = 0; take_block(&r, begin); begin += r.count)
        for (size_t i = 0; i < r.count; i++)
            y[begin + i] = r.e[i] * scale;
}

/* ∂L/∂u_i = y_i (g_i - Σ_j y_j g_j), where g is ∂L/∂y less its value at the largest u. As Σ y =
 * 1 the shift changes nothing but the rounding: a confident row (one y near 1, the others tiny)
 * would otherwise be a difference of two nearly equal numbers. The mean is held in two floats. */
static void normalized_delta(size_t N, float sign, const float *z, const float *dy, float *dz)
{
    row r;
    double at_top, sum, mean;
    float shift, rest, scale;

    begin_row(&r, N, sign, z, dy);
    at_top = dy[place_of_top(&r)];
    sum = exp_sum(&r, 0);
    mean = weighted_sum(&r, at_top) / sum;
    shift = (float)(at_top + mean);
    rest = (float)(mean - (shift - at_top));
    scale = (float)(sign / sum);
    for (size_t begin = 0; take_block(&r, begin); begin += r.count)
#pragma GCC ivdep
        for (size_t i = 0; i < r.count; i++)
            dz[begin + i] = r.e[i] * scale * ((dy[begin + i] - shift) - rest);
}

/* ---- log_softmax ----------------------------------------------------------------------------- */

static void log_value(size_t N, float sign, const float *z, float *y)
{
    row r;
    float log_of_sum;

    begin_row(&r, N, sign, z, z);
    r.m = place_of_top(&r);
    log_of_sum = (float)log1p(exp_sum(&r, 0));
#pragma GCC ivdep
    for (size_t i = 0; i < N; i++)
        y[i] = (z[i] - r.top) - log_of_sum;
}

/* Σ_{j≠m} dy_j */
static double others_gradient(const row *r)
{
    double lanes[LANES] = {0};
    float dy[BLOCK + LANES];

    for (size_t begin = 0, count; begin < r->N; begin += count) {
        count = r->N - begin < BLOCK + LANES ? r->N - begin : BLOCK;
        memcpy(dy, r->dy + begin, count * sizeof *dy);
        if (r->m >= begin && r->m < begin + count)
            dy[r->m - begin] = 0;
        add_exp_sum(count, dy, dy, 0, lanes);
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

    begin_row(&r, N, sign, z, dy);
    r.m = place_of_top(&r);
    at_top = dy[r.m];
    rest = exp_sum(&r, 0);
    others = others_gradient(&r);
    factor = (float)((others + at_top) / (1 + rest));
    for (size_t begin = 0; take_block(&r, begin); begin += r.count)
#pragma GCC ivdep
        for (size_t i = 0; i < r.count; i++)
            dz[begin + i] = dy[begin + i] - factor * r.e[i];
    dz[r.m] = (float)((rest * at_top - others) / (1 + rest));
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
