/* Activations with one exponential: exp, and those with an exponential branch below 0. At 0 the
 * branch is the lower one, as in PyTorch. Arithmetic as activations.h says. */
#include "kernels/activations.h"
#include "kernels/single.h"

GRAD_INLINE float exp_value(float z)
{
    return grad_exp_times(z, 1);
}

/* Where f' overflows float32, a small ∂L/∂y still gives the right product, and 0 gives 0. */
GRAD_INLINE float exp_delta(float z, float dy)
{
    return grad_exp_times(z, dy);
}

GRAD_ELEMENT_WISE(exp);

/* e^z - 1 for z <= 0; for others any number */
GRAD_INLINE float falling_expm1(float z)
{
    return grad_falling_expm1(grad_reduce(grad_hold(z, -GRAD_EXPM1_FAR, 0), GRAD_EXPM1_BIAS));
}

/* z <= 0 ? below (e^z - 1) : z above */
GRAD_INLINE float kinked_value(float z, float below, float above)
{
    float lower = below * falling_expm1(z);

    return z <= 0 ? lower : z * above;
}

/* e^z for z <= 0, else 1; a NaN passes */
GRAD_INLINE grad_quotient falling_branch(float z)
{
    float t = z > 0 ? 0 : -z;

    return grad_falling_exp(t > GRAD_FAR ? GRAD_FAR : t);
}

/* elu with an alpha of 1: at 0 both branches meet. */
GRAD_INLINE float plain_elu_value(float z)
{
    return kinked_value(z, 1, 1);
}

GRAD_INLINE float plain_elu_delta(float z, float dy)
{
    grad_quotient e = falling_branch(z);

    return dy * (e.up / e.down);
}

GRAD_INLINE float scaled_elu_value(float z, float alpha)
{
    return kinked_value(z, alpha, 1);
}

GRAD_INLINE float scaled_elu_delta(float z, float dy, float alpha)
{
    float lower = grad_exp_times(z, alpha);

    return dy * (z > 0 ? 1 : lower);
}

GRAD_ELEMENT_FUNCTIONS(plain_elu, plain_elu_value(z_i), plain_elu_delta(z_i, dy_i))
GRAD_ELEMENT_FUNCTIONS(scaled_elu, scaled_elu_value(z_i, a), scaled_elu_delta(z_i, dy_i, a))
GRAD_ELEMENT_WISE_OR_SCALED(elu, plain_elu, scaled_elu);

/* Klambauer et al., Self-Normalizing Neural Networks, arXiv:1706.02515 */
#define SELU_ALPHA 1.67326324235437728481704
#define SELU_SCALE 1.05070098735548049341933

GRAD_INLINE float selu_value(float z)
{
    return kinked_value(z, (float)(SELU_SCALE * SELU_ALPHA), (float)SELU_SCALE);
}

GRAD_INLINE float selu_delta(float z, float dy)
{
    grad_quotient e = falling_branch(z);
    float lower = (float)(SELU_SCALE * SELU_ALPHA) * e.up / e.down;

    return dy * (z > 0 ? (float)SELU_SCALE : lower);
}

GRAD_ELEMENT_WISE(selu);

/* ---- celu ------------------------------------------------------------------------------------ */

/* With an alpha of 1 it is elu. Else it is made of z / alpha, which float32 does not hold well
 * enough: its error would be a relative one of the exponential. */

/* z / alpha for z <= 0, held at -far; for others any number down to there */
GRAD_INLINE double celu_argument(float z, float alpha, double far)
{
    double x = z * (1 / (double)alpha);
    double below = x > 0 ? 0 : x;

    return below < -far ? -far : below;
}

/* Near 0, where float32 may not hold the quotient at all, f(z) is z. */
GRAD_INLINE float scaled_celu_value(float z, float alpha)
{
    double x = celu_argument(z, alpha, GRAD_EXPM1_FAR);
    float lower = alpha * grad_falling_expm1(grad_reduce_double(x, GRAD_EXPM1_BIAS));

    return x > -0x1p-30 ? z : lower;
}

GRAD_INLINE float scaled_celu_delta(float z, float dy, float alpha)
{
    grad_quotient e = grad_falling_exp_double(-celu_argument(z, alpha, GRAD_FAR));
    float lower = e.up / e.down;

    return dy * (z > 0 ? 1 : lower);
}

GRAD_ELEMENT_FUNCTIONS(scaled_celu, scaled_celu_value(z_i, a), scaled_celu_delta(z_i, dy_i, a))
GRAD_ELEMENT_WISE_OR_SCALED(celu, elu, scaled_celu);
