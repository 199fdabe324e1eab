/* The smooth activations over double, with libm's functions: what the float families say of their
 * formulae holds here. What is new is the far left, where f' is e^u times a factor: u is carried as
 * a grad_wide where it is not exact, and the product is worked out where e^u alone is subnormal. */
#include "kernels/activations_double.h"

#include <float.h>
#include <math.h>

#include "kernels/wide.h"

/* Beyond it e^-u is 0 also after a product with the largest double, and e^u infinite after one with
 * the least. */
#define FAR 1500.0

#define UNIT 0x1p-53

/* z, held within ±limit; a NaN passes. */
static double hold(double z, double limit)
{
    double below = z > limit ? limit : z;

    return below < -limit ? -limit : below;
}

static grad_wide narrow(double u)
{
    return (grad_wide){u, 0};
}

/* grad_name_double, whose δ is dy f'(z). */
#define SMOOTH(name)                                                                               \
    static double name##_delta(double z, double dy, const double *p)                               \
    {                                                                                              \
        return dy * name##_slope(z, p);                                                            \
    }                                                                                              \
    const grad_double_pair grad_##name##_double = {name##_value, name##_delta}

/* ---- One exponential ------------------------------------------------------------------------- */

static double exp_value(double z, const double *p)
{
    (void)p;
    return exp(z);
}

static double exp_delta(double z, double dy, const double *p)
{
    (void)p;
    return grad_wide_scaled_exp(dy, narrow(hold(z, FAR)));
}

const grad_double_pair grad_exp_double = {exp_value, exp_delta};

static double elu_value(double z, const double *p)
{
    return z <= 0 ? p[0] * expm1(z) : z;
}

static double elu_slope(double z, const double *p)
{
    return z > 0 ? 1 : grad_wide_scaled_exp(p[0], narrow(hold(z, FAR)));
}

SMOOTH(elu);

static double celu_value(double z, const double *p)
{
    double u = z / p[0];

    return z > 0 || fabs(u) < UNIT / 2 ? z : p[0] * expm1(u); /* u may be subnormal */
}

/* u / v and its rounding error, held; what is left of u must not be subnormal */
static grad_wide quotient(double u, double v)
{
    double scale = v < 0x1p-500 ? 0x1p+600 : 1;
    double high = u * scale / (v * scale);

    if (fabs(high) >= FAR)
        return narrow(hold(high, FAR));
    return (grad_wide){high, fma(-high, v * scale, u * scale) / (v * scale)};
}

static double celu_slope(double z, const double *p)
{
    return z > 0 ? 1 : grad_wide_exp(quotient(z, p[0]));
}

SMOOTH(celu);

#define SELU_SCALE 1.05070098735548049342   /* s */
#define SELU_PRODUCT 1.75809934084737685994 /* s a */

static double selu_value(double z, const double *p)
{
    (void)p;
    return z <= 0 ? SELU_PRODUCT * expm1(z) : z * SELU_SCALE;
}

static double selu_slope(double z, const double *p)
{
    (void)p;
    return z > 0 ? SELU_SCALE : grad_wide_scaled_exp(SELU_PRODUCT, narrow(hold(z, FAR)));
}

SMOOTH(selu);

/* ---- The logistic function ------------------------------------------------------------------- */

/* -|u| */
static grad_wide minus_absolute(grad_wide u)
{
    return u.high > 0 ? (grad_wide){-u.high, -u.low} : u;
}

/* σ(u) */
static double logistic(grad_wide u)
{
    double e = grad_wide_exp(minus_absolute(u));

    return (u.high >= 0 ? 1 : e) / (1 + e);
}

static double sigmoid_value(double z, const double *p)
{
    (void)p;
    return logistic(narrow(z));
}

static double sigmoid_slope(double z, const double *p)
{
    double e = exp(-fabs(z));

    (void)p;
    return e / ((1 + e) * (1 + e));
}

SMOOTH(sigmoid);

static double log_sigmoid_value(double z, const double *p)
{
    (void)p;
    return (z > 0 ? 0 : z) - log1p(exp(-fabs(z)));
}

static double log_sigmoid_slope(double z, const double *p)
{
    (void)p;
    return logistic(narrow(-z));
}

SMOOTH(log_sigmoid);

/* u v, held */
static grad_wide held_product(double u, double v)
{
    double high = u * v;

    return fabs(high) >= FAR ? narrow(hold(high, FAR)) : grad_wide_product(u, v);
}

/* e^u / beta, where e^u alone is subnormal: its rounding would be multiplied by 1 / beta. */
static double far_softplus(grad_wide u, double beta)
{
    double root = exp(u.high / 2);

    return (1 + u.low) * root / beta * root;
}

static double softplus_value(double z, const double *p)
{
    grad_wide u = held_product(p[0], z);
    double e = grad_wide_exp(minus_absolute(u));

    if (u.high < 0 && e < DBL_MIN && p[0] < 1 && !(p[0] * z > p[1]))
        return far_softplus(u, p[0]);
    return p[0] * z > p[1] ? z : (z < 0 ? 0 : z) + log1p(e) / p[0];
}

static double softplus_slope(double z, const double *p)
{
    return p[0] * z > p[1] ? 1 : logistic(held_product(p[0], z));
}

SMOOTH(softplus);

static double silu_value(double z, const double *p)
{
    double u = hold(z, FAR), e = exp(-fabs(z));

    (void)p;
    return z >= 0 ? z / (1 + e) : grad_wide_scaled_exp(u / (1 + e), narrow(u));
}

static double silu_slope(double z, const double *p)
{
    double u = hold(z, FAR), e = exp(-fabs(z)), whole = (1 + e) * (1 + e);

    (void)p;
    return z >= 0 ? (1 + e + u * e) / whole : grad_wide_scaled_exp((1 + e + u) / whole, narrow(u));
}

SMOOTH(silu);

/* T = part / (part + gap), above 0 in e = e^-z: part = 1 + 2e, gap = 2e²; below it in e = e^z:
 * part = e (2 + e), gap = 2, the factor e being left to the end. */
static double mish_value(double z, const double *p)
{
    double u = hold(z, FAR), e = exp(-fabs(z));

    (void)p;
    return z >= 0 ? z * ((1 + 2 * e) / (1 + 2 * e + 2 * e * e))
                  : grad_wide_scaled_exp(u * (2 + e) / (e * (2 + e) + 2), narrow(u));
}

static double mish_slope(double z, const double *p)
{
    double u = hold(z, FAR), e = exp(-fabs(z));
    double part = z >= 0 ? 1 + 2 * e : e * (2 + e);
    double whole = part + (z >= 0 ? 2 * e * e : 2);
    double above = part * whole * (1 + e) + u * 2 * e * e * (whole + part);
    double below = (2 + e) * whole * (1 + e) + u * 2 * (whole + part);
    double over = whole * whole * (1 + e);

    (void)p;
    return z >= 0 ? above / over : grad_wide_scaled_exp(below / over, narrow(u));
}

SMOOTH(mish);

/* ---- tanh ------------------------------------------------------------------------------------ */

static double tanh_value(double z, const double *p)
{
    (void)p;
    return tanh(z);
}

static double tanh_slope(double z, const double *p)
{
    double u = -2 * fabs(hold(z, FAR / 2)), e = exp(u);

    (void)p;
    return grad_wide_scaled_exp(4 / ((1 + e) * (1 + e)), narrow(u));
}

SMOOTH(tanh);

/* Lambert's continued fraction tanh z = z / (1 + c) with c = z² / (3 + z² / (5 + z² / …)), which
 * gives z - tanh z = z c / (1 + c) without a difference. For |z| <= 1. */
static double shrunk_by_fraction(double z)
{
    double w = z * z, c = 0;

    for (int odd = 21; odd >= 3; odd -= 2)
        c = w / (odd + c);
    return z * (c / (1 + c));
}

static double tanhshrink_value(double z, const double *p)
{
    (void)p;
    return fabs(z) <= 1 ? shrunk_by_fraction(z) : z - tanh(z);
}

static double tanhshrink_slope(double z, const double *p)
{
    double t = tanh(z);

    (void)p;
    return t * t;
}

SMOOTH(tanhshrink);

/* ---- softsign -------------------------------------------------------------------------------- */

static double softsign_value(double z, const double *p)
{
    double held = hold(z, DBL_MAX); /* 1 at infinity too */

    (void)p;
    return held / (1 + fabs(held));
}

static double softsign_slope(double z, const double *p)
{
    double d = 1 + fabs(z);

    (void)p;
    return 1 / d / d;
}

SMOOTH(softsign);
