/* Backoff: bounds, jitter, Retry-After, and that threads may share it. */
#include "call.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define DRAWS 2000
#define THREADS 4

static void test_waits_stay_below_their_bound_and_fill_it(void **state)
{
    client_backoff backoff;

    (void)state;
    client_backoff_init(&backoff, 0.1, 5);
    for (unsigned tries = 1; tries < 70; tries++) {
        double bound = fmin(5, 0.1 * pow(2, tries - 1));
        double lowest = bound, highest = 0, sum = 0;
        for (int i = 0; i < DRAWS; i++) {
            double wait = client_backoff_wait(&backoff, tries, 0);
            lowest = fmin(lowest, wait);
            highest = fmax(highest, wait);
            sum += wait;
        }
        assert_true(lowest >= 0 && lowest < 0.05 * bound);
        assert_true(highest < bound && highest > 0.95 * bound);
        /* Uniform: the mean of 2,000 draws is within six standard deviations of the half. */
        assert_true(fabs(sum / DRAWS - bound / 2) < 6 * bound / sqrt(12.0 * DRAWS));
    }
}

static void test_retry_after_comes_on_top(void **state)
{
    client_backoff backoff;

    (void)state;
    client_backoff_init(&backoff, 0.1, 5);
    for (int i = 0; i < DRAWS; i++) {
        double wait = client_backoff_wait(&backoff, 1, 7);
        assert_true(wait >= 7 && wait < 7.1);
    }
}

static void test_two_clients_wait_differently(void **state)
{
    client_backoff a, b;
    int equal = 0;

    (void)state;
    client_backoff_init(&a, 1, 1);
    client_backoff_init(&b, 1, 1);
    for (int i = 0; i < DRAWS; i++)
        equal += client_backoff_wait(&a, 1, 0) == client_backoff_wait(&b, 1, 0);
    assert_true(equal < 3);
}

static void *draw(void *context)
{
    double *sum = calloc(1, sizeof *sum);

    for (int i = 0; sum != NULL && i < DRAWS; i++)
        *sum += client_backoff_wait(context, 1, 0);
    return sum;
}

static void test_threads_share_one_state(void **state)
{
    client_backoff backoff;
    pthread_t threads[THREADS];
    double sums[THREADS];

    (void)state;
    client_backoff_init(&backoff, 1, 1);
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, draw, &backoff), 0);
    for (int t = 0; t < THREADS; t++) {
        void *sum = NULL;
        pthread_join(threads[t], &sum);
        assert_non_null(sum);
        sums[t] = *(double *)sum;
        free(sum);
    }
    for (int t = 1; t < THREADS; t++)
        assert_true(sums[t] != sums[0]);
}

static void test_sleep_lasts_as_long_as_it_says(void **state)
{
    double begin = client_clock();

    (void)state;
    client_sleep(0.05);
    assert_true(client_clock() - begin >= 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_stay_below_their_bound_and_fill_it),
        cmocka_unit_test(test_retry_after_comes_on_top),
        cmocka_unit_test(test_two_clients_wait_differently),
        cmocka_unit_test(test_threads_share_one_state),
        cmocka_unit_test(test_sleep_lasts_as_long_as_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
