/* The memory budget: what it grants, refuses and remembers, alone and between threads. */
#include "work/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_reserve_up_to_the_total(void **state)
{
    (void)state;
    budget b;
    budget_init(&b, 100);
    reservation one = {.budget = &b}, other = {.budget = &b};
    assert_true(reservation_resize(&one, 60));
    assert_false(reservation_resize(&other, 41));
    assert_int_equal(b.in_use, 60);
    assert_true(reservation_resize(&other, 40));
    assert_false(reservation_resize(&other, 41));
    assert_int_equal(other.bytes, 40);
    reservation_release(&one);
    assert_int_equal(b.in_use, 40);
    reservation_release(&other);
    assert_int_equal(b.in_use, 0);
    assert_int_equal(budget_take_peak(&b), 100);
    assert_int_equal(budget_take_peak(&b), 0);
}

static void test_sizes_near_the_limit_of_size_t(void **state)
{
    (void)state;
    budget b;
    budget_init(&b, 100);
    reservation one = {.budget = &b}, other = {.budget = &b};
    assert_true(reservation_resize(&one, 1));
    assert_false(reservation_resize(&one, SIZE_MAX));
    assert_false(reservation_resize(&other, SIZE_MAX));
    assert_int_equal(b.in_use, 1);
    budget_init(&b, SIZE_MAX);
    one.bytes = 0;
    assert_true(reservation_resize(&one, SIZE_MAX));
    assert_false(reservation_resize(&other, 1));
}

static void test_resize(void **state)
{
    (void)state;
    budget b;
    budget_init(&b, 100);
    reservation one = {.budget = &b};
    assert_true(reservation_resize(&one, 80));
    assert_int_equal(one.bytes, 80);
    assert_false(reservation_resize(&one, 101));
    assert_int_equal(one.bytes, 80);
    assert_int_equal(b.in_use, 80);
    assert_true(reservation_resize(&one, 30));
    assert_int_equal(one.bytes, 30);
    assert_int_equal(b.in_use, 30);
    assert_true(reservation_resize(&one, 0));
    assert_int_equal(b.in_use, 0);
    assert_int_equal(budget_take_peak(&b), 80);
}

enum { THREADS = 4, ROUNDS = 20000, TOTAL = 10 };

static void *reserve_and_release(void *context)
{
    budget *b = context;
    reservation own = {.budget = b};
    for (size_t i = 0; i < ROUNDS; i++) {
        reservation_resize(&own, i % 7);
        if (b->in_use > TOTAL)
            return b;
    }
    reservation_release(&own);
    return NULL;
}

static void test_threads_never_exceed_the_total(void **state)
{
    (void)state;
    budget b;
    pthread_t threads[THREADS];
    budget_init(&b, TOTAL);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reserve_and_release, &b), 0);
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
        cmocka_unit_test(test_reserve_up_to_the_total),
        cmocka_unit_test(test_sizes_near_the_limit_of_size_t),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_threads_never_exceed_the_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
