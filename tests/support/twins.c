/* Naive twins of what is not element-wise: softmax and its kin, products. The element-wise ones are
 * in element_twins.c. */
#include "support/twins.h"

#include <math.h>
#include <stdlib.h>

void twin_softmax(int sign, size_t N, const float *z, long double *y)
{
    long double top = (float)sign * z[0], sum = 0;

    for (size_t i = 0; i < N; i++)
        top = fmaxl(top, (float)sign * z[i]);
    for (size_t i = 0; i < N; i++)
        sum += y[i] = expl((float)sign * z[i] - top);
    for (size_t i = 0; i < N; i++)
        y[i] /= sum;
}

static long double softmax_delta(size_t N, const long double *y, const float *dy, size_t i,
                                 long double *magnitude)
{
    long double sum = 0;

    *magnitude = 0;
    for (size_t j = 0; j < N; j++) {
        long double term = y[i] * y[j] * ((long double)dy[i] - dy[j]);

        sum += term;
        *magnitude += fabsl(term);
    }
    return sum;
}

static long double log_softmax_delta(size_t N, const long double *y, const float *dy, size_t i,
                                     long double *magnitude)
{
    long double sum = 0;

    *magnitude = 0;
    for (size_t j = 0; j < N; j++) { /* dy_i Σ_{j≠i} y_j - y_i Σ_{j≠i} dy_j, as Σ y = 1 */
        if (j == i)
            continue;
        sum += dy[i] * y[j] - y[i] * dy[j];
        *magnitude += fabsl(dy[i] * y[j]) + fabsl(y[i] * dy[j]);
    }
    return sum;
}

long double twin_row_delta(grad_activation_kind kind, size_t N, const long double *y,
                           const float *dy, size_t i, long double *magnitude)
{
    if (kind == GRAD_LOG_SOFTMAX)
        return log_softmax_delta(N, y, dy, i, magnitude);
    if (kind == GRAD_SOFTMIN)
        return -softmax_delta(N, y, dy, i, magnitude);
    return softmax_delta(N, y, dy, i, magnitude);
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
