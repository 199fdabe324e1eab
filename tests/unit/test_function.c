/* Tests of f of a layer in either datatype: which loops it comes from, prelu with its slope shared
 * or by channel, the slope's delta, and the count of zeros of f'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"
#include "kernels/activations.h"
#include "support/reals.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define ROWS 7
#define N 263 /* two blocks and a bit */
#define COUNT ((size_t)ROWS * N)

static size_t bytes_of(grad_datatype type, size_t count)
{
    return count * (type == GRAD_FP64 ? sizeof(double) : sizeof(float));
}

/* z and dy of a test, the zeros of both signs among them, and room for results. */
typedef struct arrays {
    void *z, *dy, *slope, *y, *dz;
} arrays;

static arrays arrays_of(grad_datatype type, uint64_t seed)
{
    random_state random = {seed};
    arrays a = {.z = reals_random(&random, type, COUNT, 3),
                .dy = reals_random(&random, type, COUNT, 2),
                .slope = reals_random(&random, type, N, 1),
                .y = reals_new(type, COUNT),
                .dz = reals_new(type, COUNT)};

    grad_real_put(type, a.z, 3, 0);
    grad_real_put(type, a.z, N + 4, -0.0);
    return a;
}

static void arrays_free(arrays *a)
{
    free(a->z);
    free(a->dy);
    free(a->slope);
    free(a->y);
    free(a->dz);
}

/* ---- Without a slope tensor ------------------------------------------------------------------ */

static void float_is_the_fast_loops(void **state)
{
    static float y[COUNT], dz[COUNT];
    arrays a = arrays_of(GRAD_FP32, 91);

    (void)state;
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        grad_function function = {&f, GRAD_FP32, NULL, 0};

        grad_function_forward(&function, ROWS, N, a.z, a.y);
        grad_activation_forward(&f, ROWS, N, a.z, y);
        assert_memory_equal(a.y, y, sizeof y);
        grad_function_backward(&function, ROWS, N, a.z, a.dy, a.dz);
        grad_activation_backward(&f, ROWS, N, a.z, a.dy, dz);
        assert_memory_equal(a.dz, dz, sizeof dz);
    }
    arrays_free(&a);
}

/* Every kind, rows of several samples: the doubles agree with the floats as far as those go. */
static void double_agrees_with_float(void **state)
{
    static double z[COUNT], dy[COUNT], y[COUNT], dz[COUNT];
    arrays a = arrays_of(GRAD_FP32, 92);

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        z[i] = grad_real_at(GRAD_FP32, a.z, i);
        dy[i] = grad_real_at(GRAD_FP32, a.dy, i);
    }
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        grad_function function = {&f, GRAD_FP64, NULL, 0};

        for (size_t i = 0; i < GRAD_MAX_PARAMETERS; i++)
            f.parameters[i] = (float)f.parameters[i];
        grad_function_forward(&function, ROWS, N, z, y);
        grad_activation_forward(&f, ROWS, N, a.z, a.y);
        grad_function_backward(&function, ROWS, N, z, dy, dz);
        grad_activation_backward(&f, ROWS, N, a.z, a.dy, a.dz);
        for (size_t i = 0; i < COUNT;
             i++) { /* 2: a float f' may be off by more than its rounding */
            reals_check(GRAD_FP32, "y", i, grad_real_at(GRAD_FP32, a.y, i), y[i],
                        8.1L * UNIT * (fabsl(y[i]) + 0.1L));
            reals_check(GRAD_FP32, "dz", i, grad_real_at(GRAD_FP32, a.dz, i), dz[i],
                        8.1L * UNIT * (fabsl(dz[i]) + fabsl(dy[i])));
        }
    }
    arrays_free(&a);
}

/* ---- prelu ----------------------------------------------------------------------------------- */

static double slope_of(grad_datatype type, const arrays *a, size_t slope_count, size_t i)
{
    return grad_real_at(type, a->slope, slope_count == 1 ? 0 : i % N);
}

static double rounded(grad_datatype type, double value)
{
    return type == GRAD_FP64 ? value : (double)(float)value;
}

/* One product, rounded once: to the bit. f'(0) is the slope. */
static void check_prelu(grad_datatype type, size_t slope_count)
{
    arrays a = arrays_of(type, 93);
    grad_activation f = grad_activation_default(GRAD_PRELU);
    grad_function function = {&f, type, a.slope, slope_count};

    grad_function_forward(&function, ROWS, N, a.z, a.y);
    grad_function_backward(&function, ROWS, N, a.z, a.dy, a.dz);
    for (size_t i = 0; i < COUNT; i++) {
        double z = grad_real_at(type, a.z, i), dy = grad_real_at(type, a.dy, i);
        double slope = slope_of(type, &a, slope_count, i);

        assert_true(grad_real_at(type, a.y, i) == (z > 0 ? z : rounded(type, slope * z)));
        assert_true(grad_real_at(type, a.dz, i) == (z > 0 ? dy : rounded(type, slope * dy)));
    }
    grad_function_backward(&function, ROWS, N, a.z, a.dy, a.dy);
    assert_memory_equal(a.dy, a.dz, bytes_of(type, COUNT));
    grad_function_forward(&function, ROWS, N, a.z, a.z);
    assert_memory_equal(a.z, a.y, bytes_of(type, COUNT));
    arrays_free(&a);
}

static void prelu_has_its_slopes(void **state)
{
    (void)state;
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++) {
        check_prelu((grad_datatype)type, 1);
        check_prelu((grad_datatype)type, N);
    }
}

static void a_nan_has_no_slope_of_a_channel(void **state)
{
    const float slope[2] = {0.5f, 0}, z[2] = {NAN, -NAN}, dy[2] = {0, 1};
    const double wide_slope[2] = {0.5, 0}, wide_z[2] = {NAN, -NAN}, wide_dy[2] = {0, 1};
    grad_activation f = grad_activation_default(GRAD_PRELU);
    grad_function narrow = {&f, GRAD_FP32, slope, 2}, wide = {&f, GRAD_FP64, wide_slope, 2};
    float dz[2];
    double wide_dz[2];

    (void)state;
    grad_function_backward(&narrow, 1, 2, z, dy, dz);
    grad_function_backward(&wide, 1, 2, wide_z, wide_dy, wide_dz);
    for (size_t i = 0; i < 2; i++)
        assert_true(isnan(dz[i]) && isnan(wide_dz[i]));
}

static void check_slope_deltas(grad_datatype type)
{
    arrays a = arrays_of(type, 94);
    long double total = 0, total_magnitude = 0;
    void *shared = reals_new(type, 1);

    grad_prelu_slope_delta(type, ROWS, N, a.z, a.dy, -0.7, 0, N, a.y);
    for (size_t begin = 0; begin < N; begin += 29)
        grad_prelu_slope_delta(type, ROWS, N, a.z, a.dy, -0.7, begin,
                               begin + 29 < N ? begin + 29 : N, a.dz);
    assert_memory_equal(a.y, a.dz, bytes_of(type, N));
    for (size_t n = 0; n < N; n++) {
        long double sum = 0, magnitude = 0;

        for (size_t i = n; i < COUNT; i += N) {
            long double z = grad_real_at(type, a.z, i);
            long double term = z > 0 ? 0 : z * grad_real_at(type, a.dy, i);

            sum += term;
            magnitude += fabsl(term);
        }
        reals_check(type, "dslope", n, grad_real_at(type, a.y, n), -0.7L * sum,
                    (TOLERANCE_SUM_OF(type, ROWS) + UNIT_64) * magnitude);
        total += sum;
        total_magnitude += magnitude;
    }
    grad_prelu_shared_slope_delta(type, ROWS, N, a.z, a.dy, -0.7, shared);
    reals_check(type, "shared dslope", 0, grad_real_at(type, shared, 0), -0.7L * total,
                (TOLERANCE_SUM_OF(type, COUNT) + UNIT_64) * total_magnitude);
    free(shared);
    arrays_free(&a);
}

static void the_slopes_delta_is_right(void **state)
{
    (void)state;
    check_slope_deltas(GRAD_FP32);
    check_slope_deltas(GRAD_FP64);
}

/* A NaN has no side: it must not be dropped. */
static void a_nan_reaches_the_slopes_delta(void **state)
{
    float z[2] = {NAN, 1}, dy[2] = {1, 1}, dslope[2];

    (void)state;
    grad_prelu_slope_delta(GRAD_FP32, 1, 2, z, dy, 1, 0, 2, dslope);
    assert_true(isnan(dslope[0]) && dslope[1] == 0);
    grad_prelu_shared_slope_delta(GRAD_FP32, 1, 2, z, dy, 1, dslope);
    assert_true(isnan(dslope[0]));
}

/* ---- Zeros of f' ----------------------------------------------------------------------------- */

static void check_zeros(grad_datatype type)
{
    arrays a = arrays_of(type, 95);

    for (int kind = 0; kind < GRAD_SOFTMAX; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        grad_function function = {&f, type, NULL, 0};
        size_t zeros = 0;

        for (size_t i = 0; i < COUNT; i++)
            zeros += twin_derivative_64(&f, grad_real_at(type, a.z, i)) == 0;
        assert_int_equal(grad_function_zeros(&function, ROWS, N, a.z), zeros);
        assert_int_equal(zeros > 0, kind == GRAD_RELU || kind == GRAD_RELU6 ||
                                        kind == GRAD_THRESHOLD || kind == GRAD_HARD_TANH ||
                                        kind == GRAD_SOFTSHRINK || kind == GRAD_HARDSHRINK ||
                                        kind == GRAD_SQUARED_RELU || kind == GRAD_TANHSHRINK);
    }
    arrays_free(&a);
}

static void zeros_are_counted(void **state)
{
    (void)state;
    check_zeros(GRAD_FP32);
    check_zeros(GRAD_FP64);
}

static void slopes_of_zero_are_counted(void **state)
{
    float z[6] = {-1, -1, -1, 1, 0, -0.0f}, slope[3] = {0, 0.5f, 0}, none = -0.0f;
    grad_activation f = grad_activation_default(GRAD_PRELU);
    grad_function by_channel = {&f, GRAD_FP32, slope, 3}, shared = {&f, GRAD_FP32, &none, 1};

    (void)state;
    assert_int_equal(grad_function_zeros(&by_channel, 2, 3, z), 3); /* 0, 2 and the last */
    assert_int_equal(grad_function_zeros(&shared, 2, 3, z), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_is_the_fast_loops),
        cmocka_unit_test(double_agrees_with_float),
        cmocka_unit_test(prelu_has_its_slopes),
        cmocka_unit_test(a_nan_has_no_slope_of_a_channel),
        cmocka_unit_test(the_slopes_delta_is_right),
        cmocka_unit_test(a_nan_reaches_the_slopes_delta),
        cmocka_unit_test(zeros_are_counted),
        cmocka_unit_test(slopes_of_zero_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
