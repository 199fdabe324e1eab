/* Requests and replies as text: brackets at every border of a segment, numbers that are not finite,
 * what cannot be written. That what is written reads back is test_request_round_trip.c's. */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json/encoder.h"
#include "support/wire_oracle.h"

static grad_text run(grad_encoder *encoder)
{
    grad_text text;

    grad_text_init(&text, SIZE_MAX);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++)
        grad_text_add(&text, grad_encoder_segments(encoder)[i].text,
                      grad_encoder_segments(encoder)[i].length);
    grad_encoder_destroy(encoder);
    return text;
}

static grad_text request_text(const grad_batch *batch)
{
    grad_encoder *encoder = NULL;

    assert_int_equal(grad_encode_request(batch, &encoder, NULL), GRAD_OK);
    return run(encoder);
}

static void test_request(void **unused)
{
    float x[4] = {1, 2.5f, -3, 0.125f};
    grad_layer layers[2] = {
        {.name = "a\"b",
         .activation = {GRAD_LEAKY_RELU, {0.25}},
         .input = {x, 2, {2, 2}},
         .weight = {x, 3, {2, 1, 2}}},
        {.activation = grad_activation_default(GRAD_SOFTMAX), .grad_output = {x, 1, {4}}}};
    grad_batch batch = {.scale = 1, .layer_count = 2, .layers = layers};
    grad_text text = request_text(&batch);

    (void)unused;
    assert_string_equal(text.data,
                        "{\"layers\":[{\"name\":\"a\\\"b\",\"activation\":{\"name\":\"leaky_relu\","
                        "\"negative_slope\":0.25},\"input\":[[1,2.5],[-3,0.125]],\"weight\":"
                        "[[[1,2.5]],[[-3,0.125]]]},{\"activation\":\"softmax\",\"grad_output\":"
                        "[1,2.5,-3,0.125]}]}\n");
    grad_text_free(&text);
    batch = (grad_batch){.id = "7",
                         .reduction = GRAD_MEAN,
                         .scale = -0.01,
                         .outputs = GRAD_OUTPUT_BIAS_DELTA | GRAD_OUTPUT_GRAD_INPUT,
                         .non_finite = GRAD_ALLOW_NON_FINITE,
                         .layer_count = 1,
                         .layers = &layers[1]};
    x[1] = NAN;
    x[2] = -INFINITY;
    text = request_text(&batch);
    assert_string_equal(text.data,
                        "{\"id\":\"7\",\"reduction\":\"mean\",\"scale\":-0.01,\"outputs\":"
                        "[\"bias_delta\",\"grad_input\"],\"non_finite\":\"allow\",\"layers\":"
                        "[{\"activation\":\"softmax\",\"grad_output\":[1,\"NaN\",\"-Infinity\","
                        "0.125]}]}\n");
    grad_text_free(&text);
}

/* Tensors whose rows end before, at and behind the ends of segments come back as they were. */
static void test_segments(void **unused)
{
    enum { LARGEST = 2 * 16384 + 100 };
    static const size_t shapes[][3] = {{16384, 0, 0}, {16385, 0, 0}, {2 * 16384, 0, 0},
                                       {16383, 2, 0}, {2, 16384, 0}, {128, 128, 2},
                                       {3, 1, 5462},  {5462, 3, 1},  {1, 1, 16385},
                                       {8193, 1, 4},  {3, 10000, 0}, {1, 300, 100}};
    static float x[LARGEST];

    (void)unused;
    for (size_t i = 0; i < LARGEST; i++)
        x[i] = (float)i / 7;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t rank = shapes[i][1] == 0 ? 1 : shapes[i][2] == 0 ? 2 : 3;
        grad_layer layer = {.activation = grad_activation_default(GRAD_RELU),
                            .input = {x, rank, {shapes[i][0], shapes[i][1], shapes[i][2]}},
                            .weight = {x, 1, {3}}};
        grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
        grad_text text = request_text(&batch);
        wire_outcome back = wire_decode(text.data, text.length, 0, NULL);
        const grad_tensor *found = &back.batch->layers[0].input;

        assert_int_equal(back.status, GRAD_OK);
        assert_int_equal(found->rank, rank);
        assert_memory_equal(found->shape, layer.input.shape, sizeof found->shape);
        assert_memory_equal(found->data, x, grad_tensor_count(found) * sizeof *x);
        assert_int_equal(back.batch->layers[0].weight.shape[0], 3);
        grad_decoder_destroy(back.decoder);
        grad_text_free(&text);
    }
}

static void test_segment_count(void **unused)
{
    static float x[3 * 16384];
    grad_layer layers[2] = {{.input = {x, 2, {3, 16384}}}, {.input = {x, 1, {5}}}};
    grad_batch batch = {.scale = 1, .layer_count = 2, .layers = layers};
    grad_encoder *encoder = NULL;

    (void)unused;
    assert_int_equal(grad_encode_request(&batch, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_segment_count(encoder), 4);
    grad_encoder_destroy(encoder);
    layers[0].input.shape[0] = 1;
    layers[0].input.shape[1] = 16379;
    assert_int_equal(grad_encode_request(&batch, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_segment_count(encoder), 1);
    grad_encoder_destroy(encoder);
}

static void test_non_finite_is_refused(void **unused)
{
    float dW[6] = {1, 2, 3, 4, INFINITY, 6};
    grad_layer layer = {.activation = {.kind = GRAD_LEAKY_RELU}};
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    grad_layer_result result = {.weight_delta = {dW, 2, {2, 3}}};
    grad_reply reply = {.layer_count = 1, .layers = &result};
    grad_encoder *encoder = NULL;
    grad_error error = GRAD_ERROR_INIT;

    (void)unused;
    assert_int_equal(grad_encode_reply(&batch, &reply, NULL, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, &error), GRAD_INVALID);
    assert_string_equal(error.code, "non_finite");
    assert_string_equal(error.pointer, "/layers/0/weight_delta/1/1");
    assert_string_equal(error.detail, "expected a finite number, found Infinity");
    grad_encoder_destroy(encoder);
    batch.scale = (double)NAN;
    error = (grad_error)GRAD_ERROR_INIT;
    assert_int_equal(grad_encode_request(&batch, &encoder, &error), GRAD_INVALID);
    assert_string_equal(error.pointer, "/scale");
    batch.scale = 2;
    layer.activation.parameters[0] = (double)INFINITY;
    error = (grad_error)GRAD_ERROR_INIT;
    assert_int_equal(grad_encode_request(&batch, &encoder, &error), GRAD_INVALID);
    assert_string_equal(error.pointer, "/layers/0/activation/negative_slope");
}

typedef struct share {
    grad_encoder *encoder;
    size_t first;
    grad_status status;
} share;

/* Every other segment. */
static void *run_share(void *argument)
{
    share *s = argument;

    for (size_t i = s->first; i < grad_encoder_segment_count(s->encoder); i += 2)
        if (s->status == GRAD_OK)
            s->status = grad_encoder_segment_run(s->encoder, i, NULL);
    return NULL;
}

static void test_segments_on_two_threads(void **unused)
{
    static float x[6 * 16384];
    grad_layer layer = {.activation = grad_activation_default(GRAD_RELU),
                        .input = {x, 2, {6, 16384}}};
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    grad_encoder *encoder = NULL;
    share shares[2];
    pthread_t threads[2];
    grad_text alone = request_text(&batch);
    size_t length = 0;

    (void)unused;
    assert_int_equal(grad_encode_request(&batch, &encoder, NULL), GRAD_OK);
    for (size_t i = 0; i < 2; i++) {
        shares[i] = (share){encoder, i, GRAD_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, run_share, &shares[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(shares[i].status, GRAD_OK);
    }
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++) {
        const grad_segment *segment = &grad_encoder_segments(encoder)[i];

        assert_true(length + segment->length <= alone.length);
        assert_memory_equal(segment->text, alone.data + length, segment->length);
        length += segment->length;
    }
    assert_int_equal(length, alone.length);
    grad_encoder_destroy(encoder);
    grad_text_free(&alone);
}

/* Wherever it stands among the others, be they the largest there are. */
static void test_one_that_is_not_finite(void **unused)
{
    enum { N = 21 };
    const float odd[] = {NAN, INFINITY, -INFINITY, -NAN};
    float x[N];
    grad_layer layer = {.activation = grad_activation_default(GRAD_RELU), .input = {x, 1, {N}}};
    grad_batch batch = {
        .scale = 1, .non_finite = GRAD_ALLOW_NON_FINITE, .layer_count = 1, .layers = &layer};

    (void)unused;
    for (size_t at = 0; at < N * sizeof odd / sizeof *odd; at++) {
        wire_outcome back;
        grad_text text;
        const float *found;

        for (size_t i = 0; i < N; i++)
            x[i] = i % 2 ? FLT_MAX : -FLT_MAX;
        x[at % N] = odd[at / N];
        text = request_text(&batch);
        back = wire_decode(text.data, text.length, 0, NULL);
        assert_int_equal(back.status, GRAD_OK);
        assert_int_equal(back.batch->layers[0].input.shape[0], N);
        found = back.batch->layers[0].input.data;
        for (size_t i = 0; i < N; i++)
            assert_true(isnan(x[i]) ? isnan(found[i]) : found[i] == x[i]);
        grad_decoder_destroy(back.decoder);
        grad_text_free(&text);
    }
}

/* Of a tensor that no layer has, and of doubles. */
static void test_non_finite_elsewhere(void **unused)
{
    double y[4] = {1, 2, 3, (double)NAN};
    grad_batch batch = {.datatype = GRAD_FP64, .scale = 1};
    grad_reply reply = {.predictions = {y, 2, {2, 2}}};
    grad_encoder *encoder = NULL;
    grad_error error = GRAD_ERROR_INIT;

    (void)unused;
    assert_int_equal(grad_encode_reply(&batch, &reply, NULL, &encoder, NULL), GRAD_OK);
    assert_int_equal(grad_encoder_run_all(encoder, &error), GRAD_INVALID);
    assert_string_equal(error.pointer, "/predictions/1/1");
    assert_string_equal(error.detail, "expected a finite number, found NaN");
    grad_encoder_destroy(encoder);
}

/* Segments of doubles, whose numbers need twice the room. */
static void test_segments_of_doubles(void **unused)
{
    enum { N = 2 * 16384 + 3 };
    static double x[N];
    grad_layer layer = {.activation = grad_activation_default(GRAD_RELU), .input = {x, 2, {1, N}}};
    grad_batch batch = {.datatype = GRAD_FP64, .scale = 1, .layer_count = 1, .layers = &layer};
    grad_text text;
    wire_outcome back;

    (void)unused;
    for (size_t i = 0; i < N; i++)
        x[i] = -2.2250738585072014e-308 / (double)(1 + i % 100) - (double)(i % 3) / 3;
    text = request_text(&batch);
    back = wire_decode_as((wire_form){WIRE_GRADIENTS, GRAD_FP64}, text.data, text.length, 0, NULL);
    assert_int_equal(back.status, GRAD_OK);
    assert_memory_equal(back.batch->layers[0].input.data, x, sizeof x);
    grad_decoder_destroy(back.decoder);
    grad_text_free(&text);
}

/* A request that no document can say. */
static void test_unwritable_requests(void **unused)
{
    float x[1] = {1};
    grad_error failed = {GRAD_INVALID, "unknown_name", "/layers/1/activation", "why", 7, "", 0};
    grad_layer layers[3] = {{.name = "a"}, {.name = "b"}, {.residual = GRAD_RESIDUAL_OF(0)}};
    grad_network network = {.grad_output = {x, 1, {1}}};
    grad_batch batch = {.scale = 1, .layer_count = 3, .layers = layers, .network = &network};
    const struct {
        size_t residual;
        const char *first, *second;
        bool fits;
    } cases[] = {
        {GRAD_RESIDUAL_OF(0), "a", "b", true},      {GRAD_RESIDUAL_OF(0), "a", "a", false},
        {GRAD_RESIDUAL_OF(0), NULL, "b", false},    {GRAD_RESIDUAL_OF(2), "a", "b", false},
        {GRAD_RESIDUAL_OF(9), "a", "b", false},     {GRAD_RESIDUAL_INPUT, "a", "b", true},
        {GRAD_RESIDUAL_INPUT, "a", "input", false}, {GRAD_RESIDUAL_OF(1), "a", "input", true},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_encoder *encoder = NULL;
        grad_error error = GRAD_ERROR_INIT;

        layers[0].name = cases[i].first;
        layers[1].name = cases[i].second;
        layers[2].residual = cases[i].residual;
        assert_int_equal(grad_encode_request(&batch, &encoder, &error),
                         cases[i].fits ? GRAD_OK : GRAD_INVALID);
        assert_string_equal(error.code, cases[i].fits ? "" : "unsupported_value");
        assert_string_equal(error.pointer, cases[i].fits ? "" : "/layers/2/residual");
        grad_encoder_destroy(encoder);
    }
    layers[1] = (grad_layer){.error = &failed};
    {
        grad_encoder *encoder = NULL;
        grad_error error = GRAD_ERROR_INIT;

        assert_int_equal(grad_encode_request(&batch, &encoder, &error), GRAD_INVALID);
        assert_string_equal(error.pointer, failed.pointer);
        assert_null(encoder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_segment_count),
        cmocka_unit_test(test_non_finite_is_refused),
        cmocka_unit_test(test_segments_on_two_threads),
        cmocka_unit_test(test_one_that_is_not_finite),
        cmocka_unit_test(test_non_finite_elsewhere),
        cmocka_unit_test(test_segments_of_doubles),
        cmocka_unit_test(test_unwritable_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
