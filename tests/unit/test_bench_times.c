/* The histogram of bench: what it says of times against the times themselves, sorted. */
#include "cli/bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 20000

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* From microseconds to minutes, as many of each size. */
static double random_time(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1;
    return 1e-6 * exp((double)(*state >> 40) * 0x1p-24 * 18);
}

static void assert_close(double found, double expected)
{
    assert_true(found >= expected - 1e-6);
    assert_true(found <= expected * (1 + 1.0 / 1024) + 1e-6);
}

static void test_percentiles(void **state)
{
    static const double shares[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    double *times = malloc(COUNT * sizeof *times);
    bench_times *found = bench_times_create();
    uint64_t random = 3;
    double sum = 0;

    (void)state;
    assert_non_null(times);
    assert_non_null(found);
    for (size_t i = 0; i < COUNT; i++) {
        times[i] = random_time(&random);
        bench_times_add(found, times[i]);
        sum += times[i];
    }
    qsort(times, COUNT, sizeof *times, by_size);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double rank = ceil(shares[i] * COUNT);
        assert_close(bench_times_percentile(found, shares[i]), times[rank < 1 ? 0 : (int)rank - 1]);
    }
    assert_int_equal(bench_times_count(found), COUNT);
    assert_true(fabs(bench_times_max(found) - times[COUNT - 1]) < 2e-6);
    assert_true(fabs(bench_times_mean(found) - sum / COUNT) < 1e-3 * sum / COUNT);
    bench_times_destroy(found);
    free(times);
}

/* Each bucket's first and last time, and what is no time at all. */
static void test_edges(void **state)
{
    static const double microseconds[] = {0,    1,    1023, 1024, 2047,  2048,
                                          2049, 4095, 4096, 1e6,  3.6e9, 3.6e9 - 1};

    (void)state;
    for (size_t i = 0; i < sizeof microseconds / sizeof *microseconds; i++) {
        bench_times *times = bench_times_create();
        assert_non_null(times);
        bench_times_add(times, (microseconds[i] + 0.5) * 1e-6);
        assert_close(bench_times_percentile(times, 0.5), microseconds[i] * 1e-6);
        bench_times_destroy(times);
    }
}

static void test_longer_than_an_hour_and_before_the_plan(void **state)
{
    bench_times *times = bench_times_create();

    (void)state;
    assert_non_null(times);
    assert_true(isnan(bench_times_percentile(times, 0.5)));
    assert_true(isnan(bench_times_max(times)));
    bench_times_add(times, -1);
    assert_true(bench_times_max(times) == 0);
    bench_times_add(times, 1e9);
    assert_true(bench_times_max(times) == 3600);
    assert_true(bench_times_percentile(times, 1) == 3600);
    bench_times_destroy(times);
}

static void test_merging(void **state)
{
    bench_times *a = bench_times_create(), *b = bench_times_create();

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    bench_times_add(a, 1);
    bench_times_add(b, 3);
    bench_times_add(b, 2);
    bench_times_merge(a, b);
    assert_int_equal(bench_times_count(a), 3);
    assert_true(bench_times_max(a) == 3);
    assert_true(fabs(bench_times_mean(a) - 2) < 1e-6);
    assert_close(bench_times_percentile(a, 0.5), 2);
    bench_times_destroy(a);
    bench_times_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_longer_than_an_hour_and_before_the_plan),
        cmocka_unit_test(test_merging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
