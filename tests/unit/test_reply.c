/* Replies there and back, and those of services newer than this library. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"

static grad_status decode(const char *text, size_t length, grad_decoder **decoder,
                          grad_reply **reply, grad_error *error)
{
    assert_int_equal(grad_decoder_create(NULL, length, decoder, NULL), GRAD_OK);
    grad_decoder_push(*decoder, text, length, error);
    return grad_decoder_finish_reply(*decoder, reply, error);
}

static void test_there_and_back(void **unused)
{
    float numbers[6] = {0.1f, -2, 3e-45f, NAN, INFINITY, -INFINITY};
    grad_layer layer = {.name = "fc"};
    grad_batch batch = {
        .id = "s", .non_finite = GRAD_ALLOW_NON_FINITE, .layer_count = 1, .layers = &layer};
    grad_layer_result result = {"fc", {numbers, 2, {2, 3}}, {0}, {numbers, 1, {3}}};
    grad_encoder *encoder = NULL;
    grad_decoder *decoder = NULL;
    grad_reply *reply = NULL;
    const grad_segment *segment;

    (void)unused;
    assert_int_equal(grad_encode_reply(&batch, &result, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_segment_count(encoder), 1);
    segment = grad_encoder_segments(encoder);
    assert_int_equal(decode(segment->text, segment->length, &decoder, &reply, NULL), GRAD_OK);
    assert_string_equal(reply->id, "s");
    assert_int_equal(reply->layer_count, 1);
    assert_string_equal(reply->layers[0].name, "fc");
    assert_int_equal(reply->layers[0].weight_delta.shape[1], 3);
    assert_memory_equal(reply->layers[0].weight_delta.data, numbers, 3 * sizeof *numbers);
    assert_true(isnan(reply->layers[0].weight_delta.data[3]));
    assert_true(reply->layers[0].weight_delta.data[5] == -INFINITY);
    assert_null(reply->layers[0].bias_delta.data);
    assert_int_equal(reply->layers[0].grad_input.rank, 1);
    grad_decoder_destroy(decoder);
    grad_encoder_destroy(encoder);
}

static void test_newer_replies(void **unused)
{
    static const char text[] = "{\"server\":{\"a\":[1,2]},\"layers\":[{\"statistics\":{\"l2\":0.5},"
                               "\"weight_delta\":{\"shape\":[1,2],\"data\":[1,2],\"x\":null}}]}";
    grad_decoder *decoder = NULL;
    grad_reply *reply = NULL;

    (void)unused;
    assert_int_equal(decode(text, sizeof text - 1, &decoder, &reply, NULL), GRAD_OK);
    assert_null(reply->id);
    assert_null(reply->layers[0].name);
    assert_true(reply->layers[0].weight_delta.data[1] == 2);
    grad_decoder_destroy(decoder);
}

static void test_refusals(void **unused)
{
    static const struct {
        const char *text;
        grad_status status;
        const char *code;
        const char *pointer;
    } cases[] = {
        {"{\"layers\":[]}", GRAD_INVALID, "empty_batch", "/layers"},
        {"{}", GRAD_INVALID, "missing_field", ""},
        {"{\"layers\":[{\"name\":3}]}", GRAD_INVALID, "unexpected_type", "/layers/0/name"},
        {"{\"layers\":[{\"bias_delta\":[[1],[]]}]}", GRAD_INVALID, "ragged_array",
         "/layers/0/bias_delta/1"},
        {"{\"layers\":[{}]} x", GRAD_MALFORMED, "malformed_json", ""},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_decoder *decoder = NULL;
        grad_reply *reply = NULL;
        grad_error error = GRAD_ERROR_INIT;

        assert_int_equal(decode(cases[i].text, strlen(cases[i].text), &decoder, &reply, &error),
                         cases[i].status);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(error.pointer, cases[i].pointer);
        assert_null(reply);
        grad_decoder_destroy(decoder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_newer_replies),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
