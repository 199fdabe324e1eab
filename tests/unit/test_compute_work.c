/* The computation behind POST /v1/gradients, /v1/backprop and /v1/check without HTTP: inline and on
 * workers it prints the same bytes; deadlines, a full queue and errors come out as they should;
 * reservations come back. */
#include "api/computation.h"

#include "platform/clock.h"
#include "support/signal_box.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BUDGET ((size_t)10000)

static const char plain[] =
    "{\"id\":\"a\",\"layers\":["
    "{\"name\":\"l\",\"activation\":\"tanh\",\"input\":[[1,2],[3,4]],"
    "\"pre_activation\":[[0.5],[-1]],\"grad_output\":[[2],[3]],\"weight\":[[5,6]]},"
    "{\"activation\":\"relu\",\"input\":[1],\"pre_activation\":[1],\"grad_output\":[2]}]}";

/* Three layers, so several stages. */
static const char network[] =
    "{\"id\":\"a\",\"layers\":["
    "{\"name\":\"l\",\"activation\":\"tanh\",\"weight\":[[5,6],[7,-8]],\"bias\":[0.125,1]},"
    "{\"type\":\"layer_norm\",\"gain\":[1,2],\"shift\":[0,1]},"
    "{\"activation\":\"sigmoid\",\"weight\":[[0.3,-0.1]]}],\"input\":[[0.1,0.2],[0.3,-0.4]],"
    "\"loss\":{\"name\":\"mse\",\"target\":[[1],[0]]}}";

static const char overflowing[] =
    "{\"layers\":[{\"activation\":\"identity\",\"input\":[3e38],\"pre_activation\":[1],"
    "\"grad_output\":[9]}]}";

/* A computation that has read its document, with something reserved. */
static computation *make_work(const computation_kind *kind, grad_datatype datatype, budget *memory,
                              const char *document, signal_box *box)
{
    computation *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->kind = kind;
    w->memory.budget = memory;
    assert_true(reservation_resize(&w->memory, 1000));
    w->deadline = INT64_MAX;
    w->done = signal_box_ring;
    w->done_context = box;
    const body_options options = {
        .limits = GRAD_WIRE_LIMITS_INIT, .max_body = 1 << 20, .datatype = datatype};
    assert_int_equal(body_create(&body_filter_identity, &payload_json, &options, &w->body, NULL),
                     GRAD_OK);
    assert_int_equal(body_push(w->body, document, strlen(document), NULL), GRAD_OK);
    assert_int_equal(kind->read(w, NULL), GRAD_OK);
    const grad_limits limits = GRAD_LIMITS_INIT;
    assert_int_equal(kind->plan(w, &limits, NULL), GRAD_OK);
    return w;
}

static computation *make_plain(budget *memory, signal_box *box)
{
    return make_work(&compute_gradients, GRAD_FP32, memory, plain, box);
}

static char *text_of(const computation *w)
{
    grad_segment own;
    grad_text text;
    grad_text_init(&text, 1 << 20);
    const grad_segment *segments = computation_segments(w, &own);
    assert_true(w->segment_count > 0);
    for (size_t i = 0; i < w->segment_count; i++)
        grad_text_add(&text, segments[i].text, segments[i].length);
    assert_int_equal(grad_text_status(&text, NULL), GRAD_OK);
    return text.data;
}

/* ---- The same both ways ---------------------------------------------------------------------- */

/* Computes the document inline and on three workers; returns the text, which both printed. */
static char *compute_twice(const computation_kind *kind, grad_datatype datatype,
                           const char *document)
{
    budget memory;
    signal_box box = SIGNAL_BOX_INIT;
    budget_init(&memory, BUDGET);
    computation *here = make_work(kind, datatype, &memory, document, NULL);
    computation_run_inline(here);
    assert_false(here->failed);
    assert_true(here->times.queued <= here->times.begun);
    assert_true(here->times.begun <= here->times.computed);
    assert_true(here->times.computed <= here->times.printed);

    pool *workers = pool_create(3, 4);
    computation *there = make_work(kind, datatype, &memory, document, &box);
    assert_true(computation_submit(there, workers, INT64_MAX));
    signal_box_wait(&box, 1);
    assert_false(there->failed);
    assert_int_equal(there->end, POOL_COMPLETE);
    assert_null(there->body);
    assert_null(there->run);
    assert_null(there->check);

    char *first = text_of(here), *second = text_of(there);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "\"id\":\"a\""));
    free(second);
    computation_destroy(here);
    computation_destroy(there);
    pool_destroy(workers);
    assert_int_equal(memory.in_use, 0);
    return first;
}

static void test_inline_and_workers_print_the_same(void **state)
{
    (void)state;
    char *text = compute_twice(&compute_gradients, GRAD_FP32, plain);
    assert_non_null(strstr(text, "\"bias_delta\":[2]"));
    assert_null(strstr(text, "\"loss\""));
    free(text);
}

static void test_a_network_too(void **state)
{
    (void)state;
    char *text = compute_twice(&compute_backprop, GRAD_FP32, network);
    assert_non_null(strstr(text, "\"loss\":"));
    assert_non_null(strstr(text, "\"gain_delta\":"));
    free(text);
}

/* A double has more digits than a float. */
static void test_in_doubles_too(void **state)
{
    (void)state;
    char *narrow = compute_twice(&compute_backprop, GRAD_FP32, network);
    char *wide = compute_twice(&compute_backprop, GRAD_FP64, network);
    assert_true(strlen(wide) > strlen(narrow) + 40);
    free(narrow);
    free(wide);
}

static void test_a_check_too(void **state)
{
    (void)state;
    char *text = compute_twice(&compute_check, GRAD_FP64, network);
    assert_non_null(strstr(text, "\"verdict\":\"pass\""));
    assert_non_null(strstr(text, "\"tensor\":\"weight_delta\""));
    free(text);
    text = compute_twice(&compute_check, GRAD_FP64, plain);
    assert_non_null(strstr(text, "\"verdict\":\"pass\""));
    free(text);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

/* Names that are printed six times as long as they are read, in every tensor. */
static void test_a_report_stays_within_its_bound(void **state)
{
    (void)state;
    enum { LAYERS = 40, NAME = 300 };
    grad_text document;
    grad_text_init(&document, 1 << 20);
    grad_text_printf(&document, "{\"id\":\"a\",\"layers\":[");
    for (int l = 0; l < LAYERS; l++) {
        grad_text_printf(&document, "%s{\"name\":\"", l > 0 ? "," : "");
        for (int i = 0; i < NAME; i++)
            grad_text_printf(&document, "\\u0001");
        grad_text_printf(&document, "\",\"activation\":\"prelu\",\"weight\":[[0.7]],\"bias\":[0.3],"
                                    "\"input\":[[1]],\"grad_output\":[[1]],\"slope_delta\":[1],"
                                    "\"weight_delta\":[[1]],\"bias_delta\":[1],"
                                    "\"grad_input\":[[1]]}");
    }
    grad_text_printf(&document, "]}");
    assert_int_equal(grad_text_status(&document, NULL), GRAD_OK);
    budget memory;
    budget_init(&memory, BUDGET);
    computation *w = make_work(&compute_check, GRAD_FP32, &memory, document.data, NULL);
    size_t bound = w->kind->print_bound(w);
    computation_run_inline(w);
    assert_false(w->failed);
    assert_true(w->text.length > (size_t)6 * NAME * LAYERS);
    assert_true(w->text.capacity <= bound);
    computation_destroy(w);
    grad_text_free(&document);
}

/* What each phase needs is all that is held in it; nothing is given back before the computing. */
static void test_memory_of_each_phase(void **state)
{
    (void)state;
    enum { BASE = 16384 };
    budget memory;
    budget_init(&memory, 1 << 20);
    computation *w = make_plain(&memory, NULL);
    size_t held = body_memory(w->body);
    w->expected = 5000;
    assert_int_equal(computation_memory(w, MEMORY_TO_EXPECT), BASE + 2500);
    assert_int_equal(computation_memory(w, MEMORY_TO_RECEIVE), BASE + held);
    assert_int_equal(computation_memory(w, MEMORY_TO_READ), BASE + held + body_read_bound(w->body));
    assert_int_equal(computation_memory(w, MEMORY_TO_PLAN),
                     BASE + held + grad_plan_memory(w->batch));
    size_t computing = BASE + held + w->measure.memory + w->kind->print_bound(w);
    assert_int_equal(computation_memory(w, MEMORY_TO_COMPUTE), computing);
    assert_true(reservation_resize(&w->memory, 900000));
    assert_int_equal(computation_memory(w, MEMORY_TO_RECEIVE), 900000);
    assert_int_equal(computation_memory(w, MEMORY_TO_READ), 900000);
    assert_int_equal(computation_memory(w, MEMORY_TO_PLAN), 900000);
    assert_int_equal(computation_memory(w, MEMORY_TO_COMPUTE), computing);
    w->measure.memory = SIZE_MAX - 1;
    assert_int_equal(computation_memory(w, MEMORY_TO_COMPUTE), SIZE_MAX);
    computation_run_inline(w);
    computation_drop_inputs(w);
    char *text = text_of(w);
    assert_int_equal(computation_memory(w, MEMORY_TO_RESPOND), BASE + strlen(text));
    free(text);
    computation_destroy(w);
    assert_int_equal(memory.in_use, 0);
}

static double cost_of(const computation_kind *kind, grad_datatype datatype, const char *document)
{
    budget memory;
    budget_init(&memory, BUDGET);
    computation *w = make_work(kind, datatype, &memory, document, NULL);
    double cost = kind->cost(w);
    computation_destroy(w);
    return cost;
}

static void test_cost_depends_on_the_kind(void **state)
{
    (void)state;
    assert_true(cost_of(&compute_gradients, GRAD_FP32, plain) < 1e-6);
    assert_true(cost_of(&compute_backprop, GRAD_FP32, network) < 1e-5);
    assert_true(cost_of(&compute_backprop, GRAD_FP64, network) >
                cost_of(&compute_backprop, GRAD_FP32, network));
    assert_true(isinf(cost_of(&compute_check, GRAD_FP32, plain))); /* always the workers' */
}

static void test_cost_grows_with_work(void **state)
{
    (void)state;
    grad_batch batch = {.datatype = GRAD_FP32};
    computation w = {
        .kind = &compute_gradients,
        .batch = &batch,
        .measure = {.result_numbers = 2080, .flops = 2.0 * 8 * 64 * 32, .elements = 256}};
    double small = w.kind->cost(&w);
    assert_true(small < 0.0001);
    w.measure.elements = 256000;
    assert_true(w.kind->cost(&w) > small + 0.0005);
    w.measure.elements = 256;
    w.measure.flops = 2.0 * 64 * 512 * 256;
    assert_true(w.kind->cost(&w) > small + 0.0005);
    w.measure.result_numbers = 131328;
    assert_true(w.kind->cost(&w) > 0.001);
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

static void test_an_error_is_kept(void **state)
{
    (void)state;
    budget memory;
    signal_box box = SIGNAL_BOX_INIT;
    budget_init(&memory, BUDGET);
    computation *here = make_work(&compute_gradients, GRAD_FP32, &memory, overflowing, NULL);
    computation_run_inline(here);
    assert_true(here->failed);
    assert_string_equal(here->error.code, "non_finite");
    assert_null(here->encoder);

    pool *workers = pool_create(1, 4);
    computation *there = make_work(&compute_gradients, GRAD_FP32, &memory, overflowing, &box);
    assert_true(computation_submit(there, workers, INT64_MAX));
    signal_box_wait(&box, 1);
    assert_true(there->failed);
    assert_string_equal(there->error.detail, here->error.detail);
    computation_destroy(here);
    computation_destroy(there);
    pool_destroy(workers);
}

static void test_late_work_is_given_up(void **state)
{
    (void)state;
    budget memory;
    signal_box box = SIGNAL_BOX_INIT;
    budget_init(&memory, BUDGET);
    pool *workers = pool_create(1, 4);
    computation *w = make_plain(&memory, &box);
    w->deadline = clock_now() - 1;
    assert_true(computation_submit(w, workers, INT64_MAX));
    signal_box_wait(&box, 1);
    assert_true(w->late);
    assert_int_equal(w->end, POOL_COMPLETE);
    assert_null(w->encoder);
    computation_destroy(w);

    w = make_plain(&memory, &box);
    assert_true(computation_submit(w, workers, clock_now() - 1));
    signal_box_wait(&box, 2);
    assert_int_equal(w->end, POOL_EXPIRED);
    assert_false(w->late);
    computation_destroy(w);
    pool_destroy(workers);
    assert_int_equal(memory.in_use, 0);
}

static void test_a_full_queue_refuses(void **state)
{
    (void)state;
    budget memory;
    budget_init(&memory, BUDGET);
    pool *workers = pool_create(1, 0);
    computation *w = make_plain(&memory, NULL);
    assert_false(computation_submit(w, workers, INT64_MAX));
    computation_destroy(w);
    pool_destroy(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline_and_workers_print_the_same),
        cmocka_unit_test(test_a_network_too),
        cmocka_unit_test(test_in_doubles_too),
        cmocka_unit_test(test_a_check_too),
        cmocka_unit_test(test_a_report_stays_within_its_bound),
        cmocka_unit_test(test_memory_of_each_phase),
        cmocka_unit_test(test_cost_depends_on_the_kind),
        cmocka_unit_test(test_cost_grows_with_work),
        cmocka_unit_test(test_an_error_is_kept),
        cmocka_unit_test(test_late_work_is_given_up),
        cmocka_unit_test(test_a_full_queue_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
