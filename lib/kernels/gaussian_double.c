/* GELU and its approximation by tanh, over double, with libm's functions: formulae as in
 * gaussian.c, arguments of exp and erfc carried as a grad_wide. */
#include "kernels/activations_double.h"

#include <math.h>

#include "kernels/wide.h"

#define INVERSE_SQRT_2PI 0x1.9884533d43651p-2 /* 1/√(2π) */
#define INVERSE_SQRT_PI 0x1.20dd750429b6dp-1  /* 1/√π */

static const grad_wide inverse_sqrt_2 = {0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55};
static const grad_wide sqrt_8_over_pi = {0x1.9884533d43651p+0, -0x1.cbc0d30ebfd15p-54};
static const grad_wide cubic = {0x1.6e4e26d4801f7p-5, 0x1.441355475a31ap-59}; /* 0.044715 */

/* |z|, held; a NaN passes */
static double held_absolute(double z, double limit)
{
    double u = fabs(z);

    return u > limit ? limit : u;
}

/* ---- gelu ------------------------------------------------------------------------------------ */

#define GELU_FAR 50.0  /* here e^(-u²/2) is 0 also after a product with the largest double */
#define GELU_TAIL 30.0 /* beyond it by the asymptotic series, before erfc becomes subnormal */

/* -u²/2 */
static grad_wide minus_half_square(double u)
{
    grad_wide square = grad_wide_product(u, u);

    return (grad_wide){-0.5 * square.high, -0.5 * square.low};
}

/* Φ(-u) for 0 <= u <= GELU_TAIL: erfc(u/√2) / 2, corrected for the rounding of u/√2 by its slope */
static double upper_tail(double u)
{
    grad_wide x = grad_wide_multiply((grad_wide){u, 0}, inverse_sqrt_2);

    return 0.5 * erfc(x.high) - INVERSE_SQRT_PI * exp(-0.5 * u * u) * x.low;
}

/* u M(u) for u > GELU_TAIL, M(u) = Φ(-u) / φ(u) being Mills' ratio: Abramowitz and Stegun, 26.2.12.
 * The first term left out is below 5e-18 there. */
static double far_mills_ratio(double u)
{
    double w = 1 / (u * u);

    return 1 -
           w * (1 - 3 * w * (1 - 5 * w * (1 - 7 * w * (1 - 9 * w * (1 - 11 * w * (1 - 13 * w))))));
}

static double gelu_value(double z, const double *p)
{
    double u = held_absolute(z, GELU_FAR);

    (void)p;
    if (z < 0 && u > GELU_TAIL)
        return grad_wide_scaled_exp(-INVERSE_SQRT_2PI * far_mills_ratio(u), minus_half_square(u));
    return z < 0 ? -u * upper_tail(u) : z * (1 - upper_tail(u));
}

/* f'(-u) = Φ(-u) - u φ(u), and f'(u) is one minus that */
static double gelu_slope(double z)
{
    double u = held_absolute(z, GELU_FAR), tail;
    grad_wide exponent = minus_half_square(u);

    if (u > GELU_TAIL)
        tail = grad_wide_scaled_exp(INVERSE_SQRT_2PI * (far_mills_ratio(u) / u - u), exponent);
    else
        tail = upper_tail(u) - u * INVERSE_SQRT_2PI * grad_wide_exp(exponent);
    return z < 0 ? tail : 1 - tail;
}

static double gelu_delta(double z, double dy, const double *p)
{
    (void)p;
    return dy * gelu_slope(z);
}

const grad_double_pair grad_gelu_double = {gelu_value, gelu_delta};

/* ---- gelu_tanh ------------------------------------------------------------------------------- */

#define GELU_TANH_FAR 26.0 /* here e^-v is 0 also after a product with the largest double */

/* v = 2 √(2/π) u (1 + 0.044715 u²) */
static grad_wide tanh_argument(double u)
{
    grad_wide term = grad_wide_multiply(grad_wide_product(u, u), cubic);
    grad_wide factor = grad_wide_sum(1, term.high);

    factor.low += term.low;
    return grad_wide_multiply(grad_wide_multiply(sqrt_8_over_pi, (grad_wide){u, 0}), factor);
}

static grad_wide minus(grad_wide a)
{
    return (grad_wide){-a.high, -a.low};
}

/* z σ(v) */
static double gelu_tanh_value(double z, const double *p)
{
    double u = held_absolute(z, GELU_TANH_FAR);
    grad_wide exponent = minus(tanh_argument(u));
    double whole = 1 + grad_wide_exp(exponent);

    (void)p;
    return z < 0 ? grad_wide_scaled_exp(-u / whole, exponent) : z / whole;
}

/* f'(z) = σ(v) + z v' σ(v) σ(-v), where v' is even */
static double gelu_tanh_slope(double z)
{
    double u = held_absolute(z, GELU_TANH_FAR);
    grad_wide exponent = minus(tanh_argument(u));
    double e = grad_wide_exp(exponent), whole = (1 + e) * (1 + e);
    double rise = u * sqrt_8_over_pi.high * (1 + 3 * cubic.high * u * u);

    return z < 0 ? grad_wide_scaled_exp((1 + e - rise) / whole, exponent)
                 : (1 + e + rise * e) / whole;
}

static double gelu_tanh_delta(double z, double dy, const double *p)
{
    (void)p;
    return dy * gelu_tanh_slope(z);
}

const grad_double_pair grad_gelu_tanh_double = {gelu_tanh_value, gelu_tanh_delta};
