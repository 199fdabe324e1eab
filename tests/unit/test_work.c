/* The computation behind POST /v1/gradients without HTTP: inline and on workers it prints the same
 * bytes; deadlines, a full queue and errors come out as they should; leases come back. */
#include "handlers/gradients.h"

#include "net/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char plain[] =
    "{\"id\":\"a\",\"layers\":["
    "{\"name\":\"l\",\"activation\":\"tanh\",\"input\":[[1,2],[3,4]],"
    "\"pre_activation\":[[0.5],[-1]],\"grad_output\":[[2],[3]],\"weight\":[[5,6]]},"
    "{\"activation\":\"relu\",\"input\":[1],\"pre_activation\":[1],\"grad_output\":[2]}]}";

static const char overflowing[] =
    "{\"layers\":[{\"activation\":\"identity\",\"input\":[3e38],\"pre_activation\":[1],"
    "\"grad_output\":[9]}]}";

/* What a worker tells when it is done. */
typedef struct signal_box {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    size_t count;
} signal_box;

static void on_done(void *context)
{
    signal_box *box = context;
    pthread_mutex_lock(&box->lock);
    box->count++;
    pthread_cond_signal(&box->arrived);
    pthread_mutex_unlock(&box->lock);
}

static void wait_for(signal_box *box, size_t count)
{
    pthread_mutex_lock(&box->lock);
    while (box->count < count)
        pthread_cond_wait(&box->arrived, &box->lock);
    pthread_mutex_unlock(&box->lock);
}

#define BOX                                                                                        \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER                     \
    }

/* A work that has read its document, with all it needs leased. */
static work *make_work(budget *memory, const char *document, signal_box *box)
{
    work *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->memory = memory;
    assert_true(budget_resize(memory, &w->leased, 1000));
    w->deadline = INT64_MAX;
    w->done = on_done;
    w->done_context = box;
    assert_int_equal(grad_decoder_create(NULL, 0, &w->decoder, NULL), GRAD_OK);
    assert_int_equal(grad_decoder_push(w->decoder, document, strlen(document), NULL), GRAD_OK);
    assert_int_equal(grad_decoder_finish_request(w->decoder, &w->batch, NULL), GRAD_OK);
    assert_int_equal(grad_batch_measure(w->batch, NULL, &w->measure, NULL), GRAD_OK);
    return w;
}

static char *text_of(const work *w)
{
    grad_text text;
    grad_text_init(&text, 1 << 20);
    const grad_segment *segments = grad_encoder_segments(w->encoder);
    for (size_t i = 0; i < grad_encoder_segment_count(w->encoder); i++)
        grad_text_add(&text, segments[i].text, segments[i].length);
    assert_int_equal(grad_text_status(&text, NULL), GRAD_OK);
    return text.data;
}

static void test_inline_and_workers_print_the_same(void **state)
{
    (void)state;
    budget memory;
    signal_box box = BOX;
    budget_init(&memory, 10000);
    work *here = make_work(&memory, plain, NULL);
    work_run_inline(here);
    assert_false(here->failed);
    assert_true(here->times.queued <= here->times.begun);
    assert_true(here->times.begun <= here->times.computed);
    assert_true(here->times.computed <= here->times.printed);

    pool *workers = pool_create(3, 4);
    work *there = make_work(&memory, plain, &box);
    assert_true(work_submit(there, workers, INT64_MAX));
    wait_for(&box, 1);
    assert_false(there->failed);
    assert_false(there->expired);
    assert_null(there->decoder);
    assert_null(there->run);

    char *first = text_of(here), *second = text_of(there);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "\"id\":\"a\""));
    free(first);
    free(second);
    work_destroy(here);
    work_destroy(there);
    pool_destroy(workers);
    assert_int_equal(memory.in_use, 0);
}

static void test_an_error_is_kept(void **state)
{
    (void)state;
    budget memory;
    signal_box box = BOX;
    budget_init(&memory, 10000);
    work *here = make_work(&memory, overflowing, NULL);
    work_run_inline(here);
    assert_true(here->failed);
    assert_string_equal(here->error.code, "non_finite");
    assert_null(here->encoder);

    pool *workers = pool_create(1, 4);
    work *there = make_work(&memory, overflowing, &box);
    assert_true(work_submit(there, workers, INT64_MAX));
    wait_for(&box, 1);
    assert_true(there->failed);
    assert_string_equal(there->error.detail, here->error.detail);
    work_destroy(here);
    work_destroy(there);
    pool_destroy(workers);
}

static void test_late_work_is_given_up(void **state)
{
    (void)state;
    budget memory;
    signal_box box = BOX;
    budget_init(&memory, 10000);
    pool *workers = pool_create(1, 4);
    work *w = make_work(&memory, plain, &box);
    w->deadline = clock_now() - 1;
    assert_true(work_submit(w, workers, INT64_MAX));
    wait_for(&box, 1);
    assert_true(w->late);
    assert_false(w->expired);
    assert_null(w->encoder);
    work_destroy(w);

    w = make_work(&memory, plain, &box);
    assert_true(work_submit(w, workers, clock_now() - 1));
    wait_for(&box, 2);
    assert_true(w->expired);
    assert_false(w->late);
    work_destroy(w);
    pool_destroy(workers);
    assert_int_equal(memory.in_use, 0);
}

static void test_a_full_queue_refuses(void **state)
{
    (void)state;
    budget memory;
    budget_init(&memory, 10000);
    pool *workers = pool_create(1, 0);
    work *w = make_work(&memory, plain, NULL);
    assert_false(work_submit(w, workers, INT64_MAX));
    work_destroy(w);
    pool_destroy(workers);
}

static void test_cost_grows_with_work(void **state)
{
    (void)state;
    float number = 0;
    grad_layer layer = {.pre_activation = {.data = &number, .rank = 2, .shape = {8, 32}}};
    const grad_batch batch = {.layer_count = 1, .layers = &layer};
    const grad_measure small = {.result_numbers = 2080, .flops = 2.0 * 8 * 64 * 32};
    const grad_measure large = {.result_numbers = 131328, .flops = 2.0 * 64 * 512 * 256};
    assert_true(work_cost(&batch, &small) < 0.0001);
    assert_true(work_cost(&batch, &large) > 0.001);
    double before = work_cost(&batch, &small);
    layer.pre_activation.shape[0] = 8000;
    assert_true(work_cost(&batch, &small) > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline_and_workers_print_the_same),
        cmocka_unit_test(test_an_error_is_kept),
        cmocka_unit_test(test_late_work_is_given_up),
        cmocka_unit_test(test_a_full_queue_refuses),
        cmocka_unit_test(test_cost_grows_with_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
