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
    grad_wire_limits limits = {.max_numbers = 3};

    (void)unused;
    expect(HEAD "[1,22,3]" TAIL, &limits, NULL, 0, 0);
    expect(HEAD "[1,22,3, 4]" TAIL, &limits, "max_numbers", 3, sizeof HEAD - 1 + 9);
    expect(HEAD "[[1],[22]],\"weight\":[3,\"NaN\"]" TAIL, &limits, "max_numbers", 3,
           sizeof HEAD - 1 + 23);
}

static void test_max_depth(void **unused)
{
    grad_wire_limits limits = {.max_depth = 5};

    (void)unused;
    expect(HEAD "[[1]]" TAIL, &limits, NULL, 0, 0);
    expect(HEAD "[[[1]]]" TAIL, &limits, "max_depth", 5, sizeof HEAD - 1 + 2);
    expect(HEAD "[{\"a\":[]}]" TAIL, &limits, "max_depth", 5, sizeof HEAD - 1 + 6);
}

static void test_max_layers(void **unused)
{
    grad_wire_limits limits = {.max_layers = 2};

    (void)unused;
    expect("{\"layers\": [{\"activation\":\"relu\"},{\"activation\":\"relu\"}]}", &limits, NULL, 0,
           0);
    expect("{\"layers\": [{},{},{}]}", &limits, "max_layers", 2, 11);
}

static void test_max_envelope(void **unused)
{
    const char *text =
        "{\"id\": \"0123456789\", \"layers\":[{\"activation\":\"relu\",\"input\":[1]}]}";
    grad_wire_limits limits = {.max_envelope = strlen(text) + 2}; /* [[0]] for [1] */

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

static void test_memory_follows_the_tensors(void **unused)
{
    static char spaces[1 << 16];
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    size_t before;

    (void)unused;
    memset(spaces, ' ', sizeof spaces - 1);
    assert_int_equal(grad_decoder_create(NULL, 0, &decoder, NULL), GRAD_OK);
    flood(decoder, HEAD, 1);
    flood(decoder, spaces, 40);
    flood(decoder, "[1", 1);
    before = grad_decoder_memory(decoder);
    for (size_t i = 0; i < 40; i++) {
        flood(decoder, spaces, 4);
        flood(decoder, ",\r\n1.00000000000000000000000000000000000000000000000", 1);
    }
    assert_int_equal(grad_decoder_memory(decoder) - before, 40 * sizeof(float));
    flood(decoder, spaces, 1);
    flood(decoder, "]", 1);
    flood(decoder, spaces, 10);
    flood(decoder, TAIL, 1);
    assert_int_equal(grad_decoder_finish_request(decoder, &batch, NULL), GRAD_OK);
    assert_int_equal(batch->layers[0].input.shape[0], 41);
    assert_true(grad_decoder_memory(decoder) < 4096);
    grad_decoder_destroy(decoder);
}

static void test_errors_stick(void **unused)
{
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    grad_error first = GRAD_ERROR_INIT;
    grad_error later = GRAD_ERROR_INIT;

    (void)unused;
    assert_int_equal(grad_decoder_create(NULL, 0, &decoder, NULL), GRAD_OK);
    assert_int_equal(grad_decoder_push(decoder, "{", 1, &first), GRAD_OK);
    assert_int_equal(grad_decoder_push(decoder, "\x01", 1, &first), GRAD_MALFORMED);
    assert_int_equal(grad_decoder_push(decoder, "}", 1, &later), GRAD_MALFORMED);
    assert_int_equal(later.offset, first.offset);
    later = (grad_error)GRAD_ERROR_INIT;
    assert_int_equal(grad_decoder_finish_request(decoder, &batch, &later), GRAD_MALFORMED);
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
    assert_true(whole.batch->layers[0].input.data[3] == 0.25f);
    for (size_t cut = 1; cut < text.length; cut += cut < 64 ? 1 : 13) {
        wire_outcome pieces = wire_decode(text.data, text.length, cut, NULL);

        assert_null(wire_outcomes_differ(&whole, &pieces));
        grad_decoder_destroy(pieces.decoder);
    }
    grad_decoder_destroy(whole.decoder);
    grad_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_numbers),    cmocka_unit_test(test_max_depth),
        cmocka_unit_test(test_max_layers),     cmocka_unit_test(test_max_envelope),
        cmocka_unit_test(test_longest_number), cmocka_unit_test(test_memory_follows_the_tensors),
        cmocka_unit_test(test_errors_stick),   cmocka_unit_test(test_every_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
