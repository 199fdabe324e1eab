/* Tests of the dense layer's products in either datatype, the matrix product beneath them, and the
 * search for numbers that are not finite: against naive sums in long double, at odd sizes and on
 * blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"
#include "gradient.h"
#include "kernels/dense.h"
#include "kernels/finite.h"
#include "kernels/gemm.h"
#include "support/random.h"
#include "support/reals.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define MOST (80 * 80)

/* Room for numbers of either datatype. */
typedef union numbers {
    float narrow[MOST];
    double wide[MOST];
} numbers;

static numbers A, B, C, D;

static size_t bytes_of(grad_datatype type, size_t count)
{
    return count * (type == GRAD_FP64 ? sizeof(double) : sizeof(float));
}

static void check(grad_datatype type, const void *found, size_t i, long double expected,
                  long double tolerance)
{
    reals_check(type, "element", i, grad_real_at(type, found, i), expected, tolerance);
}

/* What is not written shows. */
static void fill_with_nan(grad_datatype type, numbers *x)
{
    for (size_t i = 0; i < MOST; i++)
        grad_real_put(type, x, i, (double)NAN);
}

/* ---- The matrix product ---------------------------------------------------------------------- */

/* One product, of each of the four transpositions, into rows that lie apart. */
static void check_product(grad_datatype type, size_t rows, size_t cols, size_t depth, bool ta,
                          bool tb)
{
    grad_factor a = {&A, ta ? rows : depth, ta}, b = {&B, tb ? depth : cols, tb};
    size_t stride = cols + 3;

    fill_with_nan(type, &C);
    grad_gemm(type, rows, cols, depth, a, b, &C, stride);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            long double magnitude;
            long double expected = twin_product(
                type, depth, grad_real_offset_const(type, &A, ta ? i : i * depth), ta ? rows : 1,
                grad_real_offset_const(type, &B, tb ? j * depth : j), tb ? 1 : cols, &magnitude);

            check(type, &C, i * stride + j, expected,
                  TOLERANCE_PRODUCT_OF(type, depth) * magnitude);
        }
    for (size_t i = 0; i + 1 < rows; i++)
        for (size_t gap = cols; gap < stride; gap++)
            assert_true(isnan(grad_real_at(type, &C, i * stride + gap)));
}

static void check_products(grad_datatype type)
{
    static const size_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 67};
    random_state random = {31};

    reals_fill(&random, type, MOST, 1, &A);
    reals_fill(&random, type, MOST, 1, &B);
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 8; j++)
            for (size_t k = 0; k < 8; k++)
                for (int t = 0; t < 4; t++)
                    check_product(type, sizes[i], sizes[j], sizes[k], t & 1, t & 2);
}

static void products_are_right(void **state)
{
    (void)state;
    check_products(GRAD_FP32);
    check_products(GRAD_FP64);
}

/* ---- Forward --------------------------------------------------------------------------------- */

static void the_forward_product_adds_the_bias(void **state)
{
    const size_t samples = 13, K = 29, N = 37;
    float bias[37];
    random_state random = {32};

    (void)state;
    random_fill(&random, samples * K, 1, A.narrow);
    random_fill(&random, N * K, 1, B.narrow);
    random_fill(&random, N, 1, bias);
    grad_dense_forward(samples, K, N, A.narrow, B.narrow, bias, C.narrow);
    grad_dense_forward(samples, K, N, A.narrow, B.narrow, NULL, D.narrow);
    for (size_t i = 0; i < samples * N; i++) {
        long double magnitude;
        long double z = twin_product(GRAD_FP32, K, A.narrow + i / N * K, 1, B.narrow + i % N * K, 1,
                                     &magnitude);

        check(GRAD_FP32, &D, i, z, TOLERANCE_PRODUCT(K) * magnitude);
        check(GRAD_FP32, &C, i, z + bias[i % N], TOLERANCE_PRODUCT(K) * (magnitude + 1));
    }
}

static void check_pre_activation(grad_datatype type, bool has_bias)
{
    const size_t samples = 19, K = 41, N = 23;
    const grad_block block = {3, 12, 5, 17};
    void *bias;
    random_state random = {35};

    reals_fill(&random, type, MOST, 1, &A); /* x */
    reals_fill(&random, type, MOST, 1, &B); /* W */
    bias = reals_random(&random, type, N, 1);
    fill_with_nan(type, &C);
    grad_dense_pre_activation(type, K, N, &A, &B, has_bias ? bias : NULL, block, &C);
    for (size_t i = 0; i < samples * N; i++) {
        size_t b = i / N, n = i % N;
        long double magnitude, z;

        if (b < 3 || b >= 15 || n < 5 || n >= 22) {
            assert_true(isnan(grad_real_at(type, &C, i)));
            continue;
        }
        z = twin_product(type, K, grad_real_offset_const(type, &A, b * K), 1,
                         grad_real_offset_const(type, &B, n * K), 1, &magnitude);
        z += has_bias ? (long double)grad_real_at(type, bias, n) : 0;
        check(type, &C, i, z, TOLERANCE_PRODUCT_OF(type, K) * (magnitude + 1));
    }
    free(bias);
}

static void the_pre_activation_is_right_on_blocks(void **state)
{
    (void)state;
    for (int has_bias = 0; has_bias < 2; has_bias++) {
        check_pre_activation(GRAD_FP32, has_bias);
        check_pre_activation(GRAD_FP64, has_bias);
    }
}

/* ---- Backward -------------------------------------------------------------------------------- */

static void check_backward_products(grad_datatype type)
{
    const size_t samples = 19, K = 41, N = 23;
    const double factor = -0.01 / 3;
    const grad_block block = {5, 11, 7, 30};
    random_state random = {33};
    long double magnitude;

    reals_fill(&random, type, MOST, 1, &A); /* δ */
    reals_fill(&random, type, MOST, 1, &B); /* x, then W */
    memset(&C, 0, sizeof C);
    grad_dense_weight_delta(type, samples, K, N, &A, &B, factor, block, &C);
    for (size_t i = 0; i < N * K; i++) {
        size_t n = i / K, k = i % K;
        bool inside = n >= 5 && n < 16 && k >= 7 && k < 37;
        long double expected = twin_product(type, samples, grad_real_offset_const(type, &A, n), N,
                                            grad_real_offset_const(type, &B, k), K, &magnitude);

        if (inside)
            check(type, &C, i, factor * expected,
                  -factor * magnitude * TOLERANCE_PRODUCT_OF(type, samples));
        else
            assert_true(grad_real_at(type, &C, i) == 0);
    }
    memset(&C, 0, sizeof C);
    grad_dense_grad_input(type, K, N, &A, &B, block, &C);
    for (size_t i = 0; i < samples * K; i++) {
        size_t b = i / K, k = i % K;
        bool inside = b >= 5 && b < 16 && k >= 7 && k < 37;
        long double expected = twin_product(type, N, grad_real_offset_const(type, &A, b * N), 1,
                                            grad_real_offset_const(type, &B, k), K, &magnitude);

        if (inside)
            check(type, &C, i, expected, magnitude * TOLERANCE_PRODUCT_OF(type, N));
        else
            assert_true(grad_real_at(type, &C, i) == 0);
    }
}

static void the_backward_products_are_right_on_blocks(void **state)
{
    (void)state;
    check_backward_products(GRAD_FP32);
    check_backward_products(GRAD_FP64);
}

/* Whole numbers, whose sums are exact in any order and by any path: then every cut of each product
 * gives the same bits. */
static void check_cut(grad_datatype type, size_t rows, size_t cols, numbers *whole, numbers *parts)
{
    const size_t samples = 29, K = 37, N = 31; /* of z; of ΔW and ∂L/∂x too */
    const size_t high[] = {samples, N, samples}, wide[] = {N, K, K};

    for (size_t product = 0; product < 3; product++) {
        memset(parts, 0xff, sizeof *parts);
        for (size_t row = 0; row < high[product]; row += rows)
            for (size_t col = 0; col < wide[product]; col += cols) {
                grad_block block = {row, rows, col, cols};

                block.rows = row + rows < high[product] ? rows : high[product] - row;
                block.cols = col + cols < wide[product] ? cols : wide[product] - col;
                if (product == 0)
                    grad_dense_pre_activation(type, K, N, &A, &B, &B, block, parts);
                else if (product == 1)
                    grad_dense_weight_delta(type, samples, K, N, &A, &B, -0.3, block, parts);
                else
                    grad_dense_grad_input(type, K, N, &A, &B, block, parts);
            }
        if (rows >= MOST)
            memcpy(&whole[product], parts, sizeof *parts);
        assert_memory_equal(parts, &whole[product], sizeof *parts);
    }
}

static void products_in_any_cut_give_the_same_bits(void **state)
{
    static const size_t cuts[][2] = {{MOST, MOST}, {1, 1}, {1, MOST}, {MOST, 1}, {3, 5}, {16, 16}};
    static numbers whole[3];
    random_state random = {36};

    (void)state;
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++) {
        for (size_t i = 0; i < MOST; i++) {
            grad_real_put((grad_datatype)type, &A, i, (double)random_below(&random, 17) - 8);
            grad_real_put((grad_datatype)type, &B, i, (double)random_below(&random, 17) - 8);
        }
        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
            check_cut((grad_datatype)type, cuts[i][0], cuts[i][1], whole, &C);
    }
}

static void check_column_sums(grad_datatype type)
{
    const size_t samples = 31, N = 200;
    const double one = 1;
    const float narrow_one = 1;
    random_state random = {34};
    long double magnitude;

    reals_fill(&random, type, samples * N, 1e6, &A);
    grad_dense_bias_delta(type, samples, N, &A, 0.3, 0, N, &C);
    for (size_t n = 0; n < N; n += 7)
        grad_dense_bias_delta(type, samples, N, &A, 0.3, n, n + 7 < N ? n + 7 : N, &D);
    assert_memory_equal(&C, &D, bytes_of(type, N));
    for (size_t n = 0; n < N; n++) {
        long double expected =
            twin_product(type, samples, grad_real_offset_const(type, &A, n), N,
                         type == GRAD_FP64 ? (const void *)&one : &narrow_one, 0, &magnitude);

        check(type, &C, n, 0.3 * expected, TOLERANCE_SUM_OF(type, samples) * 0.3 * magnitude);
    }
}

static void column_sums_are_right_and_do_not_depend_on_the_range(void **state)
{
    (void)state;
    check_column_sums(GRAD_FP32);
    check_column_sums(GRAD_FP64);
}

/* Sums that are zero in double but not in float: the small terms must not be lost. */
static void column_sums_keep_small_terms(void **state)
{
    float dz[4] = {1e8f, 1, -1e8f, 1}, db;

    (void)state;
    grad_dense_bias_delta(GRAD_FP32, 4, 1, dz, 1, 0, 1, &db);
    assert_true(db == 2);
}

/* Compared to the bit: a product of floats is exact in double, so there is one rounding of factor
 * times it at most, and the final one. */
static void check_sample_deltas(grad_datatype type, double factor)
{
    const size_t samples = 5, K = 17, N = 11, count = samples * K * N;
    random_state random = {37};

    reals_fill(&random, type, MOST, 3, &A); /* δ */
    reals_fill(&random, type, MOST, 3, &B); /* x */
    fill_with_nan(type, &C);
    fill_with_nan(type, &D);
    grad_dense_sample_deltas(type, K, N, &A, &B, factor, 0, samples, &C);
    for (size_t b = 0; b < samples; b += 2)
        grad_dense_sample_deltas(type, K, N, &A, &B, factor, b, b + 2 < samples ? 2 : 1, &D);
    assert_memory_equal(&C, &D, bytes_of(type, MOST));
    for (size_t i = 0; i < count; i++) {
        long double expected = (long double)factor * grad_real_at(type, &A, i / K) *
                               grad_real_at(type, &B, i / (N * K) * K + i % K);

        check(type, &C, i, expected, (UNIT_OF(type) + 2 * UNIT_64) * fabsl(expected));
    }
    assert_true(isnan(grad_real_at(type, &C, count)));
}

static void deltas_of_samples_are_outer_products(void **state)
{
    (void)state;
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++) {
        check_sample_deltas((grad_datatype)type, 1);
        check_sample_deltas((grad_datatype)type, -0.3);
    }
}

/* ---- The ground ------------------------------------------------------------------------------ */

static void check_search(grad_datatype type)
{
    static const double bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    const double most = type == GRAD_FP64 ? DBL_MAX : (double)FLT_MAX;
    const size_t count = 3000;

    for (size_t i = 0; i < count; i++)
        grad_real_put(type, &A, i, i % 2 ? most : -most);
    assert_int_equal(grad_find_non_finite(type, count, &A), count);
    assert_int_equal(grad_find_non_finite(type, 0, &A), 0);
    for (size_t i = 0; i < count; i += 61) {
        double kept = grad_real_at(type, &A, i);

        grad_real_put(type, &A, count - 1, (double)NAN);
        grad_real_put(type, &A, i, bad[i % 4]);
        assert_int_equal(grad_find_non_finite(type, count, &A), i);
        grad_real_put(type, &A, i, kept);
        assert_int_equal(grad_find_non_finite(type, count, &A), count - 1);
    }
    for (size_t n = 1; n < 70; n++) { /* rows of tiles are short; what lies behind is not theirs */
        double kept = grad_real_at(type, &A, n);

        grad_real_put(type, &A, n, (double)NAN);
        assert_int_equal(grad_find_non_finite(type, n, &A), n);
        assert_int_equal(grad_find_non_finite(type, n + 1, &A), n);
        grad_real_put(type, &A, n, kept);
    }
}

static void non_finite_numbers_are_found(void **state)
{
    (void)state;
    check_search(GRAD_FP32);
    check_search(GRAD_FP64);
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
        cmocka_unit_test(the_pre_activation_is_right_on_blocks),
        cmocka_unit_test(the_backward_products_are_right_on_blocks),
        cmocka_unit_test(products_in_any_cut_give_the_same_bits),
        cmocka_unit_test(column_sums_are_right_and_do_not_depend_on_the_range),
        cmocka_unit_test(column_sums_keep_small_terms),
        cmocka_unit_test(deltas_of_samples_are_outer_products),
        cmocka_unit_test(non_finite_numbers_are_found),
        cmocka_unit_test(the_ground_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
