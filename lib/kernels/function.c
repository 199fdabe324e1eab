/* f of a layer over either datatype, and the slope of prelu: shared or by channel. The activations
 * themselves are behind grad_activation_forward and grad_double_forward. */
#include "kernels/activations.h"

#include <math.h>

#include "core/real.h"
#include "core/size.h"
#include "kernels/sums.h"

/* ---- Forward and backward -------------------------------------------------------------------- */

/* channels_forward_float, channels_backward_float, and those of double: prelu with slope[N]. The
 * product is taken on both sides of 0, so that no branch keeps the loops from being vector code. */
#define CHANNEL_LOOPS(real)                                                                        \
    static void channels_forward_##real(size_t rows, size_t N, const real *slope, const real *z,   \
                                        real *y)                                                   \
    {                                                                                              \
        for (size_t b = 0; b < rows; b++)                                                          \
            _Pragma("GCC ivdep") for (size_t i = b * N; i < (b + 1) * N; i++)                      \
            {                                                                                      \
                real below = z[i] * slope[i - b * N];                                              \
                                                                                                   \
                y[i] = z[i] > 0 ? z[i] : below;                                                    \
            }                                                                                      \
    }                                                                                              \
                                                                                                   \
    static void channels_backward_##real(size_t rows, size_t N, const real *slope, const real *z,  \
                                         const real *dy, real *dz)                                 \
    {                                                                                              \
        for (size_t b = 0; b < rows; b++)                                                          \
            _Pragma("GCC ivdep") for (size_t i = b * N; i < (b + 1) * N; i++)                      \
            {                                                                                      \
                real whole = dy[i], below = whole * slope[i - b * N];                              \
                                                                                                   \
                dz[i] = isnan(z[i]) ? z[i] : z[i] > 0 ? whole : below;                             \
            }                                                                                      \
    }

CHANNEL_LOOPS(float)
CHANNEL_LOOPS(double)

static bool has_channels(const grad_function *function)
{
    return function->slope != NULL && function->slope_count > 1;
}

/* The activation with the slope that all channels share. */
static grad_activation shared(const grad_function *function)
{
    grad_activation f = *function->f;

    if (function->slope != NULL)
        f.parameters[0] = grad_real_at(function->type, function->slope, 0);
    return f;
}

void grad_function_forward(const grad_function *function, size_t rows, size_t N, const void *z,
                           void *y)
{
    grad_activation f = shared(function);

    if (has_channels(function) && function->type == GRAD_FP64)
        channels_forward_double(rows, N, function->slope, z, y);
    else if (has_channels(function))
        channels_forward_float(rows, N, function->slope, z, y);
    else if (function->type == GRAD_FP64)
        grad_double_forward(&f, rows, N, z, y);
    else
        grad_activation_forward(&f, rows, N, z, y);
}

void grad_function_backward(const grad_function *function, size_t rows, size_t N, const void *z,
                            const void *dy, void *dz)
{
    grad_activation f = shared(function);

    if (has_channels(function) && function->type == GRAD_FP64)
        channels_backward_double(rows, N, function->slope, z, dy, dz);
    else if (has_channels(function))
        channels_backward_float(rows, N, function->slope, z, dy, dz);
    else if (function->type == GRAD_FP64)
        grad_double_backward(&f, rows, N, z, dy, dz);
    else
        grad_activation_backward(&f, rows, N, z, dy, dz);
}

/* ---- Zeros of f' ----------------------------------------------------------------------------- */

/* Where dy = 1, δ is f'. */
static size_t zeros_of_elements(const grad_function *function, size_t count, const void *z)
{
    union {
        float narrow[GRAD_SPAN];
        double wide[GRAD_SPAN];
    } ones, slopes;
    size_t zeros = 0;

    for (size_t i = 0; i < count; i++)
        grad_real_put(function->type, &ones, i, 1);
    grad_function_backward(function, 1, count, z, &ones, &slopes);
    for (size_t i = 0; i < count; i++)
        zeros += grad_real_at(function->type, &slopes, i) == 0;
    return zeros;
}

static size_t zeros_of_channels(const grad_function *function, size_t rows, size_t N, const void *z)
{
    size_t zeros = 0;

    for (size_t i = 0; i < rows * N; i++)
        zeros += grad_real_at(function->type, z, i) <= 0 &&
                 grad_real_at(function->type, function->slope, i % N) == 0;
    return zeros;
}

size_t grad_function_zeros(const grad_function *function, size_t rows, size_t N, const void *z)
{
    size_t zeros = 0;

    if (has_channels(function))
        return zeros_of_channels(function, rows, N, z);
    for (size_t first = 0; first < rows * N; first += GRAD_SPAN)
        zeros += zeros_of_elements(function, grad_size_min(GRAD_SPAN, rows * N - first),
                                   grad_real_offset_const(function->type, z, first));
    return zeros;
}

/* ---- The slope's delta ----------------------------------------------------------------------- */

/* terms = z > 0 ? 0 : z dy, of elements first … first + count */
static void read_terms(grad_datatype type, const void *z, const void *dy, size_t first,
                       size_t count, double *terms)
{
    double gradient[GRAD_SPAN];

    grad_real_read(type, z, first, count, terms);
    grad_real_read(type, dy, first, count, gradient);
    for (size_t i = 0; i < count; i++)
        terms[i] = terms[i] > 0 ? 0 : terms[i] * gradient[i];
}

void grad_prelu_slope_delta(grad_datatype type, size_t B, size_t N, const void *z, const void *dy,
                            double factor, size_t begin, size_t end, void *dslope)
{
    for (size_t first = begin; first < end; first += GRAD_SPAN) {
        size_t count = grad_size_min(GRAD_SPAN, end - first);
        double terms[GRAD_SPAN], sum[GRAD_SPAN] = {0};

        for (size_t b = 0; b < B; b++) {
            read_terms(type, z, dy, b * N + first, count, terms);
            for (size_t i = 0; i < count; i++)
                sum[i] += terms[i];
        }
        for (size_t i = 0; i < count; i++)
            sum[i] *= factor;
        grad_real_write(type, count, sum, dslope, first);
    }
}

void grad_prelu_shared_slope_delta(grad_datatype type, size_t B, size_t N, const void *z,
                                   const void *dy, double factor, void *dslope)
{
    double terms[GRAD_SPAN], sum = 0;

    for (size_t first = 0; first < B * N; first += GRAD_SPAN) {
        size_t count = grad_size_min(GRAD_SPAN, B * N - first);

        read_terms(type, z, dy, first, count, terms);
        sum += grad_sum(count, terms);
    }
    grad_real_put(type, dslope, 0, factor * sum);
}
