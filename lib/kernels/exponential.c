/* Activations with one exponential: exp, and those with an exponential branch below 0. At 0 the
 * branch is the lower one, as in PyTorch. Arithmetic as activations.h says. */
#include "kernels/elementary.h"

#include "kernels/activations.h"

/* e^z, held at 1e307, which is beyond float32 also after a product with the least of them. */
GRAD_INLINE double held_exp(float z)
{
    return grad_exp(z > 708 ? 708 : z);
}

GRAD_INLINE float exp_value(float z)
{
    return (float)held_exp(z);
}

GRAD_INLINE float exp_delta(float z, float dy)
{
    return (float)(dy * held_exp(z));
}

GRAD_ELEMENT_WISE(exp);

/* z <= 0 ? below (e^z - 1) : z above */
GRAD_INLINE float kinked_value(float z, double below, double above)
{
    double lower = below * grad_expm1(z);

    return (float)(z <= 0 ? lower : z * above);
}

GRAD_INLINE float kinked_delta(float z, float dy, double below, double above)
{
    double lower = below * grad_exp(z);

    return (float)(dy * (z <= 0 ? lower : above));
}

GRAD_INLINE float elu_value(float z, float alpha)
{
    return kinked_value(z, alpha, 1);
}

GRAD_INLINE float elu_delta(float z, float dy, float alpha)
{
    return kinked_delta(z, dy, alpha, 1);
}

GRAD_ELEMENT_WISE_1(elu);

GRAD_INLINE float celu_value(float z, float alpha)
{
    double lower = alpha * grad_expm1((double)z / alpha);

    return z <= 0 ? (float)lower : z;
}

GRAD_INLINE float celu_delta(float z, float dy, float alpha)
{
    double lower = grad_exp((double)z / alpha);

    return z <= 0 ? (float)(dy * lower) : dy;
}

GRAD_ELEMENT_WISE_1(celu);

/* Klambauer et al., Self-Normalizing Neural Networks, arXiv:1706.02515 */
#define SELU_ALPHA 1.67326324235437728481704
#define SELU_SCALE 1.05070098735548049341933

GRAD_INLINE float selu_value(float z)
{
    return kinked_value(z, SELU_SCALE * SELU_ALPHA, SELU_SCALE);
}

GRAD_INLINE float selu_delta(float z, float dy)
{
    return kinked_delta(z, dy, SELU_SCALE * SELU_ALPHA, SELU_SCALE);
}

GRAD_ELEMENT_WISE(selu);
