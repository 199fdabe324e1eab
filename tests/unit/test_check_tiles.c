/* Tests of how a check is cut into tiles: the same bits in any order and on any number of threads;
 * no more of them at once than memory is measured for, and none behind a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "gradcheck/state.h"
#include "support/checks.h"

#define THREADS 24 /* more than a stage has tiles */

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

/* ---- Stages ---------------------------------------------------------------------------------- */

/* No stage of differences has more tiles than the memory that is measured holds; together they are
 * one for each tensor's order, and then one for each place that is looked at. */
static void few_tiles_are_at_work_at_once(void **state)
{
    const network_recipe two[] = {{GRAD_DENSE, 9, GRAD_RELU, 0, 0, false},
                                  {GRAD_DENSE, 4, GRAD_PRELU, 0, 0, false}};
    network *n = network_of(42, GRAD_FP64, 6, 5, GRAD_MSE, 2, two);
    grad_check_request request = {.batch = &n->batch};
    grad_check *check = NULL;
    const grad_check_report *report = check_report_of(&request, &check);
    size_t tensors = report->tensor_count, places = 0, tiles = 0, differences = 0;

    (void)state;
    for (size_t i = 0; i < tensors; i++)
        places += report->tensors[i].analytic.checked;
    for (size_t stage = grad_check_stage_count(check); tiles < tensors + places; differences++) {
        stage--;
        assert_in_range(grad_check_tile_count(check, stage), 1, GRAD_CHECK_SLOTS);
        tiles += grad_check_tile_count(check, stage);
    }
    assert_int_equal(tiles, tensors + places);
    assert_int_equal(differences, (tensors + GRAD_CHECK_SLOTS - 1) / GRAD_CHECK_SLOTS +
                                      (places + GRAD_CHECK_SLOTS - 1) / GRAD_CHECK_SLOTS);
    grad_check_destroy(check);
    network_free(n);
}

/* The output is beyond double: differences have nothing to start from. */
static void nothing_is_done_behind_a_failure(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 4, GRAD_EXP, 0, 0, false}};
    network *n = network_of(43, GRAD_FP64, 2, 3, GRAD_LOSS_ABSENT, 1, one);
    grad_check_request request = {.batch = &n->batch};
    const grad_check_report *report = NULL;
    grad_error error = GRAD_ERROR_INIT;
    grad_check *check = NULL;
    static const grad_slope untouched;
    size_t last;

    (void)state;
    n->batch.non_finite = GRAD_ALLOW_NON_FINITE;
    check_scale(n, &n->network.input, 1e6);
    assert_int_equal(grad_check_create(&request, &check, NULL), GRAD_OK);
    last = grad_check_stage_count(check) - 1;
    assert_in_range(grad_check_tile_count(check, last), 1, GRAD_CHECK_SLOTS);
    assert_int_equal(grad_check_all(check, &report, &error), GRAD_INVALID);
    assert_in_range(grad_check_tile_count(check, last), 1, GRAD_CHECK_SLOTS);
    for (size_t i = 0; i < check->sample_count; i++)
        assert_memory_equal(&check->samples[i].slope, &untouched, sizeof untouched);
    for (size_t i = 1; i < GRAD_CHECK_SLOTS; i++)
        assert_int_equal(check->errors[i].status, GRAD_OK);
    assert_string_equal(error.code, "non_finite");
    assert_null(report);
    grad_check_destroy(check);
    network_free(n);
}

/* ---- Going on, or not ------------------------------------------------------------------------ */

/* Says no from a call on. */
typedef struct asker {
    size_t calls, says_no_at; /* 0: never */
} asker;

static bool proceed(void *context)
{
    asker *a = context;

    return ++a->calls < a->says_no_at || a->says_no_at == 0;
}

/* What is checked often: once for each tile of each run that a difference takes. */
static void it_is_asked_within_tiles(void **state)
{
    const network_recipe two[] = {{GRAD_DENSE, 9, GRAD_GELU, 0, 0, false},
                                  {GRAD_DENSE, 4, GRAD_TANH, 0, 0, false}};
    network *n = network_of(44, GRAD_FP32, 6, 5, GRAD_MSE, 2, two);
    grad_check_request request = {.batch = &n->batch};
    grad_check *first = NULL, *other = NULL;
    const grad_check_report *expected = check_report_of(&request, &first), *found = NULL;
    asker a = {.calls = 0};

    (void)state;
    assert_int_equal(grad_check_create(&request, &other, NULL), GRAD_OK);
    grad_check_set_proceed(other, proceed, &a);
    assert_int_equal(grad_check_all(other, &found, NULL), GRAD_OK);
    for (size_t t = 0; t < found->tensor_count; t++)
        assert_same_finding(&found->tensors[t].analytic, &expected->tensors[t].analytic);
    assert_true(a.calls > 5 * other->sample_count);
    grad_check_destroy(first);
    grad_check_destroy(other);
    network_free(n);
}

/* ---- Time between -------------------------------------------------------------------------- */

#define ROUNDS 5    /* of which the machine may disturb all but one */
#define PAUSES 60.0 /* that the whole is longer than the longest of them, at least */

/* How long is worked without asking, in CPU time of the thread. */
typedef struct stopwatch {
    int64_t began, last, longest;
} stopwatch;

static int64_t cpu_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static bool look_at_stopwatch(void *context)
{
    stopwatch *w = context;
    int64_t now = cpu_time();

    w->longest = now - w->last > w->longest ? now - w->last : w->longest;
    w->last = now;
    return true;
}

static double pauses_in_check(const grad_check_request *request)
{
    const grad_check_report *report = NULL;
    grad_check *check = NULL;
    stopwatch w;

    assert_int_equal(grad_check_create(request, &check, NULL), GRAD_OK);
    w = (stopwatch){.began = cpu_time(), .last = cpu_time()};
    grad_check_set_proceed(check, look_at_stopwatch, &w);
    assert_int_equal(grad_check_all(check, &report, NULL), GRAD_OK);
    look_at_stopwatch(&w);
    grad_check_destroy(check);
    return (double)(w.last - w.began) / (double)w.longest;
}

/* Neither the radii of many weights nor their sums along a direction are one piece of work. */
static void it_is_asked_often(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 500, GRAD_GELU, 0, 0, false}};
    network *n = network_of(46, GRAD_FP32, 2, 1200, GRAD_MSE, 1, one);
    grad_check_request request = {.batch = &n->batch};
    double most = 0;

    (void)state;
    for (size_t round = 0; round < ROUNDS && most <= PAUSES; round++)
        most = fmax(most, pauses_in_check(&request));
    print_message("%.0f pauses\n", most);
    assert_true(most > PAUSES);
    network_free(n);
}

static void it_is_abandoned(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 9, GRAD_GELU, 0, 0, false}};
    network *n = network_of(45, GRAD_FP64, 6, 5, GRAD_MSE, 1, one);
    grad_check_request request = {.batch = &n->batch};

    (void)state;
    for (size_t at = 1; at < 1000; at = at * 2 + 1) {
        grad_error error = GRAD_ERROR_INIT;
        const grad_check_report *report = NULL;
        grad_check *check = NULL;
        asker a = {.says_no_at = at};

        assert_int_equal(grad_check_create(&request, &check, NULL), GRAD_OK);
        grad_check_set_proceed(check, proceed, &a);
        assert_int_equal(grad_check_all(check, &report, &error), GRAD_INVALID);
        assert_string_equal(error.code, "abandoned");
        assert_true(a.calls <= at + GRAD_CHECK_SLOTS);
        assert_null(report);
        grad_check_destroy(check);
    }
    network_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_and_the_threads_do_not_matter),
        cmocka_unit_test(few_tiles_are_at_work_at_once),
        cmocka_unit_test(nothing_is_done_behind_a_failure),
        cmocka_unit_test(it_is_asked_within_tiles),
        cmocka_unit_test(it_is_asked_often),
        cmocka_unit_test(it_is_abandoned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
