/* Tests of the element-wise activations over double against their twins in long double: at every
 * extreme, at kinks, at random. Rows (softmax) have a test of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/activations.h"
#include "support/random.h"
#include "support/reals.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define ACTIVATIONS_MAX 64

/* Each f' is a product of up to two of libm's functions (2 u each) and a few roundings; the
 * arguments of exp and sine carry their rounding errors, so that the size of z does not count.
 * Magnitude: the result; next to the zeros of f' of silu, mish and the gelus, where terms of about
 * 1 cancel, 1; and of snake, whose f' has zeros everywhere, 1, and its two terms. */
#define TOLERANCE_DOUBLE (8 * UNIT_64)

static const double extremes[] = {
    0,
    DBL_TRUE_MIN,
    DBL_MIN,
    1e-300,
    1e-200,
    1e-160,
    1e-20,
    1e-8,
    1e-3,
    0.01,
    0.0625,
    0.125,
    0.5,
    0.75179,
    0x1.fffffffffffffp-1,
    1,
    0x1.0000000000001p+0,
    1.1924,
    1.278464,
    1.5,
    2,
    0x1.7ffffffffffffp+1,
    3,
    0x1.8000000000001p+1,
    5,
    6,
    8.3,
    13.7,
    19.9999,
    20,
    20.0001,
    21.5,
    22.6,
    22.9,
    25.9,
    26.1,
    26.7,
    29.99,
    30.01,
    36.7,
    37.3,
    37.6,
    38.4,
    38.6,
    49.9,
    50.1,
    123.4,
    354.9,
    355,
    372.3,
    600.3,
    689.9,
    690.1,
    700.7,
    708.3,
    708.5,
    709.7,
    709.8,
    712.4,
    720,
    744.4,
    745.2,
    746,
    800,
    1399,
    1401,
    1e4,
    1e10,
    1e100,
    1e154,
    1e155,
    1e200,
    1e300,
    1e308,
    DBL_MAX,
};
#define EXTREME_COUNT (sizeof extremes / sizeof *extremes)

static const double outer[] = {1,      0,     -0.0,  -1,     0.3,     1e-300,
                               1e-150, -1e10, 1e150, 1e-320, DBL_MAX, -DBL_MAX};
#define OUTER_COUNT (sizeof outer / sizeof *outer)

/* Each element-wise activation with its defaults, and some with other parameters. */
static size_t activations_to_test(grad_activation *f)
{
    static const grad_activation others[] = {
        {GRAD_LEAKY_RELU, {-0.3}},
        {GRAD_LEAKY_RELU, {1e300}},
        {GRAD_ELU, {2.5}},
        {GRAD_ELU, {1e300}},
        {GRAD_CELU, {0.3}},
        {GRAD_CELU, {1e-40}},
        {GRAD_CELU, {1e-310}},
        {GRAD_CELU, {1e300}},
        {GRAD_SOFTPLUS, {0.3, 3}},
        {GRAD_SOFTPLUS, {7.7, 1e9}},
        {GRAD_SOFTPLUS, {1e-20, -1}},
        {GRAD_SOFTPLUS, {1e300, 1e308}},
        {GRAD_SOFTPLUS, {1e-310, 20}},
        {GRAD_SNAKE, {0.296875}}, /* floats, too */
        {GRAD_SNAKE, {17.3125}},
        {GRAD_SNAKE, {1e-310}},
        {GRAD_HARD_TANH, {-2.5, 0.75}},
        {GRAD_THRESHOLD, {-1.5, 20}},
        {GRAD_SOFTSHRINK, {2}},
        {GRAD_HARDSHRINK, {2}},
        {GRAD_HARDSHRINK, {-1}},
    };
    size_t count = 0;

    for (int kind = 0; kind < GRAD_SOFTMAX; kind++)
        f[count++] = grad_activation_default((grad_activation_kind)kind);
    memcpy(f + count, others, sizeof others);
    count += sizeof others / sizeof *others;
    assert_true(count <= ACTIVATIONS_MAX);
    return count;
}

static bool has_zero_of_slope(grad_activation_kind kind)
{
    return kind == GRAD_SILU || kind == GRAD_MISH || kind == GRAD_GELU || kind == GRAD_GELU_TANH ||
           kind == GRAD_QUICK_GELU;
}

static long double largest(long double a, long double b)
{
    return a > b ? a : b;
}

static long double magnitude_of_value(const grad_activation *f, double z, long double value)
{
    return f->kind == GRAD_SNAKE ? fabsl(z) + fabsl(value - z) : fabsl(value);
}

static long double magnitude_of_slope(const grad_activation *f, double z, long double slope)
{
    bool cancels = f->kind == GRAD_SNAKE || (has_zero_of_slope(f->kind) && fabs(z + 1) < 1);

    return cancels ? largest(1, fabsl(slope)) : fabsl(slope);
}

static void check_at(const grad_activation *f, double z, double dy)
{
    grad_function function = {f, GRAD_FP64, NULL, 0};
    long double value = twin_activation_64(f, z), slope = twin_derivative_64(f, z);
    long double magnitude = magnitude_of_slope(f, z, slope);
    char what[64];
    double y, dz;

    if (f->kind == GRAD_SNAKE && !isfinite(f->parameters[0] * z))
        return; /* a_snake_beyond_double_has_the_mean_slope */
    snprintf(what, sizeof what, "%s at %a by", grad_activation_info_of(f->kind)->name, z);
    grad_function_forward(&function, 1, 1, &z, &y);
    reals_check(GRAD_FP64, what, 0, y, value, TOLERANCE_DOUBLE * magnitude_of_value(f, z, value));
    grad_function_backward(&function, 1, 1, &z, &dy, &dz);
    /* a subnormal f' is good to its last bit, times dy */
    reals_check(GRAD_FP64, what, 1, dz, slope * dy,
                fabsl((long double)dy) * largest(TOLERANCE_DOUBLE * magnitude, DBL_TRUE_MIN));
}

static void extreme_inputs_are_right(void **state)
{
    grad_activation f[ACTIVATIONS_MAX];
    size_t count = activations_to_test(f);

    (void)state;
    for (size_t a = 0; a < count; a++)
        for (size_t i = 0; i < EXTREME_COUNT; i++)
            for (size_t j = 0; j < OUTER_COUNT; j++) {
                check_at(&f[a], extremes[i], outer[j]);
                check_at(&f[a], -extremes[i], outer[j]);
            }
}

static void random_inputs_are_right(void **state)
{
    random_state random = {51};
    grad_activation f[ACTIVATIONS_MAX];
    size_t count = activations_to_test(f);

    (void)state;
    for (size_t a = 0; a < count; a++)
        for (double size = 1e-3; size < 1e4; size *= 5)
            for (int round = 0; round < 300; round++) {
                double z = size * random_signed(&random), dy = random_signed(&random);

                check_at(&f[a], z, dy);
            }
}

/* Any double there is. */
static void random_bit_patterns_are_right(void **state)
{
    random_state random = {52};
    grad_activation f[ACTIVATIONS_MAX];
    size_t count = activations_to_test(f);

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        uint64_t bits = random_bits(&random);
        double z;

        memcpy(&z, &bits, sizeof z);
        for (size_t a = 0; a < count && isfinite(z); a++)
            check_at(&f[a], z, 1);
    }
}

/* At the kinks themselves, NaN and infinity, what the float loops say (those have tests of their
 * own). */
static void kinks_are_those_of_float(void **state)
{
    static const double kinks[] = {-6,   -3, -2.5, -2, -1.5, -1, -0.5, -0.0,      0,       0.5,
                                   0.75, 1,  2,    3,  6,    20, NAN,  -INFINITY, INFINITY};
    grad_activation f[ACTIVATIONS_MAX];
    size_t count = activations_to_test(f);

    (void)state;
    for (size_t a = 0; a < count; a++)
        for (size_t i = 0; i < sizeof kinks / sizeof *kinks; i++) {
            grad_function function = {&f[a], GRAD_FP64, NULL, 0};
            float z = (float)kinks[i], one = 1, y, slope;
            double wide_z = kinks[i], wide_one = 1, wide_y, wide_slope;

            grad_activation_forward(&f[a], 1, 1, &z, &y);
            grad_activation_backward(&f[a], 1, 1, &z, &one, &slope);
            grad_function_forward(&function, 1, 1, &wide_z, &wide_y);
            grad_function_backward(&function, 1, 1, &wide_z, &wide_one, &wide_slope);
            if (fabs(f[a].parameters[0]) > 1e30 || fabs(f[a].parameters[0]) < 1e-30)
                continue; /* not float's */
            assert_int_equal(isnan(y), isnan(wide_y));
            assert_int_equal(isnan(slope), isnan(wide_slope));
            if (isinf(y))
                assert_true(wide_y == y);
            if (isfinite(y))
                assert_true(fabs(y - wide_y) <= 8.1 * UNIT * (1 + fabs(wide_y)));
            if (isfinite(slope))
                assert_true(fabs(slope - wide_slope) <= 8.1 * UNIT * (1 + fabs(wide_slope)));
        }
}

/* e^(beta z) is subnormal and divided by a small beta. */
static void a_softplus_of_small_beta_is_right_far_out(void **state)
{
    static const double betas[] = {0.3, 0.9, 1e-3, 1e-20, 1e-300, 4.2e-306};

    (void)state;
    for (size_t i = 0; i < sizeof betas / sizeof *betas; i++) {
        const grad_activation f = {GRAD_SOFTPLUS, {betas[i], 20}};

        for (double u = -690; u > -1500; u -= 0.37)
            if (isfinite(u / betas[i]))
                check_at(&f, u / betas[i], 1);
        if (betas[i] == 0.3)
            check_at(&f, -2430.9, 1);
    }
}

/* Where alpha z overflows, as nowhere over float. */
static void a_snake_beyond_double_has_the_mean_slope(void **state)
{
    const grad_activation f = {GRAD_SNAKE, {1e300}};
    const grad_function function = {&f, GRAD_FP64, NULL, 0};
    double z[2] = {1e10, -DBL_MAX}, dy[2] = {1, -3}, y[2], dz[2];

    (void)state;
    grad_function_forward(&function, 1, 2, z, y);
    grad_function_backward(&function, 1, 2, z, dy, dz);
    assert_memory_equal(y, z, sizeof z);
    assert_memory_equal(dz, dy, sizeof dy);
}

/* As the float loops: what is cut off is cut off, also where ∂L/∂y is not finite. */
static void what_is_flat_passes_nothing(void **state)
{
    static const grad_activation_kind flat[] = {GRAD_RELU,      GRAD_RELU6,     GRAD_THRESHOLD,
                                                GRAD_HARD_TANH, GRAD_HARDSWISH, GRAD_SQUARED_RELU};

    (void)state;
    for (size_t i = 0; i < sizeof flat / sizeof *flat; i++) {
        grad_activation f = grad_activation_default(flat[i]);
        grad_function function = {&f, GRAD_FP64, NULL, 0};
        double z = -7, dy = INFINITY, dz;

        grad_function_backward(&function, 1, 1, &z, &dy, &dz);
        assert_true(dz == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extreme_inputs_are_right),
        cmocka_unit_test(random_inputs_are_right),
        cmocka_unit_test(random_bit_patterns_are_right),
        cmocka_unit_test(kinks_are_those_of_float),
        cmocka_unit_test(a_softplus_of_small_beta_is_right_far_out),
        cmocka_unit_test(a_snake_beyond_double_has_the_mean_slope),
        cmocka_unit_test(what_is_flat_passes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
