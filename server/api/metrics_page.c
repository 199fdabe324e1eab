/* GET /metrics, on the admin listener: gathers what is read when it is asked for. */
#include "api/handlers.h"
#include "http/request.h"

#define PAGE_MAX (4 << 20)

static outcome answer(request *r)
{
    service *s = r->context->service;
    const metrics_gauges gauges = {
        .connections = connections_count(s->connections[ROLE_SERVICE]),
        .lingering = lingering_count(s->lingering),
        .in_flight = atomic_load(&s->in_flight),
        .queue_waiting = pool_waiting(s->workers),
        .queue_depth = s->config->queue_depth,
        .workers = s->config->workers,
        .workers_busy_jobs = pool_running(s->workers),
        .memory_reserved = atomic_load(&s->memory.in_use),
        .memory_budget = s->memory.total,
        .draining = atomic_load(&s->draining),
    };
    grad_text text;
    grad_text_init(&text, PAGE_MAX);
    metrics_write(&gauges, &text);
    return request_respond_text(r, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &text);
}

const handler handler_metrics = {.on_end = answer};
