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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),           cmocka_unit_test(test_marked_layers),
        cmocka_unit_test(test_marked_residual), cmocka_unit_test(test_marked_claims),
        cmocka_unit_test(test_all_marked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
