/* Activations of the logistic function σ(u) = 1 / (1 + e^-u), of tanh, and of their integrals; and
 * softsign, which has their shape. Arithmetic as activations.h says. All is written in e = e^-|u|,
 * which never overflows, and without a difference of numbers that are nearly equal. */
#include "kernels/elementary.h"

#include <math.h>

#include "kernels/activations.h"

/* σ(u), given e = e^-|u| */
GRAD_INLINE double logistic(double u, double e)
{
    return (u >= 0 ? 1 : e) / (1 + e);
}

/* σ'(u) = σ(u) σ(-u), given e = e^-|u| */
GRAD_INLINE double logistic_slope(double e)
{
    return e / ((1 + e) * (1 + e));
}

GRAD_INLINE float sigmoid_value(float z)
{
    return (float)logistic(z, grad_exp(-fabs((double)z)));
}

GRAD_INLINE float sigmoid_delta(float z, float dy)
{
    return (float)(dy * logistic_slope(grad_exp(-fabs((double)z))));
}

GRAD_ELEMENT_WISE(sigmoid);

/* min(z, 0) - log(1 + e^-|z|) */
GRAD_INLINE float log_sigmoid_value(float z)
{
    double below = z > 0 ? 0 : z;

    return (float)(below - grad_log1p(grad_exp(-fabs((double)z))));
}

GRAD_INLINE float log_sigmoid_delta(float z, float dy)
{
    return (float)(dy * logistic(-z, grad_exp(-fabs((double)z))));
}

GRAD_ELEMENT_WISE(log_sigmoid);

/* log(1 + e^u) = max(u, 0) + log(1 + e^-|u|) */
GRAD_INLINE float softplus_value(float z, float beta, float threshold)
{
    double u = (double)beta * z;
    double above = u < 0 ? 0 : u;
    double soft = (above + grad_log1p(grad_exp(-fabs(u)))) * (1.0 / beta);

    return u > threshold ? z : (float)soft;
}

GRAD_INLINE float softplus_delta(float z, float dy, float beta, float threshold)
{
    double u = (double)beta * z;
    double slope = logistic(u, grad_exp(-fabs(u)));

    return (float)(dy * (u > threshold ? 1 : slope));
}

GRAD_ELEMENT_WISE_2(softplus);

GRAD_INLINE float silu_value(float z)
{
    return (float)(z * logistic(z, grad_exp(-fabs((double)z))));
}

/* f'(z) = σ(z) + z σ(z) σ(-z), over one denominator: a division costs as much as ten products */
GRAD_INLINE float silu_delta(float z, float dy)
{
    double e = grad_exp(-fabs((double)z)), whole = 1 + e;
    double part = z >= 0 ? 1 : e;

    return (float)(dy * ((part * whole + z * e) / (whole * whole)));
}

GRAD_ELEMENT_WISE(silu);

/* ---- tanh ------------------------------------------------------------------------------------ */

/* tanh|u| = (1 - e^-2|u|) / (1 + e^-2|u|) */
GRAD_INLINE double tanh_of_absolute(double u)
{
    double m = grad_expm1(-2 * fabs(u));

    return -m / (2 + m);
}

GRAD_INLINE float tanh_value(float z)
{
    return (float)copysign(tanh_of_absolute(z), z);
}

/* tanh'(z) = 1 / cosh²(z) = 4 σ'(2z) */
GRAD_INLINE float tanh_delta(float z, float dy)
{
    return (float)(dy * (4 * logistic_slope(grad_exp(-2 * fabs((double)z)))));
}

GRAD_ELEMENT_WISE(tanh);

/* Near 0 the difference has no digits left: there z - tanh(z) = z³/3 - 2z⁵/15 + 17z⁷/315 - ... */
GRAD_INLINE float tanhshrink_value(float z)
{
    double u = z, w = u * u;
    double near = u * w * (1.0 / 3 - w * (2.0 / 15 - w * (17.0 / 315 - w * (62.0 / 2835))));
    double far = u - copysign(tanh_of_absolute(u), u);

    return (float)(w < 0x1p-8 ? near : far);
}

GRAD_INLINE float tanhshrink_delta(float z, float dy)
{
    double t = tanh_of_absolute(z);

    return (float)(dy * (t * t));
}

GRAD_ELEMENT_WISE(tanhshrink);

/* Misra, Mish: A Self Regularized Non-Monotonic Activation Function, arXiv:1908.08681.
 * f(z) = z T with T = tanh(log(1 + e^z)) = ((1 + e^z)² - 1) / ((1 + e^z)² + 1): above 0, in e =
 * e^-z, (1 + 2e) / (1 + 2e + 2e²); below, in e = e^z, (2e + e²) / (2e + e² + 2). */
GRAD_INLINE float mish_value(float z)
{
    double e = grad_exp(-fabs((double)z));
    double part = z >= 0 ? 1 + 2 * e : e * (2 + e);
    double whole = part + (z >= 0 ? 2 * e * e : 2);

    return (float)(z * (part / whole));
}

/* f'(z) = T + z (1 - T²) σ(z), where 1 - T² = (whole - part) (whole + part) / whole² */
GRAD_INLINE float mish_delta(float z, float dy)
{
    double e = grad_exp(-fabs((double)z));
    double part = z >= 0 ? 1 + 2 * e : e * (2 + e);
    double gap = z >= 0 ? 2 * e * e : 2;
    double whole = part + gap;
    double rise = z * (z >= 0 ? 1 : e) * gap * (whole + part);

    return (float)(dy * ((part * whole * (1 + e) + rise) / (whole * whole * (1 + e))));
}

GRAD_ELEMENT_WISE(mish);

/* ---- softsign -------------------------------------------------------------------------------- */

GRAD_INLINE float softsign_value(float z)
{
    return (float)(z / (1 + fabs((double)z)));
}

GRAD_INLINE float softsign_delta(float z, float dy)
{
    double d = 1 + fabs((double)z);

    return (float)(dy / (d * d));
}

GRAD_ELEMENT_WISE(softsign);
