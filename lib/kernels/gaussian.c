/* GELU, z Φ(z) with Φ the normal distribution, and its approximation by tanh: Hendrycks and Gimpel,
 * Gaussian Error Linear Units, arXiv:1606.08415. Arithmetic as activations.h says. */
#include "kernels/elementary.h"

#include <math.h>

#include "kernels/activations.h"

#define INVERSE_SQRT_2PI 0.39894228040143267794 /* 1/√(2π) */
#define SQRT_8_OVER_PI 1.59576912160573071176   /* 2 √(2/π) */
#define GELU_CUBIC 0.044715

/* |z|, held where Φ has long been 0 or 1, so that an infinite z does no harm */
GRAD_INLINE double held_absolute(float z)
{
    double u = fabs((double)z);

    return u > 1000 ? 1000 : u;
}

/* φ(u) = exp(-u²/2) / √(2π); the square of a float is exact in double */
GRAD_INLINE double normal_density(double u)
{
    return INVERSE_SQRT_2PI * grad_exp(-0.5 * u * u);
}

/* Φ(-u) = φ(u) M(u) for u = |z|, M being Mills' ratio: it keeps the digits of the left tail, where
 * 1 + erf has none. */
GRAD_INLINE float gelu_value(float z)
{
    double u = held_absolute(z);
    double tail = normal_density(u) * grad_mills_ratio(u);

    return (float)(z * (z < 0 ? tail : 1 - tail));
}

/* f'(z) = Φ(z) + z φ(z), which at -u is φ(u) (M(u) - u), and at u one minus that. */
GRAD_INLINE float gelu_delta(float z, float dy)
{
    double u = held_absolute(z);
    double tail = normal_density(u) * (grad_mills_ratio(u) - u);

    return (float)(dy * (z < 0 ? tail : 1 - tail));
}

GRAD_ELEMENT_WISE(gelu);

/* ½ z (1 + tanh(v/2)) = z σ(v) with v = 2 √(2/π) (z + 0.044715 z³) */
GRAD_INLINE double tanh_argument(double z)
{
    return SQRT_8_OVER_PI * (z + GELU_CUBIC * z * z * z);
}

GRAD_INLINE float gelu_tanh_value(float z)
{
    double v = tanh_argument(z), e = grad_exp(-fabs(v));

    return (float)(z * ((v >= 0 ? 1 : e) / (1 + e)));
}

/* f'(z) = σ(v) + z v' σ(v) σ(-v) with σ(v) σ(-v) = e / (1 + e)² */
GRAD_INLINE float gelu_tanh_delta(float z, float dy)
{
    double u = z, v = tanh_argument(u), e = grad_exp(-fabs(v));
    double dv = SQRT_8_OVER_PI * (1 + 3 * GELU_CUBIC * u * u);
    double part = v >= 0 ? 1 : e, whole = 1 + e;

    return (float)(dy * ((part * whole + u * dv * e) / (whole * whole)));
}

GRAD_ELEMENT_WISE(gelu_tanh);
