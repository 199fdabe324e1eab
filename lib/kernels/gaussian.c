/* GELU, z Φ(z) with Φ the normal distribution, and its approximations by tanh and by the logistic
 * function: Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415. Arithmetic as
 * activations.h says. */
#include <math.h>

#include "kernels/double.h"
#include "kernels/loops.h"
#include "kernels/single.h"

/* ---- gelu ------------------------------------------------------------------------------------ */

/* From here on e^(-u²/2), times u too, is 0. */
#define GELU_FAR 14.8f

GRAD_INLINE float gelu_absolute(float z)
{
    float u = fabsf(z);

    return u > GELU_FAR ? GELU_FAR : u;
}

/* 2^32 factor e^(-u²/2). The square in two parts, an exact one of the upper half of u's digits and
 * the small rest: its rounding error would be one of e^x. */
GRAD_INLINE float normal_times(float u, float factor)
{
    uint32_t bits;
    float high, rest;

    memcpy(&bits, &u, sizeof u);
    bits &= 0xfffff000;
    memcpy(&high, &bits, sizeof high);
    rest = 0.5f * (u - high) * (u + high);
    return grad_falling_times(grad_reduce_difference(-0.5f * high * high, rest, GRAD_FAR_BIAS),
                              factor);
}

/* Near 1/√(2π), and exact: what is left is part of the polynomials. */
#define NEAR_INVERSE_SQRT_2PI (51 / 128.0f)

/* Φ(-u) = φ(u) M(u), M being Mills' ratio: it keeps the digits of the left tail, where 1 + erf has
 * none. M(u) / √(2π) is (c + u rest) / (u + 2c), and the rest, small, a quotient of polynomials.
 * f(z) = max(z, 0) - u Φ(-u) with u = |z|. */
GRAD_INLINE float gelu_value(float z)
{
    static const float p[5] = {
        0x1.74ed1cp-3f, 0x1.abec30p-4f, 0x1.cf7ff8p-6f, 0x1.b0bb9ep-9f, 0x1.5e976cp-18f,
    };
    static const float q[6] = {
        0x1.000000p+0f, 0x1.aba9c2p+0f, 0x1.3259f8p+0f,
        0x1.dd4d8cp-2f, 0x1.9d3c24p-4f, 0x1.4f5a7ep-7f,
    };
    float u = gelu_absolute(z), u2 = u * u;
    float above = p[0] + u * ((p[1] + p[2] * u) + (p[3] + p[4] * u) * u2);
    float below = q[0] + u * ((q[1] + q[2] * u) + ((q[3] + q[4] * u) + q[5] * u2) * u2);
    float factor = u * (NEAR_INVERSE_SQRT_2PI + u * above / below);
    float tail = normal_times(u, factor) / (u + 2 * NEAR_INVERSE_SQRT_2PI);

    return grad_positive_part(z) - tail * (1 / GRAD_FAR_SCALE);
}

/* f'(z) = Φ(z) + z φ(z), which at -u is φ(u) (M(u) - u), and at u one minus that. With
 * (M(u) - u) / √(2π) = (zero - u) (c + rest) it keeps its digits next to its zero too. */
GRAD_INLINE float gelu_delta(float z, float dy)
{
    static const float zero = 0x1.80ead2p-1f;
    static const float p[5] = {
        0x1.110a34p-2f, 0x1.8c89c0p-3f, 0x1.eea902p-5f, 0x1.f37eb8p-8f, 0x1.ab1642p-17f,
    };
    static const float q[5] = {
        0x1.000000p+0f, 0x1.637fd0p+0f, 0x1.8fa912p-1f, 0x1.b6db7ep-3f, 0x1.9aa32cp-6f,
    };
    float u = gelu_absolute(z), u2 = u * u;
    float above = p[0] + u * ((p[1] + p[2] * u) + (p[3] + p[4] * u) * u2);
    float below = q[0] + u * ((q[1] + q[2] * u) + (q[3] + q[4] * u) * u2);
    float factor = (zero - u) * (NEAR_INVERSE_SQRT_2PI + above / below);
    float tail = normal_times(u, factor) * (1 / GRAD_FAR_SCALE);

    return dy * (z < 0 ? tail : 1 - tail);
}

GRAD_ELEMENT_WISE(gelu);

/* ---- gelu_tanh ------------------------------------------------------------------------------- */

#define SQRT_8_OVER_PI 1.59576912160573071176 /* 2 √(2/π) */
#define GELU_CUBIC 0.044715
#define GELU_TANH_FAR 10.92f /* where |v| is GRAD_FAR */

/* v = 2 √(2/π) (u + 0.044715 u³), which float32 does not hold well enough */
GRAD_INLINE double tanh_argument(double u)
{
    return u * (SQRT_8_OVER_PI + SQRT_8_OVER_PI * GELU_CUBIC * (u * u));
}

GRAD_INLINE float gelu_tanh_absolute(float z)
{
    float u = fabsf(z);

    return u > GELU_TANH_FAR ? GELU_TANH_FAR : u;
}

/* z σ(v) = max(z, 0) - u σ(-v(u)) with u = |z|, v being odd */
GRAD_INLINE float times_logistic(float z, float u, double v)
{
    grad_quotient e = grad_falling_exp_double(v);

    return grad_positive_part(z) - u * e.up / (e.up + e.down);
}

/* f'(z) = σ(v) (1 + z v' σ(-v)). With t = σ(-v(u)) and rise = u v' the second factor is
 * 1 + rise t above 0, and below (1 - rise) + rise t. The first is 1 - t or t, scaled as in silu. */
GRAD_INLINE float times_logistic_delta(float z, float dy, double v, double rise)
{
    float e = grad_falling_times(grad_reduce_double(-v, GRAD_FAR_BIAS), 1);
    float scaled = e / (1 + e * (1 / GRAD_FAR_SCALE)), t = scaled * (1 / GRAD_FAR_SCALE);
    float factor = (z >= 0 ? 1 : (float)(1 - rise)) + (float)rise * t;

    return dy * ((z >= 0 ? GRAD_FAR_SCALE - scaled : scaled) * factor * (1 / GRAD_FAR_SCALE));
}

/* ½ z (1 + tanh(v/2)) = z σ(v) */
GRAD_INLINE float gelu_tanh_value(float z)
{
    float u = gelu_tanh_absolute(z);

    return times_logistic(z, u, tanh_argument(u));
}

/* u v' = 3v - 4 √(2/π) u */
GRAD_INLINE float gelu_tanh_delta(float z, float dy)
{
    float u = gelu_tanh_absolute(z);
    double v = tanh_argument(u);

    return times_logistic_delta(z, dy, v, 3 * v - 2 * SQRT_8_OVER_PI * u);
}

GRAD_ELEMENT_WISE(gelu_tanh);

/* ---- quick_gelu ------------------------------------------------------------------------------ */

#define QUICK_STEEPNESS 1.702
#define QUICK_GELU_FAR 64.6f /* where v is GRAD_FAR */

GRAD_INLINE float quick_gelu_absolute(float z)
{
    float u = fabsf(z);

    return u > QUICK_GELU_FAR ? QUICK_GELU_FAR : u;
}

/* z σ(v) with v = 1.702 z, which is u v' too */
GRAD_INLINE float quick_gelu_value(float z)
{
    float u = quick_gelu_absolute(z);

    return times_logistic(z, u, QUICK_STEEPNESS * u);
}

GRAD_INLINE float quick_gelu_delta(float z, float dy)
{
    double v = QUICK_STEEPNESS * quick_gelu_absolute(z);

    return times_logistic_delta(z, dy, v, v);
}

GRAD_ELEMENT_WISE(quick_gelu);

/* ---- Over double, with libm's functions ------------------------------------------------------ */

/* The formulae are those above; arguments of exp and erfc are carried as a grad_wide. */

#define INVERSE_SQRT_2PI 0x1.9884533d43651p-2 /* 1/√(2π) */
#define INVERSE_SQRT_PI 0x1.20dd750429b6dp-1  /* 1/√π */

static const grad_wide inverse_sqrt_2 = {0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55};
static const grad_wide sqrt_8_over_pi = {0x1.9884533d43651p+0, -0x1.cbc0d30ebfd15p-54};
static const grad_wide cubic = {0x1.6e4e26d4801f7p-5, 0x1.441355475a31ap-59}; /* 0.044715 */

/* |z|, held; a NaN passes */
static double held_absolute(double z, double limit)
{
    double u = fabs(z);

    return u > limit ? limit : u;
}

#define GELU_DOUBLE_FAR 50.0 /* here e^(-u²/2) is 0 also after a product with the largest double */
#define GELU_TAIL 30.0       /* beyond it by the asymptotic series, before erfc becomes subnormal */

/* -u²/2 */
static grad_wide minus_half_square(double u)
{
    grad_wide square = grad_wide_product(u, u);

    return (grad_wide){-0.5 * square.high, -0.5 * square.low};
}

/* Φ(-u) for 0 <= u <= GELU_TAIL: erfc(u/√2) / 2, corrected for the rounding of u/√2 by its slope */
static double upper_tail(double u)
{
    grad_wide x = grad_wide_multiply((grad_wide){u, 0}, inverse_sqrt_2);

    return 0.5 * erfc(x.high) - INVERSE_SQRT_PI * exp(-0.5 * u * u) * x.low;
}

/* u M(u) for u > GELU_TAIL, M(u) = Φ(-u) / φ(u) being Mills' ratio: Abramowitz and Stegun, 26.2.12.
 * The first term left out is below 5e-18 there. */
static double far_mills_ratio(double u)
{
    double w = 1 / (u * u);

    return 1 -
           w * (1 - 3 * w * (1 - 5 * w * (1 - 7 * w * (1 - 9 * w * (1 - 11 * w * (1 - 13 * w))))));
}

static double gelu_value_double(double z, const double *p)
{
    double u = held_absolute(z, GELU_DOUBLE_FAR);

    (void)p;
    if (z < 0 && u > GELU_TAIL)
        return grad_wide_scaled_exp(-INVERSE_SQRT_2PI * far_mills_ratio(u), minus_half_square(u));
    return z < 0 ? -u * upper_tail(u) : z * (1 - upper_tail(u));
}

/* f'(-u) = Φ(-u) - u φ(u), and f'(u) is one minus that */
static double gelu_slope(double z)
{
    double u = held_absolute(z, GELU_DOUBLE_FAR), tail;
    grad_wide exponent = minus_half_square(u);

    if (u > GELU_TAIL)
        tail = grad_wide_scaled_exp(INVERSE_SQRT_2PI * (far_mills_ratio(u) / u - u), exponent);
    else
        tail = upper_tail(u) - u * INVERSE_SQRT_2PI * grad_wide_exp(exponent);
    return z < 0 ? tail : 1 - tail;
}

static double gelu_delta_double(double z, double dy, const double *p)
{
    (void)p;
    return dy * gelu_slope(z);
}

static const grad_double_function gelu_double = {.value = gelu_value_double,
                                                 .delta = gelu_delta_double};

#define GELU_TANH_DOUBLE_FAR 26.0 /* here e^-v is 0 also after a product with the largest double */

/* v = 2 √(2/π) u (1 + 0.044715 u²) */
static grad_wide wide_tanh_argument(double u)
{
    grad_wide term = grad_wide_multiply(grad_wide_product(u, u), cubic);
    grad_wide factor = grad_wide_sum(1, term.high);

    factor.low += term.low;
    return grad_wide_multiply(grad_wide_multiply(sqrt_8_over_pi, (grad_wide){u, 0}), factor);
}

static grad_wide minus(grad_wide a)
{
    return (grad_wide){-a.high, -a.low};
}

/* z σ(v) with u = |z|, held, and v(u) */
static double times_logistic_double(double z, double u, grad_wide v)
{
    grad_wide exponent = minus(v);
    double whole = 1 + grad_wide_exp(exponent);

    return z < 0 ? grad_wide_scaled_exp(-u / whole, exponent) : z / whole;
}

/* f'(z) = σ(v) + z v' σ(v) σ(-v), where v' is even and rise = u v' */
static double times_logistic_slope(double z, grad_wide v, double rise)
{
    grad_wide exponent = minus(v);
    double e = grad_wide_exp(exponent), whole = (1 + e) * (1 + e);

    return z < 0 ? grad_wide_scaled_exp((1 + e - rise) / whole, exponent)
                 : (1 + e + rise * e) / whole;
}

static double gelu_tanh_value_double(double z, const double *p)
{
    double u = held_absolute(z, GELU_TANH_DOUBLE_FAR);

    (void)p;
    return times_logistic_double(z, u, wide_tanh_argument(u));
}

static double gelu_tanh_slope(double z, const double *p)
{
    double u = held_absolute(z, GELU_TANH_DOUBLE_FAR);
    double rise = u * sqrt_8_over_pi.high * (1 + 3 * cubic.high * u * u);

    (void)p;
    return times_logistic_slope(z, wide_tanh_argument(u), rise);
}

GRAD_SMOOTH(gelu_tanh);

#define QUICK_GELU_DOUBLE_FAR 890.0 /* here v is GRAD_DOUBLE_FAR */

/* 1.702 u */
static grad_wide wide_quick_argument(double u)
{
    static const grad_wide steepness = {QUICK_STEEPNESS, 0x1.89374bc6a7efap-55};

    return grad_wide_multiply(steepness, grad_wide_of(u));
}

static double quick_gelu_value_double(double z, const double *p)
{
    double u = held_absolute(z, QUICK_GELU_DOUBLE_FAR);

    (void)p;
    return times_logistic_double(z, u, wide_quick_argument(u));
}

static double quick_gelu_slope(double z, const double *p)
{
    double u = held_absolute(z, QUICK_GELU_DOUBLE_FAR);

    (void)p;
    return times_logistic_slope(z, wide_quick_argument(u), QUICK_STEEPNESS * u);
}

GRAD_SMOOTH(quick_gelu);

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
GRAD_ACTIVATION_ROW(GELU, gelu,
    "z * P with P = (1 + erf(z / sqrt(2))) / 2",
    "P + z * exp(-z^2 / 2) / sqrt(2 pi)",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(GELU_TANH, gelu_tanh,
    "z * (1 + t) / 2 with t = tanh(v), v = sqrt(2 / pi) * (z + 0.044715 z^3)",
    "(1 + t) / 2 + z * (1 - t^2) / 2 * sqrt(2 / pi) * (1 + 0.134145 z^2)",
    0, {{0}}, GRAD_SYNONYMS("gelu_new", "gelu_pytorch_tanh"));

GRAD_ACTIVATION_ROW(QUICK_GELU, quick_gelu,
    "z * s with s = 1 / (1 + exp(-1.702 * z))",
    "s + 1.702 * z * s * (1 - s)",
    0, {{0}}, GRAD_NO_SYNONYMS);
/* clang-format on */
