/* The textbook's f and f' of the element-wise activations, one below the other, in the type `real`
 * of the file that includes this; it also says from which u on e^u is so much more than 1 that
 * log(1 + e^u) is u (CERTAIN), and e^u is still finite. What a test sees of them is not here. */
#ifndef TESTS_SUPPORT_ELEMENT_FORMULAE_H
#define TESTS_SUPPORT_ELEMENT_FORMULAE_H

#include <tgmath.h>

#include "gradient.h"

static const real pi = (real)3.14159265358979323846264338327950288L;
static const real selu_alpha = (real)1.67326324235437728481704299167171L;
static const real selu_scale = (real)1.05070098735548049341933498529460L;
static const real quick = (real)1.702L;    /* quick_gelu's factor of z */
static const real cubed = (real)0.044715L; /* gelu_tanh's factor of z^3 */

/* Capped far above the datatype, so that 0 times it is 0. */
static real capped_exp(real u)
{
    return exp(fmin(u, CERTAIN));
}

static real sigma(real u)
{
    return 1 / (1 + exp(-u));
}

static real inverse_cosh_squared(real u)
{
    real c = cosh(u);

    return 1 / c / c;
}

static real log_of_one_plus_exp(real u)
{
    return u > CERTAIN ? u : log1p(exp(u));
}

/* z - tanh(z); near 0, where the difference has not the digits for it, (z cosh z - sinh z) / cosh z
 * by the series of what stands above: Σ 2k z^(2k+1) / (2k+1)!, of which no two terms cancel */
static real shrunk_by_tanh(real z)
{
    real power = z, sum = 0;

    if (fabs(z) > 1)
        return z - tanh(z);
    for (int k = 1; k == 1 || sum + 2 * k * power != sum; k++) { /* power = z^(2k+1) / (2k+1)! */
        power *= z * z / (2 * k * (2 * k + 1));
        sum += 2 * k * power;
    }
    return sum / cosh(z);
}

static real normal_cdf(real z)
{
    return erfc(-z / sqrt((real)2)) / 2;
}

static real gelu_argument(real z)
{
    return sqrt(2 / pi) * (z + cubed * z * z * z);
}

/* az = high + low, whose sine and cosine need all its digits, whatever its size: two products. */
static long double sine_of_product(long double a, long double z)
{
    long double high = a * z, low = fma(a, z, -high);

    return sin(high) * cos(low) + cos(high) * sin(low);
}

static long double cosine_of_product(long double a, long double z)
{
    long double high = a * z, low = fma(a, z, -high);

    return cos(high) * cos(low) - sin(high) * sin(low);
}

static long double squared(long double s)
{
    return s * s;
}

/* f(z) and f'(z), the parameters in p. */
#define TWIN(name, value, slope)                                                                   \
    static real name##_value(real z, const double *p)                                              \
    {                                                                                              \
        (void)z, (void)p;                                                                          \
        return value;                                                                              \
    }                                                                                              \
    static real name##_slope(real z, const double *p)                                              \
    {                                                                                              \
        (void)z, (void)p;                                                                          \
        return slope;                                                                              \
    }

/* clang-format off */
TWIN(identity, z, 1)
TWIN(relu, z > 0 ? z : 0, z > 0)
TWIN(relu6, fmin(fmax(z, 0), 6), z > 0 && z < 6)
TWIN(leaky_relu, z > 0 ? z : p[0] * z, z > 0 ? 1 : p[0])
TWIN(threshold, z > p[0] ? z : p[1], z > p[0])
TWIN(hard_tanh, fmin(fmax(z, p[0]), p[1]), z > p[0] && z < p[1])
TWIN(hard_sigmoid, fmin(fmax(z + 3, 0), 6) / 6, z > -3 && z < 3 ? (real)1 / 6 : 0)
TWIN(hardswish, z * fmin(fmax(z + 3, 0), 6) / 6, z <= -3 ? 0 : z < 3 ? (2 * z + 3) / 6 : 1)
TWIN(softshrink, z > p[0] ? z - p[0] : z < -p[0] ? z + p[0] : 0, z > p[0] || z < -p[0])
TWIN(hardshrink, z > p[0] || z < -p[0] ? z : 0, z > p[0] || z < -p[0])
TWIN(squared_relu, z > 0 ? z * z : 0, z > 0 ? 2 * z : 0)
TWIN(exp, capped_exp(z), capped_exp(z))
TWIN(elu, z > 0 ? z : p[0] * expm1(z), z > 0 ? 1 : p[0] * exp(z))
TWIN(celu, z > 0 ? z : p[0] * expm1(z / p[0]), z > 0 ? 1 : exp(z / p[0]))
TWIN(selu, selu_scale * (z > 0 ? z : selu_alpha * expm1(z)),
     selu_scale * (z > 0 ? 1 : selu_alpha * exp(z)))
TWIN(sigmoid, sigma(z), inverse_cosh_squared(z / 2) / 4)
TWIN(log_sigmoid, -log_of_one_plus_exp(-z), sigma(-z))
TWIN(softplus, p[0] * z > p[1] ? z : log_of_one_plus_exp(p[0] * z) / p[0],
     p[0] * z > p[1] ? 1 : sigma(p[0] * z))
TWIN(silu, z * sigma(z), sigma(z) * (1 + z * sigma(-z)))
TWIN(mish, z * tanh(log_of_one_plus_exp(z)), tanh(log_of_one_plus_exp(z)) +
     z * sigma(z) * inverse_cosh_squared(log_of_one_plus_exp(z)))
TWIN(tanh, tanh(z), inverse_cosh_squared(z))
TWIN(tanhshrink, shrunk_by_tanh(z), tanh(z) * tanh(z))
TWIN(softsign, z / (1 + fabs(z)), 1 / (1 + fabs(z)) / (1 + fabs(z)))
TWIN(snake, (real)(z + squared(sine_of_product(p[0], z)) / p[0]), /* 1 + sin 2az as a square */
     (real)squared(sine_of_product(p[0], z) + cosine_of_product(p[0], z)))
TWIN(gelu, z * normal_cdf(z), normal_cdf(z) + z * exp(-z * z / 2) / sqrt(2 * pi))
TWIN(gelu_tanh, z * sigma(2 * gelu_argument(z)), /* (1 + tanh v) / 2 = σ(2v) */
     sigma(2 * gelu_argument(z)) + z / 2 * inverse_cosh_squared(gelu_argument(z)) *
     sqrt(2 / pi) * (1 + 3 * cubed * z * z))
TWIN(quick_gelu, z * sigma(quick * z), sigma(quick * z) * (1 + quick * z * sigma(-quick * z)))

typedef struct twin {
    real (*value)(real z, const double *p);
    real (*slope)(real z, const double *p);
} twin;

#define ROW(KIND, name) [GRAD_##KIND] = {name##_value, name##_slope}

static const twin twins[GRAD_SOFTMAX] = {
    ROW(IDENTITY, identity), ROW(RELU, relu), ROW(RELU6, relu6), ROW(LEAKY_RELU, leaky_relu),
    ROW(PRELU, leaky_relu),
    ROW(THRESHOLD, threshold), ROW(HARD_TANH, hard_tanh), ROW(HARD_SIGMOID, hard_sigmoid),
    ROW(HARDSWISH, hardswish), ROW(SOFTSHRINK, softshrink), ROW(HARDSHRINK, hardshrink),
    ROW(SQUARED_RELU, squared_relu),
    ROW(EXP, exp), ROW(ELU, elu), ROW(CELU, celu), ROW(SELU, selu), ROW(SIGMOID, sigmoid),
    ROW(LOG_SIGMOID, log_sigmoid), ROW(SOFTPLUS, softplus), ROW(SILU, silu), ROW(MISH, mish),
    ROW(TANH, tanh), ROW(TANHSHRINK, tanhshrink), ROW(SOFTSIGN, softsign), ROW(SNAKE, snake),
    ROW(GELU, gelu), ROW(GELU_TANH, gelu_tanh),
    ROW(QUICK_GELU, quick_gelu),
};
/* clang-format on */

/* Through memory: gcc 12 drops the two conversions where it makes vector code of a pair of them. */
static double rounded(double x)
{
    volatile float narrow = (float)x;

    return (double)narrow;
}

/* The parameters as a batch of float32 has them. */
#define ROUNDED(f) ((const double[]){rounded((f)->parameters[0]), rounded((f)->parameters[1])})

#endif
