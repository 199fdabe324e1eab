/* Bytes of tensors behind a document: read in every cut as what they are, and refused where they
 * are not what the document says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"
#include "support/refusals.h"

/* A body: its document, the length that is said of it (0: its own), and what follows. */
typedef struct tail_body {
    const char *document;
    size_t said;
    const char *tail;
    size_t length;
} tail_body;

static wire_outcome decode(const tail_body *body, size_t cut, const grad_wire_limits *limits)
{
    wire_outcome o = {.error = GRAD_ERROR_INIT};
    size_t document = strlen(body->document), length = document + body->length;
    char bytes[1024];

    assert_true(length <= sizeof bytes);
    memcpy(bytes, body->document, document);
    if (body->length > 0)
        memcpy(bytes + document, body->tail, body->length);
    o.status = grad_decoder_create(limits, GRAD_FP32, 0, &o.decoder, &o.error);
    if (o.status != GRAD_OK)
        return o;
    grad_decoder_expect_tail(o.decoder, body->said > 0 ? body->said : document);
    for (size_t done = 0; done < length && o.status == GRAD_OK; done += cut) {
        size_t piece = cut < length - done ? cut : length - done;

        o.status = grad_decoder_push(o.decoder, bytes + done, piece, &o.error);
    }
    if (o.status == GRAD_OK)
        o.status =
            grad_decoder_finish_request(o.decoder, GRAD_REQUEST_GRADIENTS, &o.batch, &o.error);
    return o;
}

#define LAYER(members) "{\"layers\":[{\"activation\":\"relu\"," members "}]}"
#define BYTES(shape, datatype, size)                                                               \
    "{\"shape\":" shape ",\"datatype\":\"" datatype "\",\"binary_data_size\":" size "}"

static const tail_body whole = {
    LAYER("\"input\":" BYTES("[1,2]", "FP32", "8") ",\"bias\":" BYTES(
        "[0,3]", "FP32", "0") ",\"weight\":[[7,8]],\"pre_activation\":"
                              "{\"binary_data_size\" : 6 ,\"datatype\":\"BF16\",\"sizes\":[3]},"
                              "\"grad_output\":" BYTES("[1]", "FP16", "2")),
    0, "\0\0\x80\x3f\0\0\x20\x40\x80\x3f\x20\x40\x80\xff\0\x3c", 16};

static void test_every_cut(void **unused)
{
    const float input[2] = {1, 2.5f}, z[3] = {1, 2.5f, -INFINITY};

    (void)unused;
    for (size_t cut = 1; cut < strlen(whole.document) + 17; cut++) {
        wire_outcome o = decode(&whole, cut, NULL);
        const grad_layer *layer;

        if (o.status != GRAD_OK)
            fail_msg("%zu: %s %s", cut, o.error.pointer, o.error.detail);
        layer = &o.batch->layers[0];
        assert_memory_equal(layer->input.data, input, sizeof input);
        assert_memory_equal(layer->pre_activation.data, z, sizeof z);
        assert_true(*(const float *)layer->grad_output.data == 1);
        assert_true(((const float *)layer->weight.data)[1] == 8);
        assert_int_equal(layer->bias.shape[1], 3);
        grad_decoder_destroy(o.decoder);
    }
}

typedef struct refused_body {
    tail_body body;
    const char *code;
    const char *pointer;
    const char *detail;
} refused_body;

#define INPUT "/layers/0/input"
#define SIZED(size, length)                                                                        \
    LAYER("\"input\":" BYTES("[1,2]", "FP32", size)), 0, "01234567890123456789", length
#define HUGE "99999999999999999999999999"

static const refused_body refused[] = {
    {{SIZED("8", 7)}, "length_mismatch", INPUT "/binary_data_size", "ends after 7"},
    {{SIZED("8", 0)}, "length_mismatch", INPUT "/binary_data_size", "ends after 0"},
    {{SIZED("8", 9)}, "length_mismatch", "", "found more"},
    {{SIZED("0", 1)}, "length_mismatch", "", "found more"},
    {{SIZED("12", 12)}, "length_mismatch", INPUT, "expected 8 bytes"},
    {{SIZED("7", 7)}, "length_mismatch", INPUT, "expected 8 bytes"},
    {{SIZED("0", 0)}, "length_mismatch", INPUT, "found 0"},
    {{SIZED(HUGE, 8)}, "length_mismatch", INPUT "/binary_data_size", "ends after 8"},
    {{SIZED("-8", 0)}, "unsupported_value", INPUT "/binary_data_size", "found -8"},
    {{SIZED("8e0", 8)}, "length_mismatch", "", "found more"},
    {{SIZED("\"8\"", 0)}, "unexpected_type", INPUT "/binary_data_size", "an integer"},
    {{SIZED("[8]", 0)}, "unexpected_type", INPUT "/binary_data_size", "an integer"},
    {{LAYER("\"input\":{\"shape\":[2],\"binary_data_size\":4}"), 0, "0123", 4},
     "missing_field",
     INPUT,
     "datatype"},
    {{LAYER("\"input\":" BYTES("[1]", "FP64", "8")), 0, "01234567", 8},
     "unsupported_value",
     INPUT "/datatype",
     "?datatype=FP64"},
    {{LAYER("\"input\":[1]"), 0, "0", 1}, "length_mismatch", "", "found more"},
    {{LAYER("\"input\":[1]"), 10, "", 0}, "malformed_json", "/layers", "the document ends"},
    {{LAYER("\"input\":[1]"), 1000, "", 0}, "length_mismatch", "", "a document of 1000 bytes"},
    {{"{\"layers\":[{}]} ", 15, "", 0}, "length_mismatch", "", "found more"},
};

static void test_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const refused_body *r = &refused[i];

        for (size_t cut = 1; cut < strlen(r->body.document) + r->body.length + 2; cut++) {
            wire_outcome o = decode(&r->body, cut, NULL);

            assert_refused_body(&o, r->body.document, cut, r->code, r->pointer, r->detail);
            grad_decoder_destroy(o.decoder);
        }
    }
}

static void test_without_a_length(void **unused)
{
    wire_outcome o = wire_decode(whole.document, strlen(whole.document), 0, NULL);

    (void)unused;
    assert_int_equal(o.status, GRAD_MALFORMED);
    assert_string_equal(o.error.code, "length_mismatch");
    assert_string_equal(o.error.pointer, INPUT "/binary_data_size");
    grad_decoder_destroy(o.decoder);
}

/* Two bytes are a number of the cap, whatever is said of them. */
static void test_limit(void **unused)
{
    const grad_wire_limits enough = {.size = sizeof enough, .max_numbers = 8};
    const grad_wire_limits too_few = {.size = sizeof too_few, .max_numbers = 7};
    wire_outcome o = decode(&whole, 5, &enough);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    grad_decoder_destroy(o.decoder);
    o = decode(&whole, 5, &too_few);
    assert_int_equal(o.status, GRAD_TOO_LARGE);
    assert_string_equal(o.error.code, "max_numbers");
    grad_decoder_destroy(o.decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_without_a_length),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
