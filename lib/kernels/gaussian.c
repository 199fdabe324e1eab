/* GELU, z Φ(z) with Φ the normal distribution, and its approximation by tanh: Hendrycks and Gimpel,
 * Gaussian Error Linear Units, arXiv:1606.08415. Arithmetic as activations.h says. */
#include <math.h>

#include "kernels/activations.h"
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

/* ½ z (1 + tanh(v/2)) = z σ(v) = max(z, 0) - u σ(-v(u)) with u = |z| */
GRAD_INLINE float gelu_tanh_value(float z)
{
    float u = gelu_tanh_absolute(z);
    grad_quotient e = grad_falling_exp_double(tanh_argument(u));

    return grad_positive_part(z) - u * e.up / (e.up + e.down);
}

/* f'(z) = σ(v) (1 + z v' σ(-v)). With t = σ(-v(u)) the second factor is 1 + u v' t above 0, and
 * below (1 - u v') + u v' t; u v' = 3v - 4 √(2/π) u. The first is 1 - t or t, scaled as in silu. */
GRAD_INLINE float gelu_tanh_delta(float z, float dy)
{
    float u = gelu_tanh_absolute(z);
    double v = tanh_argument(u), rise = 3 * v - 2 * SQRT_8_OVER_PI * u;
    float e = grad_falling_times(grad_reduce_double(-v, GRAD_FAR_BIAS), 1);
    float scaled = e / (1 + e * (1 / GRAD_FAR_SCALE)), t = scaled * (1 / GRAD_FAR_SCALE);
    float factor = (z >= 0 ? 1 : (float)(1 - rise)) + (float)rise * t;

    return dy * ((z >= 0 ? GRAD_FAR_SCALE - scaled : scaled) * factor * (1 / GRAD_FAR_SCALE));
}

GRAD_ELEMENT_WISE(gelu_tanh);
