/* Tests of the element-wise activations against their twins in long double: at random inputs, and
 * at every extreme that float32 has. Softmax has a test of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "gradient.h"
#include "support/accuracy.h"
#include "support/between.h"
#include "support/random.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define ACTIVATIONS_MAX 48
#define RANDOM_COUNT 4099 /* a prime: no multiple of any vector's length */

/* Zeros, kinks, subnormals, the zeros of the derivatives, thresholds, where exp overflows, the
 * ends; 3, 12 and 1.5, where softplus with beta 1, 1/4 and 2 meets its threshold 3, the last with
 * its neighbours. The test adds the negatives. */
static const float extremes[] = {
    0,       FLT_TRUE_MIN, 0.0625f,    1.1924f, 1.5f,     3,        6,     708,       708.5f,
    1e-40f,  FLT_MIN,      1e-20f,     1e-7f,   0.5f,     0.75179f, 1,     1.278464f, 2,
    5,       9.5f,         12,         13,      17,       19.999f,  20,    20.001f,   36,
    50,      87.3f,        88.722839f, 88.8f,   89,       103.9f,   104,   150,       709,
    745,     746,          1000,       11000,   20000.5f, 1e10f,    1e19f, 1e30f,     1.7e38f,
    FLT_MAX, 1.4999999f,   1.5000001f,
};
#define EXTREME_COUNT (sizeof extremes / sizeof *extremes)

static const float outer[] = {0,     -0.0f,  1,      -1,      0.3f,    1e-30f,
                              1e30f, -1e38f, 1e-42f, FLT_MAX, -FLT_MAX};
#define OUTER_COUNT (sizeof outer / sizeof *outer)

/* Each element-wise activation with its defaults, and some with other parameters. */
static size_t activations_to_test(grad_activation *f)
{
    size_t count = 0;

    for (int kind = 0; kind < GRAD_SOFTMAX; kind++)
        f[count++] = grad_activation_default((grad_activation_kind)kind);
    f[count++] = (grad_activation){GRAD_LEAKY_RELU, {-0.3f}};
    f[count++] = (grad_activation){GRAD_LEAKY_RELU, {1e30f}};
    f[count++] = (grad_activation){GRAD_ELU, {2.5f}};
    f[count++] = (grad_activation){GRAD_ELU, {1e38f}};
    f[count++] = (grad_activation){GRAD_SOFTPLUS, {0.25f, 3}};
    f[count++] = (grad_activation){GRAD_SOFTPLUS, {1, 3}};
    f[count++] = (grad_activation){GRAD_SOFTPLUS, {2, 3}};
    f[count++] = (grad_activation){GRAD_SOFTPLUS, {7, 1e9f}};
    f[count++] = (grad_activation){GRAD_SOFTPLUS, {1e-20f, -1}};
    f[count++] = (grad_activation){GRAD_CELU, {0.3f}};
    f[count++] = (grad_activation){GRAD_CELU, {1e-40f}};
    f[count++] = (grad_activation){GRAD_CELU, {1e38f}};
    f[count++] = (grad_activation){GRAD_SNAKE, {0.3f}};
    f[count++] = (grad_activation){GRAD_SNAKE, {1e-40f}};
    f[count++] = (grad_activation){GRAD_SNAKE, {1e38f}};
    f[count++] = (grad_activation){GRAD_HARD_TANH, {-2.5f, 0.75f}};
    f[count++] = (grad_activation){GRAD_THRESHOLD, {-1.5f, 20}};
    f[count++] = (grad_activation){GRAD_SOFTSHRINK, {2}};
    f[count++] = (grad_activation){GRAD_HARDSHRINK, {2}};
    assert_true(count <= ACTIVATIONS_MAX);
    return count;
}

static const char *name_of(const grad_activation *f)
{
    return grad_activation_info_of(f->kind)->name;
}

static void check_value(const grad_activation *f, float z, float found)
{
    long double expected = twin_activation(f, z);

    if (!is_close_value(f, found, expected))
        fail_msg("%s at %a: found %a, expected %La", name_of(f), (double)z, (double)found,
                 expected);
}

/* exp holds z at 176, where f' times any normal ∂L/∂y is infinite. */
static void check_delta(const grad_activation *f, float z, float dy, float found)
{
    long double slope = twin_derivative(f, f->kind == GRAD_EXP ? fminf(z, 176) : z);

    if (!is_close_delta(f->kind, z, dy, found, slope))
        fail_msg("%s' at %a times %a: found %a, expected %La", name_of(f), (double)z, (double)dy,
                 (double)found, dy * slope);
}

static void check_at(const grad_activation *f, float z, float dy)
{
    float y, dz;

    grad_activation_forward(f, 1, 1, &z, &y);
    check_value(f, z, y);
    grad_activation_backward(f, 1, 1, &z, &dy, &dz);
    check_delta(f, z, dy, dz);
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

static void random_arrays_are_right(void **state)
{
    static float z[RANDOM_COUNT], dy[RANDOM_COUNT], y[RANDOM_COUNT], dz[RANDOM_COUNT];
    random_state random = {11};
    grad_activation f[ACTIVATIONS_MAX];
    size_t count = activations_to_test(f);

    (void)state;
    random_fill(&random, RANDOM_COUNT, 1, dy);
    for (size_t a = 0; a < count; a++)
        for (float size = 1e-3f; size < 1e4f; size *= 10) {
            random_fill(&random, RANDOM_COUNT, size, z);
            grad_activation_forward(&f[a], 1, RANDOM_COUNT, z, y);
            grad_activation_backward(&f[a], RANDOM_COUNT, 1, z, dy, dz);
            for (size_t i = 0; i < RANDOM_COUNT; i++) {
                check_value(&f[a], z[i], y[i]);
                check_delta(&f[a], z[i], dy[i], dz[i]);
            }
        }
}

/* Any float32 there is: finite in, finite out where f' is bounded and ∂L/∂y is 1. */
static void random_bit_patterns_are_right(void **state)
{
    random_state random = {12};
    grad_activation f[ACTIVATIONS_MAX];
    size_t count = activations_to_test(f);

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        uint32_t bits = (uint32_t)random_bits(&random);
        float z;

        memcpy(&z, &bits, sizeof z);
        for (size_t a = 0; a < count && isfinite(z); a++)
            check_at(&f[a], z, 1);
    }
}

/* Of any activation with its defaults: a difference across a kink is no derivative. */
static bool is_near_a_kink(float z)
{
    static const float kinks[] = {-3, -1, -0.5f, 0, 0.5f, 1, 3, 6};

    for (size_t i = 0; i < sizeof kinks / sizeof *kinks; i++)
        if (fabsf(z - kinks[i]) < 2 * (float)DIFFERENCE_STEP)
            return true;
    return false;
}

static void central_differences_agree(void **state)
{
    static float z[RANDOM_COUNT], dy[RANDOM_COUNT], v[RANDOM_COUNT], dz[RANDOM_COUNT];
    random_state random = {13};

    (void)state;
    for (int kind = 0; kind < GRAD_SOFTMAX; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        long double difference = 0, product = 0, magnitude = 0;

        random_fill(&random, RANDOM_COUNT, 6, z);
        random_fill(&random, RANDOM_COUNT, 1, dy);
        random_fill(&random, RANDOM_COUNT, 1, v);
        grad_activation_backward(&f, 1, RANDOM_COUNT, z, dy, dz);
        for (size_t i = 0; i < RANDOM_COUNT; i++) {
            long double h = DIFFERENCE_STEP * (long double)v[i];

            if (is_near_a_kink(z[i]))
                continue;
            difference += dy[i] * (twin_activation(&f, z[i] + h) - twin_activation(&f, z[i] - h)) /
                          (2 * DIFFERENCE_STEP);
            product += (long double)dz[i] * v[i];
            magnitude += fabsl((long double)dy[i] * v[i]);
        }
        if (!(fabsl(difference - product) <= TOLERANCE_DIFFERENCE * magnitude))
            fail_msg("%s: found %Lg, expected %Lg", name_of(&f), product, difference);
    }
}

static void outputs_may_be_inputs(void **state)
{
    static float z[RANDOM_COUNT], dy[RANDOM_COUNT], y[RANDOM_COUNT], dz[RANDOM_COUNT];
    random_state random = {14};

    (void)state;
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);

        random_fill(&random, RANDOM_COUNT, 5, z);
        random_fill(&random, RANDOM_COUNT, 5, dy);
        grad_activation_forward(&f, 1, RANDOM_COUNT, z, y);
        grad_activation_backward(&f, 1, RANDOM_COUNT, z, dy, dz);
        grad_activation_backward(&f, 1, RANDOM_COUNT, z, dy, dy);
        assert_memory_equal(dy, dz, sizeof dy);
        grad_activation_forward(&f, 1, RANDOM_COUNT, z, z);
        assert_memory_equal(z, y, sizeof y);
    }
}

static void the_table_is_complete(void **state)
{
    (void)state;
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        const grad_activation_info *info = grad_activation_info_of((grad_activation_kind)kind);
        grad_activation f = grad_activation_default((grad_activation_kind)kind);

        assert_int_equal(info->kind, kind);
        assert_ptr_equal(grad_activation_find(info->name), info);
        for (size_t i = 0; info->synonyms[i] != NULL; i++)
            assert_ptr_equal(grad_activation_find(info->synonyms[i]), info);
        assert_true(strlen(info->formula) > 0 && strlen(info->derivative) > 0);
        assert_between(info->parameter_count, 0, GRAD_MAX_PARAMETERS);
        for (size_t i = 0; i < info->parameter_count; i++) {
            assert_non_null(info->parameters[i].name);
            assert_true(f.parameters[i] == info->parameters[i].default_value);
        }
    }
    assert_int_equal(grad_activation_find("Leaky-ReLU ")->kind, GRAD_LEAKY_RELU);
    assert_null(grad_activation_find("leakyRelu"));
    assert_null(grad_activation_find("relu_loss"));
    assert_null(grad_activation_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extreme_inputs_are_right),
        cmocka_unit_test(random_arrays_are_right),
        cmocka_unit_test(random_bit_patterns_are_right),
        cmocka_unit_test(central_differences_agree),
        cmocka_unit_test(outputs_may_be_inputs),
        cmocka_unit_test(the_table_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
