/* Tests that a run, and the self-test, survive every allocation failing: a status each time, no
 * leak; and that a plan takes what it says, and with its run what it was measured at. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gradient.h"
#include "support/failing_alloc.h"
#include "support/layers.h"
#include "support/networks.h"

static const layer_recipe recipes[] = {{64, 512, 256, GRAD_RELU, true},
                                       {5, 7, 3, GRAD_SOFTMAX, false}};

static grad_status measure_and_run(const grad_batch *batch, grad_error *error)
{
    grad_plan *plan;
    grad_run *run = NULL;
    grad_status status = grad_plan_create(batch, NULL, &plan, error);

    if (status == GRAD_OK)
        status = grad_run_create(plan, &run, error);
    if (status == GRAD_OK)
        status = grad_run_all(run, error);
    grad_run_destroy(run);
    return status;
}

static grad_status self_test(const grad_batch *batch, grad_error *error)
{
    (void)batch;
    return grad_self_test(error);
}

static void a_run_survives_failing_allocations(void **state)
{
    grad_batch *batch = batch_of(61, 2, recipes);

    (void)state;
    assert_true(failing_alloc_each(measure_and_run, batch) > 1);
    batch_free(batch);
}

static void a_network_survives_failing_allocations(void **state)
{
    const network_recipe two[] = {{GRAD_DENSE, 9, GRAD_RELU, 0.5, 0, false},
                                  {GRAD_BATCH_NORM, 0, GRAD_PRELU, 0, GRAD_RESIDUAL_OF(0), false}};
    network *n = network_of(63, GRAD_FP64, 5, 7, GRAD_HUBER, 2, two);

    size_t calls;

    (void)state;
    n->batch.statistics = true;
    n->batch.clip.global_norm = 0.5;
    calls = failing_alloc_each(measure_and_run, &n->batch);
    assert_true(calls > 1);
    n->batch.reduction = GRAD_MEAN; /* of a mean, which is noted */
    assert_int_equal(failing_alloc_each(measure_and_run, &n->batch), calls + 1);
    n->batch.continue_on_error = true;
    assert_true(failing_alloc_each(measure_and_run, &n->batch) > 1);
    network_free(n);
}

static void the_self_test_survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(self_test, NULL) > 1);
}

static void memory_is_as_measured(void **state)
{
    grad_batch *batch = batch_of(62, 2, recipes);
    size_t before = failing_alloc_bytes(), measured;
    grad_plan *plan;
    grad_run *run;

    (void)state;
    failing_alloc_arm(0);
    assert_int_equal(grad_plan_create(batch, NULL, &plan, NULL), GRAD_OK);
    assert_int_equal(failing_alloc_peak() - before, grad_plan_memory(batch));
    measured = grad_plan_measure(plan)->memory;
    failing_alloc_arm(0);
    assert_int_equal(grad_run_create(plan, &run, NULL), GRAD_OK);
    assert_int_equal(grad_run_all(run, NULL), GRAD_OK);
    assert_int_equal(failing_alloc_calls(), 1); /* the block */
    assert_int_equal(failing_alloc_peak() - before, measured);
    grad_run_destroy(run);
    assert_int_equal(failing_alloc_bytes(), before);
    batch_free(batch);
}

/* Holds that making a plan takes what it says, and plan and run no more than was measured. */
static void assert_within_measure(const grad_batch *batch)
{
    size_t before = failing_alloc_bytes(), measured;
    grad_plan *plan;
    grad_run *run;

    failing_alloc_arm(0);
    assert_int_equal(grad_plan_create(batch, NULL, &plan, NULL), GRAD_OK);
    assert_int_equal(failing_alloc_peak() - before, grad_plan_memory(batch));
    measured = grad_plan_measure(plan)->memory;
    failing_alloc_arm(0);
    assert_int_equal(grad_run_create(plan, &run, NULL), GRAD_OK);
    assert_in_range(failing_alloc_peak() - before, 1, measured);
    grad_run_destroy(run);
    assert_int_equal(failing_alloc_bytes(), before);
}

/* All operations that there are, of every layer. */
static void the_busiest_plan_has_room(void **state)
{
    const network_recipe busy[] = {
        {GRAD_BATCH_NORM, 0, GRAD_PRELU, 0.5, GRAD_RESIDUAL_INPUT, false},
        {GRAD_DENSE, 7, GRAD_PRELU, 0.5, GRAD_RESIDUAL_OF(0), false},
        {GRAD_BATCH_NORM, 0, GRAD_PRELU, 0.5, GRAD_RESIDUAL_OF(1), false}};
    network *n = network_of(64, GRAD_FP32, 5, 7, GRAD_HUBER, 3, busy);

    (void)state;
    n->batch.statistics = true;
    n->batch.clip.global_norm = 0.5;
    n->batch.outputs = 2 * GRAD_OUTPUT_PREDICTIONS - 1;
    assert_within_measure(&n->batch);
    network_free(n);
}

/* A layer that only its numbers show to be wrong has no part in a run that was measured with it. */
static void a_layer_that_fails_takes_no_more(void **state)
{
    grad_batch *batch = batch_of(65, 2, recipes);
    grad_measure measure;

    (void)state;
    batch->continue_on_error = true;
    ((float *)batch->layers[0].input.data)[3] = INFINITY;
    assert_within_measure(batch);
    assert_int_equal(grad_batch_measure(batch, NULL, &measure, NULL), GRAD_OK);
    assert_int_equal(measure.result_numbers, 256 * 512 + 256 + 64 * 512 + 3 * 7 + 3);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_survives_failing_allocations),
        cmocka_unit_test(a_network_survives_failing_allocations),
        cmocka_unit_test(the_self_test_survives_failing_allocations),
        cmocka_unit_test(memory_is_as_measured),
        cmocka_unit_test(the_busiest_plan_has_room),
        cmocka_unit_test(a_layer_that_fails_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
