/* Activations made of straight pieces, over double: the comparisons are those of piecewise.c, also
 * for NaN. What has an exponential in it lives elsewhere. */
#include "kernels/activations_double.h"

#include <float.h>
#include <math.h>

/* grad_name_double: the value, an expression in z, and δ, one in z and dy, with parameters p; δ is
 * NaN where z is. */
#define PIECES(name, value_of_z, delta_of_dy)                                                      \
    static double name##_value(double z, const double *p)                                          \
    {                                                                                              \
        (void)p;                                                                                   \
        return value_of_z;                                                                         \
    }                                                                                              \
    static double name##_delta(double z, double dy, const double *p)                               \
    {                                                                                              \
        (void)p;                                                                                   \
        return isnan(z) ? z : (delta_of_dy);                                                       \
    }                                                                                              \
    const grad_double_pair grad_##name##_double = {name##_value, name##_delta}

static double identity_value(double z, const double *p)
{
    (void)p;
    return z;
}

static double identity_delta(double z, double dy, const double *p)
{
    (void)z;
    (void)p;
    return dy;
}

const grad_double_pair grad_identity_double = {identity_value, identity_delta};

static double hold(double z, double min, double max)
{
    double raised = z < min ? min : z;

    return raised > max ? max : raised;
}

static double delta_within(double z, double dy, double min, double max)
{
    return z <= min || z >= max ? 0 : dy;
}

static double delta_outside(double z, double dy, double lambda)
{
    return z >= -lambda && z <= lambda ? 0 : dy;
}

PIECES(relu, z <= 0 ? 0 : z, z <= 0 ? 0 : dy);
PIECES(leaky_relu, z > 0 ? z : z * p[0], z > 0 ? dy : dy * p[0]);
PIECES(threshold, z <= p[0] ? p[1] : z, z <= p[0] ? 0 : dy);
PIECES(hard_tanh, hold(z, p[0], p[1]), delta_within(z, dy, p[0], p[1]));
PIECES(relu6, hold(z, 0, 6), delta_within(z, dy, 0, 6));
PIECES(softshrink, z > p[0] ? z - p[0] : z >= -p[0] ? 0 : z + p[0], delta_outside(z, dy, p[0]));
PIECES(hardshrink, z >= -p[0] && z <= p[0] ? 0 : z, delta_outside(z, dy, p[0]));
PIECES(hard_sigmoid, hold(z + 3, 0, 6) / 6, z > -3 && z < 3 ? dy / 6 : 0);

/* (2z + 3) / 6 between -3 and 3, neither of which belongs to it. */
static double delta_of_hardswish(double z, double dy)
{
    if (z <= -3)
        return 0;
    return z >= 3 ? dy : dy * ((2 * z + 3) / 6);
}

/* z is finite for the product, as in piecewise.c */
PIECES(hardswish, hold(z + 3, 0, 6) / 6 * (z < -DBL_MAX ? -DBL_MAX : z), delta_of_hardswish(z, dy));
