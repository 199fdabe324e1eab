/* Deadlines of connections: the judgement on both sides of each, and the registry that carries it
 * out, on pairs of local sockets. */
#include "net/connections.h"
#include "platform/clock.h"
#include "support/between.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const config limits = {.header_timeout = 1,
                              .idle_timeout = 2,
                              .body_timeout = 3,
                              .min_body_rate = 100,
                              .reply_timeout = 4,
                              .min_reply_rate = 1000};

/* The verdict on a connection whose phase began at 0, seconds later. */
static connection_verdict after(double seconds, connection_phase phase, double last, uint64_t bytes)
{
    const connection_progress p = {
        .phase = phase, .began = 1000, .last = 1000 + clock_from_seconds(last), .bytes = bytes};
    return deadlines_judge(&p, &limits, 1000 + clock_from_seconds(seconds));
}

static void test_headers_and_idleness(void **state)
{
    (void)state;
    assert_int_equal(after(0.9, PHASE_NEW, 0, 0), VERDICT_FINE);
    assert_int_equal(after(1.1, PHASE_NEW, 0, 0), VERDICT_SLOW_HEADER);
    assert_int_equal(after(0.9, PHASE_HEADERS, 0, 0), VERDICT_FINE);
    assert_int_equal(after(1.1, PHASE_HEADERS, 1, 0), VERDICT_SLOW_HEADER);
    assert_int_equal(after(1.9, PHASE_IDLE, 0, 0), VERDICT_FINE);
    assert_int_equal(after(2.1, PHASE_IDLE, 0, 0), VERDICT_IDLE);
}

static void test_work_has_no_deadline_here(void **state)
{
    (void)state;
    assert_int_equal(after(1e6, PHASE_WORK, 0, 0), VERDICT_FINE);
}

static void test_bodies(void **state)
{
    (void)state;
    assert_int_equal(after(2.9, PHASE_BODY, 0, 0), VERDICT_FINE);
    assert_int_equal(after(3.1, PHASE_BODY, 0, 0), VERDICT_SLOW_BODY);
    /* 10 seconds are 7 beyond the slack: 700 bytes. */
    assert_int_equal(after(10, PHASE_BODY, 9, 700), VERDICT_FINE);
    assert_int_equal(after(10, PHASE_BODY, 9, 699), VERDICT_SLOW_BODY);
    /* Fast enough on the whole, but nothing came for longer than the timeout. */
    assert_int_equal(after(10, PHASE_BODY, 6.5, 1000000), VERDICT_SLOW_BODY);
}

static void test_replies(void **state)
{
    (void)state;
    assert_int_equal(after(3.9, PHASE_REPLY, 0, 0), VERDICT_FINE);
    assert_int_equal(after(4.1, PHASE_REPLY, 0, 0), VERDICT_SLOW_READER);
    assert_int_equal(after(10, PHASE_REPLY, 9, 6000), VERDICT_FINE);
    assert_int_equal(after(10, PHASE_REPLY, 9, 5999), VERDICT_SLOW_READER);
}

static void test_interval(void **state)
{
    (void)state;
    assert_int_equal(deadlines_interval(&limits), clock_from_seconds(0.125));
    config other = limits;
    other.reply_timeout = 0.001;
    assert_int_equal(deadlines_interval(&other), clock_from_seconds(0.005));
    other = (config){
        .header_timeout = 100, .idle_timeout = 100, .body_timeout = 100, .reply_timeout = 100};
    assert_int_equal(deadlines_interval(&other), clock_from_seconds(0.25));
}

/* ---- The registry ---------------------------------------------------------------------------- */

static const config short_limits = {
    .header_timeout = 0.05, .idle_timeout = 0.05, .body_timeout = 0.05, .reply_timeout = 0.05};

static void open_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

/* Whether the peer sees the end within that time. */
static bool ends_within(int peer, int ms)
{
    char byte;
    struct pollfd watched = {.fd = peer, .events = POLLIN};
    return poll(&watched, 1, ms) == 1 && recv(peer, &byte, 1, 0) == 0;
}

static void check_cut(connection_phase phase, connection_verdict wanted)
{
    int pair[2];
    open_pair(pair);
    connections *all = connections_create(&short_limits, NULL, NULL);
    assert_non_null(all);
    connection *c = connections_add(all, pair[0], NULL);
    assert_non_null(c);
    connection_enter(c, phase);
    assert_true(ends_within(pair[1], 5000));
    /* The verdict is noted right behind the shutting down. */
    for (int i = 0; i < 500 && connection_cut(c) == VERDICT_FINE; i++)
        poll(NULL, 0, 10);
    assert_int_equal(connection_cut(c), wanted);
    connections_remove(all, c);
    connections_destroy(all);
    close_pair(pair);
}

static void test_registry_cuts_off(void **state)
{
    (void)state;
    check_cut(PHASE_NEW, VERDICT_SLOW_HEADER);
    check_cut(PHASE_HEADERS, VERDICT_SLOW_HEADER);
    check_cut(PHASE_BODY, VERDICT_SLOW_BODY);
    check_cut(PHASE_REPLY, VERDICT_SLOW_READER);
    check_cut(PHASE_IDLE, VERDICT_IDLE);
}

static void test_registry_leaves_work_alone(void **state)
{
    (void)state;
    int pair[2];
    open_pair(pair);
    connections *all = connections_create(&short_limits, NULL, NULL);
    connection *c = connections_add(all, pair[0], NULL);
    connection_enter(c, PHASE_WORK);
    assert_false(ends_within(pair[1], 300));
    assert_int_equal(connections_count(all), 1);
    assert_int_equal(connections_end_all(all), 1);
    assert_true(ends_within(pair[1], 5000));
    connections_remove(all, c);
    assert_int_equal(connections_count(all), 0);
    connections_destroy(all);
    close_pair(pair);
}

/* A first request's headers are timed from the accepting on, later ones from their first line. */
/* Two ends of a connection over TCP, whose buffers are those of connections in service. */
static void open_tcp_pair(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    pair[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(pair[1], (struct sockaddr *)&address, size), 0);
    pair[0] = accept(listening, NULL, NULL);
    assert_true(pair[0] >= 0);
    close(listening);
}

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, option, &value, &size), 0);
    return value;
}

/* A large body gets room with the kernel, within bounds, and is waited for no longer than before:
 * a byte of it wakes its reader. */
static void test_large_bodies_get_room(void **state)
{
    (void)state;
    int pair[2];
    open_tcp_pair(pair);
    connection c = {.fd = pair[0]};
    struct pollfd reading = {.fd = pair[0], .events = POLLIN};
    int before = option_of(pair[0], SO_RCVBUF);
    connection_expect(&c, 100000);
    assert_int_equal(option_of(pair[0], SO_RCVBUF), before);
    connection_expect(&c, SIZE_MAX);
    int after = option_of(pair[0], SO_RCVBUF);
    assert_between(after, before, 4 << 20);
    assert_true(after > before || before >= 4 << 20);
    assert_int_equal(option_of(pair[0], SO_RCVLOWAT), 1);
    assert_int_equal(poll(&reading, 1, 0), 0);
    assert_int_equal(send(pair[1], "x", 1, 0), 1);
    assert_int_equal(poll(&reading, 1, 5000), 1);
    close_pair(pair);
}

static void test_headers_begin(void **state)
{
    (void)state;
    int pair[2];
    open_pair(pair);
    connections *all = connections_create(&limits, NULL, NULL);
    connection *c = connections_add(all, pair[0], NULL);
    c->progress.began = 7;
    connection_enter(c, PHASE_HEADERS);
    assert_int_equal(c->progress.began, 7);
    connection_enter(c, PHASE_BODY);
    connection_received(c, 5);
    connection_received(c, 6);
    assert_int_equal(c->progress.bytes, 11);
    assert_true(c->progress.began > 7);
    connection_enter(c, PHASE_IDLE);
    c->progress.began = 7;
    connection_enter(c, PHASE_HEADERS);
    assert_true(c->progress.began > 7);
    assert_int_equal(c->progress.bytes, 0);
    connections_remove(all, c);
    connections_destroy(all);
    close_pair(pair);
}

/* Idle connections are no longer read, unless something has arrived; they can still be written, and
 * the others go on. */
static void test_ending_idle_connections(void **state)
{
    (void)state;
    int idle[2], busy[2];
    char text[8];
    open_pair(idle);
    open_pair(busy);
    connections *all = connections_create(&limits, NULL, NULL);
    connection *first = connections_add(all, idle[0], NULL);
    connection *second = connections_add(all, busy[0], NULL);
    connection_enter(first, PHASE_IDLE);
    connection_enter(second, PHASE_BODY);
    assert_int_equal(send(idle[1], "hello", 5, 0), 5);
    connections_end_idle(all);
    assert_int_equal(recv(idle[0], text, sizeof text, MSG_DONTWAIT), 5);
    assert_int_equal(recv(idle[0], text, sizeof text, MSG_DONTWAIT), -1);
    connections_end_idle(all);
    assert_int_equal(recv(idle[0], text, sizeof text, MSG_DONTWAIT), 0);
    assert_int_equal(send(idle[0], "answer", 6, MSG_NOSIGNAL), 6);
    assert_int_equal(recv(busy[0], text, sizeof text, MSG_DONTWAIT), -1);
    connections_remove(all, first);
    connections_remove(all, second);
    connections_destroy(all);
    close_pair(idle);
    close_pair(busy);
}

static const config patient_limits = {
    .header_timeout = 60, .idle_timeout = 60, .body_timeout = 60, .reply_timeout = 60};

/* Whether one who waits for edges, as libmicrohttpd does, and has read a peer's last bytes without
 * finding the end behind them, is woken once more. */
static bool wakes_for_the_end(connection_phase phase)
{
    int pair[2];
    char text[8];
    struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
    open_pair(pair);
    int waiting = epoll_create1(0);
    assert_int_equal(epoll_ctl(waiting, EPOLL_CTL_ADD, pair[0], &edge), 0);
    assert_int_equal(send(pair[1], "hello", 5, 0), 5);
    close(pair[1]);
    assert_int_equal(epoll_wait(waiting, &edge, 1, 5000), 1);
    connections *all = connections_create(&patient_limits, NULL, NULL);
    connection *c = connections_add(all, pair[0], NULL);
    connection_enter(c, phase);
    assert_int_equal(epoll_wait(waiting, &edge, 1, 300), 0); /* not while there is more to read */
    assert_int_equal(recv(pair[0], text, sizeof text, 0), 5);
    bool woken = epoll_wait(waiting, &edge, 1, phase == PHASE_WORK ? 600 : 5000) == 1;
    assert_int_equal(connection_cut(c), VERDICT_FINE);
    connections_remove(all, c);
    connections_destroy(all);
    close(waiting);
    close(pair[0]);
    return woken;
}

static void test_registry_finds_the_gone(void **state)
{
    (void)state;
    assert_true(wakes_for_the_end(PHASE_IDLE));
    assert_true(wakes_for_the_end(PHASE_HEADERS));
    assert_true(wakes_for_the_end(PHASE_BODY));
    assert_false(wakes_for_the_end(PHASE_WORK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_and_idleness),
        cmocka_unit_test(test_work_has_no_deadline_here),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_registry_cuts_off),
        cmocka_unit_test(test_registry_leaves_work_alone),
        cmocka_unit_test(test_large_bodies_get_room),
        cmocka_unit_test(test_headers_begin),
        cmocka_unit_test(test_ending_idle_connections),
        cmocka_unit_test(test_registry_finds_the_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
