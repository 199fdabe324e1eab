/* JSON documents, and safetensors, whose header makes one: the library's decoder and encoder. */
#include "body/body.h"

static grad_status create(const body_options *options, void **state, grad_error *error)
{
    grad_decoder *decoder;
    grad_status status = grad_decoder_create(&options->limits, options->datatype, options->expected,
                                             &decoder, error);

    if (status != GRAD_OK)
        return status;
    if (options->request == GRAD_REQUEST_INFERENCE)
        grad_decoder_expect_inputs(decoder, options->activation);
    if (options->has_tail)
        grad_decoder_expect_tail(decoder, options->document_length);
    *state = decoder;
    return GRAD_OK;
}

static grad_status create_safetensors(const body_options *options, void **state, grad_error *error)
{
    grad_status status = create(options, state, error);

    if (status == GRAD_OK)
        grad_decoder_expect_safetensors(*state);
    return status;
}

static grad_status push(void *state, const char *bytes, size_t length, grad_error *error)
{
    return grad_decoder_push(state, bytes, length, error);
}

static size_t memory(const void *state)
{
    return grad_decoder_memory(state);
}

static size_t read_bound(const void *state)
{
    return grad_decoder_finish_bound(state);
}

static grad_status read_batch(void *state, grad_request_kind kind, grad_batch **batch,
                              grad_error *error)
{
    return grad_decoder_finish_request(state, kind, batch, error);
}

static grad_status read_check(void *state, grad_check_request **request, grad_error *error)
{
    return grad_decoder_finish_check(state, request, error);
}

static void locate_error(const void *state, grad_error *error)
{
    grad_decoder_locate_error(state, error);
}

static grad_status encode(const void *state, const grad_batch *batch, const grad_reply *reply,
                          grad_encoder **encoder, grad_error *error)
{
    return grad_encode_reply(batch, reply, state, encoder, error);
}

static void destroy(void *state)
{
    grad_decoder_destroy(state);
}

const char *payload_response_type(const grad_batch *batch)
{
    switch (batch->encoding) {
    case GRAD_ENCODING_BINARY:
        return "application/octet-stream";
    case GRAD_ENCODING_SAFETENSORS:
        return payload_safetensors.media_type;
    case GRAD_ENCODING_JSON:
    case GRAD_ENCODING_BASE64:
        break;
    }
    return payload_json.media_type;
}

#define PAYLOAD(type, spelled, creates)                                                            \
    {                                                                                              \
        .media_type = type, .encoding = spelled, .create = creates, .push = push,                  \
        .memory = memory, .read_bound = read_bound, .read_batch = read_batch,                      \
        .read_check = read_check, .locate_error = locate_error, .encode = encode,                  \
        .destroy = destroy                                                                         \
    }

const payload_kind payload_json = PAYLOAD("application/json", GRAD_ENCODING_JSON, create);
/* A vendor's name, and no registered one: octet-stream would not tell what the bytes are. */
const payload_kind payload_safetensors =
    PAYLOAD("application/vnd.safetensors", GRAD_ENCODING_SAFETENSORS, create_safetensors);
