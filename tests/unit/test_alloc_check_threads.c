/* Tests that a check holds no more memory than it was measured at, on however many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "support/checks.h"
#include "support/failing_alloc.h"
#include "support/layers.h"

#define THREADS 20

typedef struct crowd {
    grad_check *check;
    size_t stage;
    atomic_size_t next;
} crowd;

static void *work(void *context)
{
    crowd *c = context;
    size_t tile;

    while ((tile = atomic_fetch_add(&c->next, 1)) < grad_check_tile_count(c->check, c->stage))
        grad_check_tile(c->check, c->stage, tile);
    return NULL;
}

static void check_on_threads(grad_check *check)
{
    const grad_check_report *report;
    pthread_t threads[THREADS];

    for (size_t stage = 0; stage < grad_check_stage_count(check); stage++) {
        crowd c = {.check = check, .stage = stage};

        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, work, &c), 0);
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    assert_int_equal(grad_check_finish(check, &report, NULL), GRAD_OK);
}

/* Holds that memory on many threads stays within the measure, as far as they come to work at
 * once. */
static void assert_within_measure(grad_batch *batch, size_t samples)
{
    grad_check_request request = {.batch = batch, .options = CHECK_OPTIONS(.samples = samples)};
    size_t before = failing_alloc_bytes();
    grad_measure measure;
    grad_check *check;

    failing_alloc_arm(0);
    assert_int_equal(grad_check_measure(&request, NULL, &measure, NULL), GRAD_OK);
    assert_int_equal(failing_alloc_bytes(), before);
    assert_true(failing_alloc_peak() - before <= 2 * grad_plan_memory(batch)); /* as is reserved */
    assert_int_equal(grad_check_create(&request, &check, NULL), GRAD_OK);
    check_on_threads(check);
    grad_check_destroy(check);
    assert_int_equal(failing_alloc_bytes(), before);
    if (failing_alloc_peak() - before > measure.memory)
        fail_msg("%zu bytes were held, %zu measured", failing_alloc_peak() - before,
                 measure.memory);
}

static void memory_is_within_the_measure(void **state)
{
    const network_recipe three[] = {{GRAD_DENSE, 70, GRAD_TANH, 0, 0, false},
                                    {GRAD_LAYER_NORM, 0, GRAD_GELU, 0.5, 0, false},
                                    {GRAD_DENSE, 30, GRAD_PRELU, 0, 0, false}};
    const layer_recipe recipes[] = {{30, 50, 40, GRAD_TANH, true},
                                    {3, 200, 20, GRAD_SOFTMAX, false}};
    grad_batch *batch = batch_of(54, 2, recipes);

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        network *n = network_of(53, type, 20, 90, GRAD_CROSS_ENTROPY, 3, three);

        assert_within_measure(&n->batch, 40);
        n->batch.outputs = GRAD_OUTPUT_BIAS_DELTA;
        assert_within_measure(&n->batch, 40);
        network_free(n);
        n = checked_network(type);
        assert_within_measure(&n->batch, 40);
        network_free(n);
    }
    assert_within_measure(batch, 40);
    batch_free(batch);
}

/* What is not asked for is not held by neighbours either, however much it would be. */
static void neighbours_hold_no_more_than_is_asked_for(void **state)
{
    const network_recipe wide[] = {{GRAD_DENSE, 500, GRAD_TANH, 0, 0, false},
                                   {GRAD_DENSE, 500, GRAD_PRELU, 0, 0, false}};
    const network_recipe narrow[] = {{GRAD_DENSE, 20000, GRAD_PRELU, 0, 0, false}};
    const unsigned outputs[] = {GRAD_OUTPUT_BIAS_DELTA, GRAD_OUTPUT_GRAD_INPUT};

    (void)state;
    for (int i = 0; i < 4; i++) {
        network *n = network_of(55, i % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 1, 500, GRAD_MSE, 2, wide);

        n->batch.outputs = outputs[i / 2];
        assert_within_measure(&n->batch, 1);
        network_free(n);
        n = network_of(56, i % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 1, 1, GRAD_MSE, 1, narrow);
        n->batch.layers[0].bias = (grad_tensor){0};
        assert_within_measure(&n->batch, 1);
        network_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_within_the_measure),
        cmocka_unit_test(neighbours_hold_no_more_than_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
