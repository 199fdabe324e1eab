/* Tests of what a run says of outputs that are not finite: the first in the order of the results,
 * whatever the order of the tiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "gradient.h"
#include "support/between.h"
#include "support/layers.h"
#include "support/random.h"

static grad_run *create(const grad_batch *batch)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_run *run = NULL;

    if (grad_plan_create(batch, NULL, &plan, &error) != GRAD_OK ||
        grad_run_create(plan, &run, &error) != GRAD_OK)
        fail_msg("%s", error.detail);
    return run;
}

/* x[3,7] of layer 1 and δ[3,2] are so large that their product is not a float32. */
static grad_batch *overflowing_batch(void)
{
    static const layer_recipe recipes[] = {{4, 9, 5, GRAD_RELU, true},
                                           {200, 300, 400, GRAD_IDENTITY, true}};
    grad_batch *batch = batch_of(58, 2, recipes);

    batch->layers[1].name = "fc2";
    ((float *)batch->layers[1].input.data)[3 * 300 + 7] = 1e30f;
    ((float *)batch->layers[1].grad_output.data)[3 * 400 + 2] = -1e30f;
    return batch;
}

static void the_first_output_that_is_not_finite_is_named(void **state)
{
    grad_batch *batch = overflowing_batch();
    random_state random = {59};

    (void)state;
    ((float *)batch->layers[1].input.data)[5 * 300 + 299] = 1e30f; /* another, in a later column */
    ((float *)batch->layers[1].grad_output.data)[5 * 400 + 2] = 1e30f;
    for (int round = 0; round < 4; round++) {
        grad_run *run = create(batch);
        grad_error error = GRAD_ERROR_INIT;

        for (size_t stage = 0; stage < grad_run_stage_count(run); stage++) {
            size_t count = grad_run_tile_count(run, stage), order[64];

            assert_between(count, 1, 64);
            random_permutation(&random, count, order);
            for (size_t i = 0; i < count; i++)
                grad_run_tile(run, stage, order[i]);
        }
        assert_int_equal(grad_run_finish(run, &error), GRAD_INVALID);
        assert_string_equal(error.code, "non_finite");
        assert_string_equal(error.pointer, "/layers/1/weight_delta/2/7");
        assert_string_equal(error.detail, "layers/1/weight_delta/2/7 is -Infinity, expected a "
                                          "finite number (layer \"fc2\")");
        grad_run_destroy(run);
    }
    batch_free(batch);
}

static void later_outputs_are_judged_too(void **state)
{
    static const char *const pointers[] = {"/layers/1/bias_delta/2", "/layers/1/grad_input/3/8"};
    static const unsigned outputs[] = {GRAD_OUTPUT_BIAS_DELTA, GRAD_OUTPUT_GRAD_INPUT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        grad_batch *batch = overflowing_batch();
        grad_error error = GRAD_ERROR_INIT;
        grad_run *run;

        ((float *)batch->layers[1].grad_output.data)[3 * 400 + 2] = FLT_MAX;
        ((float *)batch->layers[1].grad_output.data)[4 * 400 + 2] = FLT_MAX;
        for (size_t n = 0; n < 400; n++)
            for (size_t k = 0; k < 300; k++)
                ((float *)batch->layers[1].weight.data)[n * 300 + k] = k == 8 && n == 2 ? 3 : 0;
        batch->outputs = outputs[i];
        run = create(batch);
        assert_int_equal(grad_run_all(run, &error), GRAD_INVALID);
        assert_string_equal(error.pointer, pointers[i]);
        grad_run_destroy(run);
        batch_free(batch);
    }
}

/* Only the last column of ΔW, in the last tile of its row. */
static void each_tile_is_judged_where_it_lies(void **state)
{
    grad_batch *batch = overflowing_batch();
    grad_error error = GRAD_ERROR_INIT;
    grad_run *run;

    (void)state;
    ((float *)batch->layers[1].input.data)[3 * 300 + 7] = 0;
    ((float *)batch->layers[1].input.data)[3 * 300 + 299] = 1e30f;
    run = create(batch);
    assert_int_equal(grad_run_all(run, &error), GRAD_INVALID);
    assert_string_equal(error.pointer, "/layers/1/weight_delta/2/299");
    grad_run_destroy(run);
    batch_free(batch);
}

static void non_finite_outputs_may_be_allowed(void **state)
{
    grad_batch *batch = overflowing_batch();
    grad_run *run;

    (void)state;
    batch->non_finite = GRAD_ALLOW_NON_FINITE;
    run = create(batch);
    assert_int_equal(grad_run_all(run, NULL), GRAD_OK);
    assert_true(isinf(((float *)grad_run_reply(run)->layers[1].weight_delta.data)[2 * 300 + 7]));
    grad_run_destroy(run);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_output_that_is_not_finite_is_named),
        cmocka_unit_test(later_outputs_are_judged_too),
        cmocka_unit_test(each_tile_is_judged_where_it_lies),
        cmocka_unit_test(non_finite_outputs_may_be_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
