/* How much memory reading and encoding take at their peaks, against the bounds that a service
 * leases beforehand. */
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json/envelope.h"
#include "core/real.h"
#include "gradient_wire.h"
#include "support/between.h"
#include "support/documents.h"
#include "support/failing_alloc.h"

/* What a finish function takes at its peak is within the bound, for documents made to be dear, and
 * what it keeps is told. */
static void check_finish_bound(const char *head, const char *layer, size_t layers,
                               document_kind kind)
{
    const grad_wire_limits limits = {.size = sizeof limits, .max_layers = 2 * layers};
    grad_decoder *decoder = NULL;
    void *result = NULL;
    size_t before, bound, told;

    assert_int_equal(grad_decoder_create(&limits, GRAD_FP32, 0, &decoder, NULL), GRAD_OK);
    assert_int_equal(grad_decoder_push(decoder, head, strlen(head), NULL), GRAD_OK);
    for (size_t i = 0; i < layers; i++) {
        assert_int_equal(grad_decoder_push(decoder, ",", i > 0, NULL), GRAD_OK);
        assert_int_equal(grad_decoder_push(decoder, layer, strlen(layer), NULL), GRAD_OK);
    }
    assert_int_equal(grad_decoder_push(decoder, "]}", 2, NULL), GRAD_OK);
    bound = grad_decoder_finish_bound(decoder);
    told = grad_decoder_memory(decoder);
    before = failing_alloc_bytes();
    failing_alloc_arm(SIZE_MAX);
    assert_int_equal(document_finish(decoder, kind, &result, NULL), GRAD_OK);
    assert_between(failing_alloc_peak() - before, bound / 20, bound);
    assert_false(failing_alloc_disarm());
    assert_int_equal(grad_decoder_memory(decoder) - told, failing_alloc_bytes() - before);
    grad_decoder_destroy(decoder);
}

static void test_finish_bound(void **unused)
{
    (void)unused;
    check_finish_bound("{\"layers\":[", "{\"activation\":\"relu\"}", 1, GRADIENTS);
    check_finish_bound("{\"layers\":[", "{\"activation\":\"relu\"}", 900, GRADIENTS);
    check_finish_bound("{\"on_error\":\"continue\",\"layers\":[", "{}", 900, GRADIENTS);
    check_finish_bound("{\"on_error\":\"continue\",\"layers\":[", "null", 900, CHECK);
    check_finish_bound("{\"on_error\":\"continue\",\"layers\":[",
                       "{\"activation\":\"relu\",\"input\":[1,null]}", 900, GRADIENTS);
    check_finish_bound("{\"layers\":[", "{\"error\":{}}", 900, REPLY);
    check_finish_bound("{\"layers\":[", "{}", 900, REPLY);
}

/* Faults, the largest things that a few bytes of a document make, are told; blocks that double are
 * at most twice what is told of them. */
static void test_memory_of_faults(void **unused)
{
    enum { FAULTS = 3000 };
    size_t before = failing_alloc_bytes(), told, taken;
    grad_decoder *decoder = NULL;

    (void)unused;
    assert_int_equal(grad_decoder_create(NULL, GRAD_FP32, 0, &decoder, NULL), GRAD_OK);
    assert_int_equal(grad_decoder_push(decoder, "{\"layers\":[0", 12, NULL), GRAD_OK);
    for (size_t i = 0; i < FAULTS; i++)
        assert_int_equal(grad_decoder_push(decoder, ",[[],0]", 7, NULL), GRAD_OK);
    told = grad_decoder_memory(decoder);
    taken = failing_alloc_bytes() - before;
    assert_between(told, FAULTS * sizeof(grad_array_error), taken);
    assert_between(taken, told, told * 5 / 4);
    grad_decoder_destroy(decoder);
}

/* ---- The bound of a reply -------------------------------------------------------------------- */

/* What a reply is made of. */
typedef struct reply_recipe {
    size_t layers, B, K, N;
    grad_datatype datatype;
    bool per_sample, is_network, has_extras, has_errors;
    grad_encoding encoding;
} reply_recipe;

enum { LEAST = 1 << 17 };

static double least[LEAST]; /* the longest to print; floats are in the same place */

static grad_tensor tensor_of(size_t rank, size_t a, size_t b, size_t c)
{
    return (grad_tensor){least, rank, {a, b, c}};
}

static void make_result(const reply_recipe *r, grad_layer_result *result, const grad_error *error)
{
    *result = (grad_layer_result){.name = "n"};
    if (r->has_errors) {
        result->error = error;
        return;
    }
    result->weight_delta =
        r->per_sample ? tensor_of(3, r->B, r->N, r->K) : tensor_of(2, r->N, r->K, 0);
    result->bias_delta = r->per_sample ? tensor_of(2, r->B, r->N, 0) : tensor_of(1, r->N, 0, 0);
    result->slope_delta = result->gain_delta = result->shift_delta = tensor_of(1, 1, 0, 0);
    if (!r->is_network)
        result->grad_input = tensor_of(2, r->B, r->K, 0);
    result->has_statistics = result->has_clipping = r->has_extras;
    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
        result->statistics[i] = (grad_statistics){-1.0 / 3e100, -1.0 / 3e100, SIZE_MAX};
}

static size_t count_numbers(const grad_reply *answer)
{
    size_t count = grad_tensor_count(&answer->losses) + grad_tensor_count(&answer->predictions) +
                   grad_tensor_count(&answer->grad_input);

    for (size_t i = 0; i < answer->layer_count; i++)
        for (size_t k = 0; k < GRAD_OUTPUT_COUNT; k++)
            count += grad_tensor_count(
                grad_layer_result_tensor(&answer->layers[i], (grad_output_kind)k));
    return count;
}

static void expect_within(const grad_batch *batch, const grad_reply *answer)
{
    size_t bound = grad_reply_bound(batch, count_numbers(answer));
    size_t least_bytes = batch->encoding == GRAD_ENCODING_JSON ? 12 : 4; /* of a number */
    grad_encoder *encoder = NULL;
    size_t before = failing_alloc_bytes();

    failing_alloc_arm(SIZE_MAX);
    assert_int_equal(grad_encode_reply(batch, answer, NULL, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    assert_between(failing_alloc_peak() - before, count_numbers(answer) * least_bytes, bound);
    assert_false(failing_alloc_disarm());
    grad_encoder_destroy(encoder);
}

/* A float whose text is as long as one can be. */
static float longest_float(void)
{
    char text[GRAD_NUMBER_WRITE_MAX];
    float value = -FLT_MIN;

    while (grad_number_write(value, text) - text < GRAD_NUMBER_WRITE_MAX - 1)
        value = nextafterf(value, -1);
    return value;
}

/* What encoding a reply takes at its peak is within grad_reply_bound. */
static void check_reply_bound(const reply_recipe *r)
{
    double longest = r->datatype == GRAD_FP64 ? -2.2250738585072014e-308 : (double)longest_float();
    grad_layer *states = calloc(r->layers, sizeof *states);
    grad_layer_result *results = calloc(r->layers, sizeof *results);
    grad_network whole = {.input = tensor_of(2, r->B, r->K, 0)};
    grad_batch batch = {.datatype = r->datatype,
                        .reduction = r->per_sample ? GRAD_PER_SAMPLE : GRAD_SUM,
                        .statistics = r->has_extras,
                        .encoding = r->encoding,
                        .continue_on_error = r->has_errors,
                        .layer_count = r->layers,
                        .layers = states,
                        .network = r->is_network ? &whole : NULL};
    grad_reply answer = {.layer_count = r->layers, .layers = results};
    grad_error error = {GRAD_INVALID, "", "", "", 1, "", 0};

    assert_true(states != NULL && results != NULL);
    memset(error.detail, 1, sizeof error.detail - 1);
    memset(error.pointer, '"', sizeof error.pointer - 1);
    for (size_t i = 0; i < LEAST; i++)
        grad_real_put(r->datatype, least, i, longest);
    for (size_t i = 0; i < r->layers; i++) {
        states[i].name = "n";
        if (!r->is_network)
            states[i].input = tensor_of(2, r->B, r->K, 0);
        states[i].weight = tensor_of(2, r->N, r->K, 0);
        make_result(r, &results[i], &error);
    }
    if (r->is_network) {
        answer.losses = answer.predictions = tensor_of(2, r->B, r->N, 0);
        answer.grad_input = tensor_of(2, r->B, r->K, 0);
    }
    answer.has_statistics = answer.has_clipping = r->has_extras;
    expect_within(&batch, &answer);
    free(states);
    free(results);
}

static void test_reply_bound(void **unused)
{
    static const reply_recipe recipes[] = {
        {1, 1, 200, 300, GRAD_FP32, false, false, false, false, GRAD_ENCODING_JSON},
        {1, 1, 200, 300, GRAD_FP32, false, false, false, false, GRAD_ENCODING_BASE64},
        {1, 3, 200, 300, GRAD_FP64, false, true, true, false, GRAD_ENCODING_BASE64},
        {700, 1, 1, 1, GRAD_FP32, false, false, false, false, GRAD_ENCODING_BASE64},
        {1, 1, 1, 40000, GRAD_FP32, false, false, true, false, GRAD_ENCODING_JSON},
        {700, 1, 1, 1, GRAD_FP32, false, false, false, false, GRAD_ENCODING_JSON},
        {1600, 1, 1, 1, GRAD_FP64, false, true, true, false, GRAD_ENCODING_JSON},
        {700, 1, 1, 1, GRAD_FP32, false, false, false, true, GRAD_ENCODING_JSON},
        {5, 3, 5000, 7, GRAD_FP64, false, false, true, false, GRAD_ENCODING_JSON},
        {1, 1000, 1, 40, GRAD_FP32, true, true, false, false, GRAD_ENCODING_JSON},
        {2, 50, 2, 100, GRAD_FP64, true, false, true, false, GRAD_ENCODING_JSON},
        {1, 30000, 1, 1, GRAD_FP64, false, true, false, false, GRAD_ENCODING_JSON},
        {1, 1, 200, 300, GRAD_FP32, false, false, false, false, GRAD_ENCODING_SAFETENSORS},
        {700, 1, 1, 1, GRAD_FP32, false, false, false, false, GRAD_ENCODING_SAFETENSORS},
        {1600, 1, 1, 1, GRAD_FP64, false, true, true, false, GRAD_ENCODING_SAFETENSORS},
        {700, 1, 1, 1, GRAD_FP32, false, false, false, true, GRAD_ENCODING_SAFETENSORS},
    };
    grad_batch none = {0};

    (void)unused;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        check_reply_bound(&recipes[i]);
    assert_int_equal(grad_reply_bound(&none, SIZE_MAX / 8), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finish_bound),
        cmocka_unit_test(test_memory_of_faults),
        cmocka_unit_test(test_reply_bound),
    };

    json_set_alloc_funcs(malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
