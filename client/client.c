/* The client's public functions: options, requests in, replies out. What lives here is what a call
 * sends and what it expects back; the tries are call.c's. */
#include "address.h"
#include "call.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DOCUMENT_BYTES ((size_t)1 << 30)
#define MAX_GET_BYTES ((size_t)1 << 24)
/* Of a reply: the most that one number takes, with room for blanks; one layer without its name, and
 * the whole without its layers. */
#define NUMBER_BYTES 32
#define LAYER_BYTES 1024
#define REPLY_BYTES 65536
#define NAME_BYTES 6 /* of one byte of a name, escaped */

static double or_default(double value, double fallback)
{
    return value == 0 ? fallback : value;
}

static gradient_client_options complete(const gradient_client_options *given)
{
    static const gradient_client_options none = {0};
    const gradient_client_options *o = given != NULL ? given : &none;

    return (gradient_client_options){
        .connect_timeout = or_default(o->connect_timeout, 5),
        .attempt_timeout = or_default(o->attempt_timeout, 60),
        .total_timeout = or_default(o->total_timeout, 120),
        .max_attempts = o->max_attempts == 0 ? 5 : o->max_attempts,
        .backoff_base = or_default(o->backoff_base, 0.1),
        .backoff_max = or_default(o->backoff_max, 5),
    };
}

/* Times end somewhere below what milliseconds in a long can hold. */
static bool valid(const gradient_client_options *o)
{
    const double times[] = {o->connect_timeout, o->attempt_timeout, o->total_timeout,
                            o->backoff_base, o->backoff_max};

    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (!(times[i] > 0 && times[i] <= 1e6))
            return false;
    return true;
}

gradient_client_status gradient_client_open(const char *url, const gradient_client_options *options,
                                            gradient_client **client, gradient_client_error *error)
{
    gradient_client_options completed = complete(options);
    grad_error cause = GRAD_ERROR_INIT;
    char address[CLIENT_ADDRESS_SIZE];
    gradient_client *opened;

    if (!valid(&completed)) {
        return client_fail(error, GRADIENT_CLIENT_BAD_INPUT,
                           "times are above 0 and at most 1,000,000 seconds");
    }
    if (client_address_read(url, address, &cause) != GRAD_OK)
        return client_fail_as(error, GRADIENT_CLIENT_BAD_INPUT, "", &cause);
    opened = calloc(1, sizeof *opened);
    if (opened != NULL)
        opened->transport = client_transport_create(address, completed.connect_timeout);
    if (opened == NULL || opened->transport == NULL) {
        free(opened);
        return client_fail(error, GRADIENT_CLIENT_INTERNAL, "no memory for a client");
    }
    opened->options = completed;
    client_backoff_init(&opened->backoff, completed.backoff_base, completed.backoff_max);
    *client = opened;
    return GRADIENT_CLIENT_OK;
}

void gradient_client_close(gradient_client *client)
{
    if (client != NULL) {
        client_transport_destroy(client->transport);
        free(client);
    }
}

static size_t name_bytes(const char *name)
{
    return name == NULL ? 0 : strlen(name) * NAME_BYTES;
}

/* A reply can't be larger than the request lets it: that is its cap. */
static client_expectation expect_reply(const grad_batch *batch, const grad_measure *measure)
{
    client_expectation expectation = {.decode = true};
    size_t envelope = REPLY_BYTES + name_bytes(batch->id);

    for (size_t l = 0; l < batch->layer_count; l++)
        envelope += LAYER_BYTES + name_bytes(batch->layers[l].name);
    expectation.limits.max_numbers = measure->result_numbers;
    expectation.limits.max_layers = batch->layer_count;
    expectation.limits.max_envelope = envelope;
    expectation.max_bytes = measure->result_numbers > (SIZE_MAX - envelope) / NUMBER_BYTES
                                ? SIZE_MAX
                                : measure->result_numbers * NUMBER_BYTES + envelope;
    expectation.bytes = measure->result_numbers * (GRAD_NUMBER_WRITE_MAX - 4);
    return expectation;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool has_shape(const grad_tensor *tensor, bool wanted, size_t rows, size_t columns)
{
    if (!wanted || tensor->data == NULL)
        return wanted == (tensor->data != NULL);
    return rows == 0 ? tensor->rank == 1 && tensor->shape[0] == columns
                     : tensor->rank == 2 && tensor->shape[0] == rows && tensor->shape[1] == columns;
}

/* Whether the result is one of that layer, with what was asked for and nothing else. */
static bool matches(const grad_layer_result *result, const grad_layer *layer, unsigned outputs)
{
    bool vectors = layer->input.rank == 1;
    size_t B = vectors ? 0 : layer->input.shape[0];
    size_t K = layer->input.shape[layer->input.rank - 1];
    size_t N = layer->pre_activation.shape[layer->pre_activation.rank - 1];

    if (outputs == 0) {
        outputs = GRAD_OUTPUT_WEIGHT_DELTA | GRAD_OUTPUT_BIAS_DELTA |
                  (layer->weight.data != NULL ? GRAD_OUTPUT_GRAD_INPUT : 0);
    }
    return same_text(result->name, layer->name) &&
           has_shape(&result->weight_delta, outputs & GRAD_OUTPUT_WEIGHT_DELTA, N, K) &&
           has_shape(&result->bias_delta, outputs & GRAD_OUTPUT_BIAS_DELTA, 0, N) &&
           has_shape(&result->grad_input, outputs & GRAD_OUTPUT_GRAD_INPUT, B, K);
}

/* A well-formed reply can still be another request's. */
static gradient_client_status check_reply(const grad_batch *batch, const grad_reply *reply,
                                          gradient_client_error *error)
{
    if (!same_text(reply->id, batch->id) || reply->layer_count != batch->layer_count) {
        return client_fail(error, GRADIENT_CLIENT_PROTOCOL,
                           "the answer isn't this request's: its id or its number of layers is "
                           "another");
    }
    for (size_t l = 0; l < batch->layer_count; l++) {
        if (!matches(&reply->layers[l], &batch->layers[l], batch->outputs)) {
            return client_fail(error, GRADIENT_CLIENT_PROTOCOL,
                               "the answer isn't this request's: layers/%zu has another name, "
                               "other outputs or other shapes",
                               l);
        }
    }
    return GRADIENT_CLIENT_OK;
}

/* Sends an encoded batch and reads the reply. */
static gradient_client_status exchange(gradient_client *client, const grad_batch *batch,
                                       const grad_measure *measure, const grad_encoder *encoder,
                                       gradient_client_reply *reply, gradient_client_error *error)
{
    client_request request = {.path = "/v1/gradients",
                              .segments = grad_encoder_segments(encoder),
                              .segment_count = grad_encoder_segment_count(encoder)};
    client_expectation expectation = expect_reply(batch, measure);
    client_answer answer;
    unsigned tries;
    gradient_client_status status =
        client_call(client, request, &expectation, &answer, &tries, error);

    if (status != GRADIENT_CLIENT_OK)
        return status;
    status = check_reply(batch, answer.reply, error);
    if (status != GRADIENT_CLIENT_OK) {
        client_answer_free(&answer);
        return status;
    }
    *reply = (gradient_client_reply){
        .reply = answer.reply,
        .bytes_sent = client_body_length(&request),
        .bytes_received = answer.received,
        .attempts = tries,
        .owner = answer.decoder,
    };
    grad_text_free(&answer.text);
    return GRADIENT_CLIENT_OK;
}

gradient_client_status gradient_client_compute(gradient_client *client, const grad_batch *batch,
                                               gradient_client_reply *reply,
                                               gradient_client_error *error)
{
    grad_error cause = GRAD_ERROR_INIT;
    grad_encoder *encoder = NULL;
    grad_measure measure;
    gradient_client_status status;

    if (grad_batch_measure(batch, NULL, &measure, &cause) != GRAD_OK ||
        grad_encode_request(batch, &encoder, &cause) != GRAD_OK ||
        grad_encoder_run_all(encoder, &cause) != GRAD_OK) {
        grad_encoder_destroy(encoder);
        return client_fail_as(error, GRADIENT_CLIENT_BAD_INPUT, "", &cause);
    }
    status = exchange(client, batch, &measure, encoder, reply, error);
    grad_encoder_destroy(encoder);
    return status;
}

void gradient_client_reply_free(gradient_client_reply *reply)
{
    if (reply != NULL) {
        grad_decoder_destroy(reply->owner);
        *reply = (gradient_client_reply){0};
    }
}

static bool same_shape(const grad_tensor *to, const grad_tensor *from)
{
    return to->data == NULL ||
           (from->data != NULL && to->rank == from->rank && to->rank <= GRAD_MAX_RANK &&
            memcmp(to->shape, from->shape, to->rank * sizeof *to->shape) == 0);
}

static void copy_tensor(grad_tensor *to, const grad_tensor *from)
{
    if (to->data != NULL)
        memcpy(to->data, from->data, grad_tensor_count(from) * sizeof(float));
}

gradient_client_status gradient_client_compute_into(gradient_client *client,
                                                    const grad_batch *batch,
                                                    grad_layer_result *results,
                                                    gradient_client_error *error)
{
    gradient_client_reply reply;
    gradient_client_status status = gradient_client_compute(client, batch, &reply, error);

    if (status != GRADIENT_CLIENT_OK)
        return status;
    for (size_t l = 0; l < batch->layer_count && status == GRADIENT_CLIENT_OK; l++) {
        const grad_layer_result *from = &reply.reply->layers[l];
        if (!same_shape(&results[l].weight_delta, &from->weight_delta) ||
            !same_shape(&results[l].bias_delta, &from->bias_delta) ||
            !same_shape(&results[l].grad_input, &from->grad_input)) {
            status = client_fail(error, GRADIENT_CLIENT_PROTOCOL,
                                 "layers/%zu of the answer has other outputs or shapes than the "
                                 "arrays to fill",
                                 l);
        }
    }
    for (size_t l = 0; l < batch->layer_count && status == GRADIENT_CLIENT_OK; l++) {
        copy_tensor(&results[l].weight_delta, &reply.reply->layers[l].weight_delta);
        copy_tensor(&results[l].bias_delta, &reply.reply->layers[l].bias_delta);
        copy_tensor(&results[l].grad_input, &reply.reply->layers[l].grad_input);
    }
    gradient_client_reply_free(&reply);
    return status;
}

/* A call whose answer is wanted as text. */
static gradient_client_status fetch(gradient_client *client, client_request request,
                                    const client_expectation *expectation, grad_text *body,
                                    gradient_client_error *error)
{
    client_answer answer;
    unsigned tries;
    gradient_client_status status =
        client_call(client, request, expectation, &answer, &tries, error);

    if (status == GRADIENT_CLIENT_OK) {
        *body = answer.text;
        grad_decoder_destroy(answer.decoder);
    }
    return status;
}

gradient_client_status gradient_client_post(gradient_client *client, const char *document,
                                            size_t length, grad_text *body,
                                            gradient_client_error *error)
{
    grad_segment segment = {.text = document, .length = length};
    client_request request = {.path = "/v1/gradients", .segments = &segment, .segment_count = 1};
    client_expectation expectation = {
        .decode = true, .keep = true, .max_bytes = MAX_DOCUMENT_BYTES};

    return fetch(client, request, &expectation, body, error);
}

gradient_client_status gradient_client_get(gradient_client *client, const char *path,
                                           grad_text *body, gradient_client_error *error)
{
    client_request request = {.path = path};
    client_expectation expectation = {.keep = true, .max_bytes = MAX_GET_BYTES};

    return fetch(client, request, &expectation, body, error);
}
