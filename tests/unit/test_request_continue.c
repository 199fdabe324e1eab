/* "on_error": "continue": layers that cannot be bound are marked with their errors, the others are
 * read as ever; what is wrong with the document itself fails it all the same. In the answer every
 * error has its byte. Which faults tensors have is test_faults.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/refusals.h"

#define CONTINUE(layers) "{\"on_error\":\"continue\",\"layers\":[" layers "]}"
#define GOOD "{\"activation\":\"relu\",\"input\":[7]}"

static const refusal whole[] = {
    {CONTINUE(GOOD ",{\"input\":[1,@x]}"), GRAD_MALFORMED, "malformed_json", "/layers/1/input/1",
     ""},
    {CONTINUE("{\"a\":1,@\"a\":2}"), GRAD_INVALID, "duplicate_field", "/layers/0/a", ""},
    {CONTINUE("{\"epsilon\":1e40@0}"), GRAD_INVALID, "number_out_of_range", "/layers/0/epsilon",
     "a double can hold"},
    {CONTINUE("{\"name\":\"\\u0000@\"}"), GRAD_INVALID, "unsupported_value", "/layers/0/name",
     "u0000"},
    {CONTINUE("{\"input\":[1,{\"a\":1,@\"a\":2}]}"), GRAD_INVALID, "duplicate_field",
     "/layers/0/input", "once"},
    {"{\"on_error\":\"continue\",\"scael\":@1,\"layers\":[{}]}", GRAD_INVALID, "unknown_field",
     "/scael", "mean \"scale\""},
    {"{\"layers\":[{\"activation\":@\"rleu\"}],\"on_error\":\"abort\"}", GRAD_INVALID,
     "unknown_name", "/layers/0/activation", ""},
    {"{\"layers\":[@{}],\"on_error\":7}", GRAD_INVALID, "missing_field", "/layers/0", ""},
};

REFUSES(whole, WIRE_GRADIENTS, GRAD_FP32)

/* The layer there has that error; its byte is where mark begins in the text. */
static void assert_marked(const wire_outcome *o, const char *text, size_t index, const char *name,
                          const char *code, const char *pointer, const char *mark)
{
    const grad_layer *layer = &o->batch->layers[index];
    static const grad_tensor absent;

    assert_non_null(layer->error);
    assert_int_equal(layer->error->status, GRAD_INVALID);
    assert_string_equal(layer->error->code, code);
    assert_string_equal(layer->error->pointer, pointer);
    assert_int_equal(layer->error->offset, strstr(text, mark) - text);
    if (name == NULL)
        assert_null(layer->name);
    else
        assert_string_equal(layer->name, name);
    assert_memory_equal(&layer->input, &absent, sizeof absent);
    assert_true(layer->kind == 0 && layer->epsilon == 0 && layer->residual == 0);
}

static void test_marked_layers(void **unused)
{
    /* on_error may stand behind the layers, and a name behind what is wrong. */
    static const char text[] =
        "{\"layers\":[{\"activation\":\"rleu\",\"input\":[1],\"name\":\"first\"}, " GOOD
        ",{\"name\":\"third\",\"activation\":\"relu\",\"weihgt\":[[2]]},"
        "{\"type\":\"layer_norm\",\"name\":3,\"gain\":[1]},null," GOOD
        ",{\"activation\":\"tanh\",\"name\":\"last\",\"input\":\"str\"}],\"on_error\":"
        "\"continue\"}";
    wire_outcome o = wire_decode(text, sizeof text - 1, 0, NULL);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_int_equal(o.error.status, GRAD_OK);
    assert_true(o.batch->continue_on_error);
    assert_int_equal(o.batch->layer_count, 7);
    assert_marked(&o, text, 0, "first", "unknown_name", "/layers/0/activation", "\"rleu\"");
    assert_marked(&o, text, 2, "third", "unknown_field", "/layers/2/weihgt", "[[2]]");
    assert_marked(&o, text, 3, NULL, "unexpected_type", "/layers/3/name", "3,\"gain\"");
    assert_marked(&o, text, 4, NULL, "unexpected_type", "/layers/4", "null");
    assert_marked(&o, text, 6, "last", "unexpected_type", "/layers/6/input", "\"str\"");
    for (size_t i = 1; i <= 5; i += 4) {
        assert_null(o.batch->layers[i].error);
        assert_true(*(float *)o.batch->layers[i].input.data == 7);
    }
    assert_null(wire_oracle_check((wire_form){WIRE_GRADIENTS, GRAD_FP32}, text, sizeof text - 1));
    grad_decoder_destroy(o.decoder);
}

static void test_marked_residual(void **unused)
{
    static const char text[] =
        "{\"on_error\":\"continue\",\"grad_output\":[1],\"layers\":[{\"activation\":\"x\","
        "\"name\":\"a\"},{\"activation\":\"relu\",\"name\":\"b\",\"residual\":\"a\"},"
        "{\"activation\":\"relu\",\"name\":\"c\",\"residual\":\"d\"}]}";
    wire_outcome o =
        wire_decode_as((wire_form){WIRE_BACKPROP, GRAD_FP32}, text, sizeof text - 1, 0, NULL);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_marked(&o, text, 0, "a", "unknown_name", "/layers/0/activation", "\"x\"");
    assert_int_equal(o.batch->layers[1].residual, GRAD_RESIDUAL_OF(0));
    assert_marked(&o, text, 2, "c", "unknown_name", "/layers/2/residual", "\"d\"");
    grad_decoder_destroy(o.decoder);
}

static void test_marked_claims(void **unused)
{
    static const char text[] =
        "{\"on_error\":\"continue\",\"layers\":[{\"activation\":\"relu\",\"weight_delta\":[1],"
        "\"gain_delta\":[2]},{\"activation\":\"relu\",\"weight_delta\":[3]}]}";
    static const char late[] =
        "{\"on_error\":\"continue\",\"grad_output\":[1],\"layers\":[{\"activation\":\"relu\","
        "\"weight_delta\":[1],\"residual\":\"x\"}]}";
    wire_outcome o =
        wire_decode_as((wire_form){WIRE_CHECK, GRAD_FP64}, text, sizeof text - 1, 0, NULL);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_marked(&o, text, 0, NULL, "unknown_field", "/layers/0/gain_delta", "[2]");
    assert_null(o.check->claims[0].weight_delta.data);
    assert_true(*(double *)o.check->claims[1].weight_delta.data == 3);
    grad_decoder_destroy(o.decoder);
    o = wire_decode_as((wire_form){WIRE_CHECK, GRAD_FP64}, late, sizeof late - 1, 0, NULL);
    assert_int_equal(o.status, GRAD_OK);
    assert_marked(&o, late, 0, NULL, "unknown_name", "/layers/0/residual", "\"x\"");
    assert_null(o.check->claims[0].weight_delta.data);
    grad_decoder_destroy(o.decoder);
}

/* Every one of many layers is wrong, in every way of cutting. */
static void test_all_marked(void **unused)
{
    enum { LAYERS = 200 };
    grad_text text;
    wire_outcome o;

    (void)unused;
    grad_text_init(&text, 1 << 20);
    grad_text_printf(&text, "{\"on_error\":\"continue\",\"layers\":[");
    for (int i = 0; i < LAYERS; i++)
        grad_text_printf(&text, "%s\n  {\"name\":\"layer %d\",   \"activation\":  %d}",
                         i > 0 ? "," : "", i, i);
    grad_text_printf(&text, "]}");
    o = wire_decode(text.data, text.length, 0, NULL);
    assert_int_equal(o.status, GRAD_OK);
    for (int i = 0; i < LAYERS; i++) {
        const grad_layer *layer = &o.batch->layers[i];
        char expected[40];

        snprintf(expected, sizeof expected, "layer %d", i);
        assert_string_equal(layer->name, expected);
        snprintf(expected, sizeof expected, "/layers/%d/activation", i);
        assert_string_equal(layer->error->pointer, expected);
        snprintf(expected, sizeof expected, "%d}", i);
        assert_memory_equal(text.data + layer->error->offset, expected, strlen(expected));
    }
    grad_decoder_destroy(o.decoder);
    assert_null(wire_oracle_check((wire_form){WIRE_GRADIENTS, GRAD_FP64}, text.data, text.length));
    grad_text_free(&text);
}

/* ---- Bytes in the answer --------------------------------------------------------------------- */

/* The answer to that document of /v1/gradients; its errors are located if the decoder is given. */
static grad_reply *answer(const char *text, bool is_located, grad_decoder **reply_decoder)
{
    wire_outcome o = wire_decode(text, strlen(text), 7, NULL);
    grad_encoder *encoder = NULL;
    grad_reply *reply = NULL;
    grad_run *run = NULL;
    grad_plan *plan;

    assert_int_equal(o.status, GRAD_OK);
    assert_int_equal(grad_plan_create(o.batch, NULL, &plan, NULL), GRAD_OK);
    assert_int_equal(grad_run_create(plan, &run, NULL), GRAD_OK);
    assert_int_equal(grad_run_all(run, NULL), GRAD_OK);
    assert_int_equal(grad_encode_reply(o.batch, grad_run_reply(run), is_located ? o.decoder : NULL,
                                       &encoder, NULL),
                     GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    grad_run_destroy(run);
    grad_decoder_destroy(o.decoder);
    assert_int_equal(grad_decoder_create(NULL, GRAD_FP32, 0, reply_decoder, NULL), GRAD_OK);
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++) {
        const grad_segment *segment = &grad_encoder_segments(encoder)[i];

        assert_int_equal(grad_decoder_push(*reply_decoder, segment->text, segment->length, NULL),
                         GRAD_OK);
    }
    assert_int_equal(grad_decoder_finish_reply(*reply_decoder, &reply, NULL), GRAD_OK);
    grad_encoder_destroy(encoder);
    return reply;
}

/* Layers whose errors the reader and the batch find, among good ones; each '@' is an error's byte,
 * but the last layer's, whose result is not finite: there is no such place in the request. */
#define STATES "\"input\":[1],\"pre_activation\":[2],\"grad_output\":"
static const char located[] =
    "{\"layers\":[{\"activation\":\"relu\",\"weight\":  @[[1,2],[3,4]]," STATES "[3]},"
    "{\"activation\":\"relu\"," STATES "[3]} ,\n @{\"activation\":\"relu\",\"input\":[1]},"
    "{\"activation\":{\"name\":\"celu\",\"alpha\": @0}," STATES "[3]},"
    "{\"activation\":\"relu\",\"input\":[1],\"pre_activation\":[2,@null],\"grad_output\":[3]},"
    "{\"activation\":\"relu\",\"input\":[1],\"pre_activation\":@[2],\"grad_output\":[[1],[\"NaN\"]]"
    "},"
    "{\"activation\":\"relu\",\"dropout\":{\"rate\":@1,\"mask\":[1]}," STATES "[3]},"
    "{\"activation\":\"identity\",\"input\":[3e38],\"pre_activation\":[0],\"grad_output\":[3e38]}],"
    "\"on_error\":\"continue\"}";

static const struct {
    size_t layer;
    const char *pointer;
} located_errors[] = {{0, "/layers/0/weight"},           {2, "/layers/2"},
                      {3, "/layers/3/activation/alpha"}, {4, "/layers/4/pre_activation/1"},
                      {5, "/layers/5/pre_activation"},   {6, "/layers/6/dropout/rate"},
                      {7, "/layers/7/weight_delta/0/0"}};

static void check_located(bool is_located)
{
    enum { ERRORS = sizeof located_errors / sizeof *located_errors };
    char text[sizeof located];
    int64_t offsets[ERRORS];
    grad_decoder *decoder = NULL;
    grad_reply *reply;
    size_t count = 0, length = 0;

    for (const char *p = located; *p != '\0'; p++)
        if (*p == '@')
            offsets[count++] = (int64_t)length;
        else
            text[length++] = *p;
    text[length] = '\0';
    offsets[count++] = GRAD_OFFSET_UNKNOWN;
    assert_int_equal(count, ERRORS);
    reply = answer(text, is_located, &decoder);
    assert_int_equal(reply->layer_count, 8);
    assert_null(reply->layers[1].error);
    for (size_t i = 0; i < ERRORS; i++) {
        const grad_error *error = reply->layers[located_errors[i].layer].error;

        assert_non_null(error);
        assert_string_equal(error->pointer, located_errors[i].pointer);
        if (is_located || i == 3) /* the reader's own has its byte in any case */
            assert_int_equal(error->offset, offsets[i]);
        else
            assert_int_equal(error->offset, GRAD_OFFSET_UNKNOWN);
    }
    grad_decoder_destroy(decoder);
}

static void test_located_errors(void **unused)
{
    (void)unused;
    check_located(true);
    check_located(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),           cmocka_unit_test(test_marked_layers),
        cmocka_unit_test(test_marked_residual), cmocka_unit_test(test_marked_claims),
        cmocka_unit_test(test_all_marked),      cmocka_unit_test(test_located_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
