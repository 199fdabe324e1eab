/* The bounds of accuracy.h. Their numbers are in tolerances.h. */
#include "support/accuracy.h"

#include <math.h>

#include "support/tolerances.h"

/* Where f' crosses 0. That of hardswish is at -1.5, where it is exact. */
static const float zeros[GRAD_ACTIVATION_COUNT] = {
    [GRAD_SILU] = -1.2784645f,      [GRAD_MISH] = -1.1924048f,       [GRAD_GELU] = -0.7517916f,
    [GRAD_GELU_TANH] = -0.7524614f, [GRAD_QUICK_GELU] = -0.7511542f,
};

bool is_near_zero_of_derivative(grad_activation_kind kind, float z)
{
    return zeros[kind] != 0 && fabsf(z - zeros[kind]) <= NEAR_ZERO;
}

static bool is_beyond_float(float found, long double expected)
{
    return fabsl(expected) >= ALMOST_INFINITE && isinf(found) && (found > 0) == (expected > 0);
}

/* What a subnormal logarithm or exponential, which may come out as 0, is multiplied with. */
static long double size_of(const grad_activation *f)
{
    return f->kind == GRAD_SOFTPLUS ? fmaxl(1, 1 / (long double)f->parameters[0]) : 1;
}

bool is_close_value(const grad_activation *f, float found, long double expected)
{
    if (is_beyond_float(found, expected))
        return true;
    return fabsl(found - expected) <=
           TOLERANCE_VALUE * fabsl(expected) + FLT_MIN * size_of(f) + FLT_TRUE_MIN;
}

/* The last term: of a subnormal dy the product with a part of f' is rounded like a subnormal. */
bool is_close_delta(grad_activation_kind kind, float z, float dy, float found, long double slope)
{
    long double expected = dy * slope, size = fabsl((long double)dy);
    long double floor = is_near_zero_of_derivative(kind, z) ? TOLERANCE_NEAR_ZERO : FLT_MIN;

    if (is_beyond_float(found, expected))
        return true;
    return fabsl(found - expected) <= TOLERANCE_ACTIVATION * fabsl(expected) + floor * size +
                                          FLT_TRUE_MIN * fmaxl(1, fabsl(slope));
}
