/* Naive twins of what is not element-wise: softmax and its kin, products. The element-wise ones are
 * in element_twins.c. */
#include "support/twins.h"

#include <math.h>
#include <stdlib.h>

#include "core/real.h"

static void softmax_of(grad_datatype type, int sign, size_t N, const void *z, long double *y)
{
    long double top = -INFINITY, sum = 0;

    for (size_t i = 0; i < N; i++) {
        y[i] = sign * (long double)grad_real_at(type, z, i);
        top = fmaxl(top, y[i]);
    }
    for (size_t i = 0; i < N; i++)
        sum += y[i] = expl(y[i] - top);
    for (size_t i = 0; i < N; i++)
        y[i] /= sum;
}

void twin_softmax(int sign, size_t N, const float *z, long double *y)
{
    softmax_of(GRAD_FP32, sign, N, z, y);
}

void twin_softmax_64(int sign, size_t N, const double *z, long double *y)
{
    softmax_of(GRAD_FP64, sign, N, z, y);
}

/* y_i y_j (dy_i - dy_j) */
static long double softmax_term(const long double *y, long double dy_i, long double dy_j, size_t i,
                                size_t j)
{
    return y[i] * y[j] * (dy_i - dy_j);
}

/* A term of dy_i Σ_{j≠i} y_j - y_i Σ_{j≠i} dy_j: log_softmax's, as Σ y = 1 */
static long double log_softmax_term(const long double *y, long double dy_i, long double dy_j,
                                    size_t i, size_t j, long double *magnitude)
{
    *magnitude = fabsl(dy_i * y[j]) + fabsl(y[i] * dy_j);
    return dy_i * y[j] - y[i] * dy_j;
}

static long double row_delta_of(grad_datatype type, grad_activation_kind kind, size_t N,
                                const long double *y, const void *dy, size_t i,
                                long double *magnitude)
{
    long double sum = 0, dy_i = grad_real_at(type, dy, i), size;

    *magnitude = 0;
    for (size_t j = 0; j < N; j++) {
        long double dy_j = grad_real_at(type, dy, j), term;

        if (j == i)
            continue;
        term = kind == GRAD_LOG_SOFTMAX ? log_softmax_term(y, dy_i, dy_j, i, j, &size)
                                        : softmax_term(y, dy_i, dy_j, i, j);
        sum += term;
        *magnitude += kind == GRAD_LOG_SOFTMAX ? size : fabsl(term);
    }
    return kind == GRAD_SOFTMIN ? -sum : sum;
}

long double twin_row_delta(grad_activation_kind kind, size_t N, const long double *y,
                           const float *dy, size_t i, long double *magnitude)
{
    return row_delta_of(GRAD_FP32, kind, N, y, dy, i, magnitude);
}

long double twin_row_delta_64(grad_activation_kind kind, size_t N, const long double *y,
                              const double *dy, size_t i, long double *magnitude)
{
    return row_delta_of(GRAD_FP64, kind, N, y, dy, i, magnitude);
}

static void delta_of_row(grad_activation_kind kind, size_t N, const float *z, const float *dy,
                         double *dz)
{
    long double *y = malloc(N * sizeof *y), magnitude;

    if (y == NULL)
        abort();
    twin_softmax(kind == GRAD_SOFTMIN ? -1 : 1, N, z, y);
    for (size_t i = 0; i < N; i++)
        dz[i] = (double)twin_row_delta(kind, N, y, dy, i, &magnitude);
    free(y);
}

void twin_delta(const grad_layer *layer, size_t B, size_t N, double *dz)
{
    const float *z = layer->pre_activation.data, *dy = layer->grad_output.data;

    if (layer->activation.kind >= GRAD_SOFTMAX)
        for (size_t b = 0; b < B; b++)
            delta_of_row(layer->activation.kind, N, z + b * N, dy + b * N, dz + b * N);
    else
        for (size_t i = 0; i < B * N; i++)
            dz[i] = (double)(dy[i] * twin_derivative(&layer->activation, z[i]));
}

double twin_dot(size_t depth, const double *a, size_t a_step, const float *b, size_t b_step,
                double *magnitude)
{
    double sum = 0;

    *magnitude = 0;
    for (size_t d = 0; d < depth; d++) {
        double term = a[d * a_step] * b[d * b_step];

        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}

long double twin_product(grad_datatype type, size_t depth, const void *a, size_t a_step,
                         const void *b, size_t b_step, long double *magnitude)
{
    long double sum = 0;

    *magnitude = 0;
    for (size_t d = 0; d < depth; d++) {
        long double term = (long double)grad_real_at(type, a, d * a_step) *
                           (long double)grad_real_at(type, b, d * b_step);

        sum += term;
        *magnitude += fabsl(term);
    }
    return sum;
}
