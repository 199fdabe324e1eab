/* Every allocation of decoding, encoding and problems fails once, jansson's among them: each time
 * the status says so, nothing leaks, and nothing else is reported. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"
#include "support/documents.h"
#include "support/failing_alloc.h"

/* Tokens are shorter than 16 bytes: jansson 2.14 itself reads beyond its buffer when a longer one
 * finds no memory to grow in. */
static const char request[] =
    "{\"id\":  \"s\", \"scale\": 0.5, \"outputs\": [\"weight_delta\"], \"layers\": [\n"
    "{\"name\": \"fc1\", \"activation\": {\"name\": \"elu\", \"alpha\": 0.5},\n"
    "\"weight\": {\"shape\":[2,2],\"datatype\":\"BF16\",\"base64\":\"gD8gQIA/IEA=\"},"
    "\"input\": [[1,2],[3,\"NaN\"]], \"grad_output\": {\"shape\": [2, 2], \"data\": [1, 2, 3, 4]}},"
    "{\"activation\": \"relu\", \"input\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}]}";

static const char refused[] = "{\"layers\": [{\"activation\": \"relu\", \"input\": {\"shape\": [3],"
                              "\"data\": [1, 2]}}]}";
static const char wrong[] = "{\"layers\": [{\"activation\": \"relu\" \"input\"}]}";
static const char twice[] = "{\"id\": \"a\", \"id\": \"b\"}";
static const char network[] =
    "{\"input\": [[1,2]], \"layers\": [{\"name\": \"a\", \"activation\": {\"name\": \"prelu\","
    "\"slope\": [1]}}, {\"type\": \"layer_norm\", \"gain\": [1], \"residual\": \"a\"}],"
    "\"loss\": {\"name\": \"mse\", \"target\": [0.1], \"variance\": {}}}";
static const char continued[] =
    "{\"on_error\": \"continue\", \"layers\": [{\"activation\": \"rleu\", \"name\": \"n\"},"
    "{\"activation\": \"relu\", \"weight_delta\": [1]}, {\"epsilon\": 1}]}";
static const char faults[] =
    "{\"on_error\": \"continue\", \"layers\": [{\"activation\": \"relu\", \"input\": [[1],[2,{},"
    "\"\\u00e9\",null]]}, {\"activation\": \"relu\", \"input\": [\"a\", 3]}]}";
static const char reply[] =
    "{\"loss\": [1,2], \"layers\":[{\"name\":\"a\",\"weight_delta\":[[1,2]],\"more\":{}},"
    "{\"error\":{\"detail\":\"d\"}, \"statistics\": {\"bias_delta\": {\"l2_norm\": 1}}}]}";
static const char report[] =
    "{\"verdict\":\"pass\",\"tensors\":[{\"layer\":1,\"name\":\"n\",\"tensor\":\"bias_delta\","
    "\"shape\":[3],\"index\":[2],\"claim\":{\"index\":[1]}}]}";

typedef grad_status work(const char *text);

/* Fails the n-th allocation of function, for every n. What it returns undisturbed is expected;
 * where it may cope, it may return that all the same. */
static void fail_each(work *function, const char *text, grad_status expected, bool may_cope)
{
    size_t n = 1;

    for (;; n++) {
        grad_status status;

        failing_alloc_arm(n);
        status = function(text);
        assert_int_equal(failing_alloc_live(), 0);
        if (!failing_alloc_disarm()) {
            assert_int_equal(status, expected);
            break;
        }
        if (!may_cope || status != expected)
            assert_int_equal(status, GRAD_OUT_OF_MEMORY);
    }
    assert_true(n > 2);
}

/* Behind its last brace come the bytes of its tensors, more numbers than the first block holds. */
#define TEN "AAAAAAAAAA"
static const char with_tail[] =
    "{\"layers\": [{\"activation\": \"relu\", \"input\": {\"shape\": [80], \"datatype\": \"BF16\","
    "\"binary_data_size\":160}}]}" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN;

static grad_status decode(const char *text, document_kind kind, grad_datatype datatype)
{
    grad_decoder *decoder = NULL;
    void *result = NULL;
    grad_error error = GRAD_ERROR_INIT;
    grad_wire_limits limits = {.size = sizeof limits, .max_numbers = 1000};
    grad_status status = grad_decoder_create(&limits, datatype, 0, &decoder, &error);

    for (size_t i = 0; status == GRAD_OK && i < strlen(text); i += 5)
        status = grad_decoder_push(decoder, text + i, strnlen(text + i, 5), &error);
    if (status == GRAD_OK)
        status = document_finish(decoder, kind, &result, &error);
    assert_int_equal(status, error.status);
    assert_true((status == GRAD_OK) == (result != NULL));
    grad_decoder_destroy(decoder);
    return status;
}

static grad_status decode_request(const char *text)
{
    return decode(text, GRADIENTS, GRAD_FP32);
}

/* Up to its end only: "binary_data_size" is a token of 16 bytes. */
static grad_status push_with_tail(const char *text)
{
    grad_decoder *decoder = NULL;
    grad_status status = grad_decoder_create(NULL, GRAD_FP32, 0, &decoder, NULL);

    if (status == GRAD_OK)
        grad_decoder_expect_tail(decoder, (size_t)(strrchr(text, '}') - text) + 1);
    for (size_t i = 0; status == GRAD_OK && i < strlen(text); i += 5)
        status = grad_decoder_push(decoder, text + i, strnlen(text + i, 5), NULL);
    grad_decoder_destroy(decoder);
    return status;
}

/* A header whose tensors are more than the first block of them holds, and their bytes. */
static grad_status push_safetensors(const char *document)
{
    enum { TENSORS = 40 };
    static char body[4096];
    char *end = body + 8;
    grad_decoder *decoder = NULL;
    grad_status status = grad_decoder_create(NULL, GRAD_FP32, 0, &decoder, NULL);

    end += sprintf(end, "{\"__metadata__\":{\"document\":\"%s\"}", document);
    for (int i = 0; i < TENSORS; i++)
        end += sprintf(end, ",\"x%d\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[%d,%d]}", i,
                       2 * i, 2 * i + 2);
    *end++ = '}';
    body[0] = (char)(end - body - 8);
    body[1] = (char)((end - body - 8) >> 8);
    memset(end, 0, 2 * TENSORS);
    end += 2 * TENSORS;
    if (status == GRAD_OK)
        grad_decoder_expect_safetensors(decoder);
    for (const char *p = body; status == GRAD_OK && p < end; p += 16)
        status = grad_decoder_push(decoder, p, end - p < 16 ? (size_t)(end - p) : 16, NULL);
    grad_decoder_destroy(decoder);
    return status;
}

static grad_status decode_network(const char *text)
{
    return decode(text, BACKPROP, GRAD_FP64);
}

static grad_status decode_check(const char *text)
{
    return decode(text, CHECK, GRAD_FP64);
}

static grad_status decode_reply(const char *text)
{
    return decode(text, REPLY, GRAD_FP32);
}

static grad_status read_report(const char *text)
{
    grad_check_report *read = NULL;
    grad_error error = GRAD_ERROR_INIT;
    grad_status status = grad_check_report_read(text, strlen(text), &read, &error);

    assert_int_equal(status, error.status);
    assert_true((status == GRAD_OK) == (read != NULL));
    free(read);
    return status;
}

static void test_decode(void **unused)
{
    (void)unused;
    fail_each(decode_request, request, GRAD_OK, false);
    /* A second look at what jansson refuses may find the memory that the first did not. */
    fail_each(decode_request, refused, GRAD_INVALID, true);
    fail_each(decode_request, wrong, GRAD_MALFORMED, true);
    fail_each(decode_request, twice, GRAD_INVALID, true);
    fail_each(push_with_tail, with_tail, GRAD_OK, false);
    fail_each(push_safetensors, "{}", GRAD_OK, false);
    fail_each(decode_network, network, GRAD_INVALID, true);
    fail_each(decode_request, continued, GRAD_OK, false);
    fail_each(decode_check, continued, GRAD_OK, false);
    fail_each(decode_request, faults, GRAD_OK, false);
    fail_each(decode_reply, reply, GRAD_OK, false);
    fail_each(read_report, report, GRAD_OK, false);
}

/* The block of numbers, the envelope and its tables all grow on the way. */
static void test_decode_large(void **unused)
{
    grad_text text;

    (void)unused;
    grad_text_init(&text, 1 << 20);
    grad_text_printf(&text, "{\"layers\":[");
    for (int i = 0; i < 40; i++)
        grad_text_printf(&text, "%s{  \"activation\":  \"relu\",\n\n\"input\": [%d, 1, 2, 3]}",
                         i > 0 ? "," : "", i);
    grad_text_printf(&text, "]}");
    assert_int_equal(grad_text_status(&text, NULL), GRAD_OK);
    for (size_t n = 1;; n++) {
        grad_status status;
        size_t live = failing_alloc_live();

        failing_alloc_arm(n);
        status = decode_request(text.data);
        assert_int_equal(failing_alloc_live(), live);
        if (!failing_alloc_disarm()) {
            assert_int_equal(status, GRAD_OK);
            break;
        }
        assert_int_equal(status, GRAD_OUT_OF_MEMORY);
    }
    grad_text_free(&text);
}

static grad_status encode_as(const char *which, grad_encoding encoding)
{
    static float numbers[40000];
    static const grad_error failed = {GRAD_INVALID, "c", "/p", "a detail", 1, "", 0};
    grad_layer layer = {.name = "a name",
                        .activation = grad_activation_default(GRAD_ELU),
                        .input = {numbers, 2, {100, 400}}};
    grad_network start = {.grad_output = {numbers, 1, {7}}};
    grad_batch batch = {.id = "id",
                        .encoding = encoding,
                        .scale = 0.5,
                        .statistics = true,
                        .layer_count = 1,
                        .layers = &layer,
                        .network = &start};
    grad_layer_result results[2] = {{.name = "a name",
                                     .weight_delta = {numbers, 2, {100, 400}},
                                     .bias_delta = {numbers, 1, {3}},
                                     .has_statistics = true},
                                    {.error = &failed}};
    grad_reply answer = {.has_loss = true, .layer_count = 2, .layers = results};
    grad_encoder *encoder = NULL;
    grad_error error = GRAD_ERROR_INIT;
    grad_status status = strcmp(which, "request") == 0
                             ? grad_encode_request(&batch, &encoder, &error)
                             : grad_encode_reply(&batch, &answer, NULL, &encoder, &error);

    assert_true((status == GRAD_OK) == (encoder != NULL));
    if (status == GRAD_OK)
        status = grad_encoder_run_all(encoder, &error);
    assert_int_equal(status, error.status);
    grad_encoder_destroy(encoder);
    return status;
}

static grad_status encode(const char *which)
{
    return encode_as(which, GRAD_ENCODING_JSON);
}

static grad_status encode_safetensors(const char *which)
{
    return encode_as(which, GRAD_ENCODING_SAFETENSORS);
}

static void test_encode(void **unused)
{
    (void)unused;
    /* Giving back the end of a block may fail without harm. */
    fail_each(encode, "request", GRAD_OK, true);
    fail_each(encode, "reply", GRAD_OK, true);
    fail_each(encode_safetensors, "request", GRAD_OK, true);
    fail_each(encode_safetensors, "reply", GRAD_OK, true);
}

static grad_status write_report(const char *name)
{
    grad_check_tensor tensor = {.layer_name = name, .rank = 1, .shape = {1}, .has_claim = true};
    grad_check_report written = {.id = name, .tensor_count = 1, .tensors = &tensor};
    grad_text text;
    grad_status status;

    grad_text_init(&text, 10000);
    grad_check_report_write(&written, &text);
    status = grad_text_status(&text, NULL);
    grad_text_free(&text);
    return status;
}

static grad_status write_problem(const char *detail)
{
    grad_problem problem = {.http_status = 422, .error = GRAD_ERROR_INIT};
    grad_text text;
    grad_status status;

    memset(problem.error.detail, 'x', sizeof problem.error.detail - 1);
    memcpy(problem.error.detail, detail, strlen(detail));
    grad_text_init(&text, 10000);
    grad_problem_write(&problem, &text);
    status = grad_text_status(&text, NULL);
    grad_text_free(&text);
    return status;
}

static grad_status read_problem(const char *text)
{
    grad_problem problem;

    return grad_problem_read(text, strlen(text), &problem, NULL);
}

static void count_visits(void *context, const char *pointer, const char *value)
{
    *(size_t *)context += strlen(pointer) + strlen(value);
}

static grad_status walk(const char *text)
{
    size_t total = 0;

    return grad_json_walk(text, strlen(text), count_visits, &total, NULL);
}

static void test_problem(void **unused)
{
    (void)unused;
    fail_each(write_problem, "why", GRAD_OK, false);
    fail_each(write_report, "a name", GRAD_OK, false);
    fail_each(read_problem, "{\"status\":413,\"limit\":{\"name\":\"x\"}}", GRAD_OK, false);
    fail_each(read_problem, "{\"status\":413", GRAD_MALFORMED, true);
    fail_each(walk, "{\"a\":[1,{\"b\":null}]}", GRAD_OK, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_large),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_problem),
    };

    json_set_alloc_funcs(malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
