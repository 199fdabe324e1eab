/* The pool of workers under many small jobs: nothing is lost, nothing runs twice. */
#include "work/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { SUBMITTERS = 4, JOBS_EACH = 2500, SMALL_TILES = 3 };

/* A job of two stages and a handful of tiles that do nothing. */
typedef struct small_job {
    pool_job job;
    pool *p;
    _Atomic size_t tiles;
    _Atomic size_t runs;
    _Atomic bool is_done;
} small_job;

static size_t small_begin(void *context, size_t stage)
{
    (void)context;
    return stage < 2 ? SMALL_TILES - stage : POOL_NO_STAGE;
}

static void small_tile(void *context, size_t stage, size_t tile)
{
    (void)stage;
    (void)tile;
    ((small_job *)context)->tiles++;
}

static void small_done(void *context, pool_end how)
{
    (void)how;
    ((small_job *)context)->is_done = true;
}

static const pool_job_kind small_kind = {small_begin, small_tile, small_done};

static void *submit_many(void *context)
{
    small_job *jobs = context;
    for (size_t i = 0; i < JOBS_EACH; i++) {
        jobs[i].job.kind = &small_kind;
        jobs[i].job.context = &jobs[i];
        while (!pool_submit(jobs[i].p, &jobs[i].job))
            usleep(50);
    }
    return NULL;
}

static void test_ten_thousand_jobs_of_four_threads(void **state)
{
    (void)state;
    pool *p = pool_create(3, 64);
    small_job *jobs = calloc(SUBMITTERS * JOBS_EACH, sizeof *jobs);
    pthread_t threads[SUBMITTERS];
    assert_non_null(jobs);
    for (size_t i = 0; i < SUBMITTERS * JOBS_EACH; i++)
        jobs[i].p = p;
    for (size_t i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, jobs + i * JOBS_EACH), 0);
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    pool_destroy(p);
    for (size_t i = 0; i < SUBMITTERS * JOBS_EACH; i++) {
        assert_true(jobs[i].is_done);
        assert_int_equal(jobs[i].tiles, SMALL_TILES + SMALL_TILES - 1);
    }
    free(jobs);
}

static void again_done(void *context, pool_end how)
{
    small_job *s = context;
    (void)how;
    if (++s->runs == 100 || !pool_submit(s->p, &s->job))
        s->is_done = true;
}

static void test_done_may_queue_the_job_again(void **state)
{
    (void)state;
    static const pool_job_kind kind = {small_begin, small_tile, again_done};
    small_job s = {.p = pool_create(2, 1)};
    s.job = (pool_job){.kind = &kind, .context = &s};
    assert_true(pool_submit(s.p, &s.job));
    for (int i = 0; i < 20000 && !s.is_done; i++)
        usleep(500);
    assert_true(s.is_done);
    pool_destroy(s.p);
    assert_int_equal(s.runs, 100);
    assert_int_equal(s.tiles, 100 * (SMALL_TILES + SMALL_TILES - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_thousand_jobs_of_four_threads),
        cmocka_unit_test(test_done_may_queue_the_job_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
