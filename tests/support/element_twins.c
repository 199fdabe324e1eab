/* Naive twins of the element-wise activations: the textbook's f and f', one below the other. Long
 * double has the range to take exp of any number that matters. */
#include "support/twins.h"

#include <math.h>

static const long double pi = 3.14159265358979323846264338327950288L;
static const long double selu_alpha = 1.67326324235437728481704299167171L;
static const long double selu_scale = 1.05070098735548049341933498529460L;

typedef long double real;

/* Capped far above float32, so that 0 times it is 0. */
static real capped_exp(real u)
{
    return expl(fminl(u, 10000));
}

static real sigma(real u)
{
    return 1 / (1 + expl(-u));
}

static real inverse_cosh_squared(real u)
{
    real c = coshl(u);

    return 1 / c / c;
}

static real log_of_one_plus_exp(real u)
{
    return u > 10000 ? u : log1pl(expl(u));
}

/* z - tanh(z); near 0, where the difference has not the digits for it, (z cosh z - sinh z) / cosh z
 * by the series of what stands above: Σ 2k z^(2k+1) / (2k+1)!, of which no two terms cancel */
static real shrunk_by_tanh(real z)
{
    real power = z, sum = 0;

    if (fabsl(z) > 1)
        return z - tanhl(z);
    for (int k = 1; k < 16; k++) { /* power = z^(2k+1) / (2k+1)! */
        power *= z * z / (2 * k * (2 * k + 1));
        sum += 2 * k * power;
    }
    return sum / coshl(z);
}

static real normal_cdf(real z)
{
    return erfcl(-z / sqrtl(2)) / 2;
}

static real gelu_argument(real z)
{
    return sqrtl(2 / pi) * (z + 0.044715L * z * z * z);
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
TWIN(relu6, fminl(fmaxl(z, 0), 6), z > 0 && z < 6)
TWIN(leaky_relu, z > 0 ? z : p[0] * z, z > 0 ? 1 : p[0])
TWIN(threshold, z > p[0] ? z : p[1], z > p[0])
TWIN(hard_tanh, fminl(fmaxl(z, p[0]), p[1]), z > p[0] && z < p[1])
TWIN(hard_sigmoid, fminl(fmaxl(z + 3, 0), 6) / 6, z > -3 && z < 3 ? 1 / 6.0L : 0)
TWIN(hardswish, z * fminl(fmaxl(z + 3, 0), 6) / 6, z < -3 ? 0 : z < 3 ? (2 * z + 3) / 6 : 1)
TWIN(softshrink, z > p[0] ? z - p[0] : z < -p[0] ? z + p[0] : 0, z > p[0] || z < -p[0])
TWIN(hardshrink, z > p[0] || z < -p[0] ? z : 0, z > p[0] || z < -p[0])
TWIN(exp, capped_exp(z), capped_exp(z))
TWIN(elu, z > 0 ? z : p[0] * expm1l(z), z > 0 ? 1 : p[0] * expl(z))
TWIN(celu, z > 0 ? z : p[0] * expm1l(z / p[0]), z > 0 ? 1 : expl(z / p[0]))
TWIN(selu, selu_scale * (z > 0 ? z : selu_alpha * expm1l(z)),
     selu_scale * (z > 0 ? 1 : selu_alpha * expl(z)))
TWIN(sigmoid, sigma(z), inverse_cosh_squared(z / 2) / 4)
TWIN(log_sigmoid, -log_of_one_plus_exp(-z), sigma(-z))
TWIN(softplus, p[0] * z > p[1] ? z : log_of_one_plus_exp(p[0] * z) / p[0],
     p[0] * z > p[1] ? 1 : sigma(p[0] * z))
TWIN(silu, z * sigma(z), sigma(z) * (1 + z * sigma(-z)))
TWIN(mish, z * tanhl(log_of_one_plus_exp(z)), tanhl(log_of_one_plus_exp(z)) +
     z * sigma(z) * inverse_cosh_squared(log_of_one_plus_exp(z)))
TWIN(tanh, tanhl(z), inverse_cosh_squared(z))
TWIN(tanhshrink, shrunk_by_tanh(z), tanhl(z) * tanhl(z))
TWIN(softsign, z / (1 + fabsl(z)), 1 / (1 + fabsl(z)) / (1 + fabsl(z)))
TWIN(gelu, z * normal_cdf(z), normal_cdf(z) + z * expl(-z * z / 2) / sqrtl(2 * pi))
TWIN(gelu_tanh, z * sigma(2 * gelu_argument(z)), /* (1 + tanh v) / 2 = σ(2v) */
     sigma(2 * gelu_argument(z)) + z / 2 * inverse_cosh_squared(gelu_argument(z)) *
     sqrtl(2 / pi) * (1 + 3 * 0.044715L * z * z))

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
    ROW(EXP, exp), ROW(ELU, elu), ROW(CELU, celu), ROW(SELU, selu), ROW(SIGMOID, sigmoid),
    ROW(LOG_SIGMOID, log_sigmoid), ROW(SOFTPLUS, softplus), ROW(SILU, silu), ROW(MISH, mish),
    ROW(TANH, tanh), ROW(TANHSHRINK, tanhshrink), ROW(SOFTSIGN, softsign), ROW(GELU, gelu),
    ROW(GELU_TANH, gelu_tanh),
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

long double twin_activation(const grad_activation *f, long double z)
{
    return twins[f->kind].value(z, ROUNDED(f));
}

long double twin_derivative(const grad_activation *f, long double z)
{
    return twins[f->kind].slope(z, ROUNDED(f));
}

long double twin_activation_64(const grad_activation *f, long double z)
{
    return twins[f->kind].value(z, f->parameters);
}

long double twin_derivative_64(const grad_activation *f, long double z)
{
    return twins[f->kind].slope(z, f->parameters);
}
