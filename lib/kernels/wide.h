/* Numbers as the sum of two doubles, for arguments of exp: an error of one unit in an argument of
 * 700 is one of 700 units in the result. Products and sums without loss by Dekker and Knuth, as in
 * Ogita, Rump and Oishi, Accurate Sum and Dot Product, SIAM J. Sci. Comput. 26 (2005). */
#ifndef GRAD_KERNELS_WIDE_H
#define GRAD_KERNELS_WIDE_H

#include <math.h>

/* high + low, |low| being at most a few units of high. */
typedef struct grad_wide {
    double high, low;
} grad_wide;

/* a b, where nothing overflows */
static inline grad_wide grad_wide_product(double a, double b)
{
    double high = a * b;

    return (grad_wide){high, fma(a, b, -high)};
}

/* a + b, where nothing overflows */
static inline grad_wide grad_wide_sum(double a, double b)
{
    double high = a + b, part = high - a;

    return (grad_wide){high, (a - (high - part)) + (b - part)};
}

static inline grad_wide grad_wide_multiply(grad_wide a, grad_wide b)
{
    grad_wide product = grad_wide_product(a.high, b.high);

    product.low += a.high * b.low + a.low * b.high;
    return product;
}

/* e^(high + low) for a low that is tiny */
static inline double grad_wide_exp(grad_wide a)
{
    double e = exp(a.high);

    return e + e * a.low;
}

/* factor e^a, where e^a alone may be subnormal, or overflow, and the product is neither: as
 * factor e^(a/2) e^(a/2), which goes as far as ±1400; what is beyond it is a factor of its own. */
static inline double grad_wide_scaled_exp(double factor, grad_wide a)
{
    double held, root;

    if (fabs(a.high) < 690)
        return factor * grad_wide_exp(a);
    held = a.high > 1400 ? 1400 : a.high < -1400 ? -1400 : a.high;
    root = exp(held / 2);
    return factor * (1 + a.low) * root * exp(a.high - held) * root;
}

#endif
