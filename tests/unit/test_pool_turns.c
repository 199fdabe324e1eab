/* Whose turn it is in the pool: jobs share the workers tile by tile, long ones leave the larger
 * share to the others; and the ends that come early, of jobs that are cancelled. */
#include "work/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { POLLS = 20000, MOST_TILES = 4000 };

static bool await(const _Atomic bool *condition)
{
    for (int i = 0; i < POLLS && !*condition; i++)
        usleep(500);
    return *condition;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void spin(int64_t microseconds)
{
    int64_t until = now_us() + microseconds;
    while (now_us() < until)
        ;
}

/* Ranks are given to what happens, in order, by all jobs of a test. */
static _Atomic size_t next_rank;
/* Workers within a tile of a long job. */
static _Atomic size_t at_long, most_at_long;

/* A job of one stage, whose tiles take some time. */
typedef struct turn {
    pool_job job;
    pool *p;
    size_t tiles;
    int64_t tile_us;
    size_t yields;            /* in each tile, so many times, after as long each */
    const _Atomic bool *gate; /* each tile waits for it; NULL: for nothing */
    _Atomic size_t ran, ends;
    _Atomic size_t first_rank, last_rank; /* of its tiles; 1 is the first of all */
    _Atomic int64_t took_us;              /* of all tiles together */
    _Atomic bool is_reached, is_done;
    int64_t submitted_us, done_us;
    pool_end end;
} turn;

static size_t turn_begin(void *context, size_t stage)
{
    return stage == 0 ? ((turn *)context)->tiles : POOL_NO_STAGE;
}

static void work_in_tile(turn *t)
{
    int64_t began = now_us();
    spin(t->tile_us);
    t->took_us += now_us() - began;
    if (t->gate != NULL)
        await(t->gate);
}

static void turn_tile(void *context, size_t stage, size_t tile)
{
    turn *t = context;
    size_t rank = ++next_rank, none = 0;
    (void)stage;
    (void)tile;
    atomic_compare_exchange_strong(&t->first_rank, &none, rank);
    t->is_reached = true;
    if (t->job.is_long) {
        size_t count = ++at_long, most = most_at_long;
        while (count > most && !atomic_compare_exchange_weak(&most_at_long, &most, count))
            ;
    }
    work_in_tile(t);
    for (size_t i = 0; i < t->yields; i++) {
        pool_yield(t->p);
        work_in_tile(t);
    }
    at_long -= t->job.is_long;
    t->last_rank = rank;
    t->ran++;
}

static void turn_done(void *context, pool_end how)
{
    turn *t = context;
    t->end = how;
    t->done_us = now_us();
    t->ends++;
    t->is_done = true;
}

static const pool_job_kind turn_kind = {turn_begin, turn_tile, turn_done};

static void submit(pool *p, turn *t, size_t tiles, int64_t tile_us)
{
    t->job.kind = &turn_kind;
    t->job.context = t;
    t->p = p;
    t->tiles = tiles;
    t->tile_us = tile_us;
    t->submitted_us = now_us();
    assert_true(pool_submit(p, &t->job));
}

/* On return one tile of it runs, until the gate opens. */
static void hold_worker(pool *p, turn *t, const _Atomic bool *gate)
{
    t->gate = gate;
    submit(p, t, 1, 0);
    assert_true(await(&t->is_reached));
}

static void assert_ended(turn *t, pool_end how)
{
    assert_true(await(&t->is_done));
    assert_int_equal(t->end, how);
    assert_int_equal(t->ends, 1);
}

static int reset(void **state)
{
    (void)state;
    next_rank = at_long = most_at_long = 0;
    return 0;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void test_jobs_take_turns_tile_by_tile(void **state)
{
    (void)state;
    pool *p = pool_create(1, 8);
    _Atomic bool gate = false;
    turn holder = {.gate = NULL}, jobs[3] = {{.gate = NULL}};
    hold_worker(p, &holder, &gate);
    for (size_t i = 0; i < 3; i++)
        submit(p, &jobs[i], 20, 0);
    gate = true;
    for (size_t i = 0; i < 3; i++)
        assert_ended(&jobs[i], POOL_COMPLETE);
    pool_destroy(p);
    for (size_t i = 0; i < 3; i++) { /* behind the holder's: 1 2 3 1 2 3 … */
        assert_int_equal(jobs[i].first_rank, 2 + i);
        assert_int_equal(jobs[i].last_rank, 2 + i + 19 * 3);
    }
}

static void test_a_small_job_does_not_wait_for_large_ones(void **state)
{
    (void)state;
    pool *p = pool_create(1, 8);
    turn large[POOL_TURNS - 1] = {{.gate = NULL}}, small = {.gate = NULL};
    for (size_t i = 0; i < POOL_TURNS - 1; i++)
        submit(p, &large[i], MOST_TILES, 100);
    assert_true(await(&large[POOL_TURNS - 2].is_reached));
    submit(p, &small, 2, 100);
    assert_ended(&small, POOL_COMPLETE);
    for (size_t i = 0; i < POOL_TURNS - 1; i++) {
        assert_false(large[i].is_done);
        pool_cancel(p, &large[i].job);
        assert_ended(&large[i], POOL_CANCELLED);
    }
    pool_destroy(p);
}

static void test_what_has_no_turn_waits(void **state)
{
    (void)state;
    pool *p = pool_create(1, 8);
    _Atomic bool gate = false;
    turn holder = {.gate = NULL}, jobs[POOL_TURNS + 2] = {{.gate = NULL}};
    hold_worker(p, &holder, &gate);
    for (size_t i = 0; i < POOL_TURNS + 2; i++)
        submit(p, &jobs[i], 2, 0);
    gate = true;
    for (size_t i = 0; i < POOL_TURNS + 2; i++)
        assert_ended(&jobs[i], POOL_COMPLETE);
    pool_destroy(p);
    assert_true(jobs[POOL_TURNS].first_rank > jobs[0].last_rank);
    assert_true(jobs[POOL_TURNS + 1].first_rank > jobs[1].last_rank);
}

/* ---- Long jobs ------------------------------------------------------------------------------- */

static void test_a_long_job_alone_has_every_worker(void **state)
{
    (void)state;
    pool *p = pool_create(3, 8);
    _Atomic bool gate = false;
    turn job = {.job.is_long = true, .gate = &gate};
    submit(p, &job, 3, 0);
    for (int i = 0; i < POLLS && most_at_long < 3; i++)
        usleep(500);
    gate = true;
    assert_ended(&job, POOL_COMPLETE);
    assert_int_equal(most_at_long, 3);
    pool_destroy(p);
}

/* Long tiles only begin where a worker is left; the short jobs have work all the time. */
static void test_long_jobs_never_take_the_last_worker(void **state)
{
    (void)state;
    enum { WORKERS = 3 };
    pool *p = pool_create(WORKERS, 64);
    _Atomic bool gate = false;
    turn holders[WORKERS] = {{.gate = NULL}}, shorts[2] = {{.gate = NULL}};
    turn longs[4] = {{.gate = NULL}};
    for (size_t i = 0; i < WORKERS; i++)
        hold_worker(p, &holders[i], &gate);
    for (size_t i = 0; i < 4; i++) {
        longs[i].job.is_long = true;
        submit(p, &longs[i], 50, 200);
    }
    for (size_t i = 0; i < 2; i++)
        submit(p, &shorts[i], MOST_TILES, 200);
    gate = true;
    for (size_t i = 0; i < 4; i++)
        assert_ended(&longs[i], POOL_COMPLETE);
    for (size_t i = 0; i < 2; i++) {
        assert_false(shorts[i].is_done);
        pool_cancel(p, &shorts[i].job);
        assert_ended(&shorts[i], POOL_CANCELLED);
    }
    pool_destroy(p);
    assert_in_range(most_at_long, 1, WORKERS - 1);
}

/* With one worker, by time: tiles of long jobs take ten times as long here. */
static void test_short_jobs_get_the_larger_share(void **state)
{
    (void)state;
    pool *p = pool_create(1, 8);
    _Atomic bool gate = false;
    turn holder = {.gate = NULL}, job = {.job.is_long = true}, other = {.gate = NULL};
    hold_worker(p, &holder, &gate);
    submit(p, &job, 20, 2000);
    submit(p, &other, MOST_TILES, 200);
    gate = true;
    assert_ended(&job, POOL_COMPLETE);
    assert_false(other.is_done);
    assert_true(other.took_us > job.took_us * (POOL_SHORT_SHARE - 1));
    assert_true(other.took_us < job.took_us * (POOL_SHORT_SHARE + 2));
    pool_cancel(p, &other.job);
    pool_destroy(p);
}

static void test_a_short_job_runs_within_a_long_tile(void **state)
{
    (void)state;
    pool *p = pool_create(1, 8);
    turn job = {.job.is_long = true, .yields = 200}, small = {.gate = NULL};
    submit(p, &job, 1, 2000);
    assert_true(await(&job.is_reached));
    submit(p, &small, 3, 100);
    assert_ended(&small, POOL_COMPLETE);
    assert_false(job.is_done);
    assert_ended(&job, POOL_COMPLETE);
    pool_destroy(p);
    assert_int_equal(job.ran, 1);
}

static void test_long_jobs_fill_half_of_the_queue(void **state)
{
    (void)state;
    pool *p = pool_create(1, 4);
    _Atomic bool gate = false;
    turn holder = {.gate = NULL}, jobs[6] = {{.gate = NULL}};
    hold_worker(p, &holder, &gate);
    for (size_t i = 0; i < 6; i++) {
        jobs[i].job = (pool_job){.kind = &turn_kind, .context = &jobs[i], .is_long = i < 3};
        jobs[i].tiles = 1;
        assert_int_equal(pool_submit(p, &jobs[i].job), i != 2 && i != 5);
    }
    assert_int_equal(pool_waiting(p), 4);
    gate = true;
    pool_destroy(p);
}

/* ---- Cancelling ------------------------------------------------------------------------------ */

static void test_a_waiting_job_is_cancelled_at_once(void **state)
{
    (void)state;
    pool *p = pool_create(1, 8);
    _Atomic bool gate = false;
    turn holder = {.gate = NULL}, job = {.gate = NULL}, next = {.gate = NULL};
    hold_worker(p, &holder, &gate);
    submit(p, &job, 1, 0);
    submit(p, &next, 1, 0);
    pool_cancel(p, &job.job);
    assert_true(job.is_done);
    assert_int_equal(job.end, POOL_CANCELLED);
    assert_int_equal(pool_waiting(p), 1);
    pool_cancel(p, &job.job); /* has ended: nothing happens */
    gate = true;
    assert_ended(&next, POOL_COMPLETE);
    pool_destroy(p);
    assert_int_equal(job.ends, 1);
    assert_int_equal(job.ran, 0);
}

static void test_a_running_job_stops_at_its_next_tile(void **state)
{
    (void)state;
    pool *p = pool_create(2, 8);
    _Atomic bool gate = false;
    turn job = {.gate = &gate};
    submit(p, &job, 50, 0);
    assert_true(await(&job.is_reached));
    pool_cancel(p, &job.job);
    pool_cancel(p, &job.job);
    assert_false(job.is_done); /* a tile runs still */
    gate = true;
    assert_ended(&job, POOL_CANCELLED);
    pool_destroy(p);
    assert_in_range(job.ran, 1, 2);
}

static void test_cancelling_makes_room(void **state)
{
    (void)state;
    pool *p = pool_create(1, 1);
    _Atomic bool gate = false;
    turn holder = {.gate = NULL}, job = {.gate = NULL}, next = {.gate = NULL};
    hold_worker(p, &holder, &gate);
    submit(p, &job, 1, 0);
    next.job = (pool_job){.kind = &turn_kind, .context = &next};
    next.tiles = 1;
    assert_false(pool_submit(p, &next.job));
    pool_cancel(p, &job.job);
    assert_true(pool_submit(p, &next.job));
    gate = true;
    pool_destroy(p);
    assert_int_equal(next.ran, 1);
}

static void *cancel_all(void *context)
{
    turn *jobs = context;
    for (size_t i = 0; i < MOST_TILES; i++)
        pool_cancel(jobs[i].p, &jobs[i].job);
    return NULL;
}

/* Whoever wins: each job ends once, and one that was cancelled has not run to its end. */
static void test_cancelling_races_with_running(void **state)
{
    (void)state;
    enum { ROUNDS = 3 };
    for (int round = 0; round < ROUNDS; round++) {
        pool *p = pool_create(3, MOST_TILES);
        turn *jobs = calloc(MOST_TILES, sizeof *jobs);
        pthread_t threads[2];
        assert_non_null(jobs);
        for (size_t i = 0; i < MOST_TILES; i++)
            jobs[i].p = p;
        for (size_t i = 0; i < MOST_TILES; i++)
            submit(p, &jobs[i], i % 4, 0);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, cancel_all, jobs), 0);
        for (size_t i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        pool_destroy(p);
        for (size_t i = 0; i < MOST_TILES; i++) {
            assert_int_equal(jobs[i].ends, 1);
            assert_true(jobs[i].end == POOL_CANCELLED || jobs[i].ran == i % 4);
        }
        free(jobs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_jobs_take_turns_tile_by_tile, reset),
        cmocka_unit_test_setup(test_a_small_job_does_not_wait_for_large_ones, reset),
        cmocka_unit_test_setup(test_what_has_no_turn_waits, reset),
        cmocka_unit_test_setup(test_a_long_job_alone_has_every_worker, reset),
        cmocka_unit_test_setup(test_long_jobs_never_take_the_last_worker, reset),
        cmocka_unit_test_setup(test_short_jobs_get_the_larger_share, reset),
        cmocka_unit_test_setup(test_a_short_job_runs_within_a_long_tile, reset),
        cmocka_unit_test_setup(test_long_jobs_fill_half_of_the_queue, reset),
        cmocka_unit_test_setup(test_a_waiting_job_is_cancelled_at_once, reset),
        cmocka_unit_test_setup(test_a_running_job_stops_at_its_next_tile, reset),
        cmocka_unit_test_setup(test_cancelling_makes_room, reset),
        cmocka_unit_test_setup(test_cancelling_races_with_running, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
