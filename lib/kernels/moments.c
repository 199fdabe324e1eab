/* Mean and deviation of samples or groups of their features (layer, rms, group norm) and of
 * features (batch norm), in two passes: a first mean, then the sums of what is left and of its
 * square, which correct both (Chan, Golub and LeVeque, Algorithms for Computing the Sample
 * Variance, The American Statistician 37, 1983). */
#include "kernels/norms.h"

#include <math.h>

#include "core/real.h"
#include "core/size.h"
#include "kernels/sums.h"

/* Numbers beyond 2^511 have squares beyond double: they are multiplied by this first. */
#define SMALL_SCALE 0x1p-600

/* From the first mean of n numbers, and the sums of the deviations from it and of their squares,
 * all of numbers multiplied by scale. */
static grad_moments moments_from(double n, double mean, double deviations, double squares,
                                 double epsilon, double scale)
{
    double left = squares - deviations * (deviations / n);
    double variance = left < 0 ? 0 : left / n; /* a NaN passes */
    grad_moments m = {.mean = (mean + deviations / n) / scale,
                      .inverse_deviation = scale / sqrt(variance + epsilon * scale * scale)};

    return m;
}

/* Whether a square has overflowed, or something was not finite in the first place. */
static bool must_rescale(grad_datatype type, const grad_moments *m)
{
    return type == GRAD_FP64 && !(m->inverse_deviation > 0 && isfinite(m->mean));
}

/* ---- By sample ------------------------------------------------------------------------------- */

/* values = scale x[first … first + count) - mean */
static void read_deviations(grad_datatype type, const void *x, size_t first, size_t count,
                            double scale, double mean, double *values)
{
    grad_real_read(type, x, first, count, values);
    for (size_t i = 0; i < count; i++)
        values[i] = scale * values[i] - mean;
}

/* A set of numbers that lie side by side. */
typedef struct sample {
    grad_datatype type;
    size_t count;
    const void *x;
    bool is_uncentred;
    double epsilon;
} sample;

static double first_mean(const sample *s, double scale)
{
    double values[GRAD_SPAN], sum = 0;

    for (size_t first = 0; first < s->count; first += GRAD_SPAN) {
        size_t count = grad_size_min(GRAD_SPAN, s->count - first);

        read_deviations(s->type, s->x, first, count, scale, 0, values);
        sum += grad_sum(count, values);
    }
    return sum / (double)s->count;
}

static grad_moments moments_of_sample(const sample *s, double scale)
{
    double values[GRAD_SPAN], deviations = 0, squares = 0;
    double mean = s->is_uncentred ? 0 : first_mean(s, scale);

    for (size_t first = 0; first < s->count; first += GRAD_SPAN) {
        size_t count = grad_size_min(GRAD_SPAN, s->count - first);

        read_deviations(s->type, s->x, first, count, scale, mean, values);
        deviations += s->is_uncentred ? 0 : grad_sum(count, values);
        squares += grad_sum_of_products(count, values, values);
    }
    return moments_from((double)s->count, mean, deviations, squares, s->epsilon, scale);
}

void grad_sample_norm_moments(const grad_norm *norm, double epsilon, size_t row, size_t rows,
                              grad_moments *moments)
{
    size_t width = norm->N / norm->groups;

    for (size_t i = row * norm->groups; i < (row + rows) * norm->groups; i++) {
        sample s = {norm->type, width, grad_real_offset_const(norm->type, norm->x, i * width),
                    norm->is_uncentred, epsilon};

        moments[i] = moments_of_sample(&s, 1);
        if (must_rescale(norm->type, &moments[i]))
            moments[i] = moments_of_sample(&s, SMALL_SCALE);
    }
}

/* ---- By feature ------------------------------------------------------------------------------ */

typedef struct columns {
    grad_datatype type;
    size_t B, N;
    const void *x; /* [B,N] */
    double epsilon;
    size_t first, count; /* which of the N, at most GRAD_SPAN */
} columns;

static void moments_of_columns(const columns *c, double scale, grad_moments *moments)
{
    double values[GRAD_SPAN], mean[GRAD_SPAN] = {0};
    double deviations[GRAD_SPAN] = {0}, squares[GRAD_SPAN] = {0};

    for (size_t b = 0; b < c->B; b++) {
        read_deviations(c->type, c->x, b * c->N + c->first, c->count, scale, 0, values);
        for (size_t i = 0; i < c->count; i++)
            mean[i] += values[i];
    }
    for (size_t i = 0; i < c->count; i++)
        mean[i] /= (double)c->B;
    for (size_t b = 0; b < c->B; b++) {
        read_deviations(c->type, c->x, b * c->N + c->first, c->count, scale, 0, values);
        for (size_t i = 0; i < c->count; i++) {
            double deviation = values[i] - mean[i];

            deviations[i] += deviation;
            squares[i] += deviation * deviation;
        }
    }
    for (size_t i = 0; i < c->count; i++)
        moments[i] =
            moments_from((double)c->B, mean[i], deviations[i], squares[i], c->epsilon, scale);
}

/* The block again, for the columns of it that need the scale. */
static void rescale_columns(const columns *c, grad_moments *moments)
{
    grad_moments again[GRAD_SPAN];
    bool any = false;

    for (size_t i = 0; i < c->count; i++)
        any = any || must_rescale(c->type, &moments[i]);
    if (!any)
        return;
    moments_of_columns(c, SMALL_SCALE, again);
    for (size_t i = 0; i < c->count; i++)
        if (must_rescale(c->type, &moments[i]))
            moments[i] = again[i];
}

void grad_batch_norm_moments(grad_datatype type, size_t B, size_t N, const void *x, double epsilon,
                             size_t begin, size_t end, grad_moments *moments)
{
    columns c = {.type = type, .B = B, .N = N, .x = x, .epsilon = epsilon};

    for (c.first = begin; c.first < end; c.first += GRAD_SPAN) {
        c.count = grad_size_min(GRAD_SPAN, end - c.first);
        moments_of_columns(&c, 1, moments + c.first);
        rescale_columns(&c, moments + c.first);
    }
}

/* ---- Given ----------------------------------------------------------------------------------- */

void grad_running_moments(grad_datatype type, size_t N, const void *mean, const void *variance,
                          double epsilon, grad_moments *moments)
{
    for (size_t n = 0; n < N; n++)
        moments[n] = (grad_moments){.mean = grad_real_at(type, mean, n),
                                    .inverse_deviation =
                                        1 / sqrt(grad_real_at(type, variance, n) + epsilon)};
}
