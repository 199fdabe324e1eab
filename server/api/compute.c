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

/* Changes the lease; refuses for now, or for good where even an idle daemon could not give it. */
static bool lease(request *r, size_t wanted)
{
    work *w = r->work;
    char detail[GRAD_DETAIL_SIZE];
    if (budget_resize(w->memory, &w->leased, wanted))
        return true;
    metrics_count_rejection(REJECT_MEMORY);
    if (wanted > w->memory->total) {
        snprintf(detail, sizeof detail,
                 "the request needs %zu bytes of memory, the memory budget has %zu", wanted,
                 w->memory->total);
        request_reject_limit(r, MHD_HTTP_CONTENT_TOO_LARGE, "memory_budget_too_small", detail,
                             "memory_budget", w->memory->total);
    } else {
        snprintf(detail, sizeof detail,
                 "the request needs %zu bytes of memory, which other requests hold; try again",
                 wanted);
        request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory", detail);
    }
    return false;
}

/* Gives everything back as soon as a request is refused: its body may be read on for a while. */
static void drop(request *r)
{
    work_destroy(r->work);
    r->work = NULL;
}

static void reject(request *r, const grad_error *error)
{
    if (error->status == GRAD_TOO_LARGE) {
        bool result = strcmp(error->limit_name, "max_result_numbers") == 0;
        metrics_count_rejection(result ? REJECT_RESULT_TOO_LARGE : REJECT_BODY_TOO_LARGE);
    } else if (error->status == GRAD_OUT_OF_MEMORY) {
        metrics_count_rejection(REJECT_MEMORY);
    }
    request_reject(r, request_status_of(error->status), error);
    drop(r);
}

/* ---- Admission ------------------------------------------------------------------------------- */

static bool check_media_type(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    const char *type = r->headers.content_type;
    const char *coding = r->headers.content_encoding;
    if (!headers_is_json(type ? type : "none", detail, sizeof detail)) {
        request_reject_with(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail);
        return false;
    }
    if (coding && strcasecmp(coding, "identity") != 0) {
        snprintf(detail, sizeof detail,
                 "expected a body that is not compressed, found the Content-Encoding %.150s",
                 coding);
        request_reject_with(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding",
                            detail);
        return false;
    }
    return true;
}

static bool create_decoder(request *r)
{
    const config *c = service_of(r)->config;
    const grad_wire_limits limits = {.max_numbers = c->max_numbers,
                                     .max_envelope = c->max_envelope,
                                     .max_layers = c->max_layers};
    work *w = r->work;
    grad_error error = GRAD_ERROR_INIT;
    if (grad_decoder_create(&limits, r->datatype, (size_t)r->declared, &w->decoder, &error) !=
        GRAD_OK) {
        reject(r, &error);
        return false;
    }
    return true;
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

static void begin(request *r, const compute_kind *kind)
{
    if (!check_media_type(r))
        return;
    work *w = calloc(1, sizeof *w);
    if (!w) {
        request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory", "try again");
        return;
    }
    w->kind = kind;
    w->memory = &r->context->service->memory;
    r->work = w;
    size_t expected = BASE_MEMORY + (size_t)r->declared / BYTES_PER_TENSOR_BYTE;
    if (!lease(r, expected) || !create_decoder(r) ||
        !lease(r, larger(expected, grad_decoder_memory(w->decoder))))
        drop(r);
    else
        expect_body(r);
}

static void begin_gradients(request *r)
{
    begin(r, &compute_gradients);
}

static void begin_backprop(request *r)
{
    begin(r, &compute_backprop);
}

static void begin_check(request *r)
{
    begin(r, &compute_check);
}

/* ---- The body -------------------------------------------------------------------------------- */

static void push(request *r, const char *bytes, size_t length)
{
    work *w = r->work;
    grad_error error = GRAD_ERROR_INIT;
    int64_t began = clock_now();
    grad_status status = grad_decoder_push(w->decoder, bytes, length, &error);
    w->decode_seconds += clock_to_seconds(clock_now() - began);
    if (status != GRAD_OK)
        reject(r, &error);
    else if (!lease(r, larger(w->leased, BASE_MEMORY + grad_decoder_memory(w->decoder))))
        drop(r);
}

/* ---- The whole request ----------------------------------------------------------------------- */

/* The tree that jansson makes of the envelope while the batch is read. */
static bool lease_reading(request *r)
{
    work *w = r->work;
    size_t wanted =
        BASE_MEMORY + grad_decoder_memory(w->decoder) + grad_decoder_finish_bound(w->decoder);
    if (!lease(r, larger(w->leased, wanted))) {
        drop(r);
        return false;
    }
    return true;
}

/* Reads the batch and measures it, against the limits and against the memory there is. */
static bool understand(request *r)
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
    if (status != GRAD_OK) {
        reject(r, &error);
        return false;
    }
    r->layers = w->batch->layer_count;
    r->numbers = w->measure.result_numbers;
    return true;
}

static bool lease_work(request *r)
{
    work *w = r->work;
    size_t wanted = BASE_MEMORY + grad_decoder_memory(w->decoder);
    if (__builtin_add_overflow(wanted, w->measure.memory, &wanted) ||
        __builtin_add_overflow(wanted, w->kind->print_bound(w), &wanted))
        wanted = SIZE_MAX;
    if (!lease(r, wanted)) {
        drop(r);
        return false;
    }
    return true;
}

static void note_stages(request *r)
{
    const work_times *t = &((const work *)r->work)->times;
    r->stages[STAGE_QUEUE] = clock_to_seconds((t->begun ? t->begun : t->printed) - t->queued);
    if (t->computed) {
        r->stages[STAGE_COMPUTE] = clock_to_seconds(t->computed - t->begun);
        r->stages[STAGE_ENCODE] = clock_to_seconds(t->printed - t->computed);
    }
}

/* ---- The answer ------------------------------------------------------------------------------ */

static void free_reply(void *context)
{
    work_destroy(context);
}

static size_t count_bytes(const grad_segment *segments, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += segments[i].length;
    return bytes;
}

/* One segment goes out in one packet with the headers; several go out where they lie. */
static struct MHD_Response *make_response(work *w, const grad_segment *segments, size_t count)
{
    if (count == 1) {
        /* libmicrohttpd takes a pointer to what it may not change as void *. */
        union {
            const char *text;
            void *data;
        } bytes = {.text = segments[0].text};
        return MHD_create_response_from_buffer_with_free_callback_cls(segments[0].length,
                                                                      bytes.data, free_reply, w);
    }
    struct MHD_IoVec *vector = calloc(count, sizeof *vector);
    struct MHD_Response *response = NULL;
    for (size_t i = 0; vector && i < count; i++)
        vector[i] = (struct MHD_IoVec){.iov_base = segments[i].text, .iov_len = segments[i].length};
    if (vector)
        response = MHD_create_response_from_iovec(vector, (unsigned)count, free_reply, w);
    free(vector);
    return response;
}

/* The reply's text and its lease live until libmicrohttpd has sent them; decoder and run not. */
static void answer(request *r)
{
    work *w = r->work;
    work_drop_inputs(w);
    grad_segment own;
    const grad_segment *segments = work_segments(w, &own);
    size_t bytes = count_bytes(segments, w->segment_count);
    budget_resize(w->memory, &w->leased, bytes + BASE_MEMORY);
    struct MHD_Response *response = make_response(w, segments, w->segment_count);
    if (response)
        r->work = NULL;
    else
        drop(r);
    request_answer(r, MHD_HTTP_OK, "application/json", response, bytes);
}

static void reject_late(request *r, const work *w)
{
    if (w->late) {
        metrics_count_rejection(REJECT_DEADLINE);
        request_reject_with(r, MHD_HTTP_GATEWAY_TIMEOUT, "deadline_exceeded",
                            "the request was not answered within request-timeout");
    } else {
        metrics_count_rejection(REJECT_QUEUE_TIMEOUT);
        request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "queue_timeout",
                            "no worker was free within queue-timeout; try again");
    }
}

static void answer_or_reject(request *r)
{
    work *w = r->work;
    note_stages(r);
    if (w->expired || w->late) {
        reject_late(r, w);
        drop(r);
    } else if (atomic_load(&w->failed)) {
        reject(r, &w->error);
    } else {
        answer(r);
    }
}

/* ---- Handing over to the workers ------------------------------------------------------------- */

static void reject_job(request *r, bool stopping)
{
    metrics_count_rejection(stopping ? REJECT_DRAINING : REJECT_QUEUE_FULL);
    request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, stopping ? "draining" : "queue_full",
                        stopping ? "the daemon is stopping; try again elsewhere"
                                 : "queue-depth requests wait for a worker already; try again");
    drop(r);
}

/* On a worker. The connection is resumed before the count falls: whoever waits for the count may
 * then stop the event loops. */
static void on_done(void *context)
{
    request *r = context;
    service *s = r->context->service;
    request_resume(r);
    atomic_fetch_sub(&s->jobs, 1);
}

static void hand_over(request *r)
{
    work *w = r->work;
    service *s = r->context->service;
    int64_t start = clock_now() + clock_from_seconds(s->config->queue_timeout);
    w->done = on_done;
    w->done_context = r;
    atomic_fetch_add(&s->jobs, 1);
    if (atomic_load(&s->stopping)) {
        atomic_fetch_sub(&s->jobs, 1);
        reject_job(r, true);
        return;
    }
    request_suspend(r);
    if (!work_submit(w, s->workers, start < w->deadline ? start : w->deadline)) {
        reject_job(r, false);
        on_done(r);
    }
}

static void finish(request *r)
{
    work *w = r->work;
    const config *c = service_of(r)->config;
    w->deadline = clock_now() + clock_from_seconds(c->request_timeout);
    if (!lease_reading(r) || !understand(r) || !lease_work(r))
        return;
    if (w->kind->cost(w) <= c->inline_cost) {
        work_run_inline(w);
        answer_or_reject(r);
    } else {
        hand_over(r);
    }
}

#define HANDLER(begins)                                                                            \
    {                                                                                              \
        .takes_body = true, .begin = begins, .push = push, .finish = finish,                       \
        .resume = answer_or_reject, .release = drop                                                \
    }

const handler handler_gradients = HANDLER(begin_gradients);
const handler handler_backprop = HANDLER(begin_backprop);
const handler handler_check = HANDLER(begin_check);
