/* How a computation's stages are run, with a kind of this file that only counts: every tile once,
 * in as many stages as it says, and none any more once the deadline has passed or one failed. */
#include "api/computation.h"

#include "platform/clock.h"
#include "support/signal_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { STAGES = 9, TILES = 20, SEGMENTS = 4 };
#define MILLISECOND ((int64_t)1000000)

static struct {
    _Atomic size_t tiles[STAGES], created, finished, printed, wrong;
    size_t late_at; /* the deadline passes within this tile of stage 1, on one worker; 0: never */
    useconds_t sleeps; /* in each tile */
    bool fails_to_print;
} seen;

static grad_status create(computation *w, grad_error *error)
{
    (void)w;
    (void)error;
    seen.created++;
    return GRAD_OK;
}

static size_t stage_count(const computation *w)
{
    (void)w;
    return STAGES;
}

static size_t tile_count(const computation *w, size_t stage)
{
    (void)w;
    seen.wrong += stage >= STAGES || seen.tiles[stage] != 0;
    return TILES + stage;
}

static void tile(computation *w, size_t stage, size_t which)
{
    for (size_t s = 0; s < stage; s++)
        seen.wrong += seen.tiles[s] != TILES + s;
    seen.wrong += which >= TILES + stage || seen.finished > 0;
    size_t count = ++seen.tiles[stage];
    if (seen.late_at > 0 && stage == 1 && count == seen.late_at)
        w->deadline = clock_now() - 1;
    if (seen.sleeps > 0)
        usleep(seen.sleeps);
}

static grad_status finish(computation *w, grad_error *error)
{
    (void)error;
    seen.finished++;
    w->segment_count = SEGMENTS;
    return GRAD_OK;
}

static grad_status print(computation *w, size_t segment, grad_error *error)
{
    (void)w;
    seen.wrong += segment >= SEGMENTS || seen.finished != 1;
    seen.printed++;
    if (!seen.fails_to_print)
        return GRAD_OK;
    error->status = GRAD_OUT_OF_MEMORY;
    return GRAD_OUT_OF_MEMORY;
}

static const computation_kind counting = {.create = create,
                                          .stage_count = stage_count,
                                          .tile_count = tile_count,
                                          .tile = tile,
                                          .finish = finish,
                                          .print = print};

static int begin(void **state)
{
    (void)state;
    for (size_t s = 0; s < STAGES; s++)
        seen.tiles[s] = 0;
    seen.created = seen.finished = seen.printed = seen.wrong = 0;
    seen.late_at = 0;
    seen.sleeps = 0;
    seen.fails_to_print = false;
    return 0;
}

/* One such work on that many workers; the caller destroys it. */
static computation *run(budget *memory, size_t workers, int64_t deadline)
{
    signal_box box = SIGNAL_BOX_INIT;
    computation *w = calloc(1, sizeof *w);
    assert_non_null(w);
    budget_init(memory, 0);
    w->kind = &counting;
    w->memory.budget = memory;
    w->deadline = deadline;
    w->done = signal_box_ring;
    w->done_context = &box;
    pool *p = pool_create(workers, 1);
    assert_true(computation_submit(w, p, INT64_MAX));
    signal_box_wait(&box, 1);
    pool_destroy(p);
    return w;
}

static void assert_all_ran(void)
{
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.created, 1);
    for (size_t s = 0; s < STAGES; s++)
        assert_int_equal(seen.tiles[s], TILES + s);
    assert_int_equal(seen.finished, 1);
    assert_int_equal(seen.printed, SEGMENTS);
}

static void test_every_tile_of_every_stage_runs_once(void **state)
{
    (void)state;
    budget memory;
    computation *w = run(&memory, 3, INT64_MAX);
    assert_all_ran();
    assert_false(w->late);
    assert_false(w->failed);
    computation_destroy(w);

    begin(NULL);
    w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->kind = &counting;
    w->memory.budget = &memory;
    computation_run_inline(w);
    assert_all_ran();
    computation_destroy(w);
}

static void test_no_tile_begins_behind_the_deadline(void **state)
{
    (void)state;
    budget memory;
    seen.late_at = 5;
    computation *w = run(&memory, 1, INT64_MAX);
    assert_true(w->late);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.tiles[0], TILES);
    assert_int_equal(seen.tiles[1], 5);
    assert_int_equal(seen.tiles[2], 0);
    assert_int_equal(seen.finished, 0);
    computation_destroy(w);
}

/* Any worker may find that it is late; the thread sanitizer looks on. */
static void test_all_workers_give_up(void **state)
{
    (void)state;
    budget memory;
    seen.sleeps = 20000;
    computation *w = run(&memory, 4, clock_now() + 50 * MILLISECOND);
    size_t ran = 0;
    for (size_t s = 0; s < STAGES; s++)
        ran += seen.tiles[s];
    assert_true(w->late);
    assert_true(ran <= 4 * 4); /* those that each worker began within 50 ms */
    assert_int_equal(seen.finished, 0);
    computation_destroy(w);
}

static void test_a_failure_is_kept(void **state)
{
    (void)state;
    budget memory;
    seen.fails_to_print = true;
    computation *w = run(&memory, 1, INT64_MAX);
    assert_true(w->failed);
    assert_int_equal(w->error.status, GRAD_OUT_OF_MEMORY);
    assert_int_equal(seen.printed, 1); /* the others would be for nothing */
    computation_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_tile_of_every_stage_runs_once, begin),
        cmocka_unit_test_setup(test_no_tile_begins_behind_the_deadline, begin),
        cmocka_unit_test_setup(test_all_workers_give_up, begin),
        cmocka_unit_test_setup(test_a_failure_is_kept, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
