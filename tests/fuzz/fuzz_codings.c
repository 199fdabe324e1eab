/* The codings of bodies under a fuzzer. The first byte chooses the coding, the second the size of
 * the pieces; what comes out, and how it ends, must be the same as when all comes at once, and no
 * more than the limits allow. */
#include "body/body.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY ((size_t)4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out of a body, as a sum. */
typedef struct result {
    grad_status status;
    size_t length;
    uint64_t sum;
    char code[GRAD_CODE_SIZE];
} result;

static grad_status create(const body_options *options, void **state, grad_error *error)
{
    (void)error;
    *state = options->context;
    return GRAD_OK;
}

static grad_status push(void *state, const char *bytes, size_t length, grad_error *error)
{
    result *r = state;

    (void)error;
    for (size_t i = 0; i < length; i++)
        r->sum = (r->sum ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
    r->length += length;
    return GRAD_OK;
}

static size_t nothing(const void *state)
{
    (void)state;
    return 0;
}

static grad_status read_batch(void *state, grad_request_kind kind, grad_batch **batch,
                              grad_error *error)
{
    (void)state;
    (void)kind;
    (void)batch;
    (void)error;
    return GRAD_OK;
}

static void destroy(void *state)
{
    (void)state;
}

static const payload_kind sink = {.media_type = "",
                                  .create = create,
                                  .push = push,
                                  .memory = nothing,
                                  .read_bound = nothing,
                                  .read_batch = read_batch,
                                  .destroy = destroy};

static result decode(const body_filter *filter, const uint8_t *data, size_t size, size_t piece)
{
    result r = {.status = GRAD_OK};
    const body_options options = {.max_body = MAX_BODY, .context = &r};
    grad_error error = GRAD_ERROR_INIT;
    body *b = NULL;

    if (body_create(filter, &sink, &options, &b, &error) != GRAD_OK)
        abort();
    for (size_t at = 0; at < size && r.status == GRAD_OK; at += piece)
        r.status =
            body_push(b, (const char *)data + at, size - at < piece ? size - at : piece, &error);
    if (r.status == GRAD_OK)
        r.status = body_read_batch(b, GRAD_REQUEST_GRADIENTS, NULL, &error);
    if (r.length > MAX_BODY || r.length > BODY_FREE_EXPANSION + BODY_MAX_EXPANSION * size)
        abort();
    if (body_memory(b) > ((size_t)9 << 20) + size)
        abort();
    memcpy(r.code, error.code, sizeof r.code);
    body_destroy(b);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const body_filter *const filters[] = {&body_filter_gzip, &body_filter_deflate,
                                                 &body_filter_zstd};
    const body_filter *filter;
    result whole, cut;
    size_t piece;

    if (size < 2)
        return 0;
    filter = filters[data[0] % (sizeof filters / sizeof *filters)];
    piece = (size_t)data[1] + 1;
    /* Where the limits are met exactly, the size of the pieces decides. */
    whole = decode(filter, data + 2, size - 2, SIZE_MAX / 2);
    cut = decode(filter, data + 2, size - 2, piece);
    if (whole.status == GRAD_TOO_LARGE || cut.status == GRAD_TOO_LARGE)
        return 0;
    if (whole.status != cut.status || strcmp(whole.code, cut.code) != 0) {
        fprintf(stderr, "at once: %s, %zu bytes; in pieces: %s, %zu bytes\n", whole.code,
                whole.length, cut.code, cut.length);
        abort();
    }
    if (whole.status == GRAD_OK && (whole.length != cut.length || whole.sum != cut.sum))
        abort();
    return 0;
}
