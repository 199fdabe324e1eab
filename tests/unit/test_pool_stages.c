/* The pool and how many stages a job has, which the job alone knows: said in advance by nobody,
 * found out when the first begins, or changed on the way. */
#include "work/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

enum { JOBS = 60, NEVER = 1000 };

/* A job of stages of 0, 1, 2, 0, 1, 2 … tiles. */
typedef struct learner {
    pool_job job;
    size_t planned;       /* stages */
    size_t stages;        /* the same, once the first has begun */
    size_t breaks_off_in; /* a tile of this stage finds that it is the last; NEVER: none does */
    _Atomic bool is_broken;
    _Atomic size_t begun, ran, ends, wrong;
    _Atomic bool is_done;
} learner;

static size_t learner_begin(void *context, size_t stage)
{
    learner *l = context;
    if (stage == 0)
        l->stages = l->planned;
    if (l->is_broken || stage == l->stages) {
        l->ends++;
        return POOL_NO_STAGE;
    }
    l->wrong += stage != l->begun++ || stage > l->stages || l->ends > 0;
    return stage % 3;
}

static void learner_tile(void *context, size_t stage, size_t tile)
{
    learner *l = context;
    l->wrong += tile >= stage % 3 || stage >= l->stages;
    l->ran++;
    if (stage == l->breaks_off_in)
        l->is_broken = true;
}

static void learner_done(void *context, pool_end how)
{
    learner *l = context;
    l->wrong += how != POOL_COMPLETE || l->ends != 1;
    l->is_done = true;
}

static const pool_job_kind learner_kind = {learner_begin, learner_tile, learner_done};

static void submit(pool *p, learner *l, size_t planned, size_t breaks_off_in)
{
    *l = (learner){.planned = planned, .breaks_off_in = breaks_off_in};
    l->job = (pool_job){.kind = &learner_kind, .context = l};
    assert_true(pool_submit(p, &l->job));
}

static void test_a_job_says_how_many_stages_it_has(void **state)
{
    (void)state;
    pool *p = pool_create(3, JOBS);
    learner *jobs = calloc(JOBS, sizeof *jobs);
    assert_non_null(jobs);
    for (size_t i = 0; i < JOBS; i++)
        submit(p, &jobs[i], i, NEVER);
    pool_destroy(p);
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(jobs[i].is_done);
        assert_int_equal(jobs[i].wrong, 0);
        assert_int_equal(jobs[i].begun, i);
        assert_int_equal(jobs[i].ran, i / 3 * 3 + (i % 3 == 2)); /* 0 + 1 + 2 of three stages */
    }
    free(jobs);
}

static void test_a_job_may_end_before_its_last_stage(void **state)
{
    (void)state;
    enum { PLANNED = 12 };
    pool *p = pool_create(3, JOBS);
    learner jobs[PLANNED];
    for (size_t i = 0; i < PLANNED; i++)
        submit(p, &jobs[i], PLANNED, i);
    pool_destroy(p);
    for (size_t i = 0; i < PLANNED; i++) {
        size_t stages = i % 3 == 0 ? PLANNED : i + 1; /* those that are skipped have no tiles */
        assert_true(jobs[i].is_done);
        assert_int_equal(jobs[i].wrong, 0);
        assert_int_equal(jobs[i].begun, stages);
        assert_int_equal(jobs[i].ran, stages / 3 * 3 + (stages % 3 == 2));
    }
}

static void test_a_job_without_stages_is_done(void **state)
{
    (void)state;
    pool *p = pool_create(1, 1);
    learner empty;
    submit(p, &empty, 0, NEVER);
    pool_destroy(p);
    assert_true(empty.is_done);
    assert_int_equal(empty.wrong, 0);
    assert_int_equal(empty.ran, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_says_how_many_stages_it_has),
        cmocka_unit_test(test_a_job_may_end_before_its_last_stage),
        cmocka_unit_test(test_a_job_without_stages_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
