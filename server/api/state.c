/* The state as figures, and as lines of the log whose "of" says what each is about. */
#include "api/state.h"

#include "observe/log.h"
#include "platform/clock.h"
#include "platform/resources.h"

#include <math.h>

#define STATE "state"
#define MOST_TOLD 10 /* connections */

static const char *const phase_names[PHASE_COUNT] = {
    [PHASE_NEW] = "new",   [PHASE_HEADERS] = "headers", [PHASE_BODY] = "body",
    [PHASE_WORK] = "work", [PHASE_REPLY] = "reply",     [PHASE_IDLE] = "idle",
};

/* Requests that wait, for their turn or for a worker. */
static size_t count_waiting(service *s)
{
    size_t waiting = pool_waiting(s->workers);

    for (line_class which = 0; which < LINE_CLASS_COUNT; which++)
        waiting += line_look(s->line, which, clock_now()).waiting;
    return waiting;
}

metrics_gauges state_gauges(service *s)
{
    return (metrics_gauges){
        .connections = connections_count(s->connections[ROLE_SERVICE]),
        .lingering = lingering_count(s->lingering),
        .in_flight = atomic_load(&s->in_flight),
        .queue_waiting = count_waiting(s),
        .queue_depth = s->config->queue_depth,
        .workers = s->config->workers,
        .workers_busy_jobs = pool_running(s->workers),
        .memory_reserved = atomic_load(&s->memory.in_use),
        .memory_budget = s->memory.total,
        .memory_unsent = connections_unsent(s->connections[ROLE_SERVICE]),
        .draining = atomic_load(&s->draining),
        .expected_wait = line_look(s->line, LINE_LARGE, clock_now()).expected_wait,
        .tls_seconds_left = s->tls != NULL ? tls_seconds_left(s->tls) : NAN,
    };
}

static void tell_connections(const size_t phases[PHASE_COUNT], const metrics_gauges *g,
                             const config *c)
{
    log_field fields[PHASE_COUNT + 5];
    size_t n = 0;

    fields[n++] = LOG_TEXT("of", "connections");
    fields[n++] = LOG_NUMBER("open", g->connections);
    for (size_t i = 0; i < PHASE_COUNT; i++)
        fields[n++] = LOG_NUMBER(phase_names[i], phases[i]);
    fields[n++] = LOG_NUMBER("lingering", g->lingering);
    fields[n++] = LOG_NUMBER("max_connections", c->max_connections);
    fields[n] = LOG_END;
    log_write(LOG_INFO, STATE, fields);
}

static void tell_memory(const metrics_gauges *g)
{
    const process_figures p = process_read();

    log_write(LOG_INFO, STATE,
              (log_field[]){LOG_TEXT("of", "memory"), LOG_NUMBER("leased", g->memory_reserved),
                            LOG_NUMBER("memory_budget", g->memory_budget),
                            LOG_NUMBER("resident", p.resident_memory),
                            LOG_NUMBER("descriptors", p.open_files), LOG_END});
}

static void tell_work(const service *s, const metrics_gauges *g)
{
    log_write(LOG_INFO, STATE,
              (log_field[]){LOG_TEXT("of", "work"), LOG_NUMBER("in_flight", g->in_flight),
                            LOG_NUMBER("suspended", atomic_load(&s->suspended)),
                            LOG_NUMBER("waiting", g->queue_waiting),
                            LOG_NUMBER("expected_wait", g->expected_wait),
                            LOG_NUMBER("queue_depth", g->queue_depth),
                            LOG_NUMBER("running", g->workers_busy_jobs),
                            LOG_NUMBER("workers", g->workers), LOG_NUMBER("draining", g->draining),
                            LOG_NUMBER("max_body", s->config->max_body), LOG_END});
}

static void tell_connection(const connection_view *v)
{
    double seconds = clock_to_seconds(clock_now() - v->progress.began);

    log_write(LOG_INFO, STATE,
              (log_field[]){LOG_TEXT("of", "connection"), LOG_TEXT("peer", v->peer),
                            LOG_TEXT("phase", phase_names[v->progress.phase]),
                            LOG_NUMBER("phase_seconds", round(seconds * 1e3) / 1e3),
                            LOG_NUMBER("phase_bytes", v->progress.bytes),
                            LOG_NUMBER("request", v->progress.request),
                            LOG_NUMBER("leased", v->held), LOG_END});
}

void state_tell(service *s)
{
    const metrics_gauges g = state_gauges(s);
    size_t phases[PHASE_COUNT];
    connection_view most[MOST_TOLD];
    size_t told = connections_view(s->connections[ROLE_SERVICE], phases, most, MOST_TOLD);

    tell_connections(phases, &g, s->config);
    tell_memory(&g);
    tell_work(s, &g);
    for (size_t i = 0; i < told; i++)
        tell_connection(&most[i]);
}
