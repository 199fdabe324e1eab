/* Activations of the logistic function σ(u) = 1 / (1 + e^-u), of tanh, and of their integrals;
 * and softsign, which has their shape. Arithmetic as activations.h says. All is written in
 * e^-|u|, which never overflows, and without a difference of numbers that are nearly equal. */
#include <float.h>
#include <math.h>

#include "kernels/double.h"
#include "kernels/loops.h"
#include "kernels/single.h"

/* |z|, held where e^-|z| is 0 */
GRAD_INLINE float held_absolute(float z)
{
    float t = fabsf(z);

    return t > GRAD_FAR ? GRAD_FAR : t;
}

/* σ(u), given e^-|u|: down / (up + down) above 0, up / (up + down) below */
GRAD_INLINE float logistic(bool is_above, grad_quotient e)
{
    return (is_above ? e.down : e.up) / (e.up + e.down);
}

/* factor σ'(u) = factor σ(u) σ(-u), given e^-|u| */
GRAD_INLINE float logistic_slope(grad_quotient e, float factor)
{
    float lesser = e.up / (e.up + e.down);

    return factor * lesser * (1 - lesser);
}

GRAD_INLINE float sigmoid_value(float z)
{
    return logistic(z >= 0, grad_falling_exp(held_absolute(z)));
}

GRAD_INLINE float sigmoid_delta(float z, float dy)
{
    return dy * logistic_slope(grad_falling_exp(held_absolute(z)), 1);
}

GRAD_ELEMENT_WISE(sigmoid);

/* ---- The integrals of σ: log_sigmoid, softplus ----------------------------------------------- */

/* log(1 + e^-t), t reduced with GRAD_FAR_BIAS */
GRAD_INLINE float log_of_1_and(grad_reduced t)
{
    return grad_single_log1p(grad_falling_times(t, 1) * (1 / GRAD_FAR_SCALE));
}

/* min(z, 0) - log(1 + e^-|z|) */
GRAD_INLINE float log_sigmoid_value(float z)
{
    float below = z > 0 ? 0 : z;

    return below - log_of_1_and(grad_reduce(-held_absolute(z), GRAD_FAR_BIAS));
}

GRAD_INLINE float log_sigmoid_delta(float z, float dy)
{
    return dy * logistic(z < 0, grad_falling_exp(held_absolute(z)));
}

GRAD_ELEMENT_WISE(log_sigmoid);

/* log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), for a beta of 1 */
GRAD_INLINE float plain_softplus_value(float z, float threshold)
{
    float soft =
        grad_positive_part(z) + log_of_1_and(grad_reduce(-held_absolute(z), GRAD_FAR_BIAS));

    return z > threshold ? z : soft;
}

GRAD_INLINE float plain_softplus_delta(float z, float dy, float threshold)
{
    float slope = logistic(z >= 0, grad_falling_exp(held_absolute(z)));

    return dy * (z > threshold ? 1 : slope);
}

/* |beta z|, a product that float32 does not hold well enough, held where its e^- is 0 */
GRAD_INLINE double softplus_argument(float z, float beta)
{
    double t = fabs((double)beta * z);

    return t > GRAD_FAR ? GRAD_FAR : t;
}

/* log(1 + e^u) / beta = max(z, 0) + log(1 + e^-|u|) / beta with u = beta z */
GRAD_INLINE float scaled_softplus_value(float z, float beta, float threshold)
{
    double t = softplus_argument(z, beta);
    float soft = grad_positive_part(z) + log_of_1_and(grad_reduce_double(-t, GRAD_FAR_BIAS)) / beta;

    return (double)beta * z > threshold ? z : soft;
}

GRAD_INLINE float scaled_softplus_delta(float z, float dy, float beta, float threshold)
{
    float slope = logistic(z >= 0, grad_falling_exp_double(softplus_argument(z, beta)));

    return dy * ((double)beta * z > threshold ? 1 : slope);
}

GRAD_ELEMENT_FUNCTIONS(plain_softplus, plain_softplus_value(z_i, b),
                       plain_softplus_delta(z_i, dy_i, b))
GRAD_ELEMENT_FUNCTIONS(scaled_softplus, scaled_softplus_value(z_i, a, b),
                       scaled_softplus_delta(z_i, dy_i, a, b))
GRAD_ELEMENT_WISE_OR_SCALED(softplus, plain_softplus, scaled_softplus);

/* ---- Those that multiply by z: silu, mish ---------------------------------------------------- */

/* z σ(z) = max(z, 0) - |z| σ(-|z|) */
GRAD_INLINE float silu_value(float z)
{
    float t = held_absolute(z);
    grad_quotient e = grad_falling_exp(t);

    return grad_positive_part(z) - t * e.up / (e.up + e.down);
}

/* f'(z) = σ(z) (1 + z σ(-z)). With t = σ(-|z|) the second factor is 1 + z t above 0 and
 * (1 + z) - z t below, where 1 + z is exact next to the zero of f'; the first is 1 - t or t, which
 * is scaled because it may be subnormal where f' is not. */
GRAD_INLINE float silu_delta(float z, float dy)
{
    float held = held_absolute(z);
    grad_reduced x = grad_reduce(-held, GRAD_FAR_BIAS);
    grad_halves e = grad_exp_halves(x.r);
    float up = (e.even + e.odd) * grad_power(x.exponent);
    float scaled = up / ((e.even - e.odd) + up * (1 / GRAD_FAR_SCALE));
    float factor = (z >= 0 ? 1 : 1 - held) + held * (1 / GRAD_FAR_SCALE) * scaled;

    return dy * ((z >= 0 ? GRAD_FAR_SCALE - scaled : scaled) * factor * (1 / GRAD_FAR_SCALE));
}

GRAD_ELEMENT_WISE(silu);

/* Misra, Mish: A Self Regularized Non-Monotonic Activation Function, arXiv:1908.08681.
 * f(z) = z T with T = tanh(log(1 + e^z)) = ((1 + e^z)² - 1) / ((1 + e^z)² + 1): below 0, in
 * e = e^z, T = e (1 - e (1 + e) / w) with w = 2 + 2e + e²; above, in e = e^-z, T = 1 - 2e² / w
 * with w = 1 + 2e + 2e². */
GRAD_INLINE float mish_whole(bool is_above, float e)
{
    float square = e * e;

    return ((is_above ? 1 : 2) + 2 * e) + (is_above ? 2 * square : square);
}

GRAD_INLINE float mish_value(float z)
{
    bool is_above = z >= 0;
    float t = held_absolute(z);
    grad_reduced x = grad_reduce(-t, GRAD_FAR_BIAS);
    float e = grad_falling_times(x, 1) * (1 / GRAD_FAR_SCALE);
    float ratio = (is_above ? 2 * e : e + e * e) / mish_whole(is_above, e);
    float below = grad_falling_times(x, t * (is_above ? ratio : 1 - ratio));

    return grad_positive_part(z) - below * (1 / GRAD_FAR_SCALE);
}

/* f'(z) = T + z σ(z) (1 - T²). With s = e / w it is above 0 1 + s (4 z s (1 + e) - 2e), and below
 * e ((1 + z) - s (z (1 + 2s) + (1 + z) (1 + e))), where 1 + z is exact next to the zero of f'. */
GRAD_INLINE float mish_delta(float z, float dy)
{
    bool is_above = z >= 0;
    float t = held_absolute(z), h = 1 - t;
    grad_reduced x = grad_reduce(-t, GRAD_FAR_BIAS);
    float e = grad_falling_times(x, 1) * (1 / GRAD_FAR_SCALE);
    float s = e / mish_whole(is_above, e), more = 1 + e;
    float above = 4 * t * s * more - 2 * e, below = t * (1 + 2 * s) - h * more;
    float factor = (is_above ? 1 : h) + s * (is_above ? above : below);
    float scaled = grad_falling_times(x, factor) * (1 / GRAD_FAR_SCALE);

    return dy * (is_above ? factor : scaled);
}

GRAD_ELEMENT_WISE(mish);

/* ---- tanh ------------------------------------------------------------------------------------ */

/* tanh |z| = (1 - e^-2|z|) / (1 + e^-2|z|), without a difference near 0: with
 * e^r = (a + b) / (a - b) it is (a (1 - 2^k) - b (1 + 2^k)) / ((a - b) + 2^k (a + b)). */
GRAD_INLINE float tanh_of_absolute(float z)
{
    float t = 2 * fabsf(z);
    grad_reduced x = grad_reduce(t > GRAD_EXPM1_FAR ? -GRAD_EXPM1_FAR : -t, GRAD_EXPM1_BIAS);
    grad_halves e = grad_exp_halves(x.r);
    float power = grad_power(x.exponent);
    float part = e.even * (1 - power) - e.odd * (1 + power);

    return part / ((e.even - e.odd) + power * (e.even + e.odd));
}

GRAD_INLINE float tanh_value(float z)
{
    return copysignf(tanh_of_absolute(z), z);
}

/* tanh'(z) = 1 / cosh²(z) = 4 σ'(2z) */
GRAD_INLINE float tanh_delta(float z, float dy)
{
    return dy * logistic_slope(grad_falling_exp(held_absolute(2 * z)), 4);
}

GRAD_ELEMENT_WISE(tanh);

/* (t - tanh(t)) / t³ for 0 <= t < 1, w = t². One third in two parts. */
GRAD_INLINE float tanhshrink_rest(float w)
{
    static const float third = 0x1.555556p-2f;
    static const float c[8] = {
        -0x1.555556p-27f, -0x1.1110f2p-3f, 0x1.ba117cp-5f,  -0x1.65a7c4p-6f,
        0x1.1d02d6p-7f,   -0x1.a45278p-9f, 0x1.e42e30p-11f, -0x1.2b7582p-13f,
    };
    float w2 = w * w;
    float low = (c[0] + c[1] * w) + w2 * (c[2] + c[3] * w);
    float high = (c[4] + c[5] * w) + w2 * (c[6] + c[7] * w);

    return third + (low + w2 * w2 * high);
}

/* z - tanh(z) loses its digits near 0: there it is a polynomial. From 1 on it is
 * (|z| - 1) + 2 σ(-2|z|), whose terms have one sign. */
GRAD_INLINE float tanhshrink_value(float z)
{
    float t = fabsf(z), w = t * t;
    grad_quotient e = grad_falling_exp(held_absolute(2 * z));
    float far = (t - 1) + 2 * e.up / (e.up + e.down);

    return copysignf(t < 1 ? t * w * tanhshrink_rest(w) : far, z);
}

/* tanh²(z), tanh being |z| - |z|³ rest or 1 - 2 σ(-2|z|) */
GRAD_INLINE float tanhshrink_delta(float z, float dy)
{
    float t = fabsf(z), w = t * t;
    grad_quotient e = grad_falling_exp(held_absolute(2 * z));
    float far = 1 - 2 * e.up / (e.up + e.down);
    float tanh = t < 1 ? t - t * w * tanhshrink_rest(w) : far;

    return dy * (tanh * tanh);
}

GRAD_ELEMENT_WISE(tanhshrink);

/* ---- softsign -------------------------------------------------------------------------------- */

GRAD_INLINE float softsign_value(float z)
{
    float held = grad_hold(z, -FLT_MAX, FLT_MAX); /* 1 at infinity too */

    return held / (1 + fabsf(held));
}

/* The square of 1 + |z| could overflow. */
GRAD_INLINE float softsign_delta(float z, float dy)
{
    float inverse = 1 / (1 + fabsf(z));

    return dy * (inverse * inverse);
}

GRAD_ELEMENT_WISE(softsign);

/* ---- Over double, with libm's functions ------------------------------------------------------ */

/* The formulae are those above; on the far left f' is e^u times a factor, as for the exponential
 * family. */

/* -|u| */
static grad_wide minus_absolute(grad_wide u)
{
    return u.high > 0 ? (grad_wide){-u.high, -u.low} : u;
}

/* σ(u) */
static double logistic_double(grad_wide u)
{
    double e = grad_wide_exp(minus_absolute(u));

    return (u.high >= 0 ? 1 : e) / (1 + e);
}

static double sigmoid_value_double(double z, const double *p)
{
    (void)p;
    return logistic_double(grad_wide_of(z));
}

static double sigmoid_slope(double z, const double *p)
{
    double e = exp(-fabs(z));

    (void)p;
    return e / ((1 + e) * (1 + e));
}

GRAD_SMOOTH(sigmoid);

static double log_sigmoid_value_double(double z, const double *p)
{
    (void)p;
    return (z > 0 ? 0 : z) - log1p(exp(-fabs(z)));
}

static double log_sigmoid_slope(double z, const double *p)
{
    (void)p;
    return logistic_double(grad_wide_of(-z));
}

GRAD_SMOOTH(log_sigmoid);

/* u v, held */
static grad_wide held_product(double u, double v)
{
    double high = u * v;

    return fabs(high) >= GRAD_DOUBLE_FAR ? grad_wide_of(grad_double_hold(high, GRAD_DOUBLE_FAR))
                                         : grad_wide_product(u, v);
}

/* e^u / beta, where e^u alone is subnormal: its rounding would be multiplied by 1 / beta. */
static double far_softplus(grad_wide u, double beta)
{
    double root = exp(u.high / 2);

    return (1 + u.low) * root / beta * root;
}

static double softplus_value_double(double z, const double *p)
{
    grad_wide u = held_product(p[0], z);
    double e = grad_wide_exp(minus_absolute(u));

    if (u.high < 0 && e < DBL_MIN && p[0] < 1 && !(p[0] * z > p[1]))
        return far_softplus(u, p[0]);
    return p[0] * z > p[1] ? z : (z < 0 ? 0 : z) + log1p(e) / p[0];
}

static double softplus_slope(double z, const double *p)
{
    return p[0] * z > p[1] ? 1 : logistic_double(held_product(p[0], z));
}

GRAD_SMOOTH(softplus);

static double silu_value_double(double z, const double *p)
{
    double u = grad_double_hold(z, GRAD_DOUBLE_FAR), e = exp(-fabs(z));

    (void)p;
    return z >= 0 ? z / (1 + e) : grad_wide_scaled_exp(u / (1 + e), grad_wide_of(u));
}

static double silu_slope(double z, const double *p)
{
    double u = grad_double_hold(z, GRAD_DOUBLE_FAR), e = exp(-fabs(z)), whole = (1 + e) * (1 + e);

    (void)p;
    return z >= 0 ? (1 + e + u * e) / whole
                  : grad_wide_scaled_exp((1 + e + u) / whole, grad_wide_of(u));
}

GRAD_SMOOTH(silu);

/* T = part / (part + gap), above 0 in e = e^-z: part = 1 + 2e, gap = 2e²; below it in e = e^z:
 * part = e (2 + e), gap = 2, the factor e being left to the end. */
static double mish_value_double(double z, const double *p)
{
    double u = grad_double_hold(z, GRAD_DOUBLE_FAR), e = exp(-fabs(z));

    (void)p;
    return z >= 0 ? z * ((1 + 2 * e) / (1 + 2 * e + 2 * e * e))
                  : grad_wide_scaled_exp(u * (2 + e) / (e * (2 + e) + 2), grad_wide_of(u));
}

static double mish_slope(double z, const double *p)
{
    double u = grad_double_hold(z, GRAD_DOUBLE_FAR), e = exp(-fabs(z));
    double part = z >= 0 ? 1 + 2 * e : e * (2 + e);
    double whole = part + (z >= 0 ? 2 * e * e : 2);
    double above = part * whole * (1 + e) + u * 2 * e * e * (whole + part);
    double below = (2 + e) * whole * (1 + e) + u * 2 * (whole + part);
    double over = whole * whole * (1 + e);

    (void)p;
    return z >= 0 ? above / over : grad_wide_scaled_exp(below / over, grad_wide_of(u));
}

GRAD_SMOOTH(mish);

static double tanh_value_double(double z, const double *p)
{
    (void)p;
    return tanh(z);
}

static double tanh_slope(double z, const double *p)
{
    double u = -2 * fabs(grad_double_hold(z, GRAD_DOUBLE_FAR / 2)), e = exp(u);

    (void)p;
    return grad_wide_scaled_exp(4 / ((1 + e) * (1 + e)), grad_wide_of(u));
}

GRAD_SMOOTH(tanh);

/* Lambert's continued fraction tanh z = z / (1 + c) with c = z² / (3 + z² / (5 + z² / …)), which
 * gives z - tanh z = z c / (1 + c) without a difference. For |z| <= 1. */
static double shrunk_by_fraction(double z)
{
    double w = z * z, c = 0;

    for (int odd = 21; odd >= 3; odd -= 2)
        c = w / (odd + c);
    return z * (c / (1 + c));
}

static double tanhshrink_value_double(double z, const double *p)
{
    (void)p;
    return fabs(z) <= 1 ? shrunk_by_fraction(z) : z - tanh(z);
}

static double tanhshrink_slope(double z, const double *p)
{
    double t = tanh(z);

    (void)p;
    return t * t;
}

GRAD_SMOOTH(tanhshrink);

static double softsign_value_double(double z, const double *p)
{
    double held = grad_double_hold(z, DBL_MAX); /* 1 at infinity too */

    (void)p;
    return held / (1 + fabs(held));
}

static double softsign_slope(double z, const double *p)
{
    double d = 1 + fabs(z);

    (void)p;
    return 1 / d / d;
}

GRAD_SMOOTH(softsign);

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
GRAD_ACTIVATION_ROW(SIGMOID, sigmoid,
    "1 / (1 + exp(-z))",
    "y * (1 - y)",
    0, {{0}}, GRAD_SYNONYMS("logistic", "expit"));

GRAD_ACTIVATION_ROW(LOG_SIGMOID, log_sigmoid,
    "-log(1 + exp(-z))",
    "1 / (1 + exp(z))",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(SOFTPLUS, softplus,
    "beta * z > threshold ? z : log(1 + exp(beta * z)) / beta",
    "beta * z > threshold ? 1 : 1 / (1 + exp(-beta * z))",
    2, {{"beta", 1, GRAD_POSITIVE}, {"threshold", 20, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(SILU, silu,
    "z * s with s = 1 / (1 + exp(-z))",
    "s + z * s * (1 - s)",
    0, {{0}}, GRAD_SYNONYMS("swish"));

GRAD_ACTIVATION_ROW(MISH, mish,
    "z * t with t = tanh(log(1 + exp(z)))",
    "t + z * (1 - t^2) / (1 + exp(-z))",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(TANH, tanh,
    "tanh(z)",
    "1 / cosh(z)^2",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(TANHSHRINK, tanhshrink,
    "z - tanh(z)",
    "tanh(z)^2",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(SOFTSIGN, softsign,
    "z / (1 + abs(z))",
    "1 / (1 + abs(z))^2",
    0, {{0}}, GRAD_NO_SYNONYMS);
/* clang-format on */
