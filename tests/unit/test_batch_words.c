/* Tests of how errors of a batch are worded: one of a thing and two of it, numbers as the client
 * sent them and not as they were rounded. What is asked of a batch at all is test_batch.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "core/format_number.h"
#include "gradient.h"
#include "support/layers.h"

/* Two layers: [4,3]->5 relu without weight, [2,6]->4 softplus with one. */
static const layer_recipe good[] = {{4, 3, 5, GRAD_RELU, false}, {2, 6, 4, GRAD_SOFTPLUS, true}};

typedef struct wrong_batch {
    void (*spoil)(grad_batch *batch);
    grad_status status;
    const char *code, *pointer, *detail;
} wrong_batch;

static void tiny_beta(grad_batch *batch)
{
    batch->layers[1].activation.parameters[0] = 1e-60;
}

static void negative_tiny_beta(grad_batch *batch)
{
    batch->layers[1].activation.parameters[0] = -1e-60;
}

static void huge_slope(grad_batch *batch)
{
    batch->layers[0].activation = (grad_activation){GRAD_LEAKY_RELU, {1e39}};
}

static void one_column(grad_batch *batch)
{
    batch->layers[0].pre_activation.shape[1] = 1;
}

static void one_row(grad_batch *batch)
{
    batch->layers[0].grad_output.shape[0] = 1;
}

static void one_row_of_weight(grad_batch *batch)
{
    batch->layers[1].weight.shape[0] = 1;
}

static void one_output(grad_batch *batch)
{
    one_column(batch);
    batch->layers[0].grad_output.shape[1] = 1;
    batch->layers[0].activation.kind = GRAD_PRELU;
    batch->layers[0].slope = (grad_tensor){batch->layers[0].input.data, 1, {2}};
}

static void one_row_of_none(grad_batch *batch)
{
    batch->layers[0].input.shape[0] = 1;
    batch->layers[0].input.shape[1] = 0;
}

static void no_row_of_one(grad_batch *batch)
{
    batch->layers[0].input.shape[0] = 0;
    batch->layers[0].input.shape[1] = 1;
}

static void residual_of_no_network(grad_batch *batch)
{
    batch->layers[1].residual = GRAD_RESIDUAL_OF(0);
}

static const wrong_batch cases[] = {
    {tiny_beta, GRAD_INVALID, "bad_parameter", "/layers/1/activation/beta",
     "layers/1/activation/beta is 1e-60, which is 0 as float32, expected a finite positive number"},
    {negative_tiny_beta, GRAD_INVALID, "bad_parameter", "/layers/1/activation/beta",
     "layers/1/activation/beta is -1e-60, which is 0 as float32, expected a finite positive "
     "number"},
    {huge_slope, GRAD_INVALID, "bad_parameter", "/layers/0/activation/negative_slope",
     "layers/0/activation/negative_slope is 1e+39, which is infinite as float32, expected a finite "
     "number"},
    {one_column, GRAD_INVALID, "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has 1 column, grad_output has 5"},
    {one_row, GRAD_INVALID, "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has 4 rows, grad_output has 1"},
    {one_row_of_weight, GRAD_INVALID, "shape_mismatch", "/layers/1/weight",
     "layers/1/weight has 1 row, pre_activation has 4 columns"},
    {one_output, GRAD_INVALID, "shape_mismatch", "/layers/0/activation/slope",
     "layers/0/activation/slope has 2 numbers, the layer has 1 output"},
    {one_row_of_none, GRAD_INVALID, "empty_tensor", "/layers/0/input",
     "layers/0/input has 1 row of 0 columns, expected at least one column"},
    {no_row_of_one, GRAD_INVALID, "shape_mismatch", "/layers/0/input",
     "layers/0/input has 0 rows, pre_activation has 4"},
    {residual_of_no_network, GRAD_INVALID, "unsupported_value", "/layers/1/residual",
     "layers/1/residual is set, expected none outside a network"},
};

static void wrong_batches_are_told_in_plain_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_batch *batch = batch_of(41, 2, good);
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure;

        cases[i].spoil(batch);
        assert_int_equal(grad_batch_measure(batch, NULL, &measure, &error), cases[i].status);
        assert_string_equal(error.detail, cases[i].detail);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(error.pointer, cases[i].pointer);
        batch_free(batch);
    }
}

/* What float32 has no place for may be a parameter of doubles. */
static void doubles_are_not_told_of_float32(void **state)
{
    static const double betas[] = {1e-60, 1e39};
    grad_batch *batch = batch_of(41, 2, good);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure;

        batch->layers[1].activation.parameters[0] = betas[i];
        batch->datatype = GRAD_FP64;
        batch->layer_count = 2;
        batch->non_finite = GRAD_ALLOW_NON_FINITE; /* no element is read */
        assert_int_equal(grad_batch_measure(batch, NULL, &measure, &error), GRAD_OK);
        batch->layers[1].activation.parameters[0] = -betas[i];
        assert_int_equal(grad_batch_measure(batch, NULL, &measure, &error), GRAD_INVALID);
        assert_string_equal(error.detail,
                            i == 0 ? "layers/1/activation/beta is -1e-60, expected a finite "
                                     "positive number"
                                   : "layers/1/activation/beta is -1e+39, expected a finite "
                                     "positive number");
    }
    batch_free(batch);
}

static void numbers_are_written_as_they_were_sent(void **state)
{
    static const struct {
        grad_datatype type;
        double value;
        const char *text;
    } figures[] = {
        {GRAD_FP64, 0.1, "0.1"},
        {GRAD_FP32, (double)0.1F, "0.1"},
        {GRAD_FP64, (double)0.1F, "0.10000000149011612"},
        {GRAD_FP64, 1e39, "1e+39"},
        {GRAD_FP64, -1e-60, "-1e-60"},
        {GRAD_FP64, 0, "0"},
        {GRAD_FP64, 2147483648.0, "2147483648"},
        {GRAD_FP32, 2147483648.0, "2147483648"},
        {GRAD_FP64, 999999999999999.0, "999999999999999"},
        {GRAD_FP64, -1e15, "-1e+15"},
        {GRAD_FP64, 1.5, "1.5"},
        {GRAD_FP64, DBL_MAX, "1.7976931348623157e+308"},
        {GRAD_FP32, (double)FLT_MAX, "3.4028235e+38"},
        {GRAD_FP64, 5e-324, "5e-324"},
        {GRAD_FP64, -1.0 / 3, "-0.3333333333333333"},
        {GRAD_FP64, (double)NAN, "NaN"},
        {GRAD_FP32, (double)INFINITY, "Infinity"},
        {GRAD_FP64, (double)-INFINITY, "-Infinity"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        assert_string_equal(GRAD_NUMBER_TEXT(figures[i].type, figures[i].value), figures[i].text);
}

static void what_float32_makes_of_a_number_is_told(void **state)
{
    (void)state;
    assert_string_equal(grad_format_as_float(1e-60), ", which is 0 as float32");
    assert_string_equal(grad_format_as_float(-1e39), ", which is infinite as float32");
    assert_string_equal(grad_format_as_float(1e-45), ""); /* the least float32 there is */
    assert_string_equal(grad_format_as_float((double)FLT_MAX), "");
    assert_string_equal(grad_format_as_float(0), "");
    assert_string_equal(grad_format_as_float((double)INFINITY), "");
    assert_string_equal(grad_format_as_float((double)NAN), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_batches_are_told_in_plain_words),
        cmocka_unit_test(doubles_are_not_told_of_float32),
        cmocka_unit_test(numbers_are_written_as_they_were_sent),
        cmocka_unit_test(what_float32_makes_of_a_number_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
