/* Accounts: what their quotas let in at which time, what is said of what is left, and that threads
 * get no more together than one alone. */
#include "access/quota.h"
#include "platform/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECOND ((int64_t)NS_PER_SECOND)
#define START (1000 * SECOND)

static account *make(quotas limits)
{
    account *a = account_create("alice", &limits);

    assert_non_null(a);
    assert_string_equal(account_name(a), "alice");
    return a;
}

/* Enters and leaves at once. */
static bool pass(account *a, uint64_t length, int64_t now, quota_report *report)
{
    bool entered = account_enter(a, length, now, report);

    if (entered)
        account_leave(a, 0, now);
    return entered;
}

static void test_without_quotas(void **state)
{
    account *a = make((quotas){.concurrent = 0});
    quota_report report;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(account_enter(a, UINT64_MAX, START, &report));
    assert_int_equal(report.count, 0);
    for (int i = 0; i < 100; i++)
        account_leave(a, 0, START);
    account_release(a);
}

/* 10 in 5 s: 10 at once, then one each half second. */
static void test_rate(void **state)
{
    account *a = make((quotas){.rate = {10, 5}});
    quota_report report;

    (void)state;
    for (uint64_t left = 10; left-- > 0;) {
        assert_true(pass(a, 0, START, &report));
        assert_int_equal(report.count, 1);
        assert_string_equal(report.views[0].name, "rate");
        assert_null(report.views[0].unit);
        assert_int_equal(report.views[0].amount, 10);
        assert_int_equal(report.views[0].window, 5);
        assert_int_equal(report.views[0].remaining, left);
        assert_null(report.broken);
    }
    assert_false(pass(a, 0, START, &report));
    assert_ptr_equal(report.broken, &report.views[0]);
    assert_int_equal(report.retry_after, 1);
    assert_false(pass(a, 0, START + SECOND / 2 - 1000, &report));
    assert_true(pass(a, 0, START + SECOND / 2, &report));
    assert_false(pass(a, 0, START + SECOND / 2, &report));
    /* whole again after 5 s, and no more than whole after any time */
    for (int i = 0; i < 10; i++)
        assert_true(pass(a, 0, START + 100 * SECOND, &report));
    assert_false(pass(a, 0, START + 100 * SECOND, &report));
    account_release(a);
}

static void test_reset(void **state)
{
    account *a = make((quotas){.rate = {2, 3600}});
    quota_report report;

    (void)state;
    assert_true(pass(a, 0, START, &report));
    assert_int_equal(report.views[0].reset, 1800); /* until it is whole */
    assert_true(pass(a, 0, START, &report));
    assert_int_equal(report.views[0].reset, 1800); /* until there is one */
    assert_false(pass(a, 0, START + 600 * SECOND, &report));
    assert_int_equal(report.views[0].reset, 1200);
    assert_int_equal(report.retry_after, 1200);
    account_release(a);
}

/* A body larger than what is left is let in, and paid for. */
static void test_bytes(void **state)
{
    account *a = make((quotas){.bytes = {100, 10}});
    quota_report report;

    (void)state;
    assert_true(pass(a, 99, START, &report));
    assert_int_equal(report.views[0].remaining, 1);
    assert_string_equal(report.views[0].unit, "content-bytes");
    assert_true(pass(a, 200, START, &report));
    assert_int_equal(report.views[0].remaining, 0);
    assert_false(pass(a, 1, START, &report));
    assert_int_equal(report.retry_after, 20); /* 199 too many, and one that is left */
    assert_false(pass(a, 1, START + 19 * SECOND, &report));
    assert_true(pass(a, 1, START + 20 * SECOND, &report));
    account_release(a);
}

static void test_bytes_that_are_known_at_the_end(void **state)
{
    account *a = make((quotas){.bytes = {100, 10}});
    quota_report report;

    (void)state;
    assert_true(account_enter(a, 0, START, &report));
    assert_int_equal(report.views[0].remaining, 100);
    account_leave(a, 150, START);
    assert_false(pass(a, 1, START, &report));
    assert_int_equal(report.retry_after, 6);
    account_release(a);
}

static void test_concurrent(void **state)
{
    account *a = make((quotas){.concurrent = 2});
    quota_report report;

    (void)state;
    assert_true(account_enter(a, 0, START, &report));
    assert_int_equal(report.views[0].remaining, 1);
    assert_int_equal(report.views[0].window, 0);
    assert_true(account_enter(a, 0, START, &report));
    assert_false(account_enter(a, 0, START, &report));
    assert_int_equal(report.retry_after, 1);
    account_leave(a, 0, START);
    assert_true(account_enter(a, 0, START, &report));
    account_release(a);
}

/* What one quota refuses takes nothing of another. */
static void test_all_or_nothing(void **state)
{
    account *a = make((quotas){.rate = {5, 3600}, .bytes = {10, 3600}, .concurrent = 1});
    quota_report report;

    (void)state;
    assert_true(account_enter(a, 4, START, &report));
    for (int i = 0; i < 10; i++)
        assert_false(account_enter(a, 4, START, &report));
    assert_string_equal(report.broken->name, "concurrent");
    account_leave(a, 0, START);
    assert_true(account_enter(a, 4, START, &report));
    assert_int_equal(report.count, 3);
    assert_int_equal(report.views[0].remaining, 3);
    assert_int_equal(report.views[1].remaining, 2);
    account_release(a);
}

/* Of several that are broken the one counts that takes longest; the policies name all. */
static void test_several_are_broken(void **state)
{
    account *a = make((quotas){.rate = {1, 3600}, .bytes = {1, 60}, .concurrent = 1});
    account *other = make((quotas){.rate = {1, 60}, .bytes = {1, 3600}});
    const quotas most = {.rate = {1000000000, 31622400}, /* the most that a file may say */
                         .bytes = {UINT64_C(1) << 50, 31622400},
                         .concurrent = 1000000000};
    quota_report report;

    (void)state;
    assert_true(account_enter(a, 1, START, &report));
    assert_false(account_enter(a, 1, START, &report));
    assert_string_equal(report.broken->name, "rate");
    assert_int_equal(report.retry_after, 3600);
    assert_string_equal(report.policies,
                        "\"rate\";q=1;w=3600, \"bytes\";q=1;qu=\"content-bytes\";w=60, "
                        "\"concurrent\";q=1;qu=\"concurrent-requests\"");
    account_leave(a, 0, START);
    account_limit(a, &most, START);
    assert_true(account_enter(a, 0, START, &report));
    assert_non_null(strstr(report.policies, ";qu=\"concurrent-requests\""));
    account_release(a);
    assert_true(pass(other, 1, START, &report));
    assert_false(pass(other, 1, START, &report));
    assert_string_equal(report.broken->name, "bytes");
    account_release(other);
}

/* New limits keep what was used, in units. */
static void test_other_limits(void **state)
{
    account *a = make((quotas){.rate = {4, 3600}});
    const quotas more = {.rate = {10, 60}, .bytes = {5, 1}}, less = {.rate = {2, 60}},
                 none = {.concurrent = 0};
    quota_report report;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(pass(a, 0, START, &report));
    account_limit(a, &more, START);
    assert_true(pass(a, 0, START, &report));
    assert_int_equal(report.views[0].remaining, 6);
    assert_int_equal(report.views[1].remaining, 5);
    account_limit(a, &less, START);
    assert_false(pass(a, 0, START, &report));
    account_limit(a, &none, START);
    assert_true(pass(a, 0, START, &report));
    assert_int_equal(report.count, 0);
    account_release(a);
}

enum { THREADS = 4, TRIES = 2000 };

static void *try_often(void *context)
{
    account *a = context;
    size_t entered = 0;
    quota_report report;

    for (int i = 0; i < TRIES; i++)
        entered += pass(a, 0, START, &report);
    account_release(a);
    return (void *)(uintptr_t)entered;
}

static void test_threads(void **state)
{
    account *a = make((quotas){.rate = {THREADS * TRIES / 2, 3600}, .concurrent = THREADS});
    pthread_t threads[THREADS];
    size_t entered = 0;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, try_often, account_hold(a)), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        entered += (size_t)(uintptr_t)result;
    }
    assert_int_equal(entered, THREADS * TRIES / 2);
    account_release(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_quotas),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bytes_that_are_known_at_the_end),
        cmocka_unit_test(test_concurrent),
        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_several_are_broken),
        cmocka_unit_test(test_other_limits),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
