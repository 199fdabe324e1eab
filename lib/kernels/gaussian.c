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
    float high;
    grad_reduced x;

    memcpy(&bits, &u, sizeof u);
    bits &= 0xfffff000;
    memcpy(&high, &bits, sizeof high);
    x = grad_reduce(-0.5f * high * high, GRAD_FAR_BIAS);
    x.r -= 0.5f * (u - high) * (u + high);
    return grad_falling_times(x, factor);
}

/* Φ(-u) = φ(u) M(u), with Mills' ratio M as a quotient: it keeps the digits of the left tail, where
 * 1 + erf has none. f(z) = max(z, 0) - u Φ(-u) with u = |z|. */
GRAD_INLINE float gelu_value(float z)
{
    static const float p[5] = {
        0x1.000000p-1f, 0x1.beee44p-2f, 0x1.74627ap-3f, 0x1.48e0c4p-5f, 0x1.08cb12p-8f,
    };
    static const float q[6] = {
        0x1.000000p+0f, 0x1.abb950p+0f, 0x1.325e98p+0f,
        0x1.dcec96p-2f, 0x1.9c3734p-4f, 0x1.4bdd68p-7f,
    };
    float u = gelu_absolute(z), u2 = u * u, u4 = u2 * u2;
    float above = (p[0] + p[1] * u) + (p[2] + p[3] * u) * u2 + p[4] * u4;
    float below = (q[0] + q[1] * u) + (q[2] + q[3] * u) * u2 + (q[4] + q[5] * u) * u4;

    return grad_positive_part(z) - normal_times(u, u * above) / below * (1 / GRAD_FAR_SCALE);
}

/* f'(z) = Φ(z) + z φ(z), which at -u is φ(u) (M(u) - u), and at u one minus that. */
GRAD_INLINE float gelu_delta(float z, float dy)
{
    static const float p[6] = {
        0x1.000000p-1f,  -0x1.c1cc00p-4f, -0x1.dca3c2p-2f,
        -0x1.2ef010p-2f, -0x1.525e0ep-4f, -0x1.3621fcp-7f,
    };
    static const float q[5] = {
        0x1.000000p+0f, 0x1.604ad2p+0f, 0x1.87b70ep-1f, 0x1.a81a74p-3f, 0x1.84b08ep-6f,
    };
    float u = gelu_absolute(z), u2 = u * u, u4 = u2 * u2;
    float above = (p[0] + p[1] * u) + (p[2] + p[3] * u) * u2 + (p[4] + p[5] * u) * u4;
    float below = (q[0] + q[1] * u) + (q[2] + q[3] * u) * u2 + q[4] * u4;
    float tail = normal_times(u, above) / below * (1 / GRAD_FAR_SCALE);

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
    grad_quotient e = grad_falling_exp_double(v);
    float whole = e.up + e.down, t = e.up / whole;
    float factor = (z >= 0 ? 1 : (float)(1 - rise)) + (float)rise * t;

    return dy * (factor * (z >= 0 ? e.down : e.up) / whole);
}

GRAD_ELEMENT_WISE(gelu_tanh);
