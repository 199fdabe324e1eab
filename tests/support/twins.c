/* Naive twins of the kernels. Long double has the range to take exp of any number that matters. */
#include "support/twins.h"

#include <math.h>
#include <stdlib.h>

static const long double pi = 3.14159265358979323846264338327950288L;

static long double sigma(long double u)
{
    return 1 / (1 + expl(-u));
}

static long double gelu_argument(long double z)
{
    return sqrtl(2 / pi) * (z + 0.044715L * z * z * z);
}

static long double softplus(long double u)
{
    return u > 10000 ? u : log1pl(expl(u));
}

long double twin_activation(const grad_activation *f, long double z)
{
    const float *p = f->parameters;

    switch (f->kind) {
    case GRAD_RELU:
        return z > 0 ? z : 0;
    case GRAD_LEAKY_RELU:
        return z > 0 ? z : p[0] * z;
    case GRAD_ELU:
        return z > 0 ? z : p[0] * expm1l(z);
    case GRAD_SIGMOID:
        return sigma(z);
    case GRAD_TANH:
        return tanhl(z);
    case GRAD_SOFTPLUS:
        return p[0] * z > p[1] ? z : softplus(p[0] * z) / p[0];
    case GRAD_SILU:
        return z * sigma(z);
    case GRAD_GELU:
        return z * erfcl(-z / sqrtl(2)) / 2;
    case GRAD_GELU_TANH: /* (1 + tanh v) / 2 = σ(2v) */
        return z * sigma(2 * gelu_argument(z));
    default:
        return z;
    }
}

static long double inverse_cosh_squared(long double u)
{
    long double c = coshl(u);

    return 1 / c / c;
}

long double twin_derivative(const grad_activation *f, long double z)
{
    const float *p = f->parameters;

    switch (f->kind) {
    case GRAD_RELU:
        return z > 0;
    case GRAD_LEAKY_RELU:
        return z > 0 ? 1 : p[0];
    case GRAD_ELU:
        return z > 0 ? 1 : p[0] * expl(z);
    case GRAD_SIGMOID:
        return inverse_cosh_squared(z / 2) / 4;
    case GRAD_TANH:
        return inverse_cosh_squared(z);
    case GRAD_SOFTPLUS:
        return p[0] * z > p[1] ? 1 : sigma(p[0] * z);
    case GRAD_SILU:
        return sigma(z) * (1 + z * sigma(-z));
    case GRAD_GELU:
        return erfcl(-z / sqrtl(2)) / 2 + z * expl(-z * z / 2) / sqrtl(2 * pi);
    case GRAD_GELU_TANH:
        return sigma(2 * gelu_argument(z)) + z / 2 * inverse_cosh_squared(gelu_argument(z)) *
                                                 sqrtl(2 / pi) * (1 + 3 * 0.044715L * z * z);
    default:
        return 1;
    }
}

void twin_softmax(size_t N, const float *z, long double *y)
{
    long double top = z[0], sum = 0;

    for (size_t i = 0; i < N; i++)
        top = fmaxl(top, z[i]);
    for (size_t i = 0; i < N; i++)
        sum += y[i] = expl(z[i] - top);
    for (size_t i = 0; i < N; i++)
        y[i] /= sum;
}

long double twin_softmax_delta(size_t N, const long double *y, const float *dy, size_t i,
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

static void delta_of_softmax_row(size_t N, const float *z, const float *dy, double *dz)
{
    long double *y = malloc(N * sizeof *y), magnitude;

    if (y == NULL)
        abort();
    twin_softmax(N, z, y);
    for (size_t i = 0; i < N; i++)
        dz[i] = (double)twin_softmax_delta(N, y, dy, i, &magnitude);
    free(y);
}

void twin_delta(const grad_layer *layer, size_t B, size_t N, double *dz)
{
    const float *z = layer->pre_activation.data, *dy = layer->grad_output.data;

    if (layer->activation.kind == GRAD_SOFTMAX)
        for (size_t b = 0; b < B; b++)
            delta_of_softmax_row(N, z + b * N, dy + b * N, dz + b * N);
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
