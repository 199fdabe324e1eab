/* The decoder's caps on both sides, its memory, and numbers at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_oracle.h"

#define HEAD "{\"layers\":[{\"activation\":\"relu\",\"input\":"
#define TAIL "}]}"

/* Decodes in every cut, and wants the same each time. limit NULL: it must be accepted. */
static void expect(const char *text, const grad_wire_limits *limits, const char *limit,
                   uint64_t value, int64_t offset)
{
    static const size_t cuts[] = {0, 1, 2, 3, 7, WIRE_CUT_RANDOM};

    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        wire_outcome o = wire_decode(text, strlen(text), cuts[i], limits);

        assert_int_equal(o.status, limit != NULL ? GRAD_TOO_LARGE : GRAD_OK);
        if (limit != NULL) {
            assert_string_equal(o.error.code, limit);
            assert_string_equal(o.error.limit_name, limit);
            assert_int_equal(o.error.limit, value);
            assert_int_equal(o.error.offset, offset);
        }
        grad_decoder_destroy(o.decoder);
    }
}

static void test_max_numbers(void **unused)
{
    grad_wire_limits limits = {.size = sizeof limits, .max_numbers = 3};

    (void)unused;
    expect(HEAD "[1,22,3]" TAIL, &limits, NULL, 0, 0);
    expect(HEAD "[1,22,3, 4]" TAIL, &limits, "max_numbers", 3, sizeof HEAD - 1 + 9);
    expect(HEAD "[[1],[22]],\"weight\":[3,\"NaN\"]" TAIL, &limits, "max_numbers", 3,
           sizeof HEAD - 1 + 23);
}

static void test_max_depth(void **unused)
{
    grad_wire_limits limits = {.size = sizeof limits, .max_depth = 5};

    (void)unused;
    expect(HEAD "[[1]]" TAIL, &limits, NULL, 0, 0);
    expect(HEAD "[[[1]]]" TAIL, &limits, "max_depth", 5, sizeof HEAD - 1 + 2);
    expect(HEAD "[{\"a\":[]}]" TAIL, &limits, "max_depth", 5, sizeof HEAD - 1 + 6);
}

static void test_max_layers(void **unused)
{
    grad_wire_limits limits = {.size = sizeof limits, .max_layers = 2};

    (void)unused;
    expect("{\"layers\": [{\"activation\":\"relu\"},{\"activation\":\"relu\"}]}", &limits, NULL, 0,
           0);
    expect("{\"layers\": [{},{},{}]}", &limits, "max_layers", 2, 11);
}

static void test_max_envelope(void **unused)
{
    const char *text =
        "{\"id\": \"0123456789\", \"layers\":[{\"activation\":\"relu\",\"input\":[1]}]}";
    grad_wire_limits limits = {.size = sizeof limits,
                               .max_envelope = strlen(text) + 2}; /* [[0]] for [1] */

    (void)unused;
    expect(text, &limits, NULL, 0, 0);
    limits.max_envelope = 15;
    expect(text, &limits, "max_envelope", 15, 15);
    limits.max_envelope = 9;
    expect("{   \"id\"   : \"0123456789\"}", &limits, "max_envelope", 9, 13);
}

static void test_longest_number(void **unused)
{
    char text[GRAD_NUMBER_TEXT_MAX + 200];
    size_t head = (size_t)snprintf(text, sizeof text, "%s[[1], [0.", HEAD);

    (void)unused;
    memset(text + head, '3', GRAD_NUMBER_TEXT_MAX - 2);
    strcpy(text + head + GRAD_NUMBER_TEXT_MAX - 2, "]]" TAIL);
    expect(text, NULL, NULL, 0, 0);
    strcpy(text + head + GRAD_NUMBER_TEXT_MAX - 2, "3]]" TAIL);
    expect(text, NULL, "max_number_text", GRAD_NUMBER_TEXT_MAX, (int64_t)head - 2);
}

/* Pushes the same bytes many times. */
static void flood(grad_decoder *decoder, const char *bytes, size_t times)
{
    for (size_t i = 0; i < times; i++)
        assert_int_equal(grad_decoder_push(decoder, bytes, strlen(bytes), NULL), GRAD_OK);
}

static void check_memory(grad_datatype datatype)
{
    static char spaces[1 << 16];
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    size_t before;

    memset(spaces, ' ', sizeof spaces - 1);
    assert_int_equal(grad_decoder_create(NULL, datatype, 0, &decoder, NULL), GRAD_OK);
    flood(decoder, HEAD, 1);
    flood(decoder, spaces, 40);
    flood(decoder, "[1", 1);
    before = grad_decoder_memory(decoder);
    for (size_t i = 0; i < 40; i++) {
        flood(decoder, spaces, 4);
        flood(decoder, ",\r\n1.00000000000000000000000000000000000000000000000", 1);
    }
    assert_int_equal(grad_decoder_memory(decoder) - before, 40 * grad_datatype_size(datatype));
    flood(decoder, spaces, 1);
    flood(decoder, "]", 1);
    flood(decoder, spaces, 10);
    flood(decoder, TAIL, 1);
    assert_int_equal(grad_decoder_finish_request(decoder, GRAD_REQUEST_GRADIENTS, &batch, NULL),
                     GRAD_OK);
    assert_int_equal(batch->layers[0].input.shape[0], 41);
    assert_true(grad_decoder_memory(decoder) < 6144);
    grad_decoder_destroy(decoder);
}

static void test_memory_follows_the_tensors(void **unused)
{
    (void)unused;
    check_memory(GRAD_FP32);
    check_memory(GRAD_FP64);
}

static void test_errors_stick(void **unused)
{
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    grad_error first = GRAD_ERROR_INIT;
    grad_error later = GRAD_ERROR_INIT;

    (void)unused;
    assert_int_equal(grad_decoder_create(NULL, GRAD_FP32, 0, &decoder, NULL), GRAD_OK);
    assert_int_equal(grad_decoder_push(decoder, "{", 1, &first), GRAD_OK);
    assert_int_equal(grad_decoder_push(decoder, "\x01", 1, &first), GRAD_MALFORMED);
    assert_int_equal(grad_decoder_push(decoder, "}", 1, &later), GRAD_MALFORMED);
    assert_int_equal(later.offset, first.offset);
    later = (grad_error)GRAD_ERROR_INIT;
    assert_int_equal(grad_decoder_finish_request(decoder, GRAD_REQUEST_GRADIENTS, &batch, &later),
                     GRAD_MALFORMED);
    assert_string_equal(later.detail, first.detail);
    assert_null(batch);
    grad_decoder_destroy(decoder);
    grad_decoder_destroy(NULL);
}

/* Rows of many numbers, read in one piece and in pieces of every size, have the same bits. */
static void test_every_cut(void **unused)
{
    grad_text text;
    wire_outcome whole;

    (void)unused;
    grad_text_init(&text, 1 << 16);
    grad_text_printf(&text, "%s[", HEAD);
    for (int i = 0; i < 40; i++)
        grad_text_printf(&text, "%s[%.9g, -%.9e ,%d]", i > 0 ? ",\n" : "", 1.0 / (i + 3),
                         1e-30 * (i + 1) / 7, i * 1000);
    grad_text_printf(&text, "]%s", TAIL);
    whole = wire_decode(text.data, text.length, 0, NULL);
    assert_int_equal(whole.status, GRAD_OK);
    assert_int_equal(grad_tensor_count(&whole.batch->layers[0].input), 120);
    assert_true(((float *)whole.batch->layers[0].input.data)[3] == 0.25f);
    for (size_t cut = 1; cut < text.length; cut += cut < 64 ? 1 : 13) {
        wire_outcome pieces = wire_decode(text.data, text.length, cut, NULL);

        assert_null(wire_outcomes_differ(&whole, &pieces));
        grad_decoder_destroy(pieces.decoder);
    }
    grad_decoder_destroy(whole.decoder);
    grad_text_free(&text);
}

/* The first piece ends behind every byte in turn, and the others are as long. */
static void check_every_cut(wire_form form, const char *text)
{
    size_t length = strlen(text);
    wire_outcome whole = wire_decode_as(form, text, length, 0, NULL);

    if (whole.status != GRAD_OK)
        fail_msg("%s at %s", whole.error.detail, whole.error.pointer);
    for (size_t cut = 1; cut < length; cut++) {
        wire_outcome pieces = wire_decode_as(form, text, length, cut, NULL);
        const char *wrong = wire_outcomes_differ(&whole, &pieces);

        if (wrong != NULL)
            fail_msg("pieces of %zu: %s", cut, wrong);
        grad_decoder_destroy(pieces.decoder);
    }
    grad_decoder_destroy(whole.decoder);
}

static const char network[] =
    "{\"id\":\"s\\u00e9\", \"input\": [[1.5, -0.0],\n[2.5e-3 ,\"NaN\"]], \"statistics\":true,"
    "\"clip\":{\"value\":0.5}, \"weight_decay\":{\"l2\":1e-4},\"layers\":[{\"name\":\"fc 1\","
    "\"activation\":{\"name\":\"prelu\",\"slope\":[0.25,0.1]},\"weight\":{\"shape\":[2,2],\"data\":"
    "[0.30000000000000004,-1.7976931348623157e308,4.9406564584124654e-324,12345678901234567890]},"
    "\"bias\":[0.1,1e-5]},{\"type\":\"layer_norm\",\"gain\":[3.141592653589793,2],\"residual\":"
    "\"fc "
    "1\",\"dropout\":{\"mask\":[[0,1],[1,0]],\"rate\":0.5}}],\"loss\":{\"name\":\"gaussian_nll\","
    "\"full\":true,\"target\":[[1,2],[3,4]],\"variance\":[[0.1],[\"Infinity\"]]}}";

static void test_every_cut_of_a_network(void **unused)
{
    grad_text single;

    (void)unused;
    check_every_cut((wire_form){WIRE_BACKPROP, GRAD_FP64}, network);
    check_every_cut((wire_form){WIRE_CHECK, GRAD_FP64}, network);
    grad_text_init(&single, 1 << 16); /* the same without what float32 has no place for */
    grad_text_printf(&single, "%s", network);
    memcpy(strstr(single.data, "e308"), "e-08", 4);
    check_every_cut((wire_form){WIRE_BACKPROP, GRAD_FP32}, single.data);
    grad_text_free(&single);
}

/* What doubles are read as is what the C library reads, wherever the pieces end. */
static void test_every_cut_of_doubles(void **unused)
{
    enum { COUNT = 60 };
    const wire_form form = {WIRE_GRADIENTS, GRAD_FP64};
    double expected[COUNT];
    grad_text text;
    wire_outcome whole;

    (void)unused;
    grad_text_init(&text, 1 << 16);
    grad_text_printf(&text, "%s[", HEAD);
    for (int i = 0; i < COUNT; i++) {
        char number[64];

        snprintf(number, sizeof number, "%.*g", i % 20, 1e-30 * (i + 1) / 7 * (i % 2 ? 1e50 : -1));
        expected[i] = strtod(number, NULL);
        grad_text_printf(&text, "%s%s", i > 0 ? ", " : "", number);
    }
    grad_text_printf(&text, "]%s", TAIL);
    whole = wire_decode_as(form, text.data, text.length, 0, NULL);
    assert_int_equal(whole.status, GRAD_OK);
    assert_int_equal(whole.batch->layers[0].input.shape[0], COUNT);
    assert_memory_equal(whole.batch->layers[0].input.data, expected, sizeof expected);
    grad_decoder_destroy(whole.decoder);
    check_every_cut(form, text.data);
    grad_text_free(&text);
}

static void test_limits_of_doubles(void **unused)
{
    const wire_form form = {WIRE_BACKPROP, GRAD_FP64};
    static const char text[] = "{\"input\":[1,2],\"grad_output\":[3,4],\"layers\":[{\"activation\":"
                               "\"relu\"}]}";
    grad_wire_limits limits = {.size = sizeof limits, .max_numbers = 4};
    wire_outcome o = wire_decode_as(form, text, sizeof text - 1, 0, &limits);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    grad_decoder_destroy(o.decoder);
    limits.max_numbers = 3;
    o = wire_decode_as(form, text, sizeof text - 1, 1, &limits);
    assert_int_equal(o.status, GRAD_TOO_LARGE);
    assert_string_equal(o.error.limit_name, "max_numbers");
    assert_string_equal(o.error.pointer, "/grad_output/1");
    grad_decoder_destroy(o.decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_numbers),
        cmocka_unit_test(test_max_depth),
        cmocka_unit_test(test_max_layers),
        cmocka_unit_test(test_max_envelope),
        cmocka_unit_test(test_longest_number),
        cmocka_unit_test(test_memory_follows_the_tensors),
        cmocka_unit_test(test_errors_stick),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_every_cut_of_a_network),
        cmocka_unit_test(test_every_cut_of_doubles),
        cmocka_unit_test(test_limits_of_doubles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
