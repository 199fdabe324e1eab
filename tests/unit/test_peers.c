/* Connections of each peer, and how many one may have. */
#include "net/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 5000 };

static void test_peers_are_counted(void **state)
{
    (void)state;
    peers *p = peers_create();
    assert_non_null(p);
    for (uint64_t key = 0; key < MANY; key++)
        for (uint64_t i = 0; i <= key % 3; i++)
            assert_true(peers_enter(p, key << 40 | key));
    for (uint64_t key = 0; key < MANY; key++)
        assert_int_equal(peers_count(p, key << 40 | key), key % 3 + 1);
    assert_int_equal(peers_count(p, MANY), 0);
    for (uint64_t key = 0; key < MANY; key++)
        for (uint64_t i = 0; i <= key % 3; i++)
            peers_leave(p, key << 40 | key);
    for (uint64_t key = 0; key < MANY; key++)
        assert_int_equal(peers_count(p, key << 40 | key), 0);
    peers_destroy(p);
    peers_destroy(NULL);
}

/* Peers that take what they may, one after the other: the first three quarters, the next three
 * quarters of the rest, and so on; as many newcomers as there are in a quarter of a quarter get
 * in. */
static void test_a_newcomer_finds_room(void **state)
{
    (void)state;
    enum { MOST = 4096 };
    size_t total = 0;
    for (int peer = 0; peer < 5; peer++) {
        size_t own = 0;
        while (own < peers_share(0, MOST, total) && total < MOST) {
            own++;
            total++;
        }
        assert_true(own > 0);
        if (peer == 0)
            assert_int_equal(own, MOST / 4 * 3);
    }
    assert_true(total < MOST);
    assert_int_equal(peers_share(7, MOST, MOST - 1), 7);
    assert_int_equal(peers_share(0, MOST, MOST + 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers_are_counted),
        cmocka_unit_test(test_a_newcomer_finds_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
