/* Activations made of straight pieces (and the parabola of hardswish): no function but products.
 * At a kink the comparisons are those of PyTorch 2.14; where z is NaN, so is f'. What has an
 * exponential in it lives elsewhere. */
#include <float.h>
#include <math.h>

#include "kernels/activations.h"

/* GRAD_ELEMENT_WISE and those with parameters, with a δ that is NaN where z is: no comparison says
 * so by itself. */
#define OR_NAN(delta) (isnan(z_i) ? z_i : (delta))
#define PIECEWISE(f) GRAD_ELEMENT_LOOPS(f, f##_value(z_i), OR_NAN(f##_delta(z_i, dy_i)))
#define PIECEWISE_1(f) GRAD_ELEMENT_LOOPS(f, f##_value(z_i, a), OR_NAN(f##_delta(z_i, dy_i, a)))
#define PIECEWISE_2(f)                                                                             \
    GRAD_ELEMENT_LOOPS(f, f##_value(z_i, a, b), OR_NAN(f##_delta(z_i, dy_i, a, b)))

GRAD_INLINE float identity_value(float z)
{
    return z;
}

GRAD_INLINE float identity_delta(float z, float dy)
{
    (void)z;
    return dy;
}

GRAD_ELEMENT_WISE(identity);

GRAD_INLINE float relu_value(float z)
{
    return z <= 0 ? 0 : z;
}

GRAD_INLINE float relu_delta(float z, float dy)
{
    return z <= 0 ? 0 : dy;
}

PIECEWISE(relu);

GRAD_INLINE float leaky_relu_value(float z, float slope)
{
    return z > 0 ? z : z * slope;
}

GRAD_INLINE float leaky_relu_delta(float z, float dy, float slope)
{
    return z > 0 ? dy : dy * slope;
}

PIECEWISE_1(leaky_relu);

GRAD_INLINE float threshold_value(float z, float threshold, float value)
{
    return z <= threshold ? value : z;
}

GRAD_INLINE float threshold_delta(float z, float dy, float threshold, float value)
{
    (void)value;
    return z <= threshold ? 0 : dy;
}

PIECEWISE_2(threshold);

/* ---- Between two ends ------------------------------------------------------------------------ */

GRAD_INLINE float hard_tanh_value(float z, float min, float max)
{
    float raised = z < min ? min : z;

    return raised > max ? max : raised;
}

GRAD_INLINE float hard_tanh_delta(float z, float dy, float min, float max)
{
    float below_max = z >= max ? 0 : dy;

    return z <= min ? 0 : below_max;
}

PIECEWISE_2(hard_tanh);

GRAD_INLINE float relu6_value(float z)
{
    return hard_tanh_value(z, 0, 6);
}

GRAD_INLINE float relu6_delta(float z, float dy)
{
    return hard_tanh_delta(z, dy, 0, 6);
}

PIECEWISE(relu6);

#define SIXTH (1 / 6.0f)

/* min(max(z + 3, 0), 6) / 6 */
GRAD_INLINE float ramp(float z)
{
    return hard_tanh_value(z + 3, 0, 6) * SIXTH;
}

GRAD_INLINE float hard_sigmoid_value(float z)
{
    return ramp(z);
}

GRAD_INLINE float hard_sigmoid_delta(float z, float dy)
{
    float below_top = z < 3 ? dy * SIXTH : 0;

    return z > -3 ? below_top : 0;
}

PIECEWISE(hard_sigmoid);

/* z is finite for the product, so that at -infinity it is the limit, 0. */
GRAD_INLINE float hardswish_value(float z)
{
    return (z < -FLT_MAX ? -FLT_MAX : z) * ramp(z);
}

/* (2z + 3) / 6 between -3 and 3, neither of which belongs to it. */
GRAD_INLINE float hardswish_delta(float z, float dy)
{
    float between = dy * ((2 * z + 3) * SIXTH);
    float rising = z >= 3 ? dy : between;

    return z <= -3 ? 0 : rising;
}

PIECEWISE(hardswish);

/* ---- Shrinking ------------------------------------------------------------------------------- */

GRAD_INLINE float softshrink_value(float z, float lambda)
{
    float below = z >= -lambda ? 0 : z + lambda; /* a NaN passes */

    return z <= lambda ? below : z - lambda;
}

GRAD_INLINE float hardshrink_value(float z, float lambda)
{
    float below_top = z <= lambda ? 0 : z;

    return z >= -lambda ? below_top : z;
}

GRAD_INLINE float hardshrink_delta(float z, float dy, float lambda)
{
    float below_top = z <= lambda ? 0 : dy;

    return z >= -lambda ? below_top : dy;
}

GRAD_INLINE float softshrink_delta(float z, float dy, float lambda)
{
    return hardshrink_delta(z, dy, lambda);
}

PIECEWISE_1(softshrink);
PIECEWISE_1(hardshrink);
