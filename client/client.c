/* The client's public functions: what a call sends and what it expects back. */
#include "call.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DOCUMENT_BYTES ((size_t)1 << 30)
#define MAX_REPLY_ENVELOPE ((size_t)4 << 20) /* statistics, or errors, of 1,024 layers */
#define MAX_SMALL_BYTES ((size_t)1 << 24)    /* of a GET, or a check */

#define MAX_REPLICAS 15

/* The last is empty. */
static grad_status read_addresses(const char *url, const char *const *replicas,
                                  char addresses[MAX_REPLICAS + 2][CLIENT_ADDRESS_SIZE],
                                  grad_error *error)
{
    grad_status status = client_address_read(url, addresses[0], error);
    size_t count = 1;

    for (; replicas != NULL && *replicas != NULL && status == GRAD_OK; replicas++, count++) {
        if (count > MAX_REPLICAS) {
            error->status = GRAD_INVALID;
            snprintf(error->code, sizeof error->code, "bad_url");
            snprintf(error->detail, sizeof error->detail,
                     "expected at most %d replicas, found more", MAX_REPLICAS);
            return GRAD_INVALID;
        }
        status = client_address_read(*replicas, addresses[count], error);
    }
    if (status == GRAD_OK)
        addresses[count][0] = '\0';
    return status;
}

gradient_client_status gradient_client_open(const char *url, const gradient_client_options *options,
                                            gradient_client **client, gradient_client_error *error)
{
    gradient_client_options completed;
    grad_error cause = GRAD_ERROR_INIT;
    char addresses[MAX_REPLICAS + 2][CLIENT_ADDRESS_SIZE];
    gradient_client *opened;

    if (client_options_complete(options, &completed, &cause) != GRAD_OK)
        return client_fail_as(error, GRADIENT_CLIENT_BAD_INPUT, "", &cause);
    if (!client_options_have_valid_times(&completed)) {
        return client_fail(error, GRADIENT_CLIENT_BAD_INPUT,
                           "times are above 0 and at most 1,000,000 seconds");
    }
    if (read_addresses(url, completed.replicas, addresses, &cause) != GRAD_OK ||
        client_options_check_certificate(&completed, &cause) != GRAD_OK ||
        client_options_check_headers(&completed, &cause) != GRAD_OK)
        return client_fail_as(error, GRADIENT_CLIENT_BAD_INPUT, "", &cause);
    opened = calloc(1, sizeof *opened);
    if (opened != NULL)
        opened->transport = client_transport_create(addresses, &completed);
    if (opened == NULL || opened->transport == NULL) {
        free(opened);
        return client_fail(error, GRADIENT_CLIENT_INTERNAL, "no memory for a client");
    }
    opened->has_token = completed.token != NULL;
    opened->options = completed;
    opened->options.token = NULL; /* the transport has copies */
    opened->options.headers = NULL;
    opened->options.replicas = NULL;
    opened->options.ca_file = opened->options.certificate = opened->options.key = NULL;
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

/* The path of a POST, with what its query says. */
static const char *path_of(gradient_client_route route, grad_datatype datatype)
{
    static const char *const paths[][2] = {
        [GRADIENT_CLIENT_GRADIENTS] = {"/v1/gradients", "/v1/gradients?datatype=FP64"},
        [GRADIENT_CLIENT_BACKPROP] = {"/v1/backprop", "/v1/backprop?datatype=FP64"},
        [GRADIENT_CLIENT_CHECK] = {"/v1/check", "/v1/check?datatype=FP64"},
    };

    return paths[route][datatype == GRAD_FP64];
}

/* Sends an encoded batch and reads the reply. */
static gradient_client_status exchange(gradient_client *client, const grad_batch *batch,
                                       const grad_measure *measure, const grad_encoder *encoder,
                                       gradient_client_reply *reply, gradient_client_error *error)
{
    gradient_client_route route =
        batch->network != NULL ? GRADIENT_CLIENT_BACKPROP : GRADIENT_CLIENT_GRADIENTS;
    client_request request = {.path = path_of(route, batch->datatype),
                              .segments = grad_encoder_segments(encoder),
                              .segment_count = grad_encoder_segment_count(encoder),
                              .document_length = grad_encoder_document_length(encoder)};
    client_expectation expectation = client_reply_expect(batch, measure);
    client_response response;
    unsigned tries;
    gradient_client_status status =
        client_call(client, request, &expectation, &response, &tries, error);

    if (status != GRADIENT_CLIENT_OK)
        return status;
    status = client_reply_check(batch, response.reply, error);
    if (status != GRADIENT_CLIENT_OK) {
        client_response_free(&response);
        return status;
    }
    *reply = (gradient_client_reply){
        .reply = response.reply,
        .bytes_sent = client_body_length(&request),
        .bytes_received = response.received,
        .attempts = tries,
        .owner = response.decoder,
    };
    grad_text_free(&response.text);
    return GRADIENT_CLIENT_OK;
}

/* What is sent and read here is documents of JSON, bytes behind them or not. */
static bool is_readable(const grad_batch *batch, grad_error *error)
{
    if (batch->encoding != GRAD_ENCODING_SAFETENSORS)
        return true;
    *error =
        (grad_error){.status = GRAD_INVALID,
                     .code = "unsupported_value",
                     .pointer = "/encoding",
                     .detail = "expected the encoding json, base64 or binary, found safetensors",
                     .offset = GRAD_OFFSET_UNKNOWN};
    return false;
}

gradient_client_status gradient_client_compute(gradient_client *client, const grad_batch *batch,
                                               gradient_client_reply *reply,
                                               gradient_client_error *error)
{
    grad_error cause = GRAD_ERROR_INIT;
    grad_encoder *encoder = NULL;
    grad_measure measure;
    gradient_client_status status;

    if (!is_readable(batch, &cause) ||
        grad_batch_measure(batch, NULL, &measure, &cause) != GRAD_OK ||
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

/* Whether each array to fill has the shape of the tensor that goes into it. */
static bool have_same_shapes(const grad_layer_result *to, const grad_layer_result *from)
{
    for (int k = 0; k < GRAD_OUTPUT_COUNT; k++) {
        const grad_tensor *target = grad_layer_result_tensor(to, (grad_output_kind)k);
        const grad_tensor *source = grad_layer_result_tensor(from, (grad_output_kind)k);
        if (target->data == NULL)
            continue;
        if (source->data == NULL || target->rank != source->rank ||
            memcmp(target->shape, source->shape, source->rank * sizeof *source->shape) != 0)
            return false;
    }
    return true;
}

static void copy_tensors(const grad_layer_result *to, const grad_layer_result *from,
                         grad_datatype datatype)
{
    for (int k = 0; k < GRAD_OUTPUT_COUNT; k++) {
        const grad_tensor *target = grad_layer_result_tensor(to, (grad_output_kind)k);
        const grad_tensor *source = grad_layer_result_tensor(from, (grad_output_kind)k);
        if (target->data != NULL)
            memcpy(target->data, source->data,
                   grad_tensor_count(source) * grad_datatype_size(datatype));
    }
}

/* Whether the reply's layers can be copied into these. */
static gradient_client_status check_targets(const grad_reply *reply,
                                            const grad_layer_result *results,
                                            gradient_client_error *error)
{
    for (size_t l = 0; l < reply->layer_count; l++) {
        const grad_layer_result *from = &reply->layers[l];
        if (from->error != NULL)
            return client_fail_as(error, GRADIENT_CLIENT_BAD_INPUT, "", from->error);
        if (!have_same_shapes(&results[l], from)) {
            return client_fail(error, GRADIENT_CLIENT_PROTOCOL,
                               "layers/%zu of the answer has other outputs or shapes than the "
                               "arrays to fill",
                               l);
        }
    }
    return GRADIENT_CLIENT_OK;
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
    status = check_targets(reply.reply, results, error);
    for (size_t l = 0; l < batch->layer_count && status == GRADIENT_CLIENT_OK; l++)
        copy_tensors(&results[l], &reply.reply->layers[l], batch->datatype);
    gradient_client_reply_free(&reply);
    return status;
}

/* ---- Documents as they are ------------------------------------------------------------------- */

/* A call that returns the text of the response. */
static gradient_client_status fetch(gradient_client *client, client_request request,
                                    const client_expectation *expectation, grad_text *body,
                                    gradient_client_error *error)
{
    client_response response;
    unsigned tries;
    gradient_client_status status =
        client_call(client, request, expectation, &response, &tries, error);

    if (status == GRADIENT_CLIENT_OK) {
        *body = response.text;
        response.text = (grad_text){0};
        client_response_free(&response);
    }
    return status;
}

gradient_client_status gradient_client_post(gradient_client *client, gradient_client_route route,
                                            grad_datatype datatype, const char *document,
                                            size_t length, grad_text *body,
                                            gradient_client_error *error)
{
    bool is_check = route == GRADIENT_CLIENT_CHECK;
    grad_segment segment = {.text = document, .length = length};
    client_request request = {
        .path = path_of(route, datatype), .segments = &segment, .segment_count = 1};
    client_expectation expectation = {
        .form = is_check ? CLIENT_REPORT : CLIENT_REPLY,
        .keep = true,
        .limits = {.size = sizeof(grad_wire_limits), .max_envelope = MAX_REPLY_ENVELOPE},
        .datatype = datatype,
        .max_bytes = is_check ? MAX_SMALL_BYTES : MAX_DOCUMENT_BYTES,
    };

    return fetch(client, request, &expectation, body, error);
}

gradient_client_status gradient_client_check(gradient_client *client, grad_datatype datatype,
                                             const char *document, size_t length,
                                             grad_check_report **report,
                                             gradient_client_error *error)
{
    grad_segment segment = {.text = document, .length = length};
    client_request request = {
        .path = path_of(GRADIENT_CLIENT_CHECK, datatype), .segments = &segment, .segment_count = 1};
    client_expectation expectation = {.form = CLIENT_REPORT, .max_bytes = MAX_SMALL_BYTES};
    client_response response;
    unsigned tries;
    gradient_client_status status =
        client_call(client, request, &expectation, &response, &tries, error);

    if (status == GRADIENT_CLIENT_OK) {
        *report = response.report;
        response.report = NULL;
        client_response_free(&response);
    }
    return status;
}

gradient_client_status gradient_client_get(gradient_client *client, const char *path,
                                           grad_text *body, gradient_client_error *error)
{
    client_request request = {.path = path};
    client_expectation expectation = {.form = CLIENT_TEXT, .max_bytes = MAX_SMALL_BYTES};

    return fetch(client, request, &expectation, body, error);
}
