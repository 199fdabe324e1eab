/* Bodies of safetensors: read in every cut as what they are, refused where the header is not what
 * the format has or does not fit the bytes, and what the encoder writes is read again. */
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
#include "support/wire_oracle.h"

enum { BODY_MAX = 4096, PREFIX = 8 };

/* A body: its header, and the bytes behind it. */
typedef struct parts {
    const char *header;
    const char *data;
    size_t length; /* of the data */
} parts;

static size_t write_body(const parts *body, char bytes[BODY_MAX])
{
    size_t header = strlen(body->header);

    assert_true(PREFIX + header + body->length <= BODY_MAX);
    for (size_t i = 0; i < PREFIX; i++)
        bytes[i] = (char)(header >> (8 * i));
    memcpy(bytes + PREFIX, body->header, header);
    memcpy(bytes + PREFIX + header, body->data, body->length);
    return PREFIX + header + body->length;
}

static wire_outcome decode_bytes(const char *bytes, size_t length, size_t cut,
                                 const grad_wire_limits *limits)
{
    wire_outcome o = {.error = GRAD_ERROR_INIT};

    o.status = grad_decoder_create(limits, GRAD_FP32, 0, &o.decoder, &o.error);
    assert_int_equal(o.status, GRAD_OK);
    grad_decoder_expect_safetensors(o.decoder);
    for (size_t done = 0; done < length && o.status == GRAD_OK; done += cut) {
        size_t piece = cut < length - done ? cut : length - done;
        char *copy = malloc(piece); /* to be seen by the sanitizer where it is read too far */

        assert_non_null(copy);
        memcpy(copy, bytes + done, piece);
        o.status = grad_decoder_push(o.decoder, copy, piece, &o.error);
        free(copy);
    }
    if (o.status == GRAD_OK)
        o.status =
            grad_decoder_finish_request(o.decoder, GRAD_REQUEST_GRADIENTS, &o.batch, &o.error);
    return o;
}

static wire_outcome decode(const parts *body, size_t cut, const grad_wire_limits *limits)
{
    char bytes[BODY_MAX];

    return decode_bytes(bytes, write_body(body, bytes), cut, limits);
}

/* ---- What is read ---------------------------------------------------------------------------- */

#define TENSOR(name, dtype, shape, begin, end)                                                     \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end   \
    "]}"
#define METADATA(text) "\"__metadata__\":{\"document\":\"" text "\"}"

/* Bytes in another order than the document's, two of its layers, escapes in it, and every dtype. */
static const parts whole = {
    "{" TENSOR(
        "layers.1.pre_activation", "BF16", "[1,3]", "0",
        "6") ",\n \"__metadata__\" : "
             "{\"format\":\"pt\",\"document\":\"{\\\"id\\\":\\\"a\\\\\\\"\\u00e9\\ud83d\\ude00}"
             "\\\\u0041\\\","
             "\\\"layers\\\":[{\\n},{\\\"activation\\\":\\\"relu\\\",\\\"weight\\\":[[7,8]],"
             "\\\"dropout\\\":{\\\"rate\\\":0}}],\\\"on_error\\\":\\\"continue\\\"}\"}," TENSOR(
                 "layers.1.input", "F32", "[1,2]", "14",
                 "22") ","
                       "\"layers.1.dropout.mask\":{\"shape\":[1,3],\"data_offsets\":[6,12],"
                       "\"dtype\":\"F16\"}," TENSOR("layers.0.input", "F16", "[ ]", "12",
                                                    "14") "," TENSOR("layers.1.bias", "F32",
                                                                     "[0,3]", "14", "14") "}   ",
    "\x80\x3f\x20\x40\x80\xff"
    "\0\x3c\0\0\0\x3c"
    "\0\x3c"
    "\0\0\x80\x3f\0\0\x20\x40",
    22};

static void check_whole(const grad_batch *batch)
{
    const float input[2] = {1, 2.5f}, z[3] = {1, 2.5f, -INFINITY}, mask[3] = {1, 0, 1};
    const grad_layer *layer = &batch->layers[1];

    assert_string_equal(batch->id, "a\"\xC3\xA9\xF0\x9F\x98\x80}A");
    assert_int_equal(batch->layer_count, 2);
    assert_int_equal(layer->input.rank, 2);
    assert_memory_equal(layer->input.data, input, sizeof input);
    assert_memory_equal(layer->pre_activation.data, z, sizeof z);
    assert_memory_equal(layer->dropout_mask.data, mask, sizeof mask);
    assert_true(((const float *)layer->weight.data)[1] == 8);
    assert_int_equal(layer->bias.shape[1], 3);
}

static void test_every_cut(void **unused)
{
    char bytes[BODY_MAX];
    size_t length = write_body(&whole, bytes);

    (void)unused;
    for (size_t cut = 1; cut <= length; cut++) {
        wire_outcome o = decode(&whole, cut, NULL);

        if (o.status != GRAD_OK)
            fail_msg("%zu: %s at %s: %s", cut, o.error.code, o.error.pointer, o.error.detail);
        check_whole(o.batch);
        grad_decoder_destroy(o.decoder);
    }
}

/* ---- What is refused ------------------------------------------------------------------------- */

#define DOCUMENT METADATA("{\\\"layers\\\":[{\\\"activation\\\":\\\"relu\\\"}]}")
#define X "layers.0.input"
#define INPUT TENSOR(X, "F32", "[1,2]", "0", "8")
#define BIAS(begin, end) TENSOR("layers.0.bias", "F32", "[1]", begin, end)
#define HEADER(members) "{" DOCUMENT "," members "}"
#define BYTES "0123456789012345678901234567890"

typedef struct refused_body {
    parts body;
    const char *code, *pointer, *detail;
    const char *at; /* the offset is where this begins in the header, or behind the body's end */
} refused_body;

#define MALFORMED(header, detail, at)                                                              \
    {                                                                                              \
        {header, BYTES, 8}, "malformed_safetensors", "", detail, at                                \
    }
#define OF_INPUT(header, code, detail)                                                             \
    {                                                                                              \
        {header, BYTES, 8}, code, "/layers/0/input", detail, X                                     \
    }

static const refused_body refused[] = {
    MALFORMED("[]", "expected an object in the header, found [", "[]"),
    MALFORMED("{", "found its end after 1 bytes", NULL),
    MALFORMED("{}x", "nothing but blanks", "x"),
    MALFORMED("{} \x01", "byte 0x01", "\x01"),
    MALFORMED("{\"a", "end of a string", NULL),
    MALFORMED("{\"a\\x\":1}", "an escape", "\\x"),
    MALFORMED("{\"a\\ud800\":1}", "an escape", "\\ud800"),
    MALFORMED("{\"a\\ud800\\u0041\":1}", "an escape", "\\ud800"),
    MALFORMED("{\"a\\udc00\":1}", "an escape", "\\udc00"),
    MALFORMED("{\"a\tb\":1}", "a character", "\tb"),
    MALFORMED("{\"a\" 1}", "a colon", "1}"),
    MALFORMED("{\"a\":null}", "a tensor as an object", "null"),
    MALFORMED("{" DOCUMENT "," INPUT ",}", "a tensor's name", NULL),
    MALFORMED("{\"__metadata__\":[]}", "__metadata__ as an object", "[]"),
    MALFORMED("{\"__metadata__\":{\"format\":1}}", "a string, as all metadata", "1}"),
    MALFORMED("{\"a\":{\"dtype\":1}}", "a dtype as a string", "1}"),
    MALFORMED("{\"a\":{\"shape\":1}}", "a shape as an array", "1}"),
    MALFORMED("{\"a\":{\"shape\":[1,]}}", "a whole number", "]}"),
    MALFORMED("{\"a\":{\"shape\":[01]}}", "without leading zeros", "1]"),
    MALFORMED("{\"a\":{\"shape\":[-1]}}", "a whole number", "-1"),
    MALFORMED("{\"a\":{\"shape\":[1.0]}}", "a comma or the end of a shape", ".0"),
    MALFORMED("{\"a\":{\"shape\":[1e1]}}", "a comma or the end of a shape", "e1"),
    MALFORMED("{\"a\":{\"data_offsets\":[0]}}", "a comma between", "]}"),
    MALFORMED("{\"a\":{\"data_offsets\":[0,1,2]}}", "the end of two", ",2"),
    MALFORMED("{" INPUT "}\xff", "expected nothing but blanks", "\xff"),
    MALFORMED("{\"__metadata__\":{\"format\":\"\xff\",\"document\":\"{}\"}}", "expected UTF-8",
              "\xff"),
    {{"{\"a\":{}}", "", 0}, "malformed_safetensors", "/a", "found no dtype", "a\""},
    {{"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}", "", 0},
     "malformed_safetensors",
     "/a",
     "found no shape",
     "a\""},
    {{"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", "", 0},
     "malformed_safetensors",
     "/a",
     "found no data_offsets",
     "a\""},
    {{HEADER(TENSOR("a/b~c.d", "F32", "[1,2]", "0", "7")), BYTES, 8},
     "length_mismatch",
     "/a~1b~0c/d",
     "expected 8 bytes",
     "a/b~c.d"},
    {{HEADER(TENSOR(".input", "F32", "[1,2]", "0", "8")), BYTES, 8}, "unknown_field", "", "", NULL},
    /* lengths */
    OF_INPUT(HEADER(TENSOR(X, "F32", "[1,2]", "0", "7")), "length_mismatch", "expected 8 bytes"),
    OF_INPUT(HEADER(TENSOR(X, "F32", "[1,2]", "8", "0")), "length_mismatch", "[8, 0]"),
    /* as many as 0 - 8 bytes are, where that wraps around */
    OF_INPUT(HEADER(TENSOR(X, "F32", "[4611686018427387902]", "8", "0")), "length_mismatch",
             "bytes of layers.0.input, as dtype"),
    OF_INPUT(HEADER(TENSOR(X, "F32", "[]", "0", "8")), "length_mismatch", "expected 4 bytes"),
    OF_INPUT(HEADER(TENSOR(X, "F16", "[1,2]", "0", "8")), "length_mismatch", "expected 4 bytes"),
    OF_INPUT(HEADER(TENSOR(X, "F32", "[4294967296,4294967296]", "0", "0")), "length_mismatch",
             "expected more bytes"),
    OF_INPUT(HEADER(TENSOR(X, "F32", "[4611686018427387904]", "0", "0")), "length_mismatch",
             "expected more bytes"),
    OF_INPUT(HEADER(TENSOR(X, "F32", "[4294967296,4294967296,0]", "0", "0")), "length_mismatch",
             "expected more bytes"),
    OF_INPUT(HEADER(TENSOR(X, "F32", "[1,2]", "0", "99999999999999999999999")), "length_mismatch",
             "expected 8 bytes"),
    OF_INPUT(HEADER(TENSOR(X, "F32", "[1,2]", "4", "12")), "length_mismatch",
             "begin at 0, where those before them end, found a gap"),
    {{HEADER(INPUT "," BIAS("4", "8")), BYTES, 8},
     "length_mismatch",
     "/layers/0/bias",
     "begin at 8, where those before them end, found an overlap",
     "layers.0.bias"},
    {{HEADER(INPUT "," BIAS("9", "13")), BYTES, 13},
     "length_mismatch",
     "/layers/0/bias",
     "found a gap",
     "layers.0.bias"},
    {{HEADER(INPUT), BYTES, 9}, "length_mismatch", "", "found more", NULL},
    {{HEADER(INPUT), BYTES, 7},
     "length_mismatch",
     "/layers/0/input",
     "expected 8 bytes of this tensor behind the header",
     NULL},
    {{HEADER(INPUT), BYTES, 0}, "length_mismatch", "/layers/0/input", "after 0 of them", NULL},
    {{HEADER("\"a\":{}"), BYTES, 1}, "malformed_safetensors", "/a", "no dtype", "a\":{}"},
    /* names */
    OF_INPUT(HEADER(TENSOR(X, "I64", "[1]", "0", "8")), "unsupported_value", "found I64"),
    OF_INPUT(HEADER(TENSOR(X, "f32", "[1,2]", "0", "8")), "unsupported_value", "found f32"),
    OF_INPUT(HEADER("\"" X "\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}"), "duplicate_field", "dtype"),
    OF_INPUT(HEADER("\"" X "\":{\"note\":1}"), "unknown_field", "found note"),
    {{HEADER(INPUT "," INPUT), BYTES, 8},
     "duplicate_field",
     "/layers/0/input",
     "found this one",
     NULL},
    {{"{" DOCUMENT "," DOCUMENT "}", "", 0}, "duplicate_field", "", "__metadata__ once", NULL},
    {{"{\"__metadata__\":{\"document\":\"{}\",\"document\":\"{}\"}}", "", 0},
     "duplicate_field",
     "",
     "the metadata's document once",
     NULL},
    {{"{\"__metadata__\":{\"reduction\":\"mean\"}}", "", 0},
     "unknown_field",
     "",
     "found reduction",
     "reduction"},
    {{"{}", "", 0}, "missing_field", "", "\"document\", found none", "{}"},
    {{"{\"__metadata__\":null}", "", 0}, "missing_field", "", "\"document\"", "{\"__"},
    {{"{\"__metadata__\":{}," INPUT "}", BYTES, 8}, "missing_field", "", "\"document\"", "{\"__"},
    {{HEADER(TENSOR("layers.1.input", "F32", "[1,2]", "0", "8")), BYTES, 8},
     "unknown_field",
     "/layers/1/input",
     "of layers.1",
     "layers.1"},
    {{HEADER(TENSOR("layers.0.loss.target", "F32", "[1,2]", "0", "8")), BYTES, 8},
     "unknown_field",
     "/layers/0/loss/target",
     "of layers.0.loss",
     "layers.0.loss"},
    {{HEADER(TENSOR("layers.0.inputs", "F32", "[1,2]", "0", "8")), BYTES, 8},
     "unknown_field",
     "/layers/0/inputs",
     "input",
     NULL},
    {{HEADER(TENSOR("", "F32", "[1,2]", "0", "8")), BYTES, 8}, "unknown_field", "/", "", NULL},
    {{HEADER(TENSOR(".", "F32", "[1,2]", "0", "8")), BYTES, 8}, "unknown_field", "/", "", NULL},
    /* documents, whose bytes are told where the body has them */
    {{"{" METADATA("{\\\"layers\\\":[{\\\"activation\\\":\\\"rulu\\\"}]}") "}", "", 0},
     "unknown_name",
     "/layers/0/activation",
     "relu",
     "\\\"rulu"},
    {{"{" METADATA("{\\\"layers\\\":[}") "}", "", 0}, "malformed_json", "/layers", "", NULL},
    {{"{" METADATA("{\\\"layers\\\":[") "}", "", 0}, "malformed_json", "/layers", "ends", NULL},
    {{"{" METADATA("") "}", "", 0}, "malformed_json", "", "", NULL},
    {{"{" METADATA("}}]") "}", "", 0}, "malformed_json", "", "", NULL},
    {{"{" METADATA(
          "{\\\"layers\\\":[{\\\"activation\\\":\\\"relu\\\",\\\"input\\\":{\\\"shape\\\":[1],"
          "\\\"datatype\\\":\\\"FP32\\\",\\\"binary_data_size\\\":4}}]}") "}",
      BYTES, 4},
     "length_mismatch",
     "",
     "found more",
     NULL},
    {{"{" METADATA(
          "{\\\"layers\\\":[{\\\"activation\\\":\\\"relu\\\",\\\"input\\\":[[1,2]]}]}") "," INPUT
                                                                                        "}",
      BYTES, 8},
     "duplicate_field",
     "/layers/0",
     "once",
     NULL},
};

static bool is_refused_so(const wire_outcome *o, const refused_body *r)
{
    const char *at = r->at != NULL ? strstr(r->body.header, r->at) : NULL;

    if (o->status == GRAD_OK || strcmp(o->error.code, r->code) != 0 ||
        strncmp(o->error.pointer, r->pointer, strlen(r->pointer)) != 0 ||
        strstr(o->error.detail, r->detail) == NULL)
        return false;
    return at == NULL || o->error.offset == PREFIX + (at - r->body.header);
}

static void test_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const refused_body *r = &refused[i];
        size_t length = PREFIX + strlen(r->body.header) + r->body.length;

        for (size_t cut = 1; cut <= length; cut++) {
            wire_outcome o = decode(&r->body, cut, NULL);

            if (!is_refused_so(&o, r))
                fail_msg("%s (%zu), cut %zu: %s at \"%s\", %d: %s", r->body.header, r->body.length,
                         cut, o.error.code, o.error.pointer, (int)o.error.offset, o.error.detail);
            grad_decoder_destroy(o.decoder);
        }
    }
}

/* The body ends in the length, in the header; or the length is none that a header has. */
static void test_lengths_of_headers(void **unused)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *code, *detail;
    } rows[] = {
        {"", 0, "length_mismatch", "8 bytes with the header's length, found a body of 0"},
        {"\2\0\0\0\0\0\0", 7, "length_mismatch", "found a body of 7"},
        {"\2\0\0\0\0\0\0\0", 8, "length_mismatch", "header of 2 bytes"},
        {"\2\0\0\0\0\0\0\0{", 9, "length_mismatch", "after 1 of them"},
        {"\0\0\0\0\0\0\0\0{}", 10, "malformed_safetensors", "found 0"},
        {"\1\0\4\0\0\0\0\0{}", 10, "max_envelope", "found a length of 262145"},
        {"{\0\0\1\0\0\0\0{}", 10, "max_envelope", "found a length of 16777339"},
        {"{\"layers\"", 9, "malformed_safetensors", "send that as application/json"},
        {"\2\0\0\0\0\0\0\x80{}", 10, "max_envelope", "found a length of 9223372036854775810"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t cut = 1; cut <= 10; cut++) {
            wire_outcome o = decode_bytes(rows[i].bytes, rows[i].length, cut, NULL);

            if (o.status == GRAD_OK || strcmp(o.error.code, rows[i].code) != 0 ||
                strstr(o.error.detail, rows[i].detail) == NULL)
                fail_msg("%zu, cut %zu: %s: %s", i, cut, o.error.code, o.error.detail);
            grad_decoder_destroy(o.decoder);
        }
}

static void test_limits(void **unused)
{
    const grad_wire_limits exact = {.size = sizeof exact, .max_numbers = 11};
    const grad_wire_limits fewer = {.size = sizeof fewer, .max_numbers = 10};
    const grad_wire_limits shallow = {.size = sizeof shallow, .max_depth = 3};
    wire_outcome o = decode(&whole, 7, &exact);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    grad_decoder_destroy(o.decoder);
    o = decode(&whole, 7, &fewer);
    assert_int_equal(o.status, GRAD_TOO_LARGE);
    assert_string_equal(o.error.code, "max_numbers");
    grad_decoder_destroy(o.decoder);
    o = decode(&whole, 7, &shallow);
    assert_string_equal(o.error.code, "max_depth");
    grad_decoder_destroy(o.decoder);
}

/* What the walk through the document cannot follow is the scanner's to refuse. */
static void test_deep_document(void **unused)
{
    const grad_wire_limits deepest = {.size = sizeof deepest, .max_depth = 256};
    char header[BODY_MAX];
    size_t length = (size_t)sprintf(header, "{\"__metadata__\":{\"document\":\"");
    parts body = {header, "", 0};
    wire_outcome o;

    (void)unused;
    for (size_t i = 0; i < 300; i++)
        length += (size_t)sprintf(header + length, "{\\\"a\\\":");
    sprintf(header + length, "\"}}");
    o = decode(&body, BODY_MAX, &deepest);
    assert_int_equal(o.status, GRAD_TOO_LARGE);
    assert_string_equal(o.error.code, "max_depth");
    grad_decoder_destroy(o.decoder);
}

/* A header is held while it comes, and what is made of it is told. */
static void test_memory(void **unused)
{
    grad_decoder *decoder = NULL;
    char bytes[BODY_MAX];
    size_t length = write_body(&whole, bytes), before;

    (void)unused;
    assert_int_equal(grad_decoder_create(NULL, GRAD_FP32, 0, &decoder, NULL), GRAD_OK);
    grad_decoder_expect_safetensors(decoder);
    before = grad_decoder_memory(decoder);
    assert_int_equal(grad_decoder_push(decoder, bytes, PREFIX, NULL), GRAD_OK);
    assert_int_equal(grad_decoder_memory(decoder) - before, strlen(whole.header));
    assert_int_equal(grad_decoder_push(decoder, bytes + PREFIX, length - PREFIX, NULL), GRAD_OK);
    assert_true(grad_decoder_memory(decoder) - before > whole.length);
    grad_decoder_destroy(decoder);
}

/* ---- What is written ------------------------------------------------------------------------- */

/* The whole of what an encoder wrote; the caller frees it. */
static char *join(grad_encoder *encoder, size_t *length)
{
    const grad_segment *segments;
    char *text = NULL;

    *length = 0;
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    segments = grad_encoder_segments(encoder);
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++) {
        text = realloc(text, *length + segments[i].length + 1);
        assert_non_null(text);
        memcpy(text + *length, segments[i].text, segments[i].length);
        *length += segments[i].length;
    }
    assert_int_equal(grad_encoder_document_length(encoder), 0);
    grad_encoder_destroy(encoder);
    return text;
}

static void test_written_bytes(void **unused)
{
    static const char header[] =
        "{\"__metadata__\":{\"document\":\"{\\\"id\\\":\\\"a\\\\\\\"\\\",\\\"loss\\\":0.5,"
        "\\\"layers\\\":[{\\\"name\\\":\\\"b\\\"}]}\"},"
        "\"layers.0.weight_delta\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[0,4]},"
        "\"grad_input\":{\"dtype\":\"BF16\",\"shape\":[0,3],\"data_offsets\":[4,4]}}";
    float numbers[2] = {1, 2.5f};
    grad_layer_result result = {.name = "b", .weight_delta = {numbers, 2, {1, 2}}};
    grad_reply reply = {.has_loss = true,
                        .loss = 0.5,
                        .layer_count = 1,
                        .layers = &result,
                        .grad_input = {numbers, 2, {0, 3}}};
    grad_batch batch = {
        .id = "a\"", .encoding = GRAD_ENCODING_SAFETENSORS, .encoding_datatype = GRAD_WIRE_BF16};
    grad_encoder *encoder = NULL;
    size_t length, n = (sizeof header - 1 + 7) / 8 * 8;
    char *text;

    (void)unused;
    assert_int_equal(grad_encode_reply(&batch, &reply, NULL, &encoder, NULL), GRAD_OK);
    text = join(encoder, &length);
    assert_int_equal(length, PREFIX + n + 4);
    assert_int_equal((unsigned char)text[0] | (unsigned char)text[1] << 8, n);
    assert_memory_equal(text + PREFIX, header, sizeof header - 1);
    for (size_t i = sizeof header - 1; i < n; i++)
        assert_int_equal(text[PREFIX + i], ' ');
    assert_memory_equal(text + PREFIX + n, "\x80\x3f\x20\x40", 4);
    free(text);
}

/* A request written as safetensors is the batch that it was written of. */
static void test_requests_are_read_again(void **unused)
{
    static const char text[] =
        "{\"id\":\"\\u0001\\\"\\\\\",\"encoding\":\"safetensors\",\"layers\":[{\"name\":\"n\","
        "\"activation\":{\"name\":\"leaky_relu\",\"negative_slope\":0.5},\"input\":[[1,2],[3,4]],"
        "\"pre_activation\":[[1],[2]],\"grad_output\":[[5],[6]],\"dropout\":{\"mask\":[[1],[0]],"
        "\"rate\":0.5}},{\"type\":\"layer_norm\",\"input\":[[1,2]],\"grad_output\":[[1,2]]}]}";
    wire_outcome first = wire_decode(text, strlen(text), 0, NULL), again;
    grad_encoder *encoder = NULL;
    const char *differs;
    size_t length;
    char *body;

    (void)unused;
    assert_int_equal(first.status, GRAD_OK);
    assert_int_equal(grad_encode_request(first.batch, &encoder, NULL), GRAD_OK);
    body = join(encoder, &length);
    for (size_t cut = 1; cut <= length; cut++) {
        again = decode_bytes(body, length, cut, NULL);
        if (again.status != GRAD_OK)
            fail_msg("%zu: %s %s", cut, again.error.pointer, again.error.detail);
        differs = wire_batches_differ(first.batch, again.batch);
        if (differs != NULL)
            fail_msg("%zu: %s", cut, differs);
        grad_decoder_destroy(again.decoder);
    }
    free(body);
    grad_decoder_destroy(first.decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lengths_of_headers), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_deep_document),      cmocka_unit_test(test_memory),
        cmocka_unit_test(test_written_bytes),      cmocka_unit_test(test_requests_are_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
