/* The pool of workers: who runs which tile when. Jobs here do nothing but say that they ran, and
 * wait at gates where a test needs them held. */
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

/* A gate that opens for good. Waiting gives up after some seconds, so that a pool that forgets a
 * job makes a test fail, not hang. */
typedef struct gate {
    _Atomic bool open;
} gate;

enum { GATE_POLLS = 20000, STAGES = 4 };

static bool await(const _Atomic bool *condition)
{
    for (int i = 0; i < GATE_POLLS && !*condition; i++)
        usleep(500);
    return *condition;
}

/* A job that counts what happens to it. */
typedef struct probe {
    pool_job job;
    size_t tiles[STAGES];
    gate *holds_tile_0;   /* the first tile of stage 0 waits for it */
    _Atomic bool reached; /* that tile has begun */
    _Atomic bool is_done; /* and nothing more will happen */
    _Atomic size_t ran[STAGES], begun[STAGES], ended;
    _Atomic size_t wrong; /* tiles or stages that ran when they must not */
    pool_end end;
    size_t *next_rank, rank; /* the order of completion among jobs of one worker */
} probe;

static size_t probe_begin(void *context, size_t stage)
{
    probe *p = context;
    if (stage >= STAGES) {
        p->wrong += stage != STAGES || p->ended++ != 0;
        return POOL_NO_STAGE;
    }
    p->wrong += p->begun[stage]++ != 0;
    for (size_t s = 0; s < STAGES; s++)
        p->wrong += p->ran[s] != (s < stage ? p->tiles[s] : 0);
    return p->tiles[stage];
}

static void probe_tile(void *context, size_t stage, size_t tile)
{
    probe *p = context;
    p->wrong += tile >= p->tiles[stage] || p->begun[stage] != 1;
    for (size_t s = 0; s < stage; s++)
        p->wrong += p->ran[s] != p->tiles[s];
    if (p->holds_tile_0 && stage == 0 && tile == 0) {
        p->reached = true;
        p->wrong += !await(&p->holds_tile_0->open);
    }
    p->ran[stage]++;
}

static void probe_done(void *context, pool_end how)
{
    probe *p = context;
    p->end = how;
    if (p->next_rank)
        p->rank = (*p->next_rank)++;
    p->is_done = true;
}

static const pool_job_kind probe_kind = {probe_begin, probe_tile, probe_done};

static void probe_init(probe *p, size_t tiles)
{
    memset(p, 0, sizeof *p);
    p->job.kind = &probe_kind;
    p->job.context = p;
    p->tiles[0] = tiles;
}

/* A job of one tile that keeps one worker until its gate opens; it has begun on return. */
static void hold_worker(pool *p, probe *holder, gate *g)
{
    probe_init(holder, 1);
    holder->holds_tile_0 = g;
    assert_true(pool_submit(p, &holder->job));
    assert_true(await(&holder->reached));
}

static void assert_complete(probe *p)
{
    assert_true(await(&p->is_done));
    assert_int_equal(p->end, POOL_COMPLETE);
    assert_int_equal(p->wrong, 0);
    assert_int_equal(p->ended, 1);
    for (size_t s = 0; s < STAGES; s++)
        assert_int_equal(p->ran[s], p->tiles[s]);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- Order ----------------------------------------------------------------------------------- */

static void test_equal_jobs_end_in_order(void **state)
{
    (void)state;
    enum { JOBS = 20 };
    pool *p = pool_create(1, JOBS);
    gate g = {false};
    probe holder, jobs[JOBS];
    size_t next_rank = 0;
    hold_worker(p, &holder, &g);
    for (size_t i = 0; i < JOBS; i++) {
        probe_init(&jobs[i], 2);
        jobs[i].tiles[2] = 2;
        jobs[i].next_rank = &next_rank;
        assert_true(pool_submit(p, &jobs[i].job));
    }
    g.open = true;
    pool_destroy(p);
    for (size_t i = 0; i < JOBS; i++) {
        assert_complete(&jobs[i]);
        assert_int_equal(jobs[i].rank, i);
    }
}

/* After a first stage that takes some time, every tile of the second waits until as many as there
 * are workers have begun. */
typedef struct meeting {
    pool_job job;
    size_t expected;
    _Atomic size_t begun, came_alone;
    _Atomic bool complete, is_done;
} meeting;

static size_t meeting_begin(void *context, size_t stage)
{
    const size_t tiles[] = {1, ((meeting *)context)->expected, POOL_NO_STAGE};
    return tiles[stage];
}

static void meeting_tile(void *context, size_t stage, size_t tile)
{
    meeting *m = context;
    (void)tile;
    if (stage == 0) {
        usleep(20000);
        return;
    }
    if (++m->begun == m->expected)
        m->complete = true;
    m->came_alone += !await(&m->complete);
}

static void meeting_done(void *context, pool_end how)
{
    (void)how;
    ((meeting *)context)->is_done = true;
}

static const pool_job_kind meeting_kind = {meeting_begin, meeting_tile, meeting_done};

static void test_one_job_has_every_worker(void **state)
{
    (void)state;
    meeting m = {.expected = 4};
    m.job = (pool_job){.kind = &meeting_kind, .context = &m};
    pool *p = pool_create(4, 8);
    assert_true(pool_submit(p, &m.job));
    assert_true(await(&m.is_done));
    assert_int_equal(m.came_alone, 0);
    pool_destroy(p);
}

static void test_it_has_them_while_the_pool_is_stopped_too(void **state)
{
    (void)state;
    meeting m = {.expected = 4};
    m.job = (pool_job){.kind = &meeting_kind, .context = &m};
    pool *p = pool_create(4, 8);
    assert_true(pool_submit(p, &m.job));
    pool_destroy(p);
    assert_true(m.is_done);
    assert_int_equal(m.came_alone, 0);
}

static void test_a_straggler_leaves_the_others_free(void **state)
{
    (void)state;
    pool *p = pool_create(2, 8);
    gate g = {false};
    probe slow, later;
    probe_init(&slow, 5);
    slow.tiles[1] = 3;
    slow.holds_tile_0 = &g;
    probe_init(&later, 3);
    assert_true(pool_submit(p, &slow.job));
    /* Before its stage has begun the older job has no tiles to take, and a free worker may rightly
     * begin with the younger one. */
    assert_true(await(&slow.reached));
    assert_true(pool_submit(p, &later.job));
    assert_complete(&later); /* while a tile of the older job still runs */
    assert_false(slow.is_done);
    assert_int_equal(slow.ran[0], 4);
    assert_int_equal(slow.begun[1], 0);
    assert_int_equal(pool_running(p), 1);
    g.open = true;
    assert_complete(&slow);
    assert_int_equal(pool_running(p), 0);
    pool_destroy(p);
}

static void test_a_stage_waits_for_the_one_before(void **state)
{
    (void)state;
    enum { JOBS = 200 };
    pool *p = pool_create(4, JOBS);
    probe *jobs = calloc(JOBS, sizeof *jobs);
    assert_non_null(jobs);
    for (size_t i = 0; i < JOBS; i++) {
        probe_init(&jobs[i], i % 5);
        jobs[i].tiles[1] = i % 9;
        jobs[i].tiles[2] = 0;
        jobs[i].tiles[3] = i % 2;
        assert_true(pool_submit(p, &jobs[i].job));
    }
    pool_destroy(p);
    for (size_t i = 0; i < JOBS; i++) {
        assert_complete(&jobs[i]);
        for (size_t s = 0; s < STAGES; s++)
            assert_int_equal(jobs[i].begun[s], 1);
    }
    free(jobs);
}

/* ---- The queue ------------------------------------------------------------------------------- */

static void test_a_full_queue_refuses(void **state)
{
    (void)state;
    pool *p = pool_create(1, 2);
    gate g = {false};
    probe holder, jobs[3];
    hold_worker(p, &holder, &g);
    assert_int_equal(pool_waiting(p), 0);
    for (size_t i = 0; i < 3; i++) {
        probe_init(&jobs[i], 1);
        assert_int_equal(pool_submit(p, &jobs[i].job), i < 2);
    }
    assert_int_equal(pool_waiting(p), 2);
    assert_int_equal(pool_running(p), 1);
    g.open = true;
    assert_complete(&jobs[1]);
    assert_true(pool_submit(p, &jobs[2].job));
    pool_destroy(p);
    assert_complete(&jobs[0]);
    assert_complete(&jobs[2]);
}

static void test_a_late_job_expires(void **state)
{
    (void)state;
    pool *p = pool_create(1, 4);
    gate g = {false};
    probe holder, late, patient, undated;
    hold_worker(p, &holder, &g);
    probe_init(&undated, 1);
    probe_init(&late, 1);
    probe_init(&patient, 1);
    late.job.start_deadline = now_ns() + 1000000;
    patient.job.start_deadline = now_ns() + (int64_t)3600 * 1000000000;
    assert_true(pool_submit(p, &undated.job));
    assert_true(pool_submit(p, &patient.job));
    assert_true(pool_submit(p, &late.job));
    usleep(5000);
    g.open = true;
    assert_true(await(&late.is_done));
    assert_int_equal(late.end, POOL_EXPIRED);
    assert_int_equal(late.begun[0], 0);
    assert_complete(&undated);
    assert_complete(&patient);
    pool_destroy(p);
}

static void test_an_expired_job_makes_room(void **state)
{
    (void)state;
    pool *p = pool_create(1, 1);
    gate g = {false};
    probe holder, late, next;
    hold_worker(p, &holder, &g);
    probe_init(&late, 1);
    probe_init(&next, 1);
    late.job.start_deadline = now_ns() + 1000000;
    assert_true(pool_submit(p, &late.job));
    usleep(5000);
    assert_true(pool_submit(p, &next.job));
    assert_int_equal(pool_waiting(p), 1);
    assert_false(late.is_done); /* told by a worker, not by whoever submits */
    g.open = true;
    pool_destroy(p);
    assert_int_equal(late.end, POOL_EXPIRED);
    assert_complete(&next);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void *open_later(void *context)
{
    usleep(20000);
    ((gate *)context)->open = true;
    return NULL;
}

static void test_destroy_completes_everything(void **state)
{
    (void)state;
    enum { JOBS = 10 };
    pool *p = pool_create(2, JOBS);
    gate g = {false};
    probe holder, jobs[JOBS];
    pthread_t opener;
    hold_worker(p, &holder, &g);
    for (size_t i = 0; i < JOBS; i++) {
        probe_init(&jobs[i], 2);
        jobs[i].tiles[3] = 2;
        jobs[i].holds_tile_0 = &g;
        assert_true(pool_submit(p, &jobs[i].job));
    }
    assert_int_equal(pthread_create(&opener, NULL, open_later, &g), 0);
    pool_destroy(p);
    assert_true(g.open);
    assert_true(holder.is_done);
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(jobs[i].is_done);
        assert_complete(&jobs[i]);
    }
    pthread_join(opener, NULL);
}

static void test_empty_pools(void **state)
{
    (void)state;
    assert_null(pool_create(0, 1));
    assert_null(pool_create(SIZE_MAX, 1));
    pool_destroy(NULL);
    pool_destroy(pool_create(3, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_jobs_end_in_order),
        cmocka_unit_test(test_one_job_has_every_worker),
        cmocka_unit_test(test_it_has_them_while_the_pool_is_stopped_too),
        cmocka_unit_test(test_a_straggler_leaves_the_others_free),
        cmocka_unit_test(test_a_stage_waits_for_the_one_before),
        cmocka_unit_test(test_a_full_queue_refuses),
        cmocka_unit_test(test_a_late_job_expires),
        cmocka_unit_test(test_an_expired_job_makes_room),
        cmocka_unit_test(test_destroy_completes_everything),
        cmocka_unit_test(test_empty_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
