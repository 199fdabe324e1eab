/* Activations of the logistic function σ(u) = 1 / (1 + e^-u), of tanh, and of their integrals; and
 * softsign, which has their shape. Arithmetic as activations.h says. All is written in e^-|u|, which
 * never overflows, and without a difference of numbers that are nearly equal. */
#include <math.h>

#include "kernels/activations.h"
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

/* |beta z|, a product that float32 does not hold, held where its e^- is 0 */
GRAD_INLINE double softplus_argument(float z, float beta)
{
    double t = fabs((double)beta * z);

    return t > GRAD_FAR ? GRAD_FAR : t;
}

/* log(1 + e^u) / beta = max(z, 0) + log(1 + e^-|u|) / beta with u = beta z */
GRAD_INLINE float softplus_value(float z, float beta, float threshold)
{
    double t = softplus_argument(z, beta);
    float soft = grad_positive_part(z) + log_of_1_and(grad_reduce_double(-t, GRAD_FAR_BIAS)) / beta;

    return (double)beta * z > threshold ? z : soft;
}

GRAD_INLINE float softplus_delta(float z, float dy, float beta, float threshold)
{
    float slope = logistic(z >= 0, grad_falling_exp_double(softplus_argument(z, beta)));

    return dy * ((double)beta * z > threshold ? 1 : slope);
}

GRAD_ELEMENT_WISE_2(softplus);

/* ---- Those that multiply by z: silu, mish ---------------------------------------------------- */

/* z σ(z) = max(z, 0) - |z| σ(-|z|) */
GRAD_INLINE float silu_value(float z)
{
    float t = held_absolute(z);
    grad_quotient e = grad_falling_exp(t);

    return grad_positive_part(z) - t * e.up / (e.up + e.down);
}

/* f'(z) = σ(z) (1 + z σ(-z)). With t = σ(-|z|) the second factor is 1 + z t above 0 and
 * (1 + z) - z t below, where 1 + z is exact next to the zero of f'. */
GRAD_INLINE float silu_delta(float z, float dy)
{
    float held = held_absolute(z);
    grad_quotient e = grad_falling_exp(held);
    float whole = e.up + e.down, t = e.up / whole;
    float factor = (z >= 0 ? 1 : 1 - held) + held * t;

    return dy * (factor * (z >= 0 ? e.down : e.up) / whole);
}

GRAD_ELEMENT_WISE(silu);

/* Misra, Mish: A Self Regularized Non-Monotonic Activation Function, arXiv:1908.08681.
 * f(z) = z T with T = tanh(log(1 + e^z)) = ((1 + e^z)² - 1) / ((1 + e^z)² + 1): below 0, in e = e^z,
 * e (2 + e) / (2 + 2e + e²); above, in e = e^-z, 1 - 2e² / (1 + 2e + 2e²). */
GRAD_INLINE float mish_value(float z)
{
    float t = held_absolute(z);
    float scaled = grad_falling_times(grad_reduce(-t, GRAD_FAR_BIAS), 1);
    float e = scaled * (1 / GRAD_FAR_SCALE), e2 = e * e;
    float part = scaled * (z >= 0 ? 2 * e : 2 + e);
    float whole = (z >= 0 ? 1 + 2 * e2 : 2 + e2) + 2 * e;

    return grad_positive_part(z) - t * part / whole * (1 / GRAD_FAR_SCALE);
}

/* f'(z) = T + z σ(z) (1 - T²). With w the denominator of T: above 0 it is
 * ((1 + 2e) + z 4 e² (1 + e) / w) / w; below, e / w ((2 + e) (1 + z) - z e / w (w + 2e)), where 1 + z
 * is exact next to the zero of f'. */
GRAD_INLINE float mish_delta(float z, float dy)
{
    float held = held_absolute(z);
    float scaled = grad_falling_times(grad_reduce(-held, GRAD_FAR_BIAS), 1);
    float e = scaled * (1 / GRAD_FAR_SCALE), e2 = e * e, twice = 2 * e;
    float whole = (z >= 0 ? 1 + 2 * e2 : 2 + e2) + twice;
    float first = z >= 0 ? 1 + twice : (2 + e) * (1 - held);
    float second = z >= 0 ? 4 * e2 * (1 + e) : whole + twice;
    float ratio = (z >= 0 ? GRAD_FAR_SCALE : scaled) / whole;
    float share = ratio * (1 / GRAD_FAR_SCALE);

    return dy * (ratio * (first + held * share * second) * (1 / GRAD_FAR_SCALE));
}

GRAD_ELEMENT_WISE(mish);

/* ---- tanh ------------------------------------------------------------------------------------ */

/* tanh |z| = (1 - e^-2|z|) / (1 + e^-2|z|), without a difference near 0: with e^r = (a + b) / (a - b)
 * it is (a (1 - 2^k) - b (1 + 2^k)) / ((a - b) + 2^k (a + b)). */
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
    static const float c[7] = {
        -0x1.555554p-27f, -0x1.110ffep-3f, 0x1.b9d574p-5f,  -0x1.62e11cp-6f,
        0x1.0d5150p-7f,   -0x1.490d0ap-9f, 0x1.b92196p-12f,
    };
    float w2 = w * w;

    return third +
           ((c[0] + c[1] * w) + w2 * ((c[2] + c[3] * w) + w2 * ((c[4] + c[5] * w) + w2 * c[6])));
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
    return z / (1 + fabsf(z));
}

/* The square of 1 + |z| could overflow. */
GRAD_INLINE float softsign_delta(float z, float dy)
{
    float inverse = 1 / (1 + fabsf(z));

    return dy * (inverse * inverse);
}

GRAD_ELEMENT_WISE(softsign);
