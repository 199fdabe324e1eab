/* The line of a request in the log, and its counters. */
#include "http/response.h"

#include "observe/log.h"
#include "platform/clock.h"

#include <math.h>
#include <stdio.h>

#define MAX_FIELDS 24
#define SENTENCE_SIZE 320

/* Whole microseconds. */
static const char *const stage_fields[STAGE_COUNT] = {
    [STAGE_RECEIVE] = "receive_us", [STAGE_DECODE] = "decode_us", [STAGE_QUEUE] = "queue_us",
    [STAGE_COMPUTE] = "compute_us", [STAGE_ENCODE] = "encode_us", [STAGE_TOTAL] = "total_us",
};

static const char *cut_name(connection_verdict cut)
{
    static const char *const names[] = {
        [VERDICT_FINE] = "connection_lost",    [VERDICT_IDLE] = "idle_timeout",
        [VERDICT_SLOW_HEADER] = "slow_header", [VERDICT_SLOW_BODY] = "slow_body",
        [VERDICT_SLOW_READER] = "slow_reader",
    };

    return names[cut];
}

static void count_stages(const request *r, double total)
{
    if (r->context->role != ROLE_SERVICE || r->route == NULL || !r->route->handler->takes_body)
        return;
    for (size_t i = 0; i < STAGE_TOTAL; i++)
        if (r->stages[i] >= 0)
            metrics_observe_stage((metrics_stage)i, r->stages[i]);
    metrics_observe_stage(STAGE_TOTAL, total);
}

/* Counts the request last, so that metrics that show it have its bytes and stages too. */
static void count(const request *r, bool whole, double total)
{
    metrics_count_bytes(r->received, whole ? r->response_size : 0);
    count_stages(r, total);
    metrics_count_request(r->route != NULL ? r->route->metric : ROUTE_OTHER, whole ? r->status : 0);
}

static log_level level_of(const request *r)
{
    bool is_probe =
        r->route != NULL && (r->route->metric == ROUTE_HEALTH || r->route->metric == ROUTE_METRICS);

    return is_probe ? LOG_DEBUG : LOG_INFO;
}

static const char *code_of(const request *r, bool whole)
{
    if (whole)
        return r->error.code;
    return r->gone ? metrics_rejection_name(REJECT_CLIENT_GONE)
                   : cut_name(connection_cut(r->connection));
}

/* For people: "GET /v1/info 200, 0.41 ms", "POST /v1/gradients 422 shape_mismatch, 0.3 ms". */
static void write_sentence(const request *r, bool whole, double total, char *sentence, size_t size)
{
    char status[16];
    const char *code = code_of(r, whole);

    snprintf(status, sizeof status, "%d", r->status);
    snprintf(sentence, size, "%s%s%.200s %s%s%s, %.2f ms", r->method,
             r->method[0] != '\0' ? " " : "", r->path,
             whole ? status : "no answer:", code[0] != '\0' ? " " : "", code, total * 1e3);
}

static void write_line(const request *r, bool whole, double total)
{
    char sentence[SENTENCE_SIZE];
    log_field fields[MAX_FIELDS];
    size_t n = 0;

    if (r->method[0] != '\0') /* else its headers were never taken */
        fields[n++] = LOG_TEXT("method", r->method);
    fields[n++] = LOG_TEXT("path", r->path);
    fields[n++] = LOG_NUMBER("status", whole ? r->status : 0);
    fields[n++] = LOG_TEXT("request_id", r->id);
    fields[n++] = LOG_TEXT("peer", r->connection->peer);
    if (r->token != NULL)
        fields[n++] = LOG_TEXT("token", r->token);
    if (tls_peer_name(r->connection->tls)[0] != '\0')
        fields[n++] = LOG_TEXT("client", tls_peer_name(r->connection->tls));
    fields[n++] = LOG_NUMBER("bytes_in", r->received);
    fields[n++] = LOG_NUMBER("bytes_out", whole ? r->response_size : 0);
    for (size_t i = 0; i < REQUEST_NUMBERS && r->numbers[i].name != NULL; i++)
        fields[n++] = LOG_NUMBER(r->numbers[i].name, r->numbers[i].value);
    if (code_of(r, whole)[0] != '\0')
        fields[n++] = LOG_TEXT("code", code_of(r, whole));
    for (size_t i = 0; i < STAGE_TOTAL; i++)
        if (r->stages[i] >= 0)
            fields[n++] = LOG_NUMBER(stage_fields[i], round(r->stages[i] * 1e6));
    fields[n++] = LOG_NUMBER(stage_fields[STAGE_TOTAL], round(total * 1e6));
    fields[n] = LOG_END;
    write_sentence(r, whole, total, sentence, sizeof sentence);
    log_write_as(level_of(r), "request", sentence, fields);
}

void access_log_write(const request *r, bool whole)
{
    double total = clock_to_seconds(clock_now() - r->line_at);

    count(r, whole, total);
    if (r->context->service->config->log_requests && log_enabled(level_of(r)))
        write_line(r, whole, total);
}
