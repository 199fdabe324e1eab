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
#include "support/failing_alloc.h"

/* Tokens are shorter than 16 bytes: jansson 2.14 itself reads beyond its buffer when a longer one
 * finds no memory to grow in. */
static const char request[] =
    "{\"id\":  \"s\", \"scale\": 0.5, \"outputs\": [\"weight_delta\"], \"layers\": [\n"
    "{\"name\": \"fc1\", \"activation\": {\"name\": \"elu\", \"alpha\": 0.5},\n"
    "\"input\": [[1,2],[3,\"NaN\"]], \"grad_output\": {\"shape\": [2, 2], \"data\": [1, 2, 3, 4]}},"
    "{\"activation\": \"relu\", \"input\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}]}";

static const char refused[] = "{\"layers\": [{\"activation\": \"relu\", \"input\": {\"shape\": [3],"
                              "\"data\": [1, 2]}}]}";
static const char wrong[] = "{\"layers\": [{\"activation\": \"relu\" \"input\"}]}";
static const char twice[] = "{\"id\": \"a\", \"id\": \"b\"}";
static const char reply[] = "{\"layers\":[{\"name\":\"a\",\"weight_delta\":[[1,2]],\"more\":{}}]}";

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

static grad_status decode(const char *text, bool is_reply)
{
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    grad_reply *answer = NULL;
    grad_error error = GRAD_ERROR_INIT;
    grad_wire_limits limits = {.max_numbers = 1000};
    grad_status status = grad_decoder_create(&limits, 0, &decoder, &error);

    for (size_t i = 0; status == GRAD_OK && i < strlen(text); i += 5)
        status = grad_decoder_push(decoder, text + i, strnlen(text + i, 5), &error);
    if (status == GRAD_OK)
        status = is_reply ? grad_decoder_finish_reply(decoder, &answer, &error)
                          : grad_decoder_finish_request(decoder, &batch, &error);
    assert_int_equal(status, error.status);
    assert_true((status == GRAD_OK) == (batch != NULL || answer != NULL));
    grad_decoder_destroy(decoder);
    return status;
}

static grad_status decode_request(const char *text)
{
    return decode(text, false);
}

static grad_status decode_reply(const char *text)
{
    return decode(text, true);
}

static void test_decode(void **unused)
{
    (void)unused;
    fail_each(decode_request, request, GRAD_OK, false);
    /* A second look at what jansson refuses may find the memory that the first did not. */
    fail_each(decode_request, refused, GRAD_INVALID, true);
    fail_each(decode_request, wrong, GRAD_MALFORMED, true);
    fail_each(decode_request, twice, GRAD_INVALID, true);
    fail_each(decode_reply, reply, GRAD_OK, false);
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

static grad_status encode(const char *which)
{
    static float numbers[40000];
    grad_layer layer = {.name = "a name",
                        .activation = grad_activation_default(GRAD_ELU),
                        .input = {numbers, 2, {100, 400}}};
    grad_batch batch = {.id = "id", .scale = 0.5, .layer_count = 1, .layers = &layer};
    grad_layer_result result = {"a name", {numbers, 2, {100, 400}}, {numbers, 1, {3}}, {0}};
    grad_encoder *encoder = NULL;
    grad_error error = GRAD_ERROR_INIT;
    grad_status status = strcmp(which, "request") == 0
                             ? grad_encode_request(&batch, &encoder, &error)
                             : grad_encode_reply(&batch, &result, &encoder, &error);

    assert_true((status == GRAD_OK) == (encoder != NULL));
    if (status == GRAD_OK)
        status = grad_encoder_run_all(encoder, &error);
    assert_int_equal(status, error.status);
    grad_encoder_destroy(encoder);
    return status;
}

static void test_encode(void **unused)
{
    (void)unused;
    /* Giving back the end of a block may fail without harm. */
    fail_each(encode, "request", GRAD_OK, true);
    fail_each(encode, "reply", GRAD_OK, true);
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
    fail_each(read_problem, "{\"status\":413,\"limit\":{\"name\":\"x\"}}", GRAD_OK, false);
    fail_each(read_problem, "{\"status\":413", GRAD_MALFORMED, true);
    fail_each(walk, "{\"a\":[1,{\"b\":null}]}", GRAD_OK, false);
}

/* What encoding a reply takes at its peak is within grad_reply_bound, for one large layer and for
 * many small ones. */
static void check_bound(size_t layers, size_t N, size_t K)
{
    float *numbers = calloc(N * K, sizeof *numbers);
    grad_layer *states = calloc(layers, sizeof *states);
    grad_layer_result *results = calloc(layers, sizeof *results);
    grad_batch batch = {.layer_count = layers, .layers = states};
    grad_encoder *encoder = NULL;
    size_t before;

    assert_true(numbers != NULL && states != NULL && results != NULL);
    for (size_t i = 0; i < N * K; i++)
        numbers[i] = -1.17549435e-38f;
    for (size_t i = 0; i < layers; i++) {
        states[i] = (grad_layer){.input = {numbers, 1, {K}}, .pre_activation = {numbers, 1, {N}}};
        results[i] =
            (grad_layer_result){"n", {numbers, 2, {N, K}}, {numbers, 1, {N}}, {numbers, 1, {K}}};
    }
    before = failing_alloc_bytes();
    failing_alloc_arm(SIZE_MAX);
    assert_int_equal(grad_encode_reply(&batch, results, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    assert_in_range(failing_alloc_peak() - before, layers * N * K * 12,
                    grad_reply_bound(&batch, layers * (N * K + N + K)));
    assert_false(failing_alloc_disarm());
    grad_encoder_destroy(encoder);
    free(numbers);
    free(states);
    free(results);
}

static void test_reply_bound(void **unused)
{
    (void)unused;
    check_bound(1, 300, 200);
    check_bound(1, 40000, 1);
    check_bound(700, 1, 1);
    check_bound(5, 7, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),      cmocka_unit_test(test_decode_large),
        cmocka_unit_test(test_encode),      cmocka_unit_test(test_problem),
        cmocka_unit_test(test_reply_bound),
    };

    json_set_alloc_funcs(malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
