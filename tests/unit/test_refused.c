/* Refused connections stay open for a moment, the oldest giving way: on pairs of local sockets. */
#include "net/refused.h"
#include "platform/clock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND ((int64_t)NS_PER_SECOND)

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int new_descriptor(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

    assert_true(fd >= 100);
    return fd;
}

static void test_they_stay_for_a_moment(void **state)
{
    refused all = {.count = 0};
    int first = new_descriptor(), second = new_descriptor();

    (void)state;
    refused_add(&all, first, 0);
    refused_add(&all, second, SECOND / 2);
    refused_close_old(&all, SECOND - 1);
    assert_true(is_open(first));
    refused_close_old(&all, SECOND);
    assert_false(is_open(first));
    assert_true(is_open(second));
    assert_int_equal(refused_take(&all), second);
    assert_int_equal(refused_take(&all), -1);
    close(second);
}

/* All of them stand for one descriptor, but for the oldest. */
static void test_the_oldest_gives_way(void **state)
{
    refused *all = calloc(1, sizeof *all);
    int oldest = new_descriptor();

    (void)state;
    assert_non_null(all);
    refused_add(all, oldest, 0);
    for (size_t i = 1; i < REFUSED_MOST; i++)
        refused_add(all, (int)i + 100000, 0); /* none that is open */
    assert_true(is_open(oldest));
    refused_add(all, 200000, 0);
    assert_false(is_open(oldest));
    assert_int_equal(all->count, REFUSED_MOST);
    assert_int_equal(refused_take(all), 100001);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_stay_for_a_moment),
        cmocka_unit_test(test_the_oldest_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
