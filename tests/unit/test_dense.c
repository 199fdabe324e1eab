/* Tests of the dense layer's products, the matrix product beneath them, and the search for numbers
 * that are not finite: against naive sums in double, at odd sizes and on blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradient.h"
#include "kernels/dense.h"
#include "kernels/finite.h"
#include "kernels/gemm.h"
#include "support/random.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define MOST (80 * 80)

static float A[MOST], B[MOST], C[MOST], D[MOST];
static double wide[MOST];

static void widen(size_t count, const float *x)
{
    for (size_t i = 0; i < count; i++)
        wide[i] = x[i];
}

static void check(double found, double expected, double magnitude, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * magnitude + FLT_TRUE_MIN))
        fail_msg("found %a, expected %a within %a", found, expected, tolerance * magnitude);
}

/* One product, of each of the four transpositions, into rows that lie apart. */
static void check_product(size_t rows, size_t cols, size_t depth, bool ta, bool tb)
{
    grad_factor a = {A, ta ? rows : depth, ta}, b = {B, tb ? depth : cols, tb};
    size_t stride = cols + 3;

    for (size_t i = 0; i < MOST; i++)
        C[i] = NAN; /* what C held is not read */
    grad_gemm(rows, cols, depth, a, b, C, stride);
    widen(rows * depth, A);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            double magnitude;
            double expected = twin_dot(depth, wide + (ta ? i : i * depth), ta ? rows : 1,
                                       B + (tb ? j * depth : j), tb ? 1 : cols, &magnitude);

            check(C[i * stride + j], expected, magnitude, TOLERANCE_PRODUCT(depth));
        }
    for (size_t i = 0; i + 1 < rows; i++)
        for (size_t gap = cols; gap < stride; gap++)
            assert_true(isnan(C[i * stride + gap]));
}

static void products_are_right(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 67};
    random_state random = {31};

    (void)state;
    random_fill(&random, MOST, 1, A);
    random_fill(&random, MOST, 1, B);
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 8; j++)
            for (size_t k = 0; k < 8; k++)
                for (int t = 0; t < 4; t++)
                    check_product(sizes[i], sizes[j], sizes[k], t & 1, t & 2);
}

static void the_forward_product_adds_the_bias(void **state)
{
    const size_t samples = 13, K = 29, N = 37;
    float bias[37];
    random_state random = {32};

    (void)state;
    random_fill(&random, samples * K, 1, A);
    random_fill(&random, N * K, 1, B);
    random_fill(&random, N, 1, bias);
    grad_dense_forward(samples, K, N, A, B, bias, C);
    grad_dense_forward(samples, K, N, A, B, NULL, D);
    widen(samples * K, A);
    for (size_t i = 0; i < samples * N; i++) {
        double magnitude;
        double z = twin_dot(K, wide + i / N * K, 1, B + i % N * K, 1, &magnitude);

        check(D[i], z, magnitude, TOLERANCE_PRODUCT(K));
        check(C[i], z + bias[i % N], magnitude + 1, TOLERANCE_PRODUCT(K));
    }
}

static void the_backward_products_are_right_on_blocks(void **state)
{
    const size_t samples = 19, K = 41, N = 23;
    const double factor = -0.01 / 3;
    const grad_block block = {5, 11, 7, 30};
    random_state random = {33};
    double magnitude;

    (void)state;
    random_fill(&random, MOST, 1, A); /* δ */
    random_fill(&random, MOST, 1, B); /* x, then W */
    memset(C, 0, sizeof C);
    grad_dense_weight_delta(samples, K, N, A, B, factor, block, C);
    widen(samples * N, A);
    for (size_t i = 0; i < N * K; i++) {
        size_t n = i / K, k = i % K;
        bool inside = n >= 5 && n < 16 && k >= 7 && k < 37;
        double expected = twin_dot(samples, wide + n, N, B + k, K, &magnitude);

        if (inside)
            check(C[i], factor * expected, -factor * magnitude, TOLERANCE_PRODUCT(samples));
        else
            assert_true(C[i] == 0);
    }
    memset(C, 0, sizeof C);
    grad_dense_grad_input(K, N, A, B, block, C);
    for (size_t b = 5; b < 16; b++)
        for (size_t k = 7; k < 37; k++)
            check(C[b * K + k], twin_dot(N, wide + b * N, 1, B + k, K, &magnitude), magnitude,
                  TOLERANCE_PRODUCT(N));
}

static void column_sums_are_right_and_do_not_depend_on_the_range(void **state)
{
    const size_t samples = 31, N = 200;
    const float one = 1;
    random_state random = {34};
    double magnitude;

    (void)state;
    random_fill(&random, samples * N, 1e6f, A);
    grad_dense_bias_delta(samples, N, A, 0.3, 0, N, C);
    for (size_t n = 0; n < N; n += 7)
        grad_dense_bias_delta(samples, N, A, 0.3, n, n + 7 < N ? n + 7 : N, D);
    assert_memory_equal(C, D, N * sizeof *C);
    widen(samples * N, A);
    for (size_t n = 0; n < N; n++) {
        double expected = twin_dot(samples, wide + n, N, &one, 0, &magnitude);

        check(C[n], 0.3 * expected, 0.3 * magnitude, TOLERANCE_SUM);
    }
}

/* Sums that are zero in double but not in float: the small terms must not be lost. */
static void column_sums_keep_small_terms(void **state)
{
    float dz[4] = {1e8f, 1, -1e8f, 1}, db;

    (void)state;
    grad_dense_bias_delta(4, 1, dz, 1, 0, 1, &db);
    assert_true(db == 2);
}

static void non_finite_numbers_are_found(void **state)
{
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    const size_t count = 3000;

    (void)state;
    for (size_t i = 0; i < count; i++)
        A[i] = i % 2 ? FLT_MAX : -FLT_MAX;
    assert_int_equal(grad_find_non_finite(count, A), count);
    assert_int_equal(grad_find_non_finite(0, A), 0);
    for (size_t i = 0; i < count; i += 61) {
        float kept = A[i];

        A[count - 1] = NAN;
        A[i] = bad[i % 4];
        assert_int_equal(grad_find_non_finite(count, A), i);
        A[i] = kept;
        assert_int_equal(grad_find_non_finite(count, A), count - 1);
    }
}

static void the_ground_holds(void **state)
{
    grad_error error = GRAD_ERROR_INIT;

    (void)state;
    assert_true(grad_blas_is_thread_safe());
    assert_int_equal(grad_self_test(&error), GRAD_OK);
    assert_int_equal(error.status, GRAD_OK);
    assert_int_equal(grad_self_test(NULL), GRAD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right),
        cmocka_unit_test(the_forward_product_adds_the_bias),
        cmocka_unit_test(the_backward_products_are_right_on_blocks),
        cmocka_unit_test(column_sums_are_right_and_do_not_depend_on_the_range),
        cmocka_unit_test(column_sums_keep_small_terms),
        cmocka_unit_test(non_finite_numbers_are_found),
        cmocka_unit_test(the_ground_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
