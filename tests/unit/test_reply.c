/* Replies there and back, with all they may hold; those of services newer than this library; and
 * the text of a whole one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"
#include "support/refusals.h"

static grad_status decode(grad_datatype datatype, const char *text, size_t length,
                          grad_decoder **decoder, grad_reply **reply, grad_error *error)
{
    assert_int_equal(grad_decoder_create(NULL, datatype, length, decoder, NULL), GRAD_OK);
    grad_decoder_push(*decoder, text, length, error);
    return grad_decoder_finish_reply(*decoder, reply, error);
}

/* A reply whose text is of one segment. */
static grad_text encode(const grad_batch *batch, const grad_reply *reply)
{
    grad_encoder *encoder = NULL;
    grad_text text;

    grad_text_init(&text, SIZE_MAX);
    assert_int_equal(grad_encode_reply(batch, reply, NULL, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_segment_count(encoder), 1);
    grad_text_add(&text, grad_encoder_segments(encoder)->text,
                  grad_encoder_segments(encoder)->length);
    grad_encoder_destroy(encoder);
    return text;
}

static void test_tensors_there_and_back(void **unused)
{
    float numbers[6] = {0.1f, -2, 3e-45f, NAN, INFINITY, -INFINITY};
    grad_layer layer = {.name = "fc"};
    grad_batch batch = {
        .id = "s", .non_finite = GRAD_ALLOW_NON_FINITE, .layer_count = 1, .layers = &layer};
    grad_layer_result result = {
        .name = "fc", .weight_delta = {numbers, 2, {2, 3}}, .grad_input = {numbers, 1, {3}}};
    grad_reply sent = {.id = "s", .layer_count = 1, .layers = &result};
    grad_text text = encode(&batch, &sent);
    grad_decoder *decoder = NULL;
    grad_reply *reply = NULL;
    const float *dW;

    (void)unused;
    assert_int_equal(decode(GRAD_FP32, text.data, text.length, &decoder, &reply, NULL), GRAD_OK);
    assert_string_equal(reply->id, "s");
    assert_int_equal(reply->layer_count, 1);
    assert_string_equal(reply->layers[0].name, "fc");
    assert_int_equal(reply->layers[0].weight_delta.shape[1], 3);
    dW = reply->layers[0].weight_delta.data;
    assert_memory_equal(dW, numbers, 3 * sizeof *numbers);
    assert_true(isnan(dW[3]));
    assert_true(dW[5] == -INFINITY);
    assert_null(reply->layers[0].bias_delta.data);
    assert_int_equal(reply->layers[0].grad_input.rank, 1);
    assert_false(reply->has_loss || reply->has_statistics || reply->has_clipping);
    assert_false(reply->layers[0].has_statistics || reply->layers[0].has_clipping);
    assert_null(reply->layers[0].error);
    grad_decoder_destroy(decoder);
    grad_text_free(&text);
}

static double numbers[8] = {1, 0.1, 1e300, -0.0, 5, 6, 7, 8};

/* Everything that a reply may hold, and what is right of it. */
static void fill(grad_reply *reply, grad_layer_result layers[2], const grad_error *error)
{
    *reply = (grad_reply){.id = "n",
                          .layer_count = 2,
                          .layers = layers,
                          .has_loss = true,
                          .loss = 0.1,
                          .predictions = {numbers, 2, {2, 2}},
                          .grad_input = {numbers + 4, 2, {2, 2}},
                          .has_statistics = true,
                          .statistics = {1.5, (double)INFINITY, 3},
                          .zero_derivative = 0.25,
                          .has_clipping = true,
                          .clipping = {2, 0.3, (double)NAN}};
    layers[0] = (grad_layer_result){.name = "a",
                                    .weight_delta = {numbers, 2, {1, 2}},
                                    .bias_delta = {numbers + 1, 1, {1}},
                                    .grad_input = {numbers + 2, 1, {1}},
                                    .slope_delta = {numbers + 3, 1, {1}},
                                    .gain_delta = {numbers + 4, 1, {2}},
                                    .shift_delta = {numbers + 5, 1, {2}},
                                    .has_statistics = true,
                                    .zero_derivative = -1,
                                    .has_clipping = true,
                                    .clipping = {7, 1e-9, 1}};
    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
        layers[0].statistics[i] = (grad_statistics){(double)i + 0.5, (double)i, i};
    layers[1] = (grad_layer_result){.name = "b", .error = error};
}

static const grad_error layer_error = {
    GRAD_INVALID, "shape_mismatch", "/layers/1/weight", "expected \"2\" rows", 42, "", 0};

static void test_text(void **unused)
{
    grad_batch batch = {.datatype = GRAD_FP64};
    grad_layer_result layers[2];
    grad_reply reply;
    grad_text text;

    (void)unused;
    fill(&reply, layers, &layer_error);
    text = encode(&batch, &reply);
    assert_string_equal(
        text.data,
        "{\"id\":\"n\",\"loss\":0.1,\"predictions\":[[1,0.1],[1e+300,-0.0]],\"layers\":[{\"name\":"
        "\"a\",\"weight_delta\":[[1,0.1]],\"bias_delta\":[0.1],\"grad_input\":[1e+300],"
        "\"slope_delta\":[-0.0],\"gain_delta\":[5,6],\"shift_delta\":[6,7],\"statistics\":{"
        "\"weight_delta\":{\"l2_norm\":0.5,\"max_abs\":0,\"non_finite\":0},"
        "\"bias_delta\":{\"l2_norm\":1.5,\"max_abs\":1,\"non_finite\":1},"
        "\"grad_input\":{\"l2_norm\":2.5,\"max_abs\":2,\"non_finite\":2},"
        "\"slope_delta\":{\"l2_norm\":3.5,\"max_abs\":3,\"non_finite\":3},"
        "\"gain_delta\":{\"l2_norm\":4.5,\"max_abs\":4,\"non_finite\":4},"
        "\"shift_delta\":{\"l2_norm\":5.5,\"max_abs\":5,\"non_finite\":5}},"
        "\"clipping\":{\"clipped_values\":7,\"norm\":1e-09,\"factor\":1}},"
        "{\"name\":\"b\",\"error\":{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\","
        "\"status\":422,\"detail\":\"expected \\\"2\\\" rows\",\"code\":\"shape_mismatch\","
        "\"pointer\":\"/layers/1/weight\",\"offset\":42}}],\"grad_input\":[[5,6],[7,8]],"
        "\"statistics\":{\"l2_norm\":1.5,\"max_abs\":\"Infinity\",\"non_finite\":3,"
        "\"zero_derivative\":0.25},\"clipping\":{\"clipped_values\":2,\"norm\":0.3,\"factor\":"
        "\"NaN\"}}\n");
    grad_text_free(&text);
}

static void expect_error(const grad_error *found, const grad_error *expected)
{
    assert_non_null(found);
    assert_int_equal(found->status, expected->status);
    assert_string_equal(found->code, expected->code);
    assert_string_equal(found->pointer, expected->pointer);
    assert_string_equal(found->detail, expected->detail);
    assert_int_equal(found->offset, expected->offset);
    assert_string_equal(found->limit_name, expected->limit_name);
    assert_int_equal(found->limit, expected->limit);
}

static void expect_layer(const grad_layer_result *found, const grad_layer_result *sent)
{
    assert_string_equal(found->name, sent->name);
    assert_true(found->has_statistics && found->has_clipping);
    assert_true(found->zero_derivative == sent->zero_derivative);
    assert_memory_equal(found->statistics, sent->statistics, sizeof sent->statistics);
    assert_memory_equal(&found->clipping, &sent->clipping, sizeof sent->clipping);
    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++) {
        const grad_tensor *a = grad_layer_result_tensor(found, (grad_output_kind)i);
        const grad_tensor *b = grad_layer_result_tensor(sent, (grad_output_kind)i);

        assert_int_equal(a->rank, b->rank);
        assert_memory_equal(a->shape, b->shape, sizeof a->shape);
        assert_memory_equal(a->data, b->data, grad_tensor_count(b) * sizeof(double));
    }
}

static void test_all_there_and_back(void **unused)
{
    static const grad_error limited = {GRAD_TOO_LARGE,      "max_result_numbers", "",      "less",
                                       GRAD_OFFSET_UNKNOWN, "max_result_numbers", 67108864};
    const grad_error *errors[] = {&layer_error, &limited};
    grad_batch batch = {.datatype = GRAD_FP64};

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        grad_layer_result layers[2];
        grad_decoder *decoder = NULL;
        grad_reply *reply = NULL;
        grad_reply sent;
        grad_text text;

        fill(&sent, layers, errors[i]);
        text = encode(&batch, &sent);
        assert_non_null(strstr(text.data, i == 0 ? "\"status\":422," : "\"status\":413,"));
        assert_int_equal(decode(GRAD_FP64, text.data, text.length, &decoder, &reply, NULL),
                         GRAD_OK);
        assert_true(reply->has_loss && reply->loss == 0.1 && reply->losses.data == NULL);
        assert_memory_equal(reply->predictions.data, numbers, 4 * sizeof(double));
        assert_memory_equal(reply->grad_input.data, numbers + 4, 4 * sizeof(double));
        assert_true(reply->has_statistics && reply->has_clipping);
        assert_memory_equal(&reply->statistics, &sent.statistics, sizeof sent.statistics);
        assert_true(reply->zero_derivative == 0.25);
        assert_int_equal(reply->clipping.clipped_values, 2);
        assert_true(reply->clipping.norm == 0.3 && isnan(reply->clipping.factor));
        expect_layer(&reply->layers[0], &layers[0]);
        assert_string_equal(reply->layers[1].name, "b");
        expect_error(reply->layers[1].error, errors[i]);
        grad_decoder_destroy(decoder);
        grad_text_free(&text);
    }
}

static void test_losses(void **unused)
{
    float losses[3] = {1, INFINITY, 2};
    grad_batch batch = {.non_finite = GRAD_ALLOW_NON_FINITE};
    grad_layer_result layer = {0};
    grad_reply sent = {.layer_count = 1, .layers = &layer, .losses = {losses, 1, {3}}};
    grad_text text = encode(&batch, &sent);
    grad_decoder *decoder = NULL;
    grad_reply *reply = NULL;

    (void)unused;
    assert_string_equal(text.data, "{\"loss\":[1,\"Infinity\",2],\"layers\":[{}]}\n");
    assert_int_equal(decode(GRAD_FP32, text.data, text.length, &decoder, &reply, NULL), GRAD_OK);
    assert_false(reply->has_loss);
    assert_memory_equal(reply->losses.data, losses, sizeof losses);
    grad_decoder_destroy(decoder);
    grad_text_free(&text);
    sent = (grad_reply){
        .layer_count = 1, .layers = &layer, .has_loss = true, .loss = -(double)INFINITY};
    text = encode(&batch, &sent);
    assert_string_equal(text.data, "{\"loss\":\"-Infinity\",\"layers\":[{}]}\n");
    assert_int_equal(decode(GRAD_FP32, text.data, text.length, &decoder, &reply, NULL), GRAD_OK);
    assert_true(reply->has_loss && reply->loss == -(double)INFINITY);
    grad_decoder_destroy(decoder);
    grad_text_free(&text);
}

static void test_newer_replies(void **unused)
{
    static const char text[] =
        "{\"server\":{\"a\":[1,2]},\"layers\":[{\"statistics\":{\"l2\":0.5,\"x_delta\":{},"
        "\"bias_delta\":{\"l2_norm\":3,\"median\":1}},\"error\":{\"code\":7,\"more\":[1]},"
        "\"weight_delta\":{\"shape\":[1,2],\"data\":[1,2],\"x\":null}}],\"clipping\":{\"by\":1},"
        "\"statistics\":{}}";
    grad_decoder *decoder = NULL;
    grad_reply *reply = NULL;

    (void)unused;
    assert_int_equal(decode(GRAD_FP32, text, sizeof text - 1, &decoder, &reply, NULL), GRAD_OK);
    assert_null(reply->id);
    assert_null(reply->layers[0].name);
    assert_true(((float *)reply->layers[0].weight_delta.data)[1] == 2);
    assert_true(reply->layers[0].statistics[GRAD_BIAS_DELTA].l2_norm == 3);
    assert_true(reply->layers[0].zero_derivative < 0 && reply->zero_derivative < 0);
    assert_true(reply->has_clipping && reply->clipping.factor == 1);
    assert_int_equal(reply->layers[0].error->status, GRAD_INVALID);
    assert_string_equal(reply->layers[0].error->code, "");
    grad_decoder_destroy(decoder);
}

static void test_refusals(void **unused)
{
    static const refused_text cases[] = {
        {"{\"layers\":[]}", GRAD_INVALID, "empty_batch", "/layers"},
        {"{}", GRAD_INVALID, "missing_field", ""},
        {"[]", GRAD_INVALID, "unexpected_type", ""},
        {"{\"layers\":[{\"name\":3}]}", GRAD_INVALID, "unexpected_type", "/layers/0/name"},
        {"{\"layers\":[{\"error\":3}]}", GRAD_INVALID, "unexpected_type", "/layers/0/error"},
        {"{\"layers\":[{\"clipping\":{\"factor\":\"x\"}}]}", GRAD_INVALID, "unsupported_value",
         "/layers/0/clipping/factor"},
        {"{\"layers\":[{\"statistics\":{\"weight_delta\":{\"non_finite\":-1}}}]}", GRAD_INVALID,
         "unsupported_value", "/layers/0/statistics/weight_delta/non_finite"},
        {"{\"layers\":[{}],\"loss\":null}", GRAD_INVALID, "unexpected_type", "/loss"},
        {"{\"layers\":[{\"bias_delta\":[[1],[]]}]}", GRAD_INVALID, "ragged_array",
         "/layers/0/bias_delta/1"},
        {"{\"layers\":[{}]} x", GRAD_MALFORMED, "malformed_json", ""},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_decoder *decoder = NULL;
        grad_reply *reply = NULL;
        grad_error error = GRAD_ERROR_INIT;
        grad_status status =
            decode(GRAD_FP64, cases[i].text, strlen(cases[i].text), &decoder, &reply, &error);

        assert_refused_text(&cases[i], status, &error);
        assert_null(reply);
        grad_decoder_destroy(decoder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors_there_and_back), cmocka_unit_test(test_text),
        cmocka_unit_test(test_all_there_and_back),     cmocka_unit_test(test_losses),
        cmocka_unit_test(test_newer_replies),          cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
