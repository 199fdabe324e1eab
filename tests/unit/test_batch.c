/* Tests of the questions asked of a batch: each wrong batch is a good one with one thing spoilt,
 * and the error's status, code, pointer and detail are asserted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "gradient.h"
#include "support/layers.h"

/* Two layers: [4,3]->5 relu without weight, [2,6]->4 softplus with one. */
static const layer_recipe good[] = {{4, 3, 5, GRAD_RELU, false}, {2, 6, 4, GRAD_SOFTPLUS, true}};

typedef struct wrong_batch {
    void (*spoil)(grad_batch *batch);
    grad_status status;
    const char *code;
    const char *pointer;
    const char *detail;
} wrong_batch;

static float keep_alive;

static void no_layers(grad_batch *batch)
{
    batch->layer_count = 0;
}

static void bad_reduction(grad_batch *batch)
{
    batch->reduction = (grad_reduction)9;
}

static void bad_policy(grad_batch *batch)
{
    batch->non_finite = (grad_non_finite)9;
}

static void bad_outputs(grad_batch *batch)
{
    batch->outputs = GRAD_OUTPUT_PREDICTIONS; /* of networks only */
}

static void infinite_scale(grad_batch *batch)
{
    batch->scale = INFINITY;
}

static void bad_kind(grad_batch *batch)
{
    batch->layers[1].activation.kind = GRAD_ACTIVATION_COUNT;
}

static void negative_beta(grad_batch *batch)
{
    batch->layers[1].activation.parameters[0] = -1;
}

static void zero_beta(grad_batch *batch)
{
    batch->layers[1].activation.parameters[0] = 0;
}

static void ends_in_disorder(grad_batch *batch)
{
    batch->layers[0].activation = (grad_activation){GRAD_HARD_TANH, {1.5, -0.5}};
}

static void negative_lambda(grad_batch *batch)
{
    batch->layers[1].activation = (grad_activation){GRAD_SOFTSHRINK, {-0.25}};
}

static void nan_slope(grad_batch *batch)
{
    batch->layers[0].activation = (grad_activation){GRAD_LEAKY_RELU, {INFINITY}};
}

static void no_weight(grad_batch *batch)
{
    batch->outputs = GRAD_OUTPUT_GRAD_INPUT;
}

static void wrong_rank(grad_batch *batch)
{
    batch->layers[0].input.rank = 6;
}

static void rank_zero(grad_batch *batch)
{
    batch->layers[0].grad_output.rank = 0;
}

static void mixed_ranks(grad_batch *batch)
{
    batch->layers[0].input = (grad_tensor){batch->layers[0].input.data, 1, {3}};
}

static void no_rows(grad_batch *batch)
{
    batch->layers[0].input.shape[0] = 0;
}

static void no_columns(grad_batch *batch)
{
    batch->layers[0].pre_activation.shape[1] = 0;
}

static void columns_differ(grad_batch *batch)
{
    batch->layers[0].grad_output.shape[1] = 4;
}

static void columns_differ_in_a_named_layer(grad_batch *batch)
{
    columns_differ(batch);
    batch->layers[0].name = "fc2";
}

static void rows_differ(grad_batch *batch)
{
    batch->layers[0].grad_output.shape[0] = 3;
}

static void input_rows_differ(grad_batch *batch)
{
    batch->layers[0].input.shape[0] = 3;
}

static void weight_rows_differ(grad_batch *batch)
{
    batch->layers[1].weight.shape[0] = 3;
}

static void weight_columns_differ(grad_batch *batch)
{
    batch->layers[1].weight.shape[1] = 5;
}

static void weight_is_a_vector(grad_batch *batch)
{
    batch->layers[1].weight.rank = 1;
}

static void nan_in_input(grad_batch *batch)
{
    ((float *)batch->layers[0].input.data)[2 * 3 + 1] = NAN;
}

static void infinity_in_weight(grad_batch *batch)
{
    ((float *)batch->layers[1].weight.data)[3 * 6 + 5] = -INFINITY;
    batch->layers[1].name = "out";
}

static void infinity_in_vector(grad_batch *batch)
{
    grad_layer *layer = &batch->layers[0];

    layer->input = (grad_tensor){layer->input.data, 1, {3}};
    layer->pre_activation = (grad_tensor){layer->pre_activation.data, 1, {5}};
    layer->grad_output = (grad_tensor){layer->grad_output.data, 1, {5}};
    ((float *)layer->grad_output.data)[4] = INFINITY;
}

static void huge_result(grad_batch *batch)
{
    for (size_t i = 0; i < 2; i++) {
        batch->layers[i].input.shape[1] = 1000000;
        batch->layers[i].pre_activation.shape[1] = 1000000;
        batch->layers[i].grad_output.shape[1] = 1000000;
        batch->layers[i].weight.data = NULL;
    }
}

static void endless_result(grad_batch *batch)
{
    huge_result(batch);
    batch->layers[0].input.shape[1] = SIZE_MAX / 1000;
}

static const wrong_batch cases[] = {
    {no_layers, GRAD_INVALID, "empty_batch", "/layers", "expected at least one layer, found none"},
    {bad_reduction, GRAD_INVALID, "unsupported_value", "/reduction",
     "reduction is 9, expected sum, mean or none"},
    {bad_policy, GRAD_INVALID, "unsupported_value", "/non_finite",
     "non_finite is 9, expected reject or allow"},
    {bad_outputs, GRAD_INVALID, "unsupported_value", "/outputs",
     "outputs has the bits 0x40, expected none outside 0x3f"},
    {infinite_scale, GRAD_INVALID, "unsupported_value", "/scale",
     "scale is Infinity, expected a finite number"},
    {bad_kind, GRAD_INVALID, "unknown_name", "/layers/1/activation",
     "layers/1/activation is of kind 31, expected one below 31"},
    {negative_beta, GRAD_INVALID, "bad_parameter", "/layers/1/activation/beta",
     "layers/1/activation/beta is -1, expected a finite positive number"},
    {zero_beta, GRAD_INVALID, "bad_parameter", "/layers/1/activation/beta",
     "layers/1/activation/beta is 0, expected a finite positive number"},
    {ends_in_disorder, GRAD_INVALID, "bad_parameter", "/layers/0/activation/min_val",
     "layers/0/activation/min_val is 1.5, expected a number that is not above max_val (-0.5)"},
    {negative_lambda, GRAD_INVALID, "bad_parameter", "/layers/1/activation/lambda",
     "layers/1/activation/lambda is -0.25, expected a number that is not negative"},
    {nan_slope, GRAD_INVALID, "bad_parameter", "/layers/0/activation/negative_slope",
     "layers/0/activation/negative_slope is Infinity, expected a finite number"},
    {no_weight, GRAD_INVALID, "missing_field", "/layers/0",
     "layers/0 has no weight, expected one for grad_input"},
    {wrong_rank, GRAD_INVALID, "shape_mismatch", "/layers/0/input",
     "layers/0/input has rank 6, expected 1 (one sample) to 5, the last axis being the features"},
    {rank_zero, GRAD_INVALID, "shape_mismatch", "/layers/0/grad_output",
     "layers/0/grad_output has rank 0, expected 1 (one sample) to 5, the last axis being the "
     "features"},
    {mixed_ranks, GRAD_INVALID, "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has rank 2, input has 1 and grad_output 2: expected the same of all "
     "three"},
    {no_rows, GRAD_INVALID, "shape_mismatch", "/layers/0/input",
     "layers/0/input has 0 rows, pre_activation has 4"},
    {no_columns, GRAD_INVALID, "empty_tensor", "/layers/0/pre_activation",
     "layers/0/pre_activation has 4 rows of 0 columns, expected at least one column"},
    {columns_differ, GRAD_INVALID, "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has 5 columns, grad_output has 4"},
    {columns_differ_in_a_named_layer, GRAD_INVALID, "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has 5 columns, grad_output has 4 (layer \"fc2\")"},
    {rows_differ, GRAD_INVALID, "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has 4 rows, grad_output has 3"},
    {input_rows_differ, GRAD_INVALID, "shape_mismatch", "/layers/0/input",
     "layers/0/input has 3 rows, pre_activation has 4"},
    {weight_rows_differ, GRAD_INVALID, "shape_mismatch", "/layers/1/weight",
     "layers/1/weight has 3 rows, pre_activation has 4 columns"},
    {weight_columns_differ, GRAD_INVALID, "shape_mismatch", "/layers/1/weight",
     "layers/1/weight has 5 columns, input has 6"},
    {weight_is_a_vector, GRAD_INVALID, "shape_mismatch", "/layers/1/weight",
     "layers/1/weight has rank 1, expected 2"},
    {nan_in_input, GRAD_INVALID, "non_finite", "/layers/0/input/2/1",
     "layers/0/input/2/1 is NaN, expected a finite number"},
    {infinity_in_weight, GRAD_INVALID, "non_finite", "/layers/1/weight/3/5",
     "layers/1/weight/3/5 is -Infinity, expected a finite number (layer \"out\")"},
    {infinity_in_vector, GRAD_INVALID, "non_finite", "/layers/0/grad_output/4",
     "layers/0/grad_output/4 is Infinity, expected a finite number"},
    {huge_result, GRAD_TOO_LARGE, "max_result_numbers", "/layers",
     "expected at most 16000000 numbers in the results, found 2000002000000"},
    {endless_result, GRAD_TOO_LARGE, "size_overflow", "/layers",
     "expected results that fit in memory, found a size beyond its addresses"},
};

static void wrong_batches_are_refused(void **state)
{
    const grad_limits limits = {.size = sizeof limits, .max_result_numbers = 16000000};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_batch *batch = batch_of(41, 2, good);
        size_t layer_count = batch->layer_count;
        float *weight = batch->layers[1].weight.data;
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure = {.memory = 77};

        cases[i].spoil(batch);
        assert_int_equal(grad_batch_measure(batch, &limits, &measure, &error), cases[i].status);
        assert_int_equal(error.status, cases[i].status);
        assert_string_equal(error.detail, cases[i].detail);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(error.pointer, cases[i].pointer);
        assert_int_equal(error.offset, GRAD_OFFSET_UNKNOWN);
        assert_int_equal(measure.memory, 77);
        assert_int_equal(grad_batch_measure(batch, &limits, &measure, NULL), cases[i].status);
        batch->layer_count = layer_count;
        batch->layers[1].weight.data = weight;
        batch_free(batch);
    }
}

static grad_tensor *state_of(grad_layer *layer, size_t which)
{
    return which == 0 ? &layer->input : which == 1 ? &layer->pre_activation : &layer->grad_output;
}

static void absent_states_are_named(void **state)
{
    static const char *const details[] = {
        "layers/0 has no input, expected one",
        "layers/0 has no pre_activation, expected one, or the weight "
        "that it can be worked out with",
        "layers/0 has no grad_output, expected one"};

    (void)state;
    for (size_t which = 0; which < 3; which++) {
        grad_batch *batch = batch_of(42, 2, good);
        grad_tensor *tensor = state_of(&batch->layers[0], which), kept = *tensor;
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure;

        *tensor = (grad_tensor){0};
        assert_int_equal(grad_batch_measure(batch, NULL, &measure, &error), GRAD_INVALID);
        assert_string_equal(error.code, "missing_field");
        assert_string_equal(error.pointer, "/layers/0");
        assert_string_equal(error.detail, details[which]);
        *tensor = kept;
        batch_free(batch);
    }
}

static void caps_hold_on_both_sides(void **state)
{
    /* 4x3->5: 15 + 5; 2x6->4 with weight: 24 + 4 + 12 */
    const size_t numbers = 15 + 5 + 24 + 4 + 12;
    grad_batch *batch = batch_of(43, 2, good);
    grad_limits limits = {.size = sizeof limits, .max_layers = 2, .max_result_numbers = numbers};
    grad_error error = GRAD_ERROR_INIT, other = GRAD_ERROR_INIT;
    grad_measure measure;

    (void)state;
    assert_int_equal(grad_batch_measure(batch, &limits, &measure, &error), GRAD_OK);
    assert_int_equal(measure.result_numbers, numbers);
    assert_true(measure.flops == 2 * (4 * 3 * 5) + 2 * 2 * (2 * 6 * 4));
    assert_true(measure.memory > numbers * sizeof(float));
    limits.max_result_numbers--;
    assert_int_equal(grad_batch_measure(batch, &limits, &measure, &error), GRAD_TOO_LARGE);
    assert_string_equal(error.limit_name, "max_result_numbers");
    assert_int_equal(error.limit, numbers - 1);
    limits.max_layers = 1;
    assert_int_equal(grad_batch_measure(batch, &limits, &measure, &other), GRAD_TOO_LARGE);
    assert_string_equal(other.code, "max_layers");
    assert_string_equal(other.pointer, "/layers");
    assert_string_equal(other.detail, "expected at most 1 layer, found 2");
    assert_int_equal(other.limit, 1);
    batch_free(batch);
}

/* One sample of a million inputs and outputs: eight megabytes that ask for four terabytes. */
static void a_result_of_ten_to_the_twelve_is_refused(void **state)
{
    grad_tensor million = {&keep_alive, 1, {1000000}};
    grad_layer layer = {.input = million, .pre_activation = million, .grad_output = million};
    grad_batch batch = {.scale = 1, .outputs = GRAD_OUTPUT_WEIGHT_DELTA, .layers = &layer};
    grad_limits limits = {.size = sizeof limits, .max_result_numbers = 100000000};
    grad_error error = GRAD_ERROR_INIT;
    grad_measure measure;

    (void)state;
    batch.layer_count = 1;
    assert_int_equal(grad_batch_measure(&batch, &limits, &measure, &error), GRAD_TOO_LARGE);
    assert_non_null(strstr(error.detail, "found 1000000000000"));
    assert_string_equal(error.limit_name, "max_result_numbers");
    assert_int_equal(error.limit, 100000000);
}

static void non_finite_numbers_may_be_allowed(void **state)
{
    grad_batch *batch = batch_of(44, 2, good);
    grad_measure measure;

    (void)state;
    nan_in_input(batch);
    batch->non_finite = GRAD_ALLOW_NON_FINITE;
    assert_int_equal(grad_batch_measure(batch, NULL, &measure, NULL), GRAD_OK);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_batches_are_refused),
        cmocka_unit_test(absent_states_are_named),
        cmocka_unit_test(caps_hold_on_both_sides),
        cmocka_unit_test(a_result_of_ten_to_the_twelve_is_refused),
        cmocka_unit_test(non_finite_numbers_may_be_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
