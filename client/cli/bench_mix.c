/* The requests of a bench: one dense layer each, of random numbers, with its gradients computed
 * here. */
#include "cli/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-4

/* ---- Requests -------------------------------------------------------------------------------- */

/* Sums of four uniform numbers, cut to six digits: about normal, as states of layers are written.
 * The generator is Marsaglia's xorshift64 (Journal of Statistical Software 8, 14, 2003). */
static void fill(float *numbers, size_t count, uint64_t *state)
{
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; k < 4; k++) {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            sum += (double)(*state >> 11) * 0x1p-53 - 0.5;
        }
        numbers[i] = (float)(round(sum * 1.7 * 1e6) / 1e6);
    }
}

static grad_status join(grad_encoder *encoder, bench_body *body, grad_error *error)
{
    const grad_segment *segments;
    grad_status status = grad_encoder_run_all(encoder, error);

    if (status != GRAD_OK)
        return status;
    segments = grad_encoder_segments(encoder);
    for (size_t s = 0; s < grad_encoder_segment_count(encoder); s++)
        grad_text_add(&body->text, segments[s].text, segments[s].length);
    body->document_length = grad_encoder_document_length(encoder);
    return grad_text_status(&body->text, error);
}

/* The document of a request with another "encoding", the answer's, than its own tensors have, which
 * is all that a batch can say. */
static void ask_for(bench_body *body, grad_encoding own, grad_encoding answer)
{
    const char *text = body->text.data, *rest = text + 1;
    char own_field[32];
    grad_text changed;

    snprintf(own_field, sizeof own_field, "\"encoding\":\"%s\",", options_encoding_name(own));
    if (own != GRAD_ENCODING_JSON) /* one of JSON is the default, and not spelled */
        rest = strstr(text, own_field) + strlen(own_field);
    grad_text_init(&changed, SIZE_MAX);
    grad_text_printf(&changed, "{\"encoding\":\"%s\",", options_encoding_name(answer));
    if (own != GRAD_ENCODING_JSON)
        grad_text_add(&changed, text + 1, (size_t)(rest - text - 1) - strlen(own_field));
    grad_text_add(&changed, rest, body->text.length - (size_t)(rest - text));
    if (body->document_length > 0)
        body->document_length += changed.length - body->text.length;
    grad_text_free(&body->text);
    body->text = changed;
}

static grad_status write_request(grad_batch *batch, const bench_layer *layer, bench_body *body,
                                 grad_error *error)
{
    grad_encoder *encoder = NULL;
    grad_status status;

    batch->encoding = layer->request;
    status = grad_encode_request(batch, &encoder, error);
    if (status == GRAD_OK)
        status = join(encoder, body, error);
    grad_encoder_destroy(encoder);
    if (status == GRAD_OK && layer->answer != layer->request) {
        ask_for(body, layer->request, layer->answer);
        status = grad_text_status(&body->text, error);
    }
    return status;
}

static grad_status write_answer(grad_batch *batch, const bench_layer *layer, bench_body *body,
                                grad_error *error)
{
    grad_plan *plan;
    grad_run *run = NULL;
    grad_encoder *encoder = NULL;
    grad_status status;

    batch->encoding = layer->answer;
    status = grad_plan_create(batch, NULL, &plan, error);
    if (status == GRAD_OK)
        status = grad_run_create(plan, &run, error);
    if (status == GRAD_OK)
        status = grad_run_all(run, error);
    if (status == GRAD_OK)
        status = grad_encode_reply(batch, grad_run_reply(run), NULL, &encoder, error);
    if (status == GRAD_OK)
        status = join(encoder, body, error);
    grad_encoder_destroy(encoder);
    grad_run_destroy(run);
    return status;
}

static grad_status make_item(bench_item *item, uint64_t seed, grad_error *error)
{
    size_t B = item->layer.B, K = item->layer.K, N = item->layer.N, x = B * K, z = B * N;
    float *numbers = malloc((x + 2 * z) * sizeof *numbers);
    grad_layer layer = {.activation = grad_activation_default(GRAD_GELU),
                        .input = {numbers, 2, {B, K}},
                        .pre_activation = {numbers + x, 2, {B, N}},
                        .grad_output = {numbers + x + z, 2, {B, N}}};
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    grad_status status;

    if (numbers == NULL)
        return error->status = GRAD_OUT_OF_MEMORY;
    fill(numbers, x + 2 * z, &seed);
    status = write_request(&batch, &item->layer, &item->request, error);
    if (status == GRAD_OK)
        status = write_answer(&batch, &item->layer, &item->answer, error);
    free(numbers);
    return status;
}

grad_status bench_mix_create(const options *o, bench_mix *mix, grad_error *error)
{
    grad_status status = GRAD_OK;

    memset(mix, 0, sizeof *mix);
    for (size_t i = 0; o->layers[i].B > 0 && status == GRAD_OK; i++) {
        bench_item *item = &mix->items[mix->count++];
        item->layer = o->layers[i];
        grad_text_init(&item->request.text, SIZE_MAX);
        grad_text_init(&item->answer.text, SIZE_MAX);
        mix->weights += item->layer.weight;
        status = make_item(item, UINT64_C(0x9E3779B97F4A7C15) + i, error);
    }
    return status;
}

void bench_mix_free(bench_mix *mix)
{
    for (size_t i = 0; i < mix->count; i++) {
        grad_text_free(&mix->items[i].request.text);
        grad_text_free(&mix->items[i].answer.text);
    }
}

/* Multiples of the golden ratio spread evenly (Knuth, The Art of Computer Programming 3, 6.4). */
size_t bench_mix_pick(const bench_mix *mix, uint64_t number)
{
    uint64_t spread = (number * UINT64_C(0x9E3779B97F4A7C15)) >> 32;
    unsigned place = (unsigned)((spread * mix->weights) >> 32);
    size_t i = 0;

    while (place >= mix->items[i].layer.weight)
        place -= mix->items[i++].layer.weight;
    return i;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static grad_status read_answer(const bench_body *body, grad_decoder **decoder, grad_reply **reply,
                               grad_error *error)
{
    const grad_text *text = &body->text;
    grad_status status = grad_decoder_create(NULL, GRAD_FP32, text->length, decoder, error);

    if (status == GRAD_OK && body->document_length > 0)
        grad_decoder_expect_tail(*decoder, body->document_length);
    if (status == GRAD_OK)
        status = grad_decoder_push(*decoder, text->data, text->length, error);
    return status == GRAD_OK ? grad_decoder_finish_reply(*decoder, reply, error) : status;
}

/* Whether two tensors have the same shape and, but for rounding, the same numbers. */
static bool are_alike(const grad_tensor *a, const grad_tensor *b)
{
    size_t count = grad_tensor_count(a);
    const float *x = a->data, *y = b->data;
    float largest = 0;

    if (a->rank != b->rank || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(x[i] - y[i]) <= TOLERANCE * largest))
            return false;
    return true;
}

static bool have_same_numbers(const grad_reply *a, const grad_reply *b)
{
    return a->layer_count == 1 && b->layer_count == 1 &&
           are_alike(&a->layers[0].weight_delta, &b->layers[0].weight_delta) &&
           are_alike(&a->layers[0].bias_delta, &b->layers[0].bias_delta);
}

static void keep_answer(bench_item *item, const bench_body *answer)
{
    grad_text_free(&item->answer.text);
    grad_text_init(&item->answer.text, SIZE_MAX);
    grad_text_add(&item->answer.text, answer->text.data, answer->text.length);
    item->answer.document_length = answer->document_length;
}

static bool have_same_bytes(const bench_body *a, const bench_body *b)
{
    return a->document_length == b->document_length && a->text.length == b->text.length &&
           memcmp(a->text.data, b->text.data, a->text.length) == 0;
}

bench_verdict bench_item_accept(bench_item *item, const bench_body *answer)
{
    grad_decoder *ours = NULL, *theirs = NULL;
    grad_reply *expected, *found;
    bench_verdict verdict = BENCH_WRONG;

    if (have_same_bytes(answer, &item->answer))
        return BENCH_SAME_BYTES;
    if (read_answer(&item->answer, &ours, &expected, NULL) == GRAD_OK &&
        read_answer(answer, &theirs, &found, NULL) == GRAD_OK &&
        have_same_numbers(expected, found)) {
        keep_answer(item, answer);
        verdict = BENCH_SAME_NUMBERS;
    }
    grad_decoder_destroy(ours);
    grad_decoder_destroy(theirs);
    return verdict;
}
