/* The memory budget: what it grants, refuses and remembers, alone and between threads. */
#include "work/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_lease_up_to_the_total(void **state)
{
    (void)state;
    budget b;
    budget_init(&b, 100);
    assert_true(budget_lease(&b, 60));
    assert_false(budget_lease(&b, 41));
    assert_int_equal(b.in_use, 60);
    assert_true(budget_lease(&b, 40));
    assert_false(budget_lease(&b, 1));
    assert_true(budget_lease(&b, 0));
    budget_release(&b, 100);
    assert_int_equal(b.in_use, 0);
    assert_int_equal(budget_take_peak(&b), 100);
    assert_int_equal(budget_take_peak(&b), 0);
}

static void test_sizes_near_the_limit_of_size_t(void **state)
{
    (void)state;
    budget b;
    budget_init(&b, 100);
    assert_true(budget_lease(&b, 1));
    assert_false(budget_lease(&b, SIZE_MAX));
    assert_int_equal(b.in_use, 1);
    budget_init(&b, SIZE_MAX);
    assert_true(budget_lease(&b, SIZE_MAX));
    assert_false(budget_lease(&b, 1));
}

static void test_resize(void **state)
{
    (void)state;
    budget b;
    size_t held = 0;
    budget_init(&b, 100);
    assert_true(budget_resize(&b, &held, 80));
    assert_int_equal(held, 80);
    assert_false(budget_resize(&b, &held, 101));
    assert_int_equal(held, 80);
    assert_int_equal(b.in_use, 80);
    assert_true(budget_resize(&b, &held, 30));
    assert_int_equal(held, 30);
    assert_int_equal(b.in_use, 30);
    assert_true(budget_resize(&b, &held, 0));
    assert_int_equal(b.in_use, 0);
    assert_int_equal(budget_take_peak(&b), 80);
}

enum { THREADS = 4, ROUNDS = 20000, TOTAL = 10 };

static void *lease_and_release(void *context)
{
    budget *b = context;
    size_t held = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        budget_resize(b, &held, i % 7);
        if (b->in_use > TOTAL)
            return b;
    }
    budget_resize(b, &held, 0);
    return NULL;
}

static void test_threads_never_exceed_the_total(void **state)
{
    (void)state;
    budget b;
    pthread_t threads[THREADS];
    budget_init(&b, TOTAL);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, lease_and_release, &b), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failure;
        assert_int_equal(pthread_join(threads[i], &failure), 0);
        assert_null(failure);
    }
    assert_int_equal(b.in_use, 0);
    assert_true(budget_take_peak(&b) <= TOTAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease_up_to_the_total),
        cmocka_unit_test(test_sizes_near_the_limit_of_size_t),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_threads_never_exceed_the_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
