/* Reports of checks there and back, the text of one, and those that are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"
#include "support/refusals.h"

static grad_check_tensor tensors[3] = {
    {.layer = 1,
     .layer_name = "fc\"1",
     .output = GRAD_WEIGHT_DELTA,
     .rank = 3,
     .shape = {2, 3, 4},
     .analytic = {GRAD_CHECK_KINK,
                  1.25e-9,
                  17,
                  0.1,
                  -0.30000000000000004,
                  16,
                  2,
                  -0.5,
                  0.25,
                  {GRAD_ORDER_KINK, 0}},
     .has_claim = true,
     .claim = {GRAD_CHECK_FAIL,
               (double)INFINITY,
               SIZE_MAX,
               (double)NAN,
               5,
               3,
               0,
               0,
               0,
               {GRAD_ORDER_FOUND, 1.25}}},
    {.layer = SIZE_MAX,
     .output = GRAD_GRAD_INPUT,
     .rank = 1,
     .shape = {5},
     .analytic = {GRAD_CHECK_PASS, 0, SIZE_MAX, 1, 1, 5, 0, 0, 0, {GRAD_ORDER_LINEAR, 0}}},
    {.layer = 0,
     .output = GRAD_SHIFT_DELTA,
     .rank = 2,
     .shape = {1, 20000000},
     .analytic = {GRAD_CHECK_PASS, 1e-300, 19999999, 2, 2, 16, 0, 0, 0, {GRAD_ORDER_ROUNDING, 0}}},
};

static const grad_check_report report = {.id = "c",
                                         .has_loss = true,
                                         .loss = 2.5,
                                         .tolerance = 1e-6,
                                         .verdict = GRAD_CHECK_FAIL,
                                         .tensor_count = 3,
                                         .tensors = tensors};

static const char expected_text[] =
    "{\"id\":\"c\",\"verdict\":\"fail\",\"tolerance\":1e-06,\"loss\":2.5,\"tensors\":["
    "{\"layer\":1,\"name\":\"fc\\\"1\",\"tensor\":\"weight_delta\",\"shape\":[2,3,4],"
    "\"verdict\":\"kink\",\"largest_error\":1.25e-09,\"index\":[1,1,1],\"gradient\":0.1,"
    "\"difference\":-0.30000000000000004,\"checked\":16,\"kinks\":2,\"interval\":[-0.5,0.25],\"no_"
    "order\":\"kink\",\"claim\":{\"verdict\":"
    "\"fail\","
    "\"largest_error\":\"Infinity\",\"direction\":true,\"gradient\":\"NaN\",\"difference\":5,"
    "\"checked\":3,\"kinks\":0,\"order\":1.25}},"
    "{\"tensor\":\"grad_input\",\"shape\":[5],\"verdict\":\"pass\",\"largest_error\":0,"
    "\"direction\":true,\"gradient\":1,\"difference\":1,\"checked\":5,\"kinks\":0,\"no_order\":"
    "\"linear\"},"
    "{\"layer\":0,\"tensor\":\"shift_delta\",\"shape\":[1,20000000],\"verdict\":\"pass\","
    "\"largest_error\":1e-300,\"index\":[0,19999999],\"gradient\":2,\"difference\":2,"
    "\"checked\":16,\"kinks\":0,\"no_order\":\"rounding\"}]}\n";

static grad_text write(const grad_check_report *which)
{
    grad_text text;

    grad_text_init(&text, SIZE_MAX);
    grad_check_report_write(which, &text);
    assert_int_equal(grad_text_status(&text, NULL), GRAD_OK);
    return text;
}

static void test_text(void **unused)
{
    grad_check_report plain = {.tolerance = 1, .verdict = GRAD_CHECK_KINK};
    grad_text text = write(&report);

    (void)unused;
    assert_string_equal(text.data, expected_text);
    grad_text_free(&text);
    text = write(&plain);
    assert_string_equal(text.data, "{\"verdict\":\"pass\",\"tolerance\":1,\"tensors\":[]}\n");
    grad_text_free(&text);
}

static void expect_finding(const grad_check_finding *found, const grad_check_finding *sent)
{
    assert_int_equal(found->verdict, sent->verdict);
    assert_true(found->largest_error == sent->largest_error);
    assert_int_equal(found->index, sent->index);
    assert_true(found->gradient == sent->gradient ||
                (isnan(found->gradient) && isnan(sent->gradient)));
    assert_true(found->difference == sent->difference);
    assert_int_equal(found->checked, sent->checked);
    assert_int_equal(found->kinks, sent->kinks);
    assert_true(found->low == sent->low && found->high == sent->high);
    assert_int_equal(found->taylor.state, sent->taylor.state);
    assert_true(found->taylor.order == sent->taylor.order);
}

static void test_there_and_back(void **unused)
{
    grad_check_report *back = NULL;

    (void)unused;
    assert_int_equal(grad_check_report_read(expected_text, sizeof expected_text - 1, &back, NULL),
                     GRAD_OK);
    assert_string_equal(back->id, "c");
    assert_int_equal(back->verdict, GRAD_CHECK_FAIL);
    assert_true(back->has_loss && back->loss == 2.5 && back->tolerance == 1e-6);
    assert_int_equal(back->tensor_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const grad_check_tensor *tensor = &back->tensors[i];

        assert_int_equal(tensor->layer, tensors[i].layer);
        assert_int_equal(tensor->output, tensors[i].output);
        assert_int_equal(tensor->rank, tensors[i].rank);
        assert_memory_equal(tensor->shape, tensors[i].shape, tensor->rank * sizeof(size_t));
        expect_finding(&tensor->analytic, &tensors[i].analytic);
        assert_int_equal(tensor->has_claim, tensors[i].has_claim);
        expect_finding(&tensor->claim, &tensors[i].claim);
    }
    assert_string_equal(back->tensors[0].layer_name, "fc\"1");
    assert_null(back->tensors[1].layer_name);
    free(back);
}

static void test_newer_report(void **unused)
{
    static const char text[] =
        "{\"seconds\":[1],\"tensors\":[{\"tensor\":\"bias_delta\",\"shape\":[2],\"more\":{}}],"
        "\"verdict\":\"pass\"}";
    grad_check_report *back = NULL;

    (void)unused;
    assert_int_equal(grad_check_report_read(text, sizeof text - 1, &back, NULL), GRAD_OK);
    assert_null(back->id);
    assert_false(back->has_loss);
    assert_int_equal(back->tensors[0].analytic.index, SIZE_MAX);
    free(back);
}

/* A report of a large network is larger than an envelope usually may be. */
static void test_large_report(void **unused)
{
    enum { TENSORS = 4000 };
    grad_check_tensor *many = calloc(TENSORS, sizeof *many);
    grad_check_report large = {.tolerance = 1, .tensor_count = TENSORS, .tensors = many};
    grad_check_report *back = NULL;
    grad_text text;

    (void)unused;
    assert_non_null(many);
    for (size_t i = 0; i < TENSORS; i++) {
        many[i] = tensors[0];
        many[i].layer = i;
    }
    text = write(&large);
    assert_true(text.length > 1 << 20);
    assert_int_equal(grad_check_report_read(text.data, text.length, &back, NULL), GRAD_OK);
    assert_int_equal(back->tensor_count, TENSORS);
    assert_int_equal(back->tensors[TENSORS - 1].layer, TENSORS - 1);
    assert_int_equal(back->tensors[TENSORS - 1].analytic.index, 17);
    free(back);
    free(many);
    grad_text_free(&text);
}

#define TENSOR(members)                                                                            \
    "{\"verdict\":\"pass\",\"tensors\":[{\"tensor\":\"bias_delta\",\"shape\":[2]," members "}]}"

static void test_refusals(void **unused)
{
    static const refused_text cases[] = {
        {"", GRAD_MALFORMED, "malformed_json", ""},
        {"[1]", GRAD_INVALID, "unexpected_type", ""},
        {"{\"tensors\":[]}", GRAD_INVALID, "missing_field", ""},
        {"{\"verdict\":\"pass\"}", GRAD_INVALID, "missing_field", ""},
        {"{\"verdict\":\"pass\",\"tensors\":[1]}", GRAD_INVALID, "unexpected_type", "/tensors/0"},
        {"{\"verdict\":\"pass\",\"tensors\":[1,{}]}", GRAD_INVALID, "unexpected_type",
         "/tensors/0"},
        {"{\"verdict\":\"pass\",\"tensors\":[null]}", GRAD_INVALID, "unexpected_type",
         "/tensors/0"},
        {"{\"verdict\":\"maybe\",\"tensors\":[]}", GRAD_INVALID, "unsupported_value", "/verdict"},
        {"{\"verdict\":\"pass\",\"tensors\":[{}]}", GRAD_INVALID, "missing_field", "/tensors/0"},
        {TENSOR("\"index\":[0,0]"), GRAD_INVALID, "shape_mismatch", "/tensors/0/index"},
        {TENSOR("\"index\":[2]"), GRAD_INVALID, "unsupported_value", "/tensors/0/index"},
        {TENSOR("\"index\":[0.5]"), GRAD_INVALID, "unsupported_value", "/tensors/0/index"},
        {TENSOR("\"index\":[-1]"), GRAD_INVALID, "unsupported_value", "/tensors/0/index"},
        {TENSOR("\"claim\":{\"index\":[7]}"), GRAD_INVALID, "unsupported_value",
         "/tensors/0/claim/index"},
        {TENSOR("\"claim\":null"), GRAD_INVALID, "unexpected_type", "/tensors/0/claim"},
        {TENSOR("\"interval\":[1]"), GRAD_INVALID, "shape_mismatch", "/tensors/0/interval"},
        {TENSOR("\"no_order\":\"why\""), GRAD_INVALID, "unsupported_value", "/tensors/0/no_order"},
        {TENSOR("\"checked\":-1"), GRAD_INVALID, "unsupported_value", "/tensors/0/checked"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_check_report *back = NULL;
        grad_error error = GRAD_ERROR_INIT;
        grad_status status =
            grad_check_report_read(cases[i].text, strlen(cases[i].text), &back, &error);

        assert_refused_text(&cases[i], status, &error);
        assert_null(back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),         cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_newer_report), cmocka_unit_test(test_large_report),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
