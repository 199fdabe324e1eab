/* POST /v1/gradients, /v1/backprop and /v1/check: admitted by media type and memory, decoded as
 * they arrive in the event loop, then computed inline or by the workers, and answered without
 * copying the text. */
#include "api/computation.h"

#include "api/handlers.h"
#include "http/request.h"
#include "platform/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a request holds besides its tensors: its own structs, the envelope's beginning. */
#define BASE_MEMORY ((size_t)16384)
/* Tensors and envelope for each byte of a body, at admission; grows with what really comes. */
#define BYTES_PER_TENSOR_BYTE 2
/* The share of the free budget that the kernel may hold of one body, outside the budget. */
#define UNREAD_SHARE 16

static const service *service_of(const request *r)
{
    return r->context->service;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Changes the lease; rejects for now, or for good where even an idle daemon could not give it. */
static outcome lease(request *r, size_t requested)
{
    work *w = r->work;
    char detail[GRAD_DETAIL_SIZE];
    if (budget_resize(w->memory, &w->leased, requested))
        return OUTCOME_MORE;
    metrics_count_rejection(REJECT_MEMORY);
    if (requested > w->memory->total) {
        snprintf(detail, sizeof detail,
                 "the request needs %zu bytes of memory, the memory budget has %zu", requested,
                 w->memory->total);
        return request_reject_limit(r, MHD_HTTP_CONTENT_TOO_LARGE, "memory_budget_too_small",
                                    detail, "memory_budget", w->memory->total);
    }
    snprintf(detail, sizeof detail,
             "the request needs %zu bytes of memory, which other requests hold; try again",
             requested);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory", detail);
}

static outcome reject(request *r, const grad_error *error)
{
    if (error->status == GRAD_TOO_LARGE) {
        bool result = strcmp(error->limit_name, "max_result_numbers") == 0;
        metrics_count_rejection(result ? REJECT_RESULT_TOO_LARGE : REJECT_BODY_TOO_LARGE);
    } else if (error->status == GRAD_OUT_OF_MEMORY) {
        metrics_count_rejection(REJECT_MEMORY);
    }
    return request_reject(r, request_status_of(error->status), error);
}

/* ---- Admission ------------------------------------------------------------------------------- */

static outcome check_media_type(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    const char *type = r->headers.content_type;
    const char *coding = r->headers.content_encoding;
    if (!headers_is_json(type ? type : "none", detail, sizeof detail)) {
        return request_reject_with(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
                                   detail);
    }
    if (coding && strcasecmp(coding, "identity") != 0) {
        snprintf(detail, sizeof detail,
                 "expected a body that is not compressed, found the Content-Encoding %.150s",
                 coding);
        return request_reject_with(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                   "unsupported_content_encoding", detail);
    }
    return OUTCOME_MORE;
}

static outcome create_decoder(request *r)
{
    const config *c = service_of(r)->config;
    const grad_wire_limits limits = {.max_numbers = c->max_numbers,
                                     .max_envelope = c->max_envelope,
                                     .max_layers = c->max_layers};
    work *w = r->work;
    grad_error error = GRAD_ERROR_INIT;
    if (grad_decoder_create(&limits, r->datatype, (size_t)r->declared, &w->decoder, &error) !=
        GRAD_OK)
        return reject(r, &error);
    return OUTCOME_MORE;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Each wait of the peer's, and each byte acknowledged, is the daemon's work too. */
static void expect_body(request *r)
{
    const budget *b = &service_of(r)->memory;
    size_t spare = (b->total - atomic_load(&b->in_use)) / UNREAD_SHARE;
    connection_expect(r->connection, r->declared < spare ? (size_t)r->declared : spare);
}

static outcome on_headers(request *r)
{
    outcome admitted = check_media_type(r);
    if (admitted != OUTCOME_MORE)
        return admitted;
    work *w = r->work = calloc(1, sizeof *w);
    if (!w)
        return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory", "try again");
    w->kind = r->route->handler->kind;
    w->memory = &r->context->service->memory;
    admitted = lease(r, BASE_MEMORY + (size_t)r->declared / BYTES_PER_TENSOR_BYTE);
    if (admitted == OUTCOME_MORE)
        admitted = create_decoder(r);
    if (admitted == OUTCOME_MORE)
        expect_body(r);
    return admitted;
}

/* ---- The body -------------------------------------------------------------------------------- */

static outcome on_body(request *r, const char *bytes, size_t length)
{
    work *w = r->work;
    grad_error error = GRAD_ERROR_INIT;
    int64_t began = clock_now();
    grad_status status = grad_decoder_push(w->decoder, bytes, length, &error);
    w->decode_seconds += clock_to_seconds(clock_now() - began);
    if (status != GRAD_OK)
        return reject(r, &error);
    return lease(r, larger(w->leased, BASE_MEMORY + grad_decoder_memory(w->decoder)));
}

/* ---- The whole request ----------------------------------------------------------------------- */

/* The tree that jansson makes of the envelope while the batch is read. */
static outcome lease_reading(request *r)
{
    work *w = r->work;
    return lease(r, larger(w->leased, BASE_MEMORY + grad_decoder_memory(w->decoder) +
                                          grad_decoder_finish_bound(w->decoder)));
}

/* The batch, judged by the limits. */
static outcome parse_and_validate(request *r)
{
    work *w = r->work;
    const config *c = service_of(r)->config;
    const grad_limits limits = {.max_layers = c->max_layers,
                                .max_result_numbers = c->max_result_numbers};
    grad_error error = GRAD_ERROR_INIT;
    int64_t began = clock_now();
    grad_status status = w->kind->read(w, &error);
    if (status == GRAD_OK)
        status = w->kind->measure(w, &limits, &error);
    grad_decoder_locate_error(w->decoder, &error);
    w->decode_seconds += clock_to_seconds(clock_now() - began);
    r->stages[STAGE_DECODE] = w->decode_seconds;
    if (status != GRAD_OK)
        return reject(r, &error);
    request_log_number(r, "layers", (double)w->batch->layer_count);
    request_log_number(r, "numbers", (double)w->measure.result_numbers);
    return OUTCOME_MORE;
}

static outcome lease_work(request *r)
{
    work *w = r->work;
    size_t requested = BASE_MEMORY + grad_decoder_memory(w->decoder);
    if (__builtin_add_overflow(requested, w->measure.memory, &requested) ||
        __builtin_add_overflow(requested, w->kind->print_bound(w), &requested))
        requested = SIZE_MAX;
    return lease(r, requested);
}

/* ---- The answer ------------------------------------------------------------------------------ */

static void note_stages(request *r)
{
    const work_times *t = &((const work *)r->work)->times;
    r->stages[STAGE_QUEUE] = clock_to_seconds((t->begun ? t->begun : t->printed) - t->queued);
    if (t->computed) {
        r->stages[STAGE_COMPUTE] = clock_to_seconds(t->computed - t->begun);
        r->stages[STAGE_ENCODE] = clock_to_seconds(t->printed - t->computed);
    }
}

static void free_response(void *context)
{
    work_destroy(context);
}

/* The text and its lease live until libmicrohttpd has sent them; decoder and run do not. */
static outcome respond(request *r)
{
    work *w = r->work;
    work_drop_inputs(w);
    const grad_segment *segments = work_segments(w, &r->segment);
    size_t bytes = BASE_MEMORY;
    for (size_t i = 0; i < w->segment_count; i++)
        bytes += segments[i].length;
    const http_response answer = {.content_type = "application/json",
                                  .segments = segments,
                                  .segment_count = w->segment_count,
                                  .free = free_response,
                                  .context = w};
    budget_resize(w->memory, &w->leased, bytes);
    r->work = NULL;
    return request_respond(r, MHD_HTTP_OK, &answer);
}

static outcome reject_late(request *r, const work *w)
{
    if (w->late) {
        metrics_count_rejection(REJECT_DEADLINE);
        return request_reject_with(r, MHD_HTTP_GATEWAY_TIMEOUT, "deadline_exceeded",
                                   "the request was not answered within request-timeout");
    }
    metrics_count_rejection(REJECT_QUEUE_TIMEOUT);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "queue_timeout",
                               "no worker was free within queue-timeout; try again");
}

static outcome on_resume(request *r)
{
    work *w = r->work;
    note_stages(r);
    if (w->expired || w->late)
        return reject_late(r, w);
    return atomic_load(&w->failed) ? reject(r, &w->error) : respond(r);
}

/* ---- Handing over to the workers ------------------------------------------------------------- */

/* On a worker. */
static void on_done(void *context)
{
    request_resume(context);
}

static outcome on_suspended(request *r)
{
    work *w = r->work;
    const service *s = service_of(r);
    int64_t start = clock_now() + clock_from_seconds(s->config->queue_timeout);
    w->done = on_done;
    w->done_context = r;
    if (work_submit(w, s->workers, start < w->deadline ? start : w->deadline))
        return OUTCOME_SUSPENDED;
    metrics_count_rejection(REJECT_QUEUE_FULL);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "queue_full",
                               "queue-depth requests wait for a worker already; try again");
}

static outcome on_end(request *r)
{
    static outcome (*const phases[])(request * r) = {lease_reading, parse_and_validate, lease_work};
    work *w = r->work;
    const config *c = service_of(r)->config;
    w->deadline = clock_now() + clock_from_seconds(c->request_timeout);
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
        if (phases[i](r) == OUTCOME_REJECTED)
            return OUTCOME_REJECTED;
    if (w->kind->cost(w) > c->inline_cost)
        return OUTCOME_SUSPENDED;
    work_run_inline(w);
    return on_resume(r);
}

static void release(request *r)
{
    work_destroy(r->work);
    r->work = NULL;
}

#define HANDLER(computes)                                                                          \
    {                                                                                              \
        .takes_body = true, .kind = computes, .on_headers = on_headers, .on_body = on_body,        \
        .on_end = on_end, .on_suspended = on_suspended, .on_resume = on_resume, .release = release \
    }

const handler handler_gradients = HANDLER(&compute_gradients);
const handler handler_backprop = HANDLER(&compute_backprop);
const handler handler_check = HANDLER(&compute_check);
