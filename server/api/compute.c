/* POST /v1/gradients, /v1/backprop and /v1/check: the body is decoded as it arrives in the event
 * loop, then computed inline or by the workers, and answered without copying the text. */
#include "api/computation.h"
#include "api/handlers.h"
#include "api/shapes.h"
#include "http/request.h"
#include "platform/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel may hold this share of the free budget of one body, outside the budget. */
#define UNREAD_SHARE 16

/* How long a body may hold memory while the whole budget is free: what it holds has to have come
 * within this time, and within less where less is free. */
#define HOLDING_SECONDS 600

static const service *service_of(const request *r)
{
    return r->context->service;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Bytes of the budget that one request may have. */
static size_t usable_memory(const computation *c)
{
    return c->memory.budget->total - c->memory.spare;
}

/* Even an idle daemon could not serve it. */
static outcome reject_for_good(request *r, size_t needed)
{
    char detail[GRAD_DETAIL_SIZE];
    size_t usable = usable_memory(r->work);

    metrics_count_rejection(REJECT_MEMORY);
    snprintf(detail, sizeof detail,
             "the request needs %zu bytes of memory, the memory budget has %zu for one", needed,
             usable);
    return request_reject_limit(r, MHD_HTTP_CONTENT_TOO_LARGE, "memory_budget_too_small", detail,
                                "memory_budget", usable);
}

static outcome reject_for_now(request *r, size_t needed)
{
    char detail[GRAD_DETAIL_SIZE];

    metrics_count_rejection(REJECT_MEMORY);
    snprintf(detail, sizeof detail,
             "the request needs %zu bytes of memory, which other requests hold; try again", needed);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory", detail);
}

/* The more memory a body holds, and the less there is, the faster it has to come. A compressed one
 * holds as much for fewer bytes. */
static size_t least_rate(const request *r)
{
    const computation *c = r->work;
    const budget *b = c->memory.budget;
    double free_share = 1 - (double)atomic_load(&b->in_use) / (double)b->total;
    double encoded_share = r->decoded > r->received ? (double)r->received / (double)r->decoded : 1;

    return (size_t)((double)c->memory.bytes * encoded_share /
                    (HOLDING_SECONDS * (free_share + 0.01)));
}

static void note_held(request *r)
{
    const computation *c = r->work;

    line_hold(r->context->service->line, &r->ticket, c->memory.bytes);
    atomic_store(&r->connection->held, c->memory.bytes);
    if (!r->whole)
        connection_require_rate(r->connection, least_rate(r));
}

/* Reserves what the computation needs in that phase. Rejects the request for now, or for good if
 * even an idle daemon could not serve it. */
static outcome reserve(request *r, memory_phase phase)
{
    computation *c = r->work;
    size_t needed = computation_memory(c, phase);

    if (reservation_resize(&c->memory, needed)) {
        note_held(r);
        return OUTCOME_MORE;
    }
    return needed > usable_memory(c) ? reject_for_good(r, needed) : reject_for_now(r, needed);
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

/* Within a piece of a body, of which much may come. */
static bool may_grow(void *context)
{
    return reserve(context, MEMORY_TO_RECEIVE) == OUTCOME_MORE;
}

static outcome create_body(request *r)
{
    computation *c = r->work;
    const config *limits = service_of(r)->config;
    const body_options options = {.limits = {.size = sizeof(grad_wire_limits),
                                             .max_numbers = limits->max_numbers,
                                             .max_envelope = limits->max_envelope,
                                             .max_layers = limits->max_layers},
                                  .max_body = limits->max_body,
                                  .datatype = r->datatype,
                                  .request = c->kind->request,
                                  .activation = model_activation(r->path),
                                  .has_tail = r->has_tail,
                                  .document_length = r->document_length,
                                  .expected = c->expected,
                                  .may_grow = may_grow,
                                  .context = r};
    grad_error error = GRAD_ERROR_INIT;

    if (body_create(r->filter, r->payload, &options, &c->body, &error) != GRAD_OK)
        return reject(r, &error);
    return OUTCOME_MORE;
}

/* Lets the kernel take in more of the body: each wait of the peer, and each byte acknowledged,
 * costs the daemon time. */
static void expect_body(request *r)
{
    const budget *b = &service_of(r)->memory;
    size_t spare = (b->total - atomic_load(&b->in_use)) / UNREAD_SHARE;

    connection_expect(r->connection, r->declared < spare ? (size_t)r->declared : spare);
}

static outcome on_headers(request *r)
{
    computation *c = r->work = calloc(1, sizeof *c);
    size_t expected;
    outcome admitted;

    if (c == NULL)
        return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory", "try again");
    c->kind = r->route->handler->kind;
    c->compressor = r->compressor;
    c->must_compress = r->must_compress;
    c->wanted = r->wanted;
    c->memory.budget = &r->context->service->memory;
    c->memory.spare = r->ticket.which == LINE_SMALL ? 0 : r->context->service->small_memory;
    c->expected = (size_t)r->expected;
    expected = computation_memory(c, MEMORY_TO_EXPECT);
    if (expected > usable_memory(c))
        return reject_for_good(r, expected);
    admitted = reserve(r, MEMORY_TO_RECEIVE);
    if (admitted == OUTCOME_MORE)
        admitted = create_body(r);
    if (admitted == OUTCOME_MORE)
        expect_body(r);
    return admitted;
}

/* ---- The body -------------------------------------------------------------------------------- */

static outcome on_body(request *r, const char *bytes, size_t length)
{
    computation *c = r->work;
    grad_error error = GRAD_ERROR_INIT;
    int64_t began = clock_now();
    grad_status status = body_push(c->body, bytes, length, &error);

    c->decode_seconds += clock_to_seconds(clock_now() - began);
    r->decoded = body_decoded(c->body);
    if (r->status != 0) /* rejected by may_grow */
        return OUTCOME_REJECTED;
    return status == GRAD_OK ? reserve(r, MEMORY_TO_RECEIVE) : reject(r, &error);
}

/* ---- The whole request ----------------------------------------------------------------------- */

typedef grad_status reading_step(computation *c, const grad_limits *limits, grad_error *error);

static grad_status parse(computation *c, const grad_limits *limits, grad_error *error)
{
    (void)limits;
    return c->kind->read(c, error);
}

static grad_status plan(computation *c, const grad_limits *limits, grad_error *error)
{
    return c->kind->plan(c, limits, error);
}

/* A step that may find the document wrong. Its time counts as decoding. */
static outcome take_step(request *r, reading_step *step)
{
    computation *c = r->work;
    const config *options = service_of(r)->config;
    const grad_limits limits = {.size = sizeof limits,
                                .max_layers = options->max_layers,
                                .max_result_numbers = options->max_result_numbers,
                                .max_check_flops = options->max_check_flops};
    grad_error error = GRAD_ERROR_INIT;
    int64_t began = clock_now();
    grad_status status = step(c, &limits, &error);
    body_locate_error(c->body, &error);
    c->decode_seconds += clock_to_seconds(clock_now() - began);
    r->stages[STAGE_DECODE] = c->decode_seconds;
    return status == GRAD_OK ? OUTCOME_MORE : reject(r, &error);
}

/* Reads the batch and checks it against the limits. */
static outcome parse_and_validate(request *r)
{
    computation *c = r->work;

    if (reserve(r, MEMORY_TO_READ) == OUTCOME_REJECTED || take_step(r, parse) == OUTCOME_REJECTED ||
        reserve(r, MEMORY_TO_PLAN) == OUTCOME_REJECTED || take_step(r, plan) == OUTCOME_REJECTED)
        return OUTCOME_REJECTED;
    request_log_number(r, "layers", (double)c->batch->layer_count);
    request_log_number(r, "numbers", (double)c->measure.result_numbers);
    if (r->context->service->config->slow_request > 0)
        shapes_write(c->batch, r->shapes, sizeof r->shapes);
    return OUTCOME_MORE;
}

/* ---- The response ---------------------------------------------------------------------------- */

static void note_stages(request *r)
{
    const computation *c = r->work;
    const computation_times *t = &c->times;

    r->stages[STAGE_QUEUE] =
        r->waited + clock_to_seconds((t->begun ? t->begun : t->printed) - t->queued);
    if (t->begun)
        r->stages[STAGE_COMPUTE] =
            clock_to_seconds((t->computed ? t->computed : t->printed) - t->begun);
    if (t->computed)
        r->stages[STAGE_ENCODE] = clock_to_seconds(t->printed - t->computed);
}

static void free_response(void *context)
{
    computation_destroy(context);
}

/* Frees all but the text and its memory, which live until libmicrohttpd has sent them. */
static outcome respond(request *r)
{
    computation *c = r->work;
    http_response response;

    computation_drop_inputs(c);
    reservation_resize(&c->memory, computation_memory(c, MEMORY_TO_RESPOND));
    atomic_store(&r->connection->held, c->memory.bytes);
    response = (http_response){.content_type = c->content_type,
                               .document_length = c->document_length,
                               .content_encoding = c->is_compressed ? c->compressor->coding : NULL,
                               .varies = service_of(r)->config->compression,
                               .segments = computation_segments(c, &r->segment),
                               .segment_count = c->segment_count,
                               .free = free_response,
                               .context = c};
    r->work = NULL;
    return request_respond(r, MHD_HTTP_OK, &response);
}

/* Which option sets how long the request may take. */
static bool has_check_timeout(const request *r)
{
    const computation *c = r->work;
    const config *options = service_of(r)->config;

    return c->kind == &compute_check && options->check_timeout < options->request_timeout;
}

static outcome reject_late(request *r, const computation *c)
{
    if (c->late) {
        metrics_count_rejection(REJECT_DEADLINE);
        return request_reject_with(
            r, MHD_HTTP_GATEWAY_TIMEOUT, "deadline_exceeded",
            has_check_timeout(r) ? "the check was not done within check-timeout: ask for fewer "
                                   "samples, or check a smaller batch"
                                 : "the request was not answered within request-timeout");
    }
    metrics_count_rejection(REJECT_QUEUE_TIMEOUT);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "queue_timeout",
                               "no worker was free within queue-timeout; try again");
}

/* After it waited for memory: on to the workers. */
static outcome on_memory(request *r)
{
    computation *c = r->work;

    c->awaits_memory = false;
    if (r->ticket.answer == LINE_TURN)
        return OUTCOME_SUSPENDED;
    return reject_for_now(r, computation_memory(c, MEMORY_TO_COMPUTE));
}

static outcome on_resume(request *r)
{
    computation *c = r->work;

    if (c->awaits_memory)
        return on_memory(r);
    note_stages(r);
    if (c->end == POOL_EXPIRED || c->late)
        return reject_late(r, c);
    return atomic_load(&c->failed) ? reject(r, &c->error) : respond(r);
}

/* ---- Handing over to the workers ------------------------------------------------------------- */

/* On a worker. */
static void on_done(void *context)
{
    request_resume(context);
}

static outcome submit(request *r)
{
    computation *c = r->work;
    const service *s = service_of(r);
    int64_t start = clock_now() + clock_from_seconds(s->config->queue_timeout);

    if (computation_is_long(c))
        line_move(s->line, &r->ticket, LINE_LONG, clock_now());
    c->done = on_done;
    c->done_context = r;
    if (computation_submit(c, s->workers, start < c->deadline ? start : c->deadline))
        return OUTCOME_SUSPENDED;
    metrics_count_rejection(REJECT_QUEUE_FULL);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "queue_full",
                               "queue-depth requests wait for a worker already; try again");
}

/* On the watcher's thread. */
static void on_gone(request *r)
{
    line_cancel(service_of(r)->line, &r->ticket);
    computation_cancel(r->work, service_of(r)->workers);
}

/* Its body is here, so it waits for the rest of its memory rather than being sent away. */
static outcome await_memory(request *r)
{
    computation *c = r->work;
    service *s = r->context->service;
    int64_t now = clock_now(), until = now + clock_from_seconds(s->config->queue_timeout);
    const line_terms terms = {.deadline = until < c->deadline ? until : c->deadline};
    size_t needed = computation_memory(c, MEMORY_TO_COMPUTE);

    if (line_await(s->line, &r->ticket, &c->memory, needed, &terms, now) == LINE_WAIT &&
        !line_arm(s->line, &r->ticket))
        return OUTCOME_SUSPENDED;
    request_resume(r);
    return OUTCOME_SUSPENDED;
}

static outcome on_suspended(request *r)
{
    const computation *c = r->work;

    return c->awaits_memory ? await_memory(r) : submit(r);
}

static outcome on_end(request *r)
{
    computation *c = r->work;
    const config *options = service_of(r)->config;
    size_t needed;

    c->deadline = clock_now() + clock_from_seconds(has_check_timeout(r) ? options->check_timeout
                                                                        : options->request_timeout);
    if (parse_and_validate(r) == OUTCOME_REJECTED)
        return OUTCOME_REJECTED;
    c->cost = computation_cost(c);
    needed = computation_memory(c, MEMORY_TO_COMPUTE);
    if (needed > usable_memory(c))
        return reject_for_good(r, needed);
    c->awaits_memory = !reservation_resize(&c->memory, needed);
    note_held(r);
    if (c->awaits_memory || c->cost > options->inline_cost)
        return OUTCOME_SUSPENDED;
    computation_run_inline(c);
    return on_resume(r);
}

static void release(request *r)
{
    const computation *c = r->work;

    if (c != NULL && c->end == POOL_CANCELLED)
        note_stages(r);
    computation_destroy(r->work);
    r->work = NULL;
}

/* more: what else it is. */
#define HANDLER(computes, more)                                                                    \
    {                                                                                              \
        .takes_body = true, more, .kind = computes, .on_headers = on_headers, .on_body = on_body,  \
        .on_end = on_end, .on_suspended = on_suspended, .on_gone = on_gone,                        \
        .on_resume = on_resume, .release = release                                                 \
    }

const handler handler_gradients = HANDLER(&compute_gradients, .takes_long = false);
const handler handler_backprop = HANDLER(&compute_backprop, .takes_long = false);
const handler handler_check = HANDLER(&compute_check, .takes_long = true);
const handler handler_inference = HANDLER(&compute_inference, .is_untyped = true);
