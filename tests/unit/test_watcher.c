/* The watcher, on real sockets: who is told of which end, when, and never more than once. */
#include "net/watcher.h"

#include "platform/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { POLLS = 10000, MANY = 300 };

/* One watched connection over loopback. */
typedef struct pair {
    int own, peer;
    watch watch;
    _Atomic size_t calls;
    _Atomic int64_t called_at;
    useconds_t sleeps; /* in on_gone */
} pair;

static config limits;

static void on_gone(void *context)
{
    pair *p = context;
    p->called_at = clock_now();
    usleep(p->sleeps);
    p->calls++;
}

static void open_pair(pair *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    memset(p, 0, sizeof *p);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &size), 0);
    p->peer = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(p->peer, (struct sockaddr *)&at, size), 0);
    p->own = accept(listening, NULL, NULL);
    assert_true(p->own >= 0);
    close(listening);
}

static void close_pair(pair *p)
{
    close(p->own);
    if (p->peer >= 0)
        close(p->peer);
}

static void reset(pair *p)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(p->peer);
    p->peer = -1;
}

static bool await_call(pair *p)
{
    for (int i = 0; i < POLLS && p->calls == 0; i++)
        usleep(1000);
    return p->calls > 0;
}

static watcher *start(double half_close_timeout)
{
    watcher *w;
    limits.half_close_timeout = half_close_timeout;
    w = watcher_start(&limits);
    assert_non_null(w);
    return w;
}

static void test_a_reset_is_told_at_once(void **state)
{
    (void)state;
    watcher *w = start(3600);
    pair p;
    open_pair(&p);
    assert_true(watcher_watch(w, &p.watch, p.own, on_gone, &p));
    reset(&p);
    assert_true(await_call(&p));
    assert_true(watcher_unwatch(w, &p.watch));
    assert_false(watcher_unwatch(w, &p.watch));
    close_pair(&p);
    watcher_stop(w);
    assert_int_equal(p.calls, 1);
}

static void test_an_end_has_time(void **state)
{
    (void)state;
    watcher *w = start(0.2);
    pair p;
    int64_t began;
    open_pair(&p);
    shutdown(p.peer, SHUT_WR); /* before it is watched */
    usleep(1000);
    began = clock_now();
    assert_true(watcher_watch(w, &p.watch, p.own, on_gone, &p));
    assert_true(await_call(&p));
    assert_true(clock_to_seconds(p.called_at - began) >= 0.2);
    assert_true(watcher_unwatch(w, &p.watch));
    close_pair(&p);
    watcher_stop(w);
    assert_int_equal(p.calls, 1);
}

static void test_a_reset_after_an_end(void **state)
{
    (void)state;
    watcher *w = start(3600);
    pair p;
    open_pair(&p);
    assert_true(watcher_watch(w, &p.watch, p.own, on_gone, &p));
    shutdown(p.peer, SHUT_WR);
    usleep(50000);
    assert_int_equal(p.calls, 0);
    reset(&p);
    assert_true(await_call(&p));
    assert_true(watcher_unwatch(w, &p.watch));
    close_pair(&p);
    watcher_stop(w);
}

/* Bytes are no end, and what is not watched is not told. */
static void test_who_is_not_told(void **state)
{
    (void)state;
    watcher *w = start(0);
    pair stays, left;
    open_pair(&stays);
    open_pair(&left);
    assert_true(watcher_watch(w, &stays.watch, stays.own, on_gone, &stays));
    assert_true(watcher_watch(w, &left.watch, left.own, on_gone, &left));
    assert_int_equal(write(stays.peer, "x", 1), 1);
    assert_false(watcher_unwatch(w, &left.watch));
    reset(&left);
    usleep(50000);
    assert_int_equal(stays.calls + left.calls, 0);
    assert_true(watcher_watch(w, &left.watch, left.own, on_gone, &left)); /* gone already */
    assert_true(await_call(&left));
    assert_true(watcher_unwatch(w, &left.watch));
    assert_false(watcher_unwatch(w, &stays.watch));
    close_pair(&stays);
    close_pair(&left);
    watcher_stop(w);
}

static void test_unwatching_waits_for_the_call(void **state)
{
    (void)state;
    watcher *w = start(0);
    pair p;
    open_pair(&p);
    p.sleeps = 100000;
    assert_true(watcher_watch(w, &p.watch, p.own, on_gone, &p));
    reset(&p);
    while (p.called_at == 0)
        usleep(500);
    assert_true(watcher_unwatch(w, &p.watch));
    assert_int_equal(p.calls, 1);
    close_pair(&p);
    watcher_stop(w);
}

/* Descriptors are used again: an event of the one before means nothing. */
static void test_descriptors_that_are_used_again(void **state)
{
    (void)state;
    watcher *w = start(0);
    for (int i = 0; i < MANY; i++) {
        pair gone, next;
        open_pair(&gone);
        assert_true(watcher_watch(w, &gone.watch, gone.own, on_gone, &gone));
        reset(&gone);
        watcher_unwatch(w, &gone.watch);
        close_pair(&gone);
        open_pair(&next);
        assert_true(watcher_watch(w, &next.watch, next.own, on_gone, &next));
        usleep(i % 3 == 0 ? 100 : 0);
        assert_false(watcher_unwatch(w, &next.watch));
        close_pair(&next);
    }
    watcher_stop(w);
    watcher_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_is_told_at_once),
        cmocka_unit_test(test_an_end_has_time),
        cmocka_unit_test(test_a_reset_after_an_end),
        cmocka_unit_test(test_who_is_not_told),
        cmocka_unit_test(test_unwatching_waits_for_the_call),
        cmocka_unit_test(test_descriptors_that_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
