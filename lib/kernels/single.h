/* Elementary functions in float32, in a form that the compiler makes vector code of: no branch, no
 * call, no table, and no operation that a processor could round differently. e^x in several shapes,
 * and log(1 + e). Coefficients that are no plain fractions come from
 * tests/support/make_polynomials.py. u = 2^-24 below. */
#ifndef GRAD_KERNELS_SINGLE_H
#define GRAD_KERNELS_SINGLE_H

#include <stdint.h>
#include <string.h>

#include "kernels/loops.h"

/* z, held within both ends; a NaN passes. */
GRAD_INLINE float grad_hold(float z, float low, float high)
{
    float raised = z < low ? low : z;

    return raised > high ? high : raised;
}

GRAD_INLINE float grad_positive_part(float z)
{
    return z < 0 ? 0 : z;
}

/* ---- Reduction: x = k log 2 + r with |r| <= log 2 / 2 ---------------------------------------- */

typedef struct grad_reduced {
    uint32_t exponent; /* k + bias in the low 9 bits, others above */
    float r;
} grad_reduced;

/* Adding it rounds to an integer, which then stands in the low bits. */
#define GRAD_ROUNDER_SINGLE 0x1.8p23f
#define GRAD_ROUNDER_DOUBLE 0x1.8p52

#define GRAD_SINGLE_LOG2_E 0x1.715476p+0f
#define GRAD_SINGLE_LOG_2_HIGH 0x1.62e4p-1f /* few bits: k times it is exact, so is x - k high */
#define GRAD_SINGLE_LOG_2_LOW 0x1.7f7d1cp-20f
#define GRAD_DOUBLE_LOG2_E 0x1.71547652b82fep+0
#define GRAD_DOUBLE_LOG_2 0x1.62e42fefa39efp-1

/* Of x - rest, |x| < 180, where rest is what float32 cannot hold of a better argument: an error of
 * it is a relative one of e^x. bias is an integer that makes of k a number >= 0. */
GRAD_INLINE grad_reduced grad_reduce_difference(float x, float rest, float bias)
{
    const float rounder = GRAD_ROUNDER_SINGLE + bias;
    float shifted = (x - rest) * GRAD_SINGLE_LOG2_E + rounder;
    float k = shifted - rounder;
    grad_reduced reduced;

    memcpy(&reduced.exponent, &shifted, sizeof shifted);
    reduced.r = (x - k * GRAD_SINGLE_LOG_2_HIGH) - k * GRAD_SINGLE_LOG_2_LOW - rest;
    return reduced;
}

GRAD_INLINE grad_reduced grad_reduce(float x, float bias)
{
    return grad_reduce_difference(x, 0, bias);
}

/* The same of a double. */
GRAD_INLINE grad_reduced grad_reduce_double(double x, double bias)
{
    const double rounder = GRAD_ROUNDER_DOUBLE + bias;
    double shifted = x * GRAD_DOUBLE_LOG2_E + rounder;
    double k = shifted - rounder;
    grad_reduced reduced;
    uint64_t bits;

    memcpy(&bits, &shifted, sizeof bits);
    reduced.exponent = (uint32_t)bits;
    reduced.r = (float)(x - k * GRAD_DOUBLE_LOG_2);
    return reduced;
}

/* 2^(e - 127), e = 1 … 254 standing in the low 9 bits; 0 where e is 0 */
GRAD_INLINE float grad_power(uint32_t exponent)
{
    float power;

    exponent <<= 23;
    memcpy(&power, &exponent, sizeof power);
    return power;
}

/* ---- e^x as a quotient, for activations that divide anyway ----------------------------------- */

/* up / down */
typedef struct grad_quotient {
    float up, down;
} grad_quotient;

/* e^r = (even + odd) / (even - odd), for |r| <= log 2 / 2: Padé's approximant of order [3/3], good
 * to r^7 / 100800, a tenth of u. */
typedef struct grad_halves {
    float even, odd;
} grad_halves;

GRAD_INLINE grad_halves grad_exp_halves(float r)
{
    float r2 = r * r;

    return (grad_halves){120 + 12 * r2, r * (60 + r2)};
}

/* e^x for x <= 0 is worked out with 2^32 above and below, so that up is no subnormal where e^x is,
 * nor is its product with x. From x = -GRAD_FAR on up is 0; x is not to be much below. */
#define GRAD_FAR 110.0f
#define GRAD_FAR_SCALE 0x1p32f
#define GRAD_FAR_BIAS (127 + 32)

GRAD_INLINE grad_quotient grad_falling_quotient(grad_reduced x)
{
    grad_halves e = grad_exp_halves(x.r);

    return (grad_quotient){(e.even + e.odd) * grad_power(x.exponent),
                           (e.even - e.odd) * GRAD_FAR_SCALE};
}

/* e^-t for 0 <= t <= GRAD_FAR */
GRAD_INLINE grad_quotient grad_falling_exp(float t)
{
    return grad_falling_quotient(grad_reduce(-t, GRAD_FAR_BIAS));
}

GRAD_INLINE grad_quotient grad_falling_exp_double(double t)
{
    return grad_falling_quotient(grad_reduce_double(-t, GRAD_FAR_BIAS));
}

/* factor e^x without an overflow or underflow on the way: 2^k is split in two. x is held where the
 * product is infinite for any normal factor, or (from e^x < 2^-253 on) 0. */
GRAD_INLINE float grad_exp_times(float x, float factor)
{
    grad_reduced reduced = grad_reduce(grad_hold(x, -176, 176), 254);
    grad_halves e = grad_exp_halves(reduced.r);
    uint32_t half = reduced.exponent >> 1;
    float scaled = (e.even + e.odd) / (e.even - e.odd) * grad_power(half);

    return scaled * factor * grad_power(reduced.exponent - half);
}

/* ---- e^x as a number ------------------------------------------------------------------------- */

/* e^r - 1 for |r| <= log 2 / 2, good to an u */
GRAD_INLINE float grad_exp_rest(float r)
{
    static const float c[5] = {
        0x1.000000p-1f, 0x1.5554dcp-3f, 0x1.55551ap-5f, 0x1.120b6ep-7f, 0x1.6d110ap-10f,
    };
    float r2 = r * r;

    return r + r2 * ((c[0] + c[1] * r) + r2 * ((c[2] + c[3] * r) + r2 * c[4]));
}

/* 2^32 e^x factor, of x reduced with GRAD_FAR_BIAS, -GRAD_FAR <= x <= 0 */
GRAD_INLINE float grad_falling_times(grad_reduced x, float factor)
{
    return (factor + factor * grad_exp_rest(x.r)) * grad_power(x.exponent);
}

/* e^x - 1, of x reduced with a bias of 127, -88 <= x <= 0 */
GRAD_INLINE float grad_falling_expm1(grad_reduced x)
{
    float power = grad_power(x.exponent);

    return (power - 1) + power * grad_exp_rest(x.r);
}
#define GRAD_EXPM1_BIAS 127
#define GRAD_EXPM1_FAR 88.0f

/* ---- The logarithm --------------------------------------------------------------------------- */

/* log(1 + e) for 0 <= e <= 1 */
GRAD_INLINE float grad_single_log1p(float e)
{
    static const float c[9] = {
        0x1.fffffep-2f,  -0x1.55540cp-2f, 0x1.ffb95cp-3f,  -0x1.969cb2p-3f, 0x1.448ee2p-3f,
        -0x1.d992bcp-4f, 0x1.11708cp-4f,  -0x1.9d455ap-6f, 0x1.24b298p-8f,
    };
    float e2 = e * e, e4 = e2 * e2;
    float low = (c[0] + c[1] * e) + e2 * (c[2] + c[3] * e);
    float high = (c[4] + c[5] * e) + e2 * (c[6] + c[7] * e);

    return e - e2 * (low + e4 * (high + e4 * c[8]));
}

#endif
