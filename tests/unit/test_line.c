/* The line: who is served, who waits and who is refused, by tickets alone; times are given, so that
 * nothing here waits. */
#include "platform/clock.h"
#include "work/line.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define TICKETS 64
#define SECOND ((int64_t)NS_PER_SECOND)
#define FAR (1000 * SECOND)
#define BUDGET 1000

/* A line of one slot a class, its tickets, and the order of the answers to those that waited. */
typedef struct scene {
    budget memory;
    line *line;
    line_ticket tickets[TICKETS];
    size_t order[TICKETS];
    size_t answers;
    int64_t now;
} scene;

static scene *told;

static void note_answer(line_ticket *t)
{
    told->order[told->answers++] = (size_t)(t - told->tickets);
}

static scene *begin(size_t slots, size_t depth, size_t small_share)
{
    const size_t all[LINE_CLASS_COUNT] = {slots, slots, slots, slots};
    scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    budget_init(&s->memory, BUDGET);
    s->line = line_create(&s->memory, all, depth, small_share);
    assert_non_null(s->line);
    s->now = clock_now();
    told = s;
    return s;
}

static void end(scene *s)
{
    line_close(s->line);
    for (size_t i = 0; i < TICKETS; i++)
        line_leave(s->line, &s->tickets[i], 0, s->now);
    line_destroy(s->line);
    free(s);
}

static line_answer enter_as(scene *s, size_t i, line_ticket t, double max_wait)
{
    const line_terms terms = {.max_wait = max_wait, .deadline = s->now + FAR};
    line_answer answer;

    t.on_turn = note_answer;
    s->tickets[i] = t;
    answer = line_enter(s->line, &s->tickets[i], &terms, s->now);
    if (answer == LINE_WAIT)
        assert_false(line_arm(s->line, &s->tickets[i]));
    return answer;
}

static line_answer enter(scene *s, size_t i, uint64_t peer, double cost)
{
    return enter_as(s, i, (line_ticket){.peer = peer, .which = LINE_LARGE, .cost = cost}, 1e9);
}

static void leave(scene *s, size_t i)
{
    line_leave(s->line, &s->tickets[i], s->tickets[i].cost, s->now);
}

/* Whether exactly these were answered since the last time, in this order; then none. */
static void assert_order(scene *s, size_t count, const size_t expected[])
{
    assert_int_equal(s->answers, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(s->order[i], expected[i]);
    s->answers = 0;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void test_one_peer_is_served_in_order(void **state)
{
    scene *s = begin(2, 10, 0);

    (void)state;
    assert_int_equal(enter(s, 0, 1, 1), LINE_TURN);
    assert_int_equal(enter(s, 1, 1, 1), LINE_TURN);
    for (size_t i = 2; i < 5; i++)
        assert_int_equal(enter(s, i, 1, 1), LINE_WAIT);
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).waiting, 3);
    leave(s, 1);
    assert_order(s, 1, (size_t[]){2});
    leave(s, 0);
    leave(s, 2);
    assert_order(s, 2, (size_t[]){3, 4});
    assert_int_equal(s->tickets[4].answer, LINE_TURN);
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).served, 2);
    end(s);
}

/* The second peer comes when ten of the first wait. */
static void test_peers_take_turns(void **state)
{
    scene *s = begin(1, 20, 0);

    (void)state;
    for (size_t i = 0; i < 10; i++)
        enter(s, i, 1, 1);
    for (size_t i = 10; i < 13; i++)
        assert_int_equal(enter(s, i, 2, 1), LINE_WAIT);
    for (size_t i = 0; i < 7; i++)
        leave(s, i == 0 ? 0 : s->order[s->answers - 1]);
    /* From where the second peer came on, one of each in turn. */
    {
        size_t of_second = 0;
        for (size_t i = 0; i < 6; i++)
            of_second += s->order[i] >= 10;
        assert_int_equal(of_second, 3);
    }
    end(s);
}

/* Who comes later does not catch up on what others had before. */
static void test_the_past_is_not_made_up_for(void **state)
{
    const size_t in_turn[] = {22, 20, 23, 21};
    scene *s = begin(1, 20, 0);

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(enter(s, i, 1, 1), LINE_TURN);
        leave(s, i);
    }
    assert_int_equal(enter(s, 10, 1, 1), LINE_TURN);
    for (size_t i = 20; i < 24; i++)
        assert_int_equal(enter(s, i, i < 22 ? 1 : 2, 1), LINE_WAIT);
    leave(s, 10);
    for (size_t i = 0; i < 3; i++)
        leave(s, in_turn[i]);
    assert_order(s, 4, in_turn);
    end(s);
}

/* A peer of requests that cost ten gets one for ten of another's. */
static void test_shares_are_of_cost(void **state)
{
    scene *s = begin(1, 60, 0);
    size_t large = 0;

    (void)state;
    enter(s, 0, 3, 1);
    for (size_t i = 1; i < 5; i++)
        enter(s, i, 1, 10);
    for (size_t i = 5; i < 45; i++)
        enter(s, i, 2, 1);
    leave(s, 0);
    for (size_t i = 0; i < 21; i++)
        leave(s, s->order[s->answers - 1]);
    for (size_t i = 0; i < 22; i++)
        large += s->order[i] < 5;
    assert_in_range(large, 2, 3);
    end(s);
}

static void test_classes_do_not_wait_for_each_other(void **state)
{
    scene *s = begin(1, 10, 0);

    (void)state;
    assert_int_equal(enter(s, 0, 1, 1), LINE_TURN);
    assert_int_equal(enter(s, 1, 1, 1), LINE_WAIT);
    for (size_t i = 2; i < 4; i++) {
        const line_ticket t = {.which = i == 2 ? LINE_SMALL : LINE_LONG, .cost = 1};
        assert_int_equal(enter_as(s, i, t, 1), LINE_TURN);
    }
    end(s);
}

/* A slot is free while the peer of the one served lets it wait; it is not asked for again. */
static void test_resting_gives_the_slot_back(void **state)
{
    scene *s = begin(1, 10, 0);

    (void)state;
    enter(s, 0, 1, 1);
    enter(s, 1, 1, 1);
    line_rest(s->line, &s->tickets[0], s->now);
    assert_order(s, 1, (size_t[]){1});
    line_work(s->line, &s->tickets[0], s->now);
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).served, 2);
    assert_int_equal(enter(s, 2, 1, 1), LINE_WAIT);
    leave(s, 0);
    assert_order(s, 0, NULL);
    leave(s, 1);
    assert_order(s, 1, (size_t[]){2});
    end(s);
}

/* A peer that comes once and never again leaves nothing behind. */
static void test_peers_are_forgotten(void **state)
{
    scene *s = begin(1, 10, 0);

    (void)state;
    for (uint64_t peer = 0; peer < 1000; peer++) {
        assert_int_equal(enter(s, 0, peer, 1), LINE_TURN);
        leave(s, 0);
    }
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).peers, 1000);
    enter(s, 0, 5000, 1); /* begins where they all did */
    line_tick(s->line, s->now + 2 * SECOND);
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).peers, 1);
    end(s);
}

/* One that turns out to be long makes way for those of its class, and has no need of a slot. */
static void test_moving_to_another_class(void **state)
{
    scene *s = begin(1, 10, 0);
    const line_ticket check = {.peer = 2, .which = LINE_LONG, .cost = 1};

    (void)state;
    enter(s, 0, 1, 1);
    enter(s, 1, 1, 1);
    assert_int_equal(enter_as(s, 2, check, 1), LINE_TURN);
    line_move(s->line, &s->tickets[0], LINE_LONG, s->now);
    assert_order(s, 1, (size_t[]){1});
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).served, 1);
    assert_int_equal(line_look(s->line, LINE_LONG, s->now).served, 2);
    leave(s, 0);
    leave(s, 2);
    assert_int_equal(line_look(s->line, LINE_LONG, s->now).served, 0);
    end(s);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

/* Serves ten of cost 10 in a second, one at a time. */
static void measure_speed(scene *s, line_class which)
{
    for (size_t i = 0; i < 10; i++) {
        const line_ticket ticket = {.peer = 9, .which = which, .cost = 10};
        assert_int_equal(enter_as(s, 0, ticket, 1e9), LINE_TURN);
        s->now += SECOND / 10;
        leave(s, 0);
    }
    assert_true(line_look(s->line, which, s->now).speed > 99);
    assert_true(line_look(s->line, which, s->now).speed < 101);
}

static line_answer enter_for(scene *s, size_t i, uint64_t peer, double max_wait)
{
    return enter_as(s, i, (line_ticket){.peer = peer, .which = LINE_LARGE, .cost = 10}, max_wait);
}

/* A speed of 100 a second; half of the one served is still ahead. */
static void test_a_long_wait_is_refused(void **state)
{
    scene *s = begin(1, 60, 0);

    (void)state;
    measure_speed(s, LINE_LARGE);
    s->now += 5 * SECOND;
    enter_for(s, 0, 1, 0.3);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(enter_for(s, i, 1, 0.3), LINE_WAIT);
    /* 0.05 + 0.3 s: a burst may wait twice as long. */
    assert_int_equal(enter_for(s, 4, 1, 0.3), LINE_WAIT);
    s->now += 2 * SECOND;
    assert_int_equal(enter_for(s, 5, 1, 0.3), LINE_OVERLOADED);
    assert_true(s->tickets[5].wait > 0.44 && s->tickets[5].wait < 0.46);
    /* Another peer has no work ahead but what is being served. */
    assert_int_equal(enter_for(s, 6, 2, 0.3), LINE_WAIT);
    assert_true(s->tickets[6].wait < 0.06);
    end(s);
}

static line_ticket of_class(line_class which, uint64_t peer)
{
    return (line_ticket){.peer = peer, .which = which, .cost = 10};
}

/* Of a peer that waits, and counting those who have not been looked at. */
static void expect_refusals_of_what_comes_next(line_class which)
{
    scene *s = begin(1, 60, 0);

    measure_speed(s, which);
    assert_false(line_refuses(s->line, 1, 0.3, 100));
    enter_as(s, 0, of_class(which, 1), 0.3);
    assert_false(line_refuses(s->line, 1, 0.3, 100));
    enter_as(s, 1, of_class(which, 1), 0.3);
    s->now += 2 * SECOND;
    /* 0.05 s of the one served, 0.1 s of the one that waits, 0.1 s of each newcomer; the clock is
     * the line's own, and a burst may wait twice as long. */
    assert_false(line_refuses(s->line, 1, 0.3, 4));
    assert_true(line_refuses(s->line, 1, 0.3, 5));
    assert_false(line_refuses(s->line, 2, 0.3, 5));
    assert_false(line_refuses(s->line, 1, 0.001, 3)); /* too few to judge by */
    assert_true(line_look(s->line, which, s->now).expected_wait > 0.14);
    end(s);
}

static void test_what_comes_next_is_refused(void **state)
{
    (void)state;
    expect_refusals_of_what_comes_next(LINE_LARGE);
    expect_refusals_of_what_comes_next(LINE_SMALL);
}

static void test_a_full_line_sheds_the_greediest(void **state)
{
    scene *s = begin(1, 3, 0);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        enter(s, i, 1, 1);
    assert_int_equal(enter(s, 4, 1, 1), LINE_FULL);
    assert_int_equal(enter(s, 5, 2, 1), LINE_WAIT);
    assert_order(s, 1, (size_t[]){3});
    assert_int_equal(s->tickets[3].answer, LINE_FULL);
    assert_int_equal(enter(s, 6, 2, 1), LINE_FULL);
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).waiting, 3);
    leave(s, 0);
    assert_int_equal(enter(s, 7, 1, 1), LINE_WAIT); /* in the place that it was sent away from */
    assert_int_equal(s->tickets[7].start, 3);
    end(s);
}

static void test_waiting_ends(void **state)
{
    scene *s = begin(1, 10, 0);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        enter(s, i, 1, 1);
    line_cancel(s->line, &s->tickets[2]);
    assert_order(s, 1, (size_t[]){2});
    assert_int_equal(s->tickets[2].answer, LINE_GONE);
    line_cancel(s->line, &s->tickets[0]);
    assert_order(s, 0, NULL);
    line_tick(s->line, s->now + FAR - 1);
    assert_order(s, 0, NULL);
    line_tick(s->line, s->now + FAR);
    assert_int_equal(s->answers, 2);
    assert_int_equal(s->tickets[1].answer, LINE_EXPIRED);
    s->answers = 0;
    enter(s, 4, 1, 1);
    line_close(s->line);
    assert_order(s, 1, (size_t[]){4});
    assert_int_equal(s->tickets[4].answer, LINE_CLOSED);
    assert_int_equal(enter(s, 5, 1, 1), LINE_CLOSED);
    end(s);
}

/* An answer that comes before the caller is ready for it is found by arming. */
static void test_an_early_answer(void **state)
{
    scene *s = begin(1, 10, 0);
    const line_terms terms = {.max_wait = 1, .deadline = s->now + FAR};

    (void)state;
    enter(s, 0, 1, 1);
    s->tickets[1] = (line_ticket){.peer = 1, .which = LINE_LARGE, .on_turn = note_answer};
    assert_int_equal(line_enter(s->line, &s->tickets[1], &terms, s->now), LINE_WAIT);
    leave(s, 0);
    assert_order(s, 0, NULL);
    assert_true(line_arm(s->line, &s->tickets[1]));
    assert_int_equal(s->tickets[1].answer, LINE_TURN);
    end(s);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static line_answer enter_with(scene *s, size_t i, line_class which, size_t memory)
{
    const line_ticket t = {.peer = i, .which = which, .cost = 1, .memory = memory};
    return enter_as(s, i, t, 1e9);
}

static void test_large_ones_wait_for_memory(void **state)
{
    scene *s = begin(10, 10, 100);

    (void)state;
    assert_int_equal(enter_with(s, 0, LINE_LARGE, 600), LINE_TURN);
    assert_int_equal(enter_with(s, 1, LINE_LARGE, 301), LINE_WAIT);
    assert_int_equal(enter_with(s, 2, LINE_LARGE, 100), LINE_WAIT); /* does not pass */
    assert_int_equal(enter_with(s, 3, LINE_SMALL, 100), LINE_TURN); /* has a share of its own */
    line_tick(s->line, s->now + SECOND);
    assert_order(s, 0, NULL);
    line_tick(s->line, s->now + 4 * SECOND); /* but not for ever */
    assert_order(s, 1, (size_t[]){2});
    leave(s, 0);
    assert_order(s, 1, (size_t[]){1});
    end(s);
}

/* What is reserved is not promised a second time, and what was given back is there. */
static void test_promises_become_reservations(void **state)
{
    scene *s = begin(10, 10, 0);
    reservation held = {.budget = &s->memory};

    (void)state;
    enter_with(s, 0, LINE_LARGE, 600);
    assert_true(reservation_resize(&held, 500));
    line_hold(s->line, &s->tickets[0], 500);
    assert_int_equal(enter_with(s, 1, LINE_LARGE, 400), LINE_TURN);
    assert_int_equal(enter_with(s, 2, LINE_LARGE, 1), LINE_WAIT);
    leave(s, 0);
    assert_order(s, 1, (size_t[]){2}); /* the promise of 100 is free, the 500 are still held */
    assert_int_equal(enter_with(s, 3, LINE_LARGE, 100), LINE_WAIT);
    reservation_release(&held);
    line_tick(s->line, s->now);
    assert_order(s, 1, (size_t[]){3});
    end(s);
}

/* What others hold beside the budget is as if it were taken. */
static void test_memory_outside_the_budget(void **state)
{
    scene *s = begin(10, 10, 0);

    (void)state;
    line_note_outside(s->line, 800);
    assert_int_equal(enter_with(s, 0, LINE_LARGE, 200), LINE_TURN);
    assert_int_equal(enter_with(s, 1, LINE_LARGE, 1), LINE_WAIT);
    line_note_outside(s->line, 0);
    line_tick(s->line, s->now);
    assert_order(s, 1, (size_t[]){1});
    end(s);
}

/* A peer that sends nothing keeps no memory that it has not filled. */
static void test_promises_are_withdrawn(void **state)
{
    scene *s = begin(10, 10, 0);

    (void)state;
    enter_with(s, 0, LINE_LARGE, 900);
    line_rest(s->line, &s->tickets[0], s->now);
    assert_int_equal(enter_with(s, 1, LINE_LARGE, 200), LINE_WAIT);
    line_tick(s->line, s->now + SECOND / 2);
    assert_order(s, 0, NULL);
    line_tick(s->line, s->now + 2 * SECOND);
    assert_order(s, 1, (size_t[]){1});
    line_work(s->line, &s->tickets[0], s->now);
    assert_int_equal(enter_with(s, 2, LINE_LARGE, 50), LINE_WAIT);
    end(s);
}

static line_answer await(scene *s, size_t i, reservation *r, size_t bytes)
{
    const line_terms terms = {.deadline = s->now + FAR};
    line_answer answer = line_await(s->line, &s->tickets[i], r, bytes, &terms, s->now);

    if (answer == LINE_WAIT && line_arm(s->line, &s->tickets[i]))
        return s->tickets[i].answer;
    return answer;
}

/* One that may pass is served while it enters: it is told so, and nothing is left to tell it
 * later. */
static void test_one_that_passes_while_it_enters(void **state)
{
    scene *s = begin(10, 10, 0);
    reservation held = {.budget = &s->memory}, wanted = held;

    (void)state;
    enter_with(s, 0, LINE_LARGE, 600);
    assert_int_equal(enter_with(s, 1, LINE_LARGE, 500), LINE_WAIT);
    s->now += 4 * SECOND;
    assert_int_equal(enter_with(s, 2, LINE_LARGE, 100), LINE_TURN);
    assert_true(reservation_resize(&held, 500));
    assert_int_equal(await(s, 2, &wanted, 501), LINE_WAIT);
    assert_order(s, 0, NULL);
    reservation_release(&held);
    line_tick(s->line, s->now);
    assert_order(s, 1, (size_t[]){2});
    assert_int_equal(s->tickets[2].answer, LINE_TURN);
    reservation_release(&wanted);
    end(s);
}

/* Those whose body is here come before all that enter. */
static void test_memory_at_the_end(void **state)
{
    scene *s = begin(10, 10, 0);
    reservation a = {.budget = &s->memory}, b = a;

    (void)state;
    enter_with(s, 0, LINE_LARGE, 1);
    enter_with(s, 1, LINE_LARGE, 1);
    reservation_resize(&a, 400);
    line_hold(s->line, &s->tickets[0], 400);
    assert_int_equal(await(s, 1, &b, 601), LINE_WAIT);
    assert_int_equal(enter_with(s, 2, LINE_LARGE, 1), LINE_WAIT);
    reservation_release(&a);
    leave(s, 0);
    assert_int_equal(s->answers, 2);
    assert_int_equal(s->tickets[1].answer, LINE_TURN);
    assert_int_equal(b.bytes, 601);
    reservation_release(&b);
    end(s);
}

/* Two that hold what the other needs: the younger one gives way. */
static void test_nobody_waits_in_a_circle(void **state)
{
    scene *s = begin(10, 10, 0);
    reservation a = {.budget = &s->memory}, b = a;

    (void)state;
    enter_with(s, 0, LINE_LARGE, 500);
    enter_with(s, 1, LINE_LARGE, 500);
    reservation_resize(&a, 500);
    reservation_resize(&b, 500);
    line_hold(s->line, &s->tickets[0], 500);
    line_hold(s->line, &s->tickets[1], 500);
    assert_int_equal(await(s, 0, &a, 800), LINE_WAIT);
    assert_int_equal(await(s, 1, &b, 800), LINE_NO_MEMORY);
    reservation_release(&b);
    leave(s, 1);
    assert_order(s, 1, (size_t[]){0});
    assert_int_equal(a.bytes, 800);
    reservation_release(&a);
    end(s);
}

/* Two that wait while a response still holds memory: both go on waiting for it. */
static void test_a_response_gives_its_memory_back(void **state)
{
    scene *s = begin(10, 10, 0);
    reservation response = {.budget = &s->memory}, a = response, b = response;

    (void)state;
    enter_with(s, 0, LINE_LARGE, 300);
    enter_with(s, 1, LINE_LARGE, 300);
    reservation_resize(&response, 300);
    reservation_resize(&a, 300);
    reservation_resize(&b, 300);
    assert_int_equal(await(s, 0, &a, 700), LINE_WAIT);
    assert_int_equal(await(s, 1, &b, 700), LINE_WAIT);
    reservation_release(&response);
    line_tick(s->line, s->now);
    assert_order(s, 1, (size_t[]){0});
    assert_int_equal(a.bytes, 700);
    reservation_release(&a);
    leave(s, 0);
    assert_order(s, 1, (size_t[]){1});
    assert_int_equal(s->tickets[1].answer, LINE_TURN);
    reservation_release(&b);
    end(s);
}

/* ---- Threads --------------------------------------------------------------------------------- */

typedef struct runner {
    line *line;
    uint64_t peer;
    _Atomic int turns;
} runner;

typedef struct threaded_ticket {
    line_ticket ticket; /* first */
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool answered;
} threaded_ticket;

static void wake(line_ticket *t)
{
    threaded_ticket *waiting = (threaded_ticket *)(void *)t;

    pthread_mutex_lock(&waiting->lock);
    waiting->answered = true;
    pthread_cond_signal(&waiting->came);
    pthread_mutex_unlock(&waiting->lock);
}

static void *run(void *context)
{
    runner *r = context;

    for (int i = 0; i < 500; i++) {
        threaded_ticket w = {.ticket = {.peer = r->peer, .which = LINE_LARGE, .cost = 1 + i % 3}};
        const line_terms terms = {.max_wait = 1e9, .deadline = clock_now() + FAR};
        line_answer answer;

        w.ticket.on_turn = wake;
        pthread_mutex_init(&w.lock, NULL);
        pthread_cond_init(&w.came, NULL);
        answer = line_enter(r->line, &w.ticket, &terms, clock_now());
        if (answer == LINE_WAIT && !line_arm(r->line, &w.ticket)) {
            pthread_mutex_lock(&w.lock);
            while (!w.answered)
                pthread_cond_wait(&w.came, &w.lock);
            pthread_mutex_unlock(&w.lock);
        }
        line_rest(r->line, &w.ticket, clock_now());
        line_work(r->line, &w.ticket, clock_now());
        r->turns += w.ticket.answer == LINE_TURN;
        line_leave(r->line, &w.ticket, 1, clock_now());
        line_tick(r->line, clock_now());
        pthread_mutex_destroy(&w.lock);
        pthread_cond_destroy(&w.came);
    }
    return NULL;
}

static void test_threads(void **state)
{
    scene *s = begin(2, 100, 0);
    runner runners[6];
    pthread_t threads[6];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        runners[i] = (runner){.line = s->line, .peer = i / 2};
        assert_int_equal(pthread_create(&threads[i], NULL, run, &runners[i]), 0);
    }
    for (size_t i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(runners[i].turns, 500);
    }
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).waiting, 0);
    assert_int_equal(line_look(s->line, LINE_LARGE, s->now).served, 0);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_peer_is_served_in_order),
        cmocka_unit_test(test_peers_take_turns),
        cmocka_unit_test(test_the_past_is_not_made_up_for),
        cmocka_unit_test(test_shares_are_of_cost),
        cmocka_unit_test(test_classes_do_not_wait_for_each_other),
        cmocka_unit_test(test_resting_gives_the_slot_back),
        cmocka_unit_test(test_moving_to_another_class),
        cmocka_unit_test(test_peers_are_forgotten),
        cmocka_unit_test(test_a_long_wait_is_refused),
        cmocka_unit_test(test_what_comes_next_is_refused),
        cmocka_unit_test(test_a_full_line_sheds_the_greediest),
        cmocka_unit_test(test_waiting_ends),
        cmocka_unit_test(test_an_early_answer),
        cmocka_unit_test(test_large_ones_wait_for_memory),
        cmocka_unit_test(test_promises_become_reservations),
        cmocka_unit_test(test_memory_outside_the_budget),
        cmocka_unit_test(test_promises_are_withdrawn),
        cmocka_unit_test(test_one_that_passes_while_it_enters),
        cmocka_unit_test(test_memory_at_the_end),
        cmocka_unit_test(test_nobody_waits_in_a_circle),
        cmocka_unit_test(test_a_response_gives_its_memory_back),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
