/* Activations with one exponential: exp, and those with an exponential branch below 0. At 0 the
 * branch is the lower one, as in PyTorch. Arithmetic as activations.h says. */
#include <math.h>

#include "kernels/double.h"
#include "kernels/loops.h"
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

/* ---- Over double, with libm's functions ------------------------------------------------------ */

/* On the far left f' is e^u times a factor: u is carried as a grad_wide where it is not exact, and
 * the product is worked out where e^u alone is subnormal. */

static double exp_value_double(double z, const double *p)
{
    (void)p;
    return exp(z);
}

static double exp_delta_double(double z, double dy, const double *p)
{
    (void)p;
    return grad_wide_scaled_exp(dy, grad_wide_of(grad_double_hold(z, GRAD_DOUBLE_FAR)));
}

static const grad_double_function exp_double = {.value = exp_value_double,
                                                .delta = exp_delta_double};

static double elu_value_double(double z, const double *p)
{
    return z <= 0 ? p[0] * expm1(z) : z;
}

static double elu_slope(double z, const double *p)
{
    return z > 0 ? 1
                 : grad_wide_scaled_exp(p[0], grad_wide_of(grad_double_hold(z, GRAD_DOUBLE_FAR)));
}

GRAD_SMOOTH(elu);

static double celu_value_double(double z, const double *p)
{
    double u = z / p[0];

    return z > 0 || fabs(u) < 0x1p-54 ? z : p[0] * expm1(u); /* u may be subnormal */
}

/* u / v and its rounding error, held; what is left of u must not be subnormal */
static grad_wide quotient(double u, double v)
{
    double scale = v < 0x1p-500 ? 0x1p+600 : 1;
    double high = u * scale / (v * scale);

    if (fabs(high) >= GRAD_DOUBLE_FAR)
        return grad_wide_of(grad_double_hold(high, GRAD_DOUBLE_FAR));
    return (grad_wide){high, fma(-high, v * scale, u * scale) / (v * scale)};
}

static double celu_slope(double z, const double *p)
{
    return z > 0 ? 1 : grad_wide_exp(quotient(z, p[0]));
}

GRAD_SMOOTH(celu);

#define SELU_PRODUCT 1.75809934084737685994 /* scale times alpha */

static double selu_value_double(double z, const double *p)
{
    (void)p;
    return z <= 0 ? SELU_PRODUCT * expm1(z) : z * SELU_SCALE;
}

static double selu_slope(double z, const double *p)
{
    (void)p;
    return z > 0 ? SELU_SCALE
                 : grad_wide_scaled_exp(SELU_PRODUCT,
                                        grad_wide_of(grad_double_hold(z, GRAD_DOUBLE_FAR)));
}

GRAD_SMOOTH(selu);

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
GRAD_ACTIVATION_ROW(EXP, exp,
    "exp(z)",
    "exp(z)",
    0, {{0}}, GRAD_SYNONYMS("exponential"));

GRAD_ACTIVATION_ROW(ELU, elu,
    "z > 0 ? z : alpha * (exp(z) - 1)",
    "z > 0 ? 1 : alpha * exp(z)",
    1, {{"alpha", 1, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(CELU, celu,
    "z > 0 ? z : alpha * (exp(z / alpha) - 1)",
    "z > 0 ? 1 : exp(z / alpha)",
    1, {{"alpha", 1, GRAD_POSITIVE}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(SELU, selu,
    "s * (z > 0 ? z : a * (exp(z) - 1)) with s = 1.05070098735548, a = 1.67326324235438",
    "s * (z > 0 ? 1 : a * exp(z))",
    0, {{0}}, GRAD_NO_SYNONYMS);
/* clang-format on */
