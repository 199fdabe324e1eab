/* Tests of softmax, log_softmax and softmin against their twins: random rows, rows far apart, rows
 * far from 0, one feature, confident rows, rows in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/activations.h"
#include "support/random.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define N_MAX 2100 /* more than two blocks */

static const grad_activation_kind kinds[] = {GRAD_SOFTMAX, GRAD_LOG_SOFTMAX, GRAD_SOFTMIN};
static const float no_parameters[GRAD_MAX_PARAMETERS];
static const grad_activation softmax = {GRAD_SOFTMAX, {0}};

/* log_softmax's y_i from softmax's: from its own formula where that underflows. */
static long double twin_value(grad_activation_kind kind, size_t N, const float *z,
                              const long double *y, size_t i)
{
    long double top = z[0], rest = 0;
    size_t m = 0;

    if (kind != GRAD_LOG_SOFTMAX)
        return y[i];
    for (size_t j = 0; j < N; j++)
        if (z[j] > top)
            top = z[m = j];
    for (size_t j = 0; j < N; j++)
        rest += j == m ? 0 : expl(z[j] - top);
    return (z[i] - top) - log1pl(rest);
}

/* An e_j below the normal numbers may come out as 0: what that changes of a δ. */
static long double floor_of(size_t N, const float *dy)
{
    long double sum = 0;

    for (size_t j = 0; j < N; j++)
        sum += fabsl(dy[j]);
    return 2 * FLT_MIN * sum + FLT_TRUE_MIN;
}

static void check_row(grad_activation_kind kind, size_t N, const float *z, const float *dy,
                      const float *y, const float *dz)
{
    static long double expected[N_MAX];
    const char *name = grad_activation_info_of(kind)->name;
    size_t step = N > 128 ? 7 : 1; /* the twin takes N steps for each */
    long double floor = floor_of(N, dy);

    twin_softmax(kind == GRAD_SOFTMIN ? -1 : 1, N, z, expected);
    for (size_t i = 0; i < N; i += step) {
        long double magnitude, delta = twin_row_delta(kind, N, expected, dy, i, &magnitude);
        long double value = twin_value(kind, N, z, expected, i);

        /* Asked this way round a NaN is a failure. */
        if (!(fabsl(y[i] - value) <= TOLERANCE_SOFTMAX_VALUE * fabsl(value) + FLT_MIN) &&
            !(isinf(y[i]) && value < -0x1.ffffffp127L))
            fail_msg("%s y[%zu] of %zu: found %a, expected %La", name, i, N, (double)y[i], value);
        if (!(fabsl(dz[i] - delta) <= TOLERANCE_SOFTMAX * magnitude + floor) &&
            !(isinf(dz[i]) && fabsl(delta) > 0x1.ffffffp127L))
            fail_msg("%s dz[%zu] of %zu: found %a, expected %La", name, i, N, (double)dz[i], delta);
    }
}

static void check_matrix(size_t B, size_t N, const float *z, const float *dy)
{
    static float y[2 * N_MAX], dz[2 * N_MAX];

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (grad_path path = 0; path < GRAD_PATH_COUNT; path++) {
            const grad_loops *loops = grad_activation_loops(kinds[k]);

            if (!grad_path_is_supported(path))
                continue;
            loops->forward[path](no_parameters, B, N, z, y);
            loops->backward[path](no_parameters, B, N, z, dy, dz);
            for (size_t b = 0; b < B; b++)
                check_row(kinds[k], N, z + b * N, dy + b * N, y + b * N, dz + b * N);
        }
}

static void random_rows_are_right(void **state)
{
    static const size_t sizes[] = {1,  2,   3,   7,    10,   15,   16,   17,
                                   64, 127, 512, 1024, 1039, 1040, N_MAX};
    static float z[2 * N_MAX], dy[2 * N_MAX];
    random_state random = {21};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (float size = 1e-3f; size < 1e6f; size *= 30) {
            random_fill(&random, 2 * sizes[i], size, z);
            random_fill(&random, 2 * sizes[i], 1, dy);
            check_matrix(2, sizes[i], z, dy);
        }
}

/* Where the difference to the largest is exact, where it is not, and in between. */
static void rows_far_from_0_are_right(void **state)
{
    static const float tops[] = {-5000, -344, -256.01f, -256, -255.99f, -130, -60,
                                 60,    130,  255.99f,  256,  256.01f,  344,  5000};
    enum { N = 67 };
    float z[N], dy[N];
    random_state random = {24};

    (void)state;
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        random_fill(&random, N, 45, z);
        random_fill(&random, N, 1, dy);
        for (size_t j = 0; j < N; j++)
            z[j] = tops[i] - fabsf(z[j]);
        z[random_below(&random, N)] = tops[i];
        check_matrix(1, N, z, dy);
    }
}

/* The results may be written over what they are made of. */
static void rows_are_worked_out_in_place(void **state)
{
    static const size_t sizes[] = {3, 16, 23, 250, 1050};
    static float z[N_MAX], dy[N_MAX], y[N_MAX], dz[N_MAX], in_place[N_MAX];
    random_state random = {25};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            const grad_activation f = {kinds[k], {0}};
            size_t N = sizes[i], bytes = 2 * N * sizeof(float);

            random_fill(&random, 2 * N, 3, z);
            random_fill(&random, 2 * N, 1, dy);
            grad_activation_forward(&f, 2, N, z, y);
            grad_activation_backward(&f, 2, N, z, dy, dz);
            memcpy(in_place, dy, bytes);
            grad_activation_backward(&f, 2, N, z, in_place, in_place);
            assert_memory_equal(in_place, dz, bytes);
            grad_activation_forward(&f, 2, N, z, z);
            assert_memory_equal(z, y, bytes);
        }
}

static void extreme_rows_are_right(void **state)
{
    static const float rows[][4] = {
        {FLT_MAX, -FLT_MAX, 0, 1},
        {FLT_MAX, FLT_MAX, FLT_MAX, FLT_MAX},
        {-FLT_MAX, -FLT_MAX, -FLT_MAX, -1},
        {0, -0.0f, 0, -0.0f},
        {0, -90, -103, -150},
        {1000, 999, 998, -1000},
        {FLT_TRUE_MIN, 0, 1e-40f, -1e-40f},
        {20, -20, -30, -40},
    };
    static const float outer[][4] = {
        {1, 2, 3, 4},           {0, 0, 0, 0},  {1, 1, 1, 1}, {1e30f, -1e30f, 1e38f, 1},
        {1e-40f, 1, 2, 1e-30f}, {-1, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof outer / sizeof *outer; j++)
            check_matrix(1, 4, rows[i], outer[j]);
}

static void the_sum_of_a_row_is_as_it_must_be(void **state)
{
    static float z[N_MAX], dy[N_MAX], y[N_MAX], dz[N_MAX];
    random_state random = {22};
    double sum = 0, delta_sum = 0;

    (void)state;
    random_fill(&random, N_MAX, 30, z);
    random_fill(&random, N_MAX, 1, dy);
    grad_activation_forward(&softmax, 1, N_MAX, z, y);
    grad_activation_backward(&softmax, 1, N_MAX, z, dy, dz);
    for (size_t i = 0; i < N_MAX; i++) {
        sum += y[i];
        delta_sum += dz[i];
    }
    assert_true(fabs(sum - 1) < 2 * UNIT);
    assert_true(fabs(delta_sum) < 4 * UNIT);
}

static void one_feature_has_no_gradient(void **state)
{
    float z = 5, dy = 3, y, dz;

    (void)state;
    grad_activation_forward(&softmax, 1, 1, &z, &y);
    grad_activation_backward(&softmax, 1, 1, &z, &dy, &dz);
    assert_true(y == 1);
    assert_true(dz == 0);
}

static long double loss(size_t N, const float *z, const float *v, double h, const float *dy)
{
    static float moved[N_MAX];
    static long double y[N_MAX];
    long double sum = 0;

    for (size_t i = 0; i < N; i++)
        moved[i] = (float)(z[i] + h * v[i]);
    twin_softmax(1, N, moved, y);
    for (size_t i = 0; i < N; i++)
        sum += y[i] * dy[i];
    return sum;
}

static void central_differences_agree(void **state)
{
    float z[10], v[10], dy[10], dz[10];
    random_state random = {23};

    (void)state;
    for (int round = 0; round < 200; round++) {
        long double difference, product = 0;

        for (size_t i = 0; i < 10; i++) { /* multiples of 2^-9, so that z + h v is exact */
            z[i] = (float)random_below(&random, 2048) / 512;
            v[i] = (float)random_below(&random, 3) - 1;
            dy[i] = (float)random_signed(&random);
        }
        grad_activation_backward(&softmax, 1, 10, z, dy, dz);
        difference = (loss(10, z, v, DIFFERENCE_STEP, dy) - loss(10, z, v, -DIFFERENCE_STEP, dy)) /
                     (2 * DIFFERENCE_STEP);
        for (size_t i = 0; i < 10; i++)
            product += (long double)dz[i] * v[i];
        assert_true(fabsl(difference - product) <= 10 * TOLERANCE_DIFFERENCE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rows_are_right),
        cmocka_unit_test(rows_far_from_0_are_right),
        cmocka_unit_test(rows_are_worked_out_in_place),
        cmocka_unit_test(extreme_rows_are_right),
        cmocka_unit_test(the_sum_of_a_row_is_as_it_must_be),
        cmocka_unit_test(one_feature_has_no_gradient),
        cmocka_unit_test(central_differences_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
