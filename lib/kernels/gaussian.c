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

#define INVERSE_SQRT_2PI 0x1.988454p-2f /* 1/√(2π) */

/* Φ(-u) = φ(u) M(u), M being Mills' ratio: it keeps the digits of the left tail, where 1 + erf has
 * none. M(u) (u + √(2/π)) is 1 + u rest, and the rest, small, a quotient of polynomials.
 * f(z) = max(z, 0) - u Φ(-u) with u = |z|. */
GRAD_INLINE float gelu_value(float z)
{
    static const float root = 0x1.988454p-1f; /* √(2/π) */
    static const float p[4] = {
        0x1.7419f4p-3f,
        0x1.d3496cp-4f,
        0x1.0c0cf2p-5f,
        0x1.11fd5ep-8f,
    };
    static const float q[6] = {
        0x1.000000p+0f, 0x1.b9cc08p+0f, 0x1.486174p+0f,
        0x1.0b4a48p-1f, 0x1.e83fccp-4f, 0x1.ae6c50p-7f,
    };
    float u = gelu_absolute(z), u2 = u * u;
    float above = (p[0] + p[1] * u) + (p[2] + p[3] * u) * u2;
    float below = q[0] + u * ((q[1] + q[2] * u) + ((q[3] + q[4] * u) + q[5] * u2) * u2);
    float factor = u * (INVERSE_SQRT_2PI + u * above / below);

    return grad_positive_part(z) - normal_times(u, factor) / (u + root) * (1 / GRAD_FAR_SCALE);
}

/* f'(z) = Φ(z) + z φ(z), which at -u is φ(u) (M(u) - u), and at u one minus that. M(u) - u is
 * (zero - u) (1 + rest): so it keeps its digits next to its zero too. */
GRAD_INLINE float gelu_delta(float z, float dy)
{
    static const float zero = 0x1.80ead2p-1f;
    static const float p[4] = {
        0x1.1085e0p-2f,
        0x1.a0d690p-3f,
        0x1.0e64f2p-4f,
        0x1.1f0f46p-7f,
    };
    static const float q[5] = {
        0x1.000000p+0f, 0x1.6db53ap+0f, 0x1.a8cf3ep-1f, 0x1.e5342ap-3f, 0x1.de9808p-6f,
    };
    float u = gelu_absolute(z), u2 = u * u;
    float above = (p[0] + p[1] * u) + (p[2] + p[3] * u) * u2;
    float below = q[0] + u * ((q[1] + q[2] * u) + (q[3] + q[4] * u) * u2);
    float factor = (zero - u) * (INVERSE_SQRT_2PI + above / below);
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
    return SQRT_8_OVER_PI * (u + GELU_CUBIC * u * u * u);
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

/* f'(z) = σ(v) (1 + z v' σ(-v)). With t = σ(-v(u)) the second factor is 1 + u v' t above 0, and below
 * (1 - u v') + u v' t; u v' = 3v - 4 √(2/π) u. */
GRAD_INLINE float gelu_tanh_delta(float z, float dy)
{
    float u = gelu_tanh_absolute(z);
    double v = tanh_argument(u), rise = 3 * v - 2 * SQRT_8_OVER_PI * u;
    float e = grad_falling_times(grad_reduce_double(-v, GRAD_FAR_BIAS), 1);
    float whole = GRAD_FAR_SCALE + e, t = e / whole;
    float factor = (z >= 0 ? 1 : (float)(1 - rise)) + (float)rise * t;

    return dy * (factor * (z >= 0 ? GRAD_FAR_SCALE : e) / whole);
}

GRAD_ELEMENT_WISE(gelu_tanh);
