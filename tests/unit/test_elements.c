/* Tests of the loops over elements, both datatypes: masks, sums, clipping, scaling, decay,
 * statistics. The results are those of one rounding, so they are compared to the bit. */
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
#include "kernels/elements.h"
#include "support/reals.h"
#include "support/tolerances.h"

#define COUNT 1031 /* a prime: no multiple of any vector's length */

static random_state generator = {81};

static double at(grad_datatype type, const void *x, size_t i)
{
    return grad_real_at(type, x, i);
}

/* What a double is in the datatype. */
static double rounded(grad_datatype type, double value)
{
    return type == GRAD_FP64 ? value : (double)(float)value;
}

static void masks_keep_or_drop(grad_datatype type)
{
    void *x = reals_random(&generator, type, COUNT, 5), *mask = reals_new(type, COUNT);
    void *y = reals_new(type, COUNT);
    const double factor = 1 / (1 - 0.3);

    for (size_t i = 0; i < COUNT; i++)
        grad_real_put(type, mask, i, (double)random_below(&generator, 2));
    grad_elements_mask(type, COUNT, mask, factor, x, y);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(
            at(type, y, i) ==
            (at(type, mask, i) == 0 ? 0 : rounded(type, rounded(type, factor) * at(type, x, i))));
    grad_elements_mask(type, COUNT, mask, factor, x, x);
    assert_memory_equal(x, y, COUNT * (type == GRAD_FP64 ? 8 : 4));
    free(x);
    free(mask);
    free(y);
}

static void sums_are_element_by_element(grad_datatype type)
{
    void *x = reals_random(&generator, type, COUNT, 5);
    void *sum = reals_random(&generator, type, COUNT, 5), *before = reals_new(type, COUNT);

    memcpy(before, sum, COUNT * (type == GRAD_FP64 ? 8 : 4));
    grad_elements_add(type, COUNT, x, sum);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(at(type, sum, i) == rounded(type, at(type, before, i) + at(type, x, i)));
    free(x);
    free(sum);
    free(before);
}

static void clipping_holds_and_counts(grad_datatype type)
{
    const double limit = rounded(type, 0.7);
    const double edges[] = {limit, -limit, INFINITY, -INFINITY, NAN, 0, -0.0, 0.8, -0.8};
    void *x = reals_random(&generator, type, COUNT, 1), *before = reals_new(type, COUNT);
    size_t beyond = 0;

    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        grad_real_put(type, x, 100 + i, edges[i]);
    memcpy(before, x, COUNT * (type == GRAD_FP64 ? 8 : 4));
    for (size_t i = 0; i < COUNT; i++)
        beyond += fabs(at(type, x, i)) > limit;
    assert_int_equal(grad_elements_clip(type, COUNT, 0.7, x), beyond);
    for (size_t i = 0; i < COUNT; i++) {
        double was = at(type, before, i), is = at(type, x, i);

        if (isnan(was))
            assert_true(isnan(is));
        else
            assert_true(is == (was > limit ? limit : was < -limit ? -limit : was));
    }
    assert_int_equal(grad_elements_clip(type, COUNT, 0.7, x), 0);
    free(x);
    free(before);
}

static void scaling_rounds_once(grad_datatype type)
{
    void *x = reals_random(&generator, type, COUNT, 5), *before = reals_new(type, COUNT);

    memcpy(before, x, COUNT * (type == GRAD_FP64 ? 8 : 4));
    grad_elements_scale(type, COUNT, 1, x);
    assert_memory_equal(x, before, COUNT * (type == GRAD_FP64 ? 8 : 4));
    grad_elements_scale(type, COUNT, -0.1, x);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(at(type, x, i) == rounded(type, -0.1 * at(type, before, i)));
    free(x);
    free(before);
}

static void decay_has_its_two_terms(grad_datatype type)
{
    const grad_decay decays[] = {{0.3, 0.07}, {0.3, 0}, {0, 0.07}, {0, 0}};
    void *W = reals_random(&generator, type, COUNT, 5), *before, *dW;

    grad_real_put(type, W, 3, 0);
    grad_real_put(type, W, 4, -0.0);
    for (size_t d = 0; d < 4; d++) {
        random_state same = {82};

        before = reals_random(&same, type, COUNT, 1);
        same.state = 82;
        dW = reals_random(&same, type, COUNT, 1);
        grad_elements_decay(type, COUNT, 0.9, decays[d], -2.5, W, dW);
        for (size_t i = 0; i < COUNT; i++) {
            long double w = at(type, W, i), sign = w > 0 ? 1 : w < 0 ? -1 : 0;
            long double plain = 0.9L * at(type, before, i);
            long double sum = plain + decays[d].l1 * sign + decays[d].l2 * w;
            long double size = fabsl(plain) + decays[d].l1 + fabsl(decays[d].l2 * w);

            /* in double: a rounding for each product and sum; then that of the datatype */
            reals_check(type, "dW", i, at(type, dW, i), -2.5L * sum,
                        UNIT_OF(type) * fabsl(2.5L * sum) + 6 * UNIT_64 * 2.5L * size);
        }
        free(before);
        free(dW);
    }
    free(W);
}

/* Only L1: a weight that is infinite has a sign, and no product with 0. */
static void decay_of_infinite_weights(grad_datatype type)
{
    void *W = reals_new(type, 1), *dW = reals_new(type, 1);

    grad_real_put(type, W, 0, -INFINITY);
    grad_elements_decay(type, 1, 1, (grad_decay){.l1 = 0.25}, 1, W, dW);
    assert_true(at(type, dW, 0) == -0.25);
    free(W);
    free(dW);
}

static void check_statistics(grad_datatype type, size_t count, double size)
{
    void *x = reals_random(&generator, type, count, size);
    grad_statistics s = grad_elements_statistics(type, count, x);
    long double squares = 0, largest = 0;

    for (size_t i = 0; i < count; i++) {
        long double value = at(type, x, i);

        squares += value * value;
        largest = fmaxl(largest, fabsl(value));
    }
    assert_true(s.max_abs == (double)largest);
    assert_int_equal(s.non_finite, 0);
    /* sums of squares in double: at most count units, half of them after the root */
    reals_check(GRAD_FP64, "norm", count, s.l2_norm, sqrtl(squares),
                ((long double)count / 2 + 3) * UNIT_64 * sqrtl(squares));
    free(x);
}

static void statistics_are_right_at_any_scale(grad_datatype type)
{
    static const size_t counts[] = {0, 1, 3, 7, 8, 9, 64, 1031};
    const double most = type == GRAD_FP64 ? 1e307 : 1e38;

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (double size = most; size > 0; size *= 1e-13)
            check_statistics(type, counts[i], rounded(type, size));
}

static void statistics_count_what_is_not_finite(grad_datatype type)
{
    void *x = reals_random(&generator, type, COUNT, 1);
    grad_statistics s;

    grad_real_put(type, x, 5, INFINITY);
    grad_real_put(type, x, COUNT - 1, -INFINITY);
    s = grad_elements_statistics(type, COUNT, x);
    assert_int_equal(s.non_finite, 2);
    assert_true(isinf(s.l2_norm) && isinf(s.max_abs));
    for (size_t i = 0; i < COUNT; i += COUNT - 7) { /* in a lane, in the rest */
        grad_real_put(type, x, i, NAN);
        s = grad_elements_statistics(type, COUNT, x);
        assert_true(isnan(s.l2_norm) && isnan(s.max_abs));
    }
    assert_int_equal(s.non_finite, 4);
    free(x);
}

static void statistics_add_up(void **state)
{
    grad_statistics total = {3, 2, 1}, more = {4, 3.5, 2}, none = {0};

    (void)state;
    grad_statistics_add(&total, &more);
    assert_true(total.l2_norm == 5 && total.max_abs == 3.5 && total.non_finite == 3);
    grad_statistics_add(&total, &none);
    assert_true(total.l2_norm == 5 && total.max_abs == 3.5 && total.non_finite == 3);
    more = (grad_statistics){INFINITY, INFINITY, 1};
    grad_statistics_add(&total, &more);
    assert_true(isinf(total.l2_norm) && isinf(total.max_abs) && total.non_finite == 4);
    more = (grad_statistics){(double)NAN, (double)NAN, 1};
    grad_statistics_add(&total, &more);
    assert_true(isnan(total.l2_norm) && isnan(total.max_abs) && total.non_finite == 5);
    grad_statistics_add(&total, &none);
    assert_true(isnan(total.l2_norm) && isnan(total.max_abs));
}

/* Each of the above, for float and for double. */
#define OF_BOTH(name)                                                                              \
    static void name##_of_both(void **state)                                                       \
    {                                                                                              \
        (void)state;                                                                               \
        name(GRAD_FP32);                                                                           \
        name(GRAD_FP64);                                                                           \
    }

OF_BOTH(masks_keep_or_drop)
OF_BOTH(sums_are_element_by_element)
OF_BOTH(clipping_holds_and_counts)
OF_BOTH(scaling_rounds_once)
OF_BOTH(decay_has_its_two_terms)
OF_BOTH(decay_of_infinite_weights)
OF_BOTH(statistics_are_right_at_any_scale)
OF_BOTH(statistics_count_what_is_not_finite)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_keep_or_drop_of_both),
        cmocka_unit_test(sums_are_element_by_element_of_both),
        cmocka_unit_test(clipping_holds_and_counts_of_both),
        cmocka_unit_test(scaling_rounds_once_of_both),
        cmocka_unit_test(decay_has_its_two_terms_of_both),
        cmocka_unit_test(decay_of_infinite_weights_of_both),
        cmocka_unit_test(statistics_are_right_at_any_scale_of_both),
        cmocka_unit_test(statistics_count_what_is_not_finite_of_both),
        cmocka_unit_test(statistics_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
