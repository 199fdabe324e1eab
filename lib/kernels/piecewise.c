/* Activations made of straight pieces (and the parabola of hardswish): no function but products.
 * At a kink the comparisons are those of PyTorch 2.14; where z is NaN, so is f'. */
#include <float.h>
#include <math.h>

#include "kernels/activations.h"
#include "kernels/loops.h"

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

/* ---- A parabola ------------------------------------------------------------------------------ */

/* So et al., Primer: Searching for Efficient Transformers for Language Modeling,
 * arXiv:2109.08668 */
GRAD_INLINE float squared_relu_value(float z)
{
    return z <= 0 ? 0 : z * z;
}

GRAD_INLINE float squared_relu_delta(float z, float dy)
{
    float rising = dy * z * 2; /* 2 z may overflow where that does not */

    return z <= 0 ? 0 : rising;
}

PIECEWISE(squared_relu);

/* ---- Over double ----------------------------------------------------------------------------- */

/* name_double: the value, an expression in z, and δ, one in z and dy, with parameters p; δ is
 * NaN where z is. */
#define PIECES(name, value_of_z, delta_of_dy)                                                      \
    static double name##_value_double(double z, const double *p)                                   \
    {                                                                                              \
        (void)p;                                                                                   \
        return value_of_z;                                                                         \
    }                                                                                              \
    static double name##_delta_double(double z, double dy, const double *p)                        \
    {                                                                                              \
        (void)p;                                                                                   \
        return isnan(z) ? z : (delta_of_dy);                                                       \
    }                                                                                              \
    static const grad_double_function name##_double = {.value = name##_value_double,               \
                                                       .delta = name##_delta_double}

static double identity_value_double(double z, const double *p)
{
    (void)p;
    return z;
}

static double identity_delta_double(double z, double dy, const double *p)
{
    (void)z;
    (void)p;
    return dy;
}

static const grad_double_function identity_double = {.value = identity_value_double,
                                                     .delta = identity_delta_double};

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

PIECES(squared_relu, z <= 0 ? 0 : z * z, z <= 0 ? 0 : dy * z * 2);

/* (2z + 3) / 6 between -3 and 3, neither of which belongs to it. */
static double delta_of_hardswish(double z, double dy)
{
    if (z <= -3)
        return 0;
    return z >= 3 ? dy : dy * ((2 * z + 3) / 6);
}

/* z is finite for the product, as over float */
PIECES(hardswish, hold(z + 3, 0, 6) / 6 * (z < -DBL_MAX ? -DBL_MAX : z), delta_of_hardswish(z, dy));

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
GRAD_ACTIVATION_ROW(IDENTITY, identity,
    "z",
    "1",
    0, {{0}}, GRAD_SYNONYMS("linear"));

GRAD_ACTIVATION_ROW(RELU, relu,
    "max(z, 0)",
    "z > 0 ? 1 : 0",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(RELU6, relu6,
    "min(max(z, 0), 6)",
    "z > 0 and z < 6 ? 1 : 0",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(LEAKY_RELU, leaky_relu,
    "z > 0 ? z : negative_slope * z",
    "z > 0 ? 1 : negative_slope",
    1, {{"negative_slope", 0.01, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS);

const grad_activation_row grad_prelu_activation = {
    {GRAD_PRELU, "prelu",
        "z > 0 ? z : slope * z",
        "z > 0 ? 1 : slope",
        1, {{"slope", 0.25, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS},
    &leaky_relu_loops, &leaky_relu_double};

GRAD_ACTIVATION_ROW(THRESHOLD, threshold,
    "z > threshold ? z : value",
    "z > threshold ? 1 : 0",
    2, {{"threshold", 0, GRAD_ANY_NUMBER}, {"value", 0, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(HARD_TANH, hard_tanh,
    "min(max(z, min_val), max_val)",
    "z > min_val and z < max_val ? 1 : 0",
    2, {{"min_val", -1, GRAD_ANY_NUMBER}, {"max_val", 1, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(HARD_SIGMOID, hard_sigmoid,
    "min(max(z + 3, 0), 6) / 6",
    "z > -3 and z < 3 ? 1 / 6 : 0",
    0, {{0}}, GRAD_SYNONYMS("h_sigmoid"));

GRAD_ACTIVATION_ROW(HARDSWISH, hardswish,
    "z * min(max(z + 3, 0), 6) / 6",
    "z <= -3 ? 0 : z < 3 ? (2 z + 3) / 6 : 1",
    0, {{0}}, GRAD_SYNONYMS("hard_silu", "h_swish"));

GRAD_ACTIVATION_ROW(SOFTSHRINK, softshrink,
    "z > lambda ? z - lambda : z < -lambda ? z + lambda : 0",
    "z >= -lambda and z <= lambda ? 0 : 1",
    1, {{"lambda", 0.5, GRAD_NOT_NEGATIVE}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(HARDSHRINK, hardshrink,
    "z >= -lambda and z <= lambda ? 0 : z",
    "z >= -lambda and z <= lambda ? 0 : 1",
    1, {{"lambda", 0.5, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(SQUARED_RELU, squared_relu,
    "max(z, 0)^2",
    "z > 0 ? 2 * z : 0",
    0, {{0}}, GRAD_SYNONYMS("relu_squared"));
/* clang-format on */
