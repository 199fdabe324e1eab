/* What the smooth activations over double have in common: numbers held where an exponential has
 * long been 0 or infinite, and δ as a product with f'. */
#ifndef GRAD_KERNELS_DOUBLE_H
#define GRAD_KERNELS_DOUBLE_H

#include "kernels/activations.h"
#include "kernels/wide.h"

/* Beyond it e^-u is 0 also after a product with the largest double, and e^u infinite after one with
 * the least. */
#define GRAD_DOUBLE_FAR 1500.0

/* z, held within ±limit; a NaN passes. */
static inline double grad_double_hold(double z, double limit)
{
    double below = z > limit ? limit : z;

    return below < -limit ? -limit : below;
}

static inline grad_wide grad_wide_of(double u)
{
    return (grad_wide){u, 0};
}

/* name_double, of name_value_double(z, p) and name_slope(z, p), which is f'. */
#define GRAD_SMOOTH(name)                                                                          \
    static double name##_delta_double(double z, double dy, const double *p)                        \
    {                                                                                              \
        return dy * name##_slope(z, p);                                                            \
    }                                                                                              \
    static const grad_double_function name##_double = {.value = name##_value_double,               \
                                                       .delta = name##_delta_double}

#endif
