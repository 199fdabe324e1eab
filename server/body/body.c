/* The tables of codings and payloads, and a body's way through one of each. */
#include "body/body.h"
#include "body/coding.h"

#include <stdio.h>
#include <stdlib.h>

/* Passes on a body without a coding. */
static grad_status pass_on(void *state, const char *bytes, size_t length, const body_sink *next,
                           grad_error *error)
{
    (void)state;
    return next->push(next->context, bytes, length, error);
}

const body_filter body_filter_identity = {.coding = "identity", .push = pass_on};

static const body_filter *const filters[] = {&body_filter_identity, &body_filter_gzip,
                                             &body_filter_deflate, &body_filter_zstd, NULL};
static const payload_kind *const payloads[] = {&payload_json, &payload_safetensors, NULL};
static const body_compressor *const compressors[] = {&body_compressor_zstd, &body_compressor_gzip,
                                                     &body_compressor_deflate, NULL};

const body_formats body_formats_known = {
    .filters = filters, .payloads = payloads, .compressors = compressors};

struct body {
    const body_filter *filter;
    void *coding; /* the filter's state */
    const payload_kind *payload;
    void *document; /* the payload's state */
    size_t decoded; /* bytes that came out of the filter */
    size_t max_body;
    size_t taken;     /* bytes that it had read when they last came out */
    size_t expansion; /* bytes that may come out without another */
    bool (*may_grow)(void *context);
    void *context;
};

static grad_status fail(grad_error *error, grad_status status, const char *code, const char *detail)
{
    if (error != NULL && error->status == GRAD_OK) {
        error->status = status;
        snprintf(error->code, sizeof error->code, "%s", code);
        snprintf(error->detail, sizeof error->detail, "%s", detail);
    }
    return status;
}

grad_status coding_fail(grad_error *error, const char *expected, const char *found)
{
    char detail[GRAD_DETAIL_SIZE];

    snprintf(detail, sizeof detail, "expected %s, found %s", expected, found);
    return fail(error, GRAD_MALFORMED, "malformed_encoding", detail);
}

grad_status coding_fail_memory(grad_error *error)
{
    return fail(error, GRAD_OUT_OF_MEMORY, "out_of_memory", "no memory to decompress the body");
}

grad_status body_create(const body_filter *filter, const payload_kind *payload,
                        const body_options *options, body **created, grad_error *error)
{
    body *b = calloc(1, sizeof *b);
    grad_status status;

    if (b == NULL)
        return fail(error, GRAD_OUT_OF_MEMORY, "out_of_memory", "no memory for the body");
    b->filter = filter;
    b->payload = payload;
    b->max_body = options->max_body;
    b->expansion = BODY_FREE_EXPANSION;
    b->may_grow = options->may_grow;
    b->context = options->context;
    status = payload->create(options, &b->document, error);
    if (status == GRAD_OK && filter->create != NULL)
        status = filter->create(&b->coding, error);
    if (status == GRAD_OK)
        *created = b;
    else
        body_destroy(b);
    return status;
}

static grad_status fail_limit(grad_error *error, const char *detail, const char *name, size_t limit)
{
    fail(error, GRAD_TOO_LARGE, "body_too_large", detail);
    if (error != NULL) {
        snprintf(error->limit_name, sizeof error->limit_name, "%s", name);
        error->limit = limit;
    }
    return GRAD_TOO_LARGE;
}

static grad_status fail_expansion(grad_error *error)
{
    return fail_limit(error,
                      "expected a body that becomes at most 20 times as large without its "
                      "Content-Encoding, found more; send it without one",
                      "max_expansion", BODY_MAX_EXPANSION);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whether so many more bytes may come out, by how many went in. */
static bool may_come_out(body *b, size_t length)
{
    size_t taken = b->filter->taken(b->coding);

    b->expansion =
        least(b->expansion + (taken - b->taken) * BODY_MAX_EXPANSION, BODY_MOST_EXPANSION);
    b->taken = taken;
    if (length > b->expansion)
        return false;
    b->expansion -= length;
    return true;
}

/* What a coded body holds is asked for at once: a piece of it may become very much. */
static grad_status check_memory(const body *b, grad_error *error)
{
    if (body_memory(b) > BODY_FREE_EXPANSION + BODY_MAX_EXPANSION * b->taken)
        return fail_expansion(error);
    if (b->may_grow != NULL && !b->may_grow(b->context))
        return fail(error, GRAD_OUT_OF_MEMORY, "out_of_memory", "no memory for the body");
    return GRAD_OK;
}

/* The limits hold for what comes out of the filter, however small the body is on the wire. */
static grad_status take_decoded(void *context, const char *bytes, size_t length, grad_error *error)
{
    body *b = context;
    bool is_coded = b->filter->taken != NULL;
    grad_status status;

    if (length > b->max_body - b->decoded)
        return fail_limit(error, "the body is longer than its limit", "max_body", b->max_body);
    if (is_coded && !may_come_out(b, length))
        return fail_expansion(error);
    b->decoded += length;
    status = b->payload->push(b->document, bytes, length, error);
    return status == GRAD_OK && is_coded ? check_memory(b, error) : status;
}

grad_status body_push(body *b, const char *bytes, size_t length, grad_error *error)
{
    const body_sink sink = {.push = take_decoded, .context = b};

    return b->filter->push(b->coding, bytes, length, &sink, error);
}

size_t body_decoded(const body *b)
{
    return b->decoded;
}

size_t body_memory(const body *b)
{
    size_t coding = b->filter->memory != NULL ? b->filter->memory(b->coding) : 0;

    return coding + b->payload->memory(b->document);
}

size_t body_read_bound(const body *b)
{
    return b->payload->read_bound(b->document);
}

static grad_status end(body *b, grad_error *error)
{
    const body_sink sink = {.push = take_decoded, .context = b};

    return b->filter->end != NULL ? b->filter->end(b->coding, &sink, error) : GRAD_OK;
}

grad_status body_read_batch(body *b, grad_request_kind kind, grad_batch **batch, grad_error *error)
{
    grad_status status = end(b, error);

    return status == GRAD_OK ? b->payload->read_batch(b->document, kind, batch, error) : status;
}

grad_status body_read_check(body *b, grad_check_request **request, grad_error *error)
{
    grad_status status = end(b, error);

    return status == GRAD_OK ? b->payload->read_check(b->document, request, error) : status;
}

void body_locate_error(const body *b, grad_error *error)
{
    if (b != NULL)
        b->payload->locate_error(b->document, error);
}

grad_status body_encode(const body *b, const grad_batch *batch, const grad_reply *reply,
                        grad_encoder **encoder, grad_error *error)
{
    return b->payload->encode(b->document, batch, reply, encoder, error);
}

void body_destroy(body *b)
{
    if (b == NULL)
        return;
    if (b->filter->destroy != NULL && b->coding != NULL)
        b->filter->destroy(b->coding);
    if (b->document != NULL)
        b->payload->destroy(b->document);
    free(b);
}
