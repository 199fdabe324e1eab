/* Requests of the Open Inference Protocol: read in every cut as a batch of one layer, refused with
 * the place in that document, answered as the protocol has it. */
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

/* A body: its document, and the bytes behind it; NULL: the document is all, and no header says how
 * long it is. */
typedef struct inference_body {
    const char *document;
    const char *tail;
    size_t length;
    const char *activation; /* of the model, or NULL */
} inference_body;

static wire_outcome decode(const inference_body *body, size_t cut, bool is_expected)
{
    wire_outcome o = {.error = GRAD_ERROR_INIT};
    size_t document = strlen(body->document), length = document + body->length;
    char bytes[2048];

    assert_true(length <= sizeof bytes);
    memcpy(bytes, body->document, document);
    if (body->length > 0)
        memcpy(bytes + document, body->tail, body->length);
    o.status = grad_decoder_create(NULL, GRAD_FP32, 0, &o.decoder, &o.error);
    assert_int_equal(o.status, GRAD_OK);
    if (is_expected)
        grad_decoder_expect_inputs(o.decoder, body->activation);
    if (body->tail != NULL)
        grad_decoder_expect_tail(o.decoder, document);
    for (size_t done = 0; done < length && o.status == GRAD_OK; done += cut) {
        size_t piece = cut < length - done ? cut : length - done;

        o.status = grad_decoder_push(o.decoder, bytes + done, piece, &o.error);
    }
    if (o.status == GRAD_OK)
        o.status =
            grad_decoder_finish_request(o.decoder, GRAD_REQUEST_INFERENCE, &o.batch, &o.error);
    return o;
}

#define TEXT(name, shape, data)                                                                    \
    "{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"FP32\",\"data\":" data "}"
#define BYTES(name, shape, datatype, size)                                                         \
    "{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"" datatype                          \
    "\",\"parameters\":{\"binary_data_size\":" size "}}"
#define REQUEST(inputs, more) "{\"inputs\":[" inputs "]," more "}"
#define RELU "\"parameters\":{\"activation\":\"relu\"}"
#define Z TEXT("pre_activation", "[1,1]", "[3]")
#define G TEXT("grad_output", "[1,1]", "[4]")

/* The size's object is inside the one that says the datatype, behind which it may come. */
static const inference_body whole = {
    "{\"id\":\"a\\u00e9\",\"model_name\":\"dense\",\"inputs\":["
    "{\"parameters\":{\"binary_data_size\":8},\"shape\":[1,2],\"name\":\"input\",\"datatype\":"
    "\"FP32\"}," Z
    "," BYTES("grad_output", "[1,1]", "BF16", "2") "," TEXT("weight", "[1,2]", "[7, 8]") "," BYTES(
        "bias", "[1]", "FP16",
        "2") "],\"outputs\":[{\"name\":\"grad_input\"},"
             "{\"parameters\":{\"binary_data\":true},\"name\":\"bias_delta\"}],"
             "\"parameters\":{\"negative_slope\":0.5,\"binary_data_output\":"
             "true,\"activation\":\"leaky_relu\",\"reduction\":\"mean\","
             "\"scale\":-2,\"priority\":1,\"timeout\":5,\"non_finite\":"
             "\"allow\"}}",
    "\0\0\x80\x3f\0\0\x20\x40\x20\x40\0\x3c", 12, NULL};

static void test_every_cut(void **unused)
{
    (void)unused;
    for (size_t cut = 1; cut < strlen(whole.document) + whole.length + 1; cut++) {
        wire_outcome o = decode(&whole, cut, true);
        const grad_layer *layer;

        if (o.status != GRAD_OK)
            fail_msg("%zu: %s %s", cut, o.error.pointer, o.error.detail);
        layer = &o.batch->layers[0];
        assert_int_equal(o.batch->layer_count, 1);
        assert_string_equal(o.batch->id, "aé");
        assert_true(o.batch->is_inference && o.batch->no_notes);
        assert_int_equal(o.batch->encoding, GRAD_ENCODING_BINARY);
        assert_int_equal(o.batch->reduction, GRAD_MEAN);
        assert_int_equal(o.batch->non_finite, GRAD_ALLOW_NON_FINITE);
        assert_int_equal(o.batch->outputs, 1u << GRAD_GRAD_INPUT | 1u << GRAD_BIAS_DELTA);
        assert_true(o.batch->scale == -2 && layer->activation.parameters[0] == 0.5);
        assert_true(((const float *)layer->input.data)[1] == 2.5f);
        assert_true(*(const float *)layer->pre_activation.data == 3);
        assert_true(*(const float *)layer->grad_output.data == 2.5f);
        assert_true(((const float *)layer->weight.data)[1] == 8);
        assert_true(*(const float *)layer->bias.data == 1 && layer->bias.rank == 1);
        grad_decoder_destroy(o.decoder);
    }
}

/* Bytes where every output comes as bytes, numbers elsewhere: what is said of an output goes first.
 */
static void test_encodings(void **unused)
{
    static const struct {
        const char *outputs, *by_default;
        grad_encoding wanted;
    } rows[] = {
        {"", "", GRAD_ENCODING_JSON},
        {"", ",\"binary_data_output\":false", GRAD_ENCODING_JSON},
        {"", ",\"binary_data_output\":true", GRAD_ENCODING_BINARY},
        {"{\"name\":\"bias_delta\",\"parameters\":{\"binary_data\":true}}", "",
         GRAD_ENCODING_BINARY},
        {"{\"name\":\"bias_delta\",\"parameters\":{\"binary_data\":false}}",
         ",\"binary_data_output\":true", GRAD_ENCODING_JSON},
        {"{\"name\":\"bias_delta\",\"parameters\":{\"binary_data\":true}},{\"name\":"
         "\"weight_delta\"}",
         "", GRAD_ENCODING_JSON},
        {"{\"name\":\"bias_delta\",\"parameters\":{\"binary_data\":true}},{\"name\":"
         "\"weight_delta\"}",
         ",\"binary_data_output\":true", GRAD_ENCODING_BINARY},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char document[1024];
        const inference_body body = {.document = document};
        wire_outcome o;

        snprintf(document, sizeof document,
                 "{\"inputs\":[" TEXT(
                     "input", "[1,1]",
                     "[1]") "," Z "," G
                            "],\"outputs\":[%s],\"parameters\":{\"activation\":\"relu\"%s}}",
                 rows[i].outputs, rows[i].by_default);
        o = decode(&body, SIZE_MAX / 2, true);
        assert_int_equal(o.status, GRAD_OK);
        if (o.batch->encoding != rows[i].wanted)
            fail_msg("%s", document);
        grad_decoder_destroy(o.decoder);
    }
}

typedef struct refused_body {
    inference_body body;
    const char *code;
    const char *pointer;
    const char *detail;
} refused_body;

#define ONE(input)                                                                                 \
    {                                                                                              \
        REQUEST(input, RELU), NULL, 0, NULL                                                        \
    }
#define SIZED(size, length)                                                                        \
    {                                                                                              \
        REQUEST(BYTES("input", "[1,2]", "FP32", size), RELU), "01234567890123456789", length, NULL \
    }
#define WITH(more)                                                                                 \
    {                                                                                              \
        REQUEST(TEXT("input", "[1]", "[1]"), more), NULL, 0, NULL                                  \
    }
#define INPUT "/inputs/0"
#define SIZE INPUT "/parameters/binary_data_size"
#define HUGE "99999999999999999999999999"

static const refused_body refused[] = {
    {{"[]", NULL, 0, NULL}, "unexpected_type", "", "an object"},
    {{"{" RELU "}", NULL, 0, NULL}, "missing_field", "", "\"inputs\""},
    {{"{\"inputs\":null," RELU "}", NULL, 0, NULL}, "missing_field", "", "\"inputs\""},
    {{"{\"inputs\":{}," RELU "}", NULL, 0, NULL},
     "unexpected_type",
     "/inputs",
     "an array of tensors"},
    {ONE("1"), "unexpected_type", INPUT, "a tensor"},
    {ONE("[1]"), "unexpected_type", INPUT, "a tensor"},
    {ONE("{}"), "missing_field", INPUT, "\"name\""},
    {ONE("{\"name\":5}"), "unexpected_type", INPUT "/name", "the name of an input"},
    {ONE(TEXT("inputs", "[1]", "[1]")), "unknown_name", INPUT "/name", "did you mean \"input\"?"},
    {ONE(TEXT("activation", "[1]", "[1]")), "unknown_name", INPUT "/name", "pre_activation"},
    {ONE(TEXT("grad_input", "[1]", "[1]")), "unknown_name", INPUT "/name", "input"},
    {ONE(TEXT("input", "[1]", "[1]") "," TEXT("input", "[1]", "[1]")), "duplicate_field",
     "/inputs/1/name", "again"},
    {ONE("{\"name\":\"input\",\"shape\":[1],\"data\":[1]}"), "missing_field", INPUT, "datatype"},
    {ONE("{\"name\":\"input\",\"datatype\":\"FP32\",\"data\":[1]}"), "missing_field", INPUT,
     "shape"},
    {ONE("{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1]}"), "missing_field", INPUT,
     "\"data\""},
    {ONE("{\"name\":\"input\",\"datatype\":\"INT32\",\"shape\":[1],\"data\":[1]}"),
     "unsupported_value", INPUT "/datatype", "INT32"},
    {ONE("{\"name\":\"input\",\"datatype\":\"FP64\",\"shape\":[1],\"data\":[1]}"),
     "unsupported_value", INPUT "/datatype", "?datatype=FP64"},
    {ONE(TEXT("input", "[]", "[1]")), "unsupported_value", INPUT "/shape", "dimensions"},
    {ONE(TEXT("input", "[1]", "1")), "unexpected_type", INPUT "/data", "an array of numbers"},
    {ONE(TEXT("input", "[1]", "\"AACAPw==\"")), "unexpected_type", INPUT "/data", "the string"},
    {ONE(TEXT("input", "[1,2]", "[1]")), "shape_mismatch", INPUT, "found [1]"},
    {ONE(TEXT("input", "[1]", "[[1],[2,3]]")), "ragged_array", INPUT "/data/1", "same length"},
    {ONE(TEXT("input", "[1]", "[NaN]")), "malformed_json", INPUT "/data/0", "NaN"},
    {ONE(TEXT("input", "[4294967296,4294967296,4294967296]", "[1]")), "shape_mismatch", INPUT,
     "found [1]"},
    {ONE(TEXT("input", "[-1]", "[1]")), "unsupported_value", INPUT "/shape/0", "found -1"},
    {ONE("{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],"
         "\"contents\":1}"),
     "unknown_field", INPUT "/contents", "contents"},
    {ONE("{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":"
         "{\"shared_memory_region\":\"a\"}}"),
     "unknown_field", INPUT "/parameters/shared_memory_region", "binary_data_size"},
    {{REQUEST("{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":"
              "{\"binary_data_size\":4}}",
              RELU),
      "0123", 4, NULL},
     "unsupported_value",
     INPUT,
     "found both"},
    {SIZED("8", 7), "length_mismatch", SIZE, "ends after 7"},
    {SIZED("8", 9), "length_mismatch", "", "found more"},
    {SIZED("0", 1), "length_mismatch", "", "found more"},
    {SIZED("0", 0), "length_mismatch", INPUT, "found 0"},
    {SIZED("12", 12), "length_mismatch", INPUT, "expected 8 bytes"},
    {SIZED("7", 7), "length_mismatch", INPUT, "expected 8 bytes"},
    {SIZED(HUGE, 8), "length_mismatch", SIZE, "ends after 8"},
    {SIZED("-8", 0), "unsupported_value", SIZE, "found -8"},
    {SIZED("\"8\"", 0), "unexpected_type", SIZE, "an integer"},
    {ONE(BYTES("input", "[1,2]", "FP32", "8")), "length_mismatch", SIZE,
     "Inference-Header-Content-Length"},
    {ONE(BYTES("input", "[1,2]", "FP32", "0")), "empty_tensor", INPUT, "at least one number"},
    {{REQUEST("{\"name\":\"input\",\"shape\":[1],\"datatype\":\"FP32\",\"binary_data_size\":4}",
              RELU),
      "0123", 4, NULL},
     "unknown_field",
     INPUT "/binary_data_size",
     "parameters"},
    {WITH("\"parameters\":{}"), "missing_field", "/parameters", "\"activation\""},
    {WITH("\"id\":\"a\""), "missing_field", "", "\"activation\""},
    {WITH("\"parameters\":[1]"), "unexpected_type", "/parameters", "an object"},
    {WITH("\"parameters\":{\"activation\":\"rleu\"}"), "unknown_name", "/parameters/activation",
     "relu"},
    {WITH("\"parameters\":{\"activation\":\"relu\",\"negative_slope\":1}"), "unknown_field",
     "/parameters/negative_slope", "unknown field"},
    {WITH("\"parameters\":{\"activation\":\"elu\",\"alpha\":\"1\"}"), "unexpected_type",
     "/parameters/alpha", "a number"},
    {WITH("\"parameters\":{\"activation\":\"relu\",\"sequence_id\":1}"), "unknown_field",
     "/parameters/sequence_id", "sequence_id"},
    {WITH("\"parameters\":{\"activation\":\"relu\",\"binary_data_output\":1}"), "unexpected_type",
     "/parameters/binary_data_output", "true or false"},
    {WITH("\"outputs\":5," RELU), "unexpected_type", "/outputs", "an array of outputs"},
    {WITH("\"outputs\":[{}]," RELU), "missing_field", "/outputs/0", "\"name\""},
    {WITH("\"outputs\":[{\"name\":\"gain_delta\"}]," RELU), "unsupported_value", "/outputs/0/name",
     "gain_delta"},
    {WITH("\"outputs\":[{\"name\":\"bias_delta\"},{\"name\":\"bias_delta\"}]," RELU),
     "unsupported_value", "/outputs/1/name", "again"},
    {WITH("\"outputs\":[{\"name\":\"bias_delta\",\"parameters\":{\"classification\":2}}]," RELU),
     "unknown_field", "/outputs/0/parameters/classification", "binary_data"},
    {ONE("{\"name\":\"input\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2],"
         "\"parameters\":{\"binary_data_size\":0}}"),
     "unsupported_value", INPUT, "found both"},
    {ONE("{\"name\":\"input\",\"shape\":[1,2],\"datatype\":\"FP32\","
         "\"parameters\":{\"binary_data_size\":0},\"data\":[1,2]}"),
     "unsupported_value", INPUT, "found both"},
    {WITH("\"layers\":[]," RELU), "unknown_field", "/layers", "inputs"},
    {WITH("\"model_name\":\"conv\"," RELU), "unsupported_value", "/model_name", "dense"},
};

static void test_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const refused_body *r = &refused[i];

        for (size_t cut = 1; cut < strlen(r->body.document) + r->body.length + 2; cut++) {
            wire_outcome o = decode(&r->body, cut, true);

            assert_refused_body(&o, r->body.document, cut, r->code, r->pointer, r->detail);
            grad_decoder_destroy(o.decoder);
        }
    }
}

#define OF_MODEL(activation, more)                                                                 \
    {                                                                                              \
        REQUEST(TEXT("input", "[1,1]", "[1]") "," Z "," G, more), NULL, 0, activation              \
    }

/* A client that can send no parameters names the activation in the model's name. */
static void test_activation_of_the_model(void **unused)
{
    static const inference_body good =
        OF_MODEL("leaky_relu", "\"model_name\":\"dense_leaky_relu\",\"parameters\":{\"scale\":2}");
    static const inference_body plain = {REQUEST(Z "," G, "\"id\":\"\""), NULL, 0, "relu"};
    static const inference_body slope =
        OF_MODEL("leaky_relu", "\"parameters\":{\"negative_slope\":0.5}");
    static const inference_body bad[] = {
        OF_MODEL("relu", RELU),
        OF_MODEL("relu", "\"model_name\":\"dense\""),
        OF_MODEL("relu", "\"parameters\":{\"negative_slope\":1}"),
    };
    wire_outcome o = decode(&good, 5, true);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_int_equal(o.batch->layers[0].activation.kind, GRAD_LEAKY_RELU);
    assert_true(o.batch->layers[0].activation.parameters[0] == 0.01 && o.batch->scale == 2);
    assert_true(o.batch->is_of_activation);
    grad_decoder_destroy(o.decoder);
    o = decode(&plain, 5, true);
    assert_int_equal(o.status, GRAD_OK);
    grad_decoder_destroy(o.decoder);
    o = decode(&slope, 5, true);
    assert_int_equal(o.status, GRAD_OK);
    assert_true(o.batch->layers[0].activation.parameters[0] == 0.5);
    grad_decoder_destroy(o.decoder);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o = decode(&bad[i], 5, true);
        assert_int_equal(o.status, GRAD_INVALID);
        grad_decoder_destroy(o.decoder);
    }
}

/* KServe's client: no numbers, and no header that says where bytes begin. */
static void test_no_numbers(void **unused)
{
    static const inference_body body = {
        REQUEST("{\"name\":\"input\",\"shape\":[0,3],\"datatype\":\"FP32\",\"data\":null,"
                "\"parameters\":{\"binary_data_size\":0}}," TEXT(
                    "grad_output", "[0,2]", "[]") "," TEXT("pre_activation", "[0,2]", "[]"),
                RELU),
        NULL, 0, NULL};
    wire_outcome o = decode(&body, 7, true);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_non_null(o.batch->layers[0].input.data);
    assert_int_equal(o.batch->layers[0].input.shape[0], 0);
    assert_int_equal(o.batch->layers[0].input.shape[1], 3);
    grad_decoder_destroy(o.decoder);
}

/* Numbers of FP16 in text are read as they are. */
static void test_narrow_text(void **unused)
{
    static const inference_body body = {
        REQUEST("{\"name\":\"input\",\"shape\":[1],\"datatype\":\"FP16\",\"data\":"
                "[0.0999755859375]}," Z "," G,
                RELU),
        NULL, 0, NULL};
    wire_outcome o = decode(&body, 1, true);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_true(*(const float *)o.batch->layers[0].input.data == 0.0999755859375f);
    grad_decoder_destroy(o.decoder);
}

/* Where nobody expects a list, "inputs" are what they are elsewhere: an array of numbers. */
static void test_unexpected(void **unused)
{
    static const inference_body bodies[] = {
        {REQUEST(Z "," G, RELU), NULL, 0, NULL},
        {"{\"inputs\":[1,2]," RELU "}", NULL, 0, NULL},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        wire_outcome o = decode(&bodies[i], 1000, false);

        assert_int_not_equal(o.status, GRAD_OK);
        grad_decoder_destroy(o.decoder);
    }
}

#define ANYWHERE (-2)

/* What is found in the batch is told of this document. */
static void test_errors_of_the_batch(void **unused)
{
    static const struct {
        const char *detail, *pointer, *wanted_detail, *wanted_pointer;
        int64_t offset;
    } rows[] = {
        {"layers/0/input has 2 columns", "/layers/0/input", "input has 2 columns", "/inputs/0", 11},
        {"layers/0/grad_output/0/0 is NaN", "/layers/0/grad_output/0/0", "grad_output/0/0 is NaN",
         "/inputs/2/0/0", ANYWHERE},
        {"layers/0 has no weight", "/layers/0", "the request has no weight", "", ANYWHERE},
        {"layers/0/activation is odd", "/layers/0/activation", "activation is odd",
         "/parameters/activation", ANYWHERE},
        {"layers/0/activation/beta is 0", "/layers/0/activation/beta", "beta is 0",
         "/parameters/activation/beta", ANYWHERE},
        {"layers/0/bias_delta/1 is NaN", "/layers/0/bias_delta/1", "bias_delta/1 is NaN",
         "/outputs/bias_delta/1", GRAD_OFFSET_UNKNOWN},
        {"something else", "", "something else", "", ANYWHERE},
    };
    static const inference_body body = {REQUEST(TEXT("input", "[1,1]", "[1]") "," Z "," G, RELU),
                                        NULL, 0, NULL};
    wire_outcome o = decode(&body, 9, true);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        grad_error error = GRAD_ERROR_INIT;

        error.status = GRAD_INVALID;
        snprintf(error.detail, sizeof error.detail, "%s", rows[i].detail);
        snprintf(error.pointer, sizeof error.pointer, "%s", rows[i].pointer);
        grad_decoder_locate_error(o.decoder, &error);
        assert_string_equal(error.detail, rows[i].wanted_detail);
        assert_string_equal(error.pointer, rows[i].wanted_pointer);
        if (rows[i].offset != ANYWHERE)
            assert_int_equal(error.offset, rows[i].offset);
    }
    grad_decoder_destroy(o.decoder);
}

/* The answer's document, and the bytes behind it. */
static void expect_answer(const grad_batch *batch, const grad_reply *reply, const char *document,
                          const float *tail, size_t count)
{
    grad_encoder *encoder = NULL;
    const grad_segment *segments;
    char text[1024];
    size_t length = 0;

    assert_int_equal(grad_encode_reply(batch, reply, NULL, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    segments = grad_encoder_segments(encoder);
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++) {
        memcpy(text + length, segments[i].text, segments[i].length);
        length += segments[i].length;
    }
    assert_int_equal(length, strlen(document) + count * sizeof *tail);
    assert_int_equal(grad_encoder_document_length(encoder), count > 0 ? strlen(document) : 0);
    assert_memory_equal(text, document, strlen(document));
    assert_memory_equal(text + strlen(document), tail, count * sizeof *tail);
    grad_encoder_destroy(encoder);
}

#define ANSWER(id, weight, bias, input)                                                            \
    "{" id "\"model_name\":\"dense\",\"model_version\":\"1\",\"outputs\":["                        \
    "{\"name\":\"weight_delta\",\"datatype\":\"FP32\",\"shape\":[2,2]," weight "},"                \
    "{\"name\":\"bias_delta\",\"datatype\":\"FP32\",\"shape\":[2]," bias "},"                      \
    "{\"name\":\"grad_input\",\"datatype\":\"FP32\",\"shape\":[0,2]," input "}]}\n"
#define SIZE_OF(bytes) "\"parameters\":{\"binary_data_size\":" bytes "}"

static void test_answers(void **unused)
{
    float numbers[] = {1, -2.5f, 3, 0.1f, 5, 6};
    grad_layer_result result = {.weight_delta = {numbers, 2, {2, 2}},
                                .bias_delta = {numbers + 4, 1, {2}},
                                .grad_input = {numbers, 2, {0, 2}}};
    const grad_reply reply = {.layer_count = 1, .layers = &result};
    grad_layer layer = {.activation = {.kind = GRAD_RELU}};
    grad_batch batch = {.is_inference = true, .scale = 1, .layer_count = 1, .layers = &layer};

    (void)unused;
    expect_answer(&batch, &reply,
                  ANSWER("", "\"data\":[1,-2.5,3,0.1]", "\"data\":[5,6]", "\"data\":[]"), numbers,
                  0);
    batch.id = "a\"";
    batch.encoding = GRAD_ENCODING_BINARY;
    expect_answer(&batch, &reply,
                  ANSWER("\"id\":\"a\\\"\",", SIZE_OF("16"), SIZE_OF("8"), SIZE_OF("0")), numbers,
                  6);
}

/* The text of one tensor is cut into segments, and is one row all the same. */
static void test_long_answers(void **unused)
{
    enum { ROWS = 300, COLUMNS = 200 };
    static float numbers[ROWS * COLUMNS];
    grad_layer_result result = {.weight_delta = {numbers, 2, {ROWS, COLUMNS}}};
    const grad_reply reply = {.layer_count = 1, .layers = &result};
    const grad_batch batch = {.is_inference = true, .scale = 1, .layer_count = 1};
    grad_encoder *encoder = NULL;
    const grad_segment *segments;
    size_t ones = 0, brackets = 0, commas = 0;

    (void)unused;
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        numbers[i] = 7;
    assert_int_equal(grad_encode_reply(&batch, &reply, NULL, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    segments = grad_encoder_segments(encoder);
    assert_true(grad_encoder_segment_count(encoder) > 2);
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++)
        for (size_t j = 0; j < segments[i].length; j++) {
            ones += segments[i].text[j] == '7';
            commas += segments[i].text[j] == ',';
            brackets += segments[i].text[j] == '[' || segments[i].text[j] == ']';
        }
    assert_int_equal(ones, ROWS * COLUMNS);
    assert_int_equal(commas, ROWS * COLUMNS - 1 + 6);
    assert_int_equal(brackets, 6);
    grad_encoder_destroy(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),  cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_activation_of_the_model),
        cmocka_unit_test(test_no_numbers), cmocka_unit_test(test_narrow_text),
        cmocka_unit_test(test_unexpected), cmocka_unit_test(test_errors_of_the_batch),
        cmocka_unit_test(test_answers),    cmocka_unit_test(test_long_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
