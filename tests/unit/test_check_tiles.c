/* Tests of how a check is cut into tiles: the same bits in any order and on any number of threads;
 * places that are never more than there may be, tiles that are never lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "gradcheck/slot_limiter.h"
#include "support/checks.h"

#define THREADS 24 /* more than there are places */

/* ---- The same bits --------------------------------------------------------------------------- */

/* The tiles of one stage, handed out to threads. */
typedef struct stage_work {
    grad_check *check;
    size_t stage, count;
    bool is_reversed;
    atomic_size_t next;
} stage_work;

static void *work(void *context)
{
    stage_work *w = context;
    size_t i;

    while ((i = atomic_fetch_add(&w->next, 1)) < w->count)
        grad_check_tile(w->check, w->stage, w->is_reversed ? w->count - 1 - i : i);
    return NULL;
}

static void run_stage(stage_work *w, size_t threads)
{
    pthread_t others[THREADS];

    for (size_t i = 1; i < threads; i++)
        assert_int_equal(pthread_create(&others[i], NULL, work, w), 0);
    work(w);
    for (size_t i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
}

static const grad_check_report *report_on(const grad_check_request *request, size_t threads,
                                          bool is_reversed, grad_check **check)
{
    const grad_check_report *report = NULL;
    grad_measure measure;

    assert_int_equal(grad_check_measure(request, NULL, &measure, NULL), GRAD_OK);
    assert_int_equal(grad_check_create(request, check, NULL), GRAD_OK);
    for (size_t stage = 0; stage < grad_check_stage_count(*check); stage++) {
        stage_work w = {.check = *check,
                        .stage = stage,
                        .count = grad_check_tile_count(*check, stage),
                        .is_reversed = is_reversed};

        assert_true(w.count >= 1);
        run_stage(&w, threads);
    }
    assert_int_equal(grad_check_finish(*check, &report, NULL), GRAD_OK);
    return report;
}

static void assert_same_finding(const grad_check_finding *a, const grad_check_finding *b)
{
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->index, b->index);
    assert_memory_equal(&a->largest_error, &b->largest_error, sizeof a->largest_error);
    assert_memory_equal(&a->difference, &b->difference, sizeof a->difference);
}

static void the_order_and_the_threads_do_not_matter(void **state)
{
    const network_recipe three[] = {{GRAD_DENSE, 9, GRAD_RELU, 0.25, 0, false},
                                    {GRAD_BATCH_NORM, 0, GRAD_TANH, 0, 0, false},
                                    {GRAD_DENSE, 4, GRAD_PRELU, 0, 0, false}};
    static const struct {
        size_t threads;
        bool is_reversed;
    } ways[] = {{1, true}, {3, false}, {THREADS, true}};
    network *n = network_of(41, GRAD_FP32, 6, 5, GRAD_MSE, 3, three);
    grad_check_request request = {.batch = &n->batch};
    grad_check *first = NULL, *other = NULL;
    const grad_check_report *expected = check_report_of(&request, &first), *found;

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        found = report_on(&request, ways[i].threads, ways[i].is_reversed, &other);
        assert_int_equal(found->tensor_count, expected->tensor_count);
        for (size_t t = 0; t < found->tensor_count; t++)
            assert_same_finding(&found->tensors[t].analytic, &expected->tensors[t].analytic);
        grad_check_destroy(other);
    }
    grad_check_destroy(first);
    network_free(n);
}

/* ---- The crew -------------------------------------------------------------------------------- */

typedef struct yard {
    grad_slot_limiter *crew;
    atomic_size_t at_work, most;
    atomic_size_t *done; /* how often each tile was */
    size_t tiles, fails_at;
    atomic_size_t next, brought;
} yard;

/* Waits until it is so, but not for ever: on a busy machine a thread may be some milliseconds
 * late. */
static void wait_until(bool (*is_so)(const yard *y), const yard *y)
{
    for (int i = 0; i < 100000 && !is_so(y); i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* All places are taken, and a tile was left to those that have them: nobody else is back. */
static bool is_crowded(const yard *y)
{
    return atomic_load(&y->most) == GRAD_LIMITER_SLOTS && atomic_load(&y->brought) > 0;
}

static bool has_failed(const yard *y)
{
    return grad_slot_limiter_status(y->crew, NULL) != GRAD_OK;
}

static grad_status toil(void *context, size_t tile, grad_error *error)
{
    yard *y = context;
    size_t now = atomic_fetch_add(&y->at_work, 1) + 1, most = atomic_load(&y->most);

    (void)error;
    while (now > most && !atomic_compare_exchange_weak(&y->most, &most, now))
        continue;
    wait_until(is_crowded, y);
    atomic_fetch_add(&y->done[tile], 1);
    atomic_fetch_sub(&y->at_work, 1);
    return tile == y->fails_at ? GRAD_OUT_OF_MEMORY : GRAD_OK;
}

static void *bring(void *context)
{
    yard *y = context;
    size_t tile;

    while ((tile = atomic_fetch_add(&y->next, 1)) < y->tiles) {
        if (y->fails_at < y->tiles && tile > y->tiles / 2)
            wait_until(has_failed, y);
        grad_slot_limiter_do(y->crew, tile, toil, y);
        atomic_fetch_add(&y->brought, 1);
    }
    return NULL;
}

static void fill_yard(yard *y, size_t tiles, size_t fails_at)
{
    pthread_t threads[THREADS];

    *y = (yard){.crew = grad_slot_limiter_create(tiles),
                .done = calloc(tiles, sizeof *y->done),
                .tiles = tiles,
                .fails_at = fails_at};
    assert_non_null(y->crew);
    assert_non_null(y->done);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bring, y), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void every_tile_is_done_once_by_few(void **state)
{
    yard y;

    (void)state;
    fill_yard(&y, 600, SIZE_MAX);
    for (size_t i = 0; i < y.tiles; i++)
        assert_int_equal(atomic_load(&y.done[i]), 1);
    assert_int_equal(atomic_load(&y.most), GRAD_LIMITER_SLOTS);
    assert_true(is_crowded(&y));
    assert_int_equal(grad_slot_limiter_status(y.crew, NULL), GRAD_OK);
    grad_slot_limiter_destroy(y.crew);
    free(y.done);
}

static void nothing_is_done_behind_a_failure(void **state)
{
    size_t done = 0;
    yard y;

    (void)state;
    fill_yard(&y, 600, 0);
    for (size_t i = 0; i < y.tiles; i++)
        done += atomic_load(&y.done[i]);
    assert_int_equal(grad_slot_limiter_status(y.crew, NULL), GRAD_OUT_OF_MEMORY);
    assert_true(done < 600);
    grad_slot_limiter_destroy(y.crew);
    free(y.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_and_the_threads_do_not_matter),
        cmocka_unit_test(every_tile_is_done_once_by_few),
        cmocka_unit_test(nothing_is_done_behind_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
