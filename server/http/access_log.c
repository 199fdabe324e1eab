/* The line of a request in the log, and its counters. */
#include "http/response.h"

#include "observe/log.h"
#include "platform/clock.h"

#include <math.h>
#include <stdio.h>

#define MAX_FIELDS 32
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

/* How many there are. */
static size_t fill_fields(const request *r, bool whole, double total, log_field fields[MAX_FIELDS])
{
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
    if (r->trace.trace_id[0] != '\0') {
        fields[n++] = LOG_TEXT("trace_id", r->trace.trace_id);
        fields[n++] = LOG_TEXT("parent_id", r->trace.parent_id);
        fields[n++] = LOG_TEXT("span_id", r->span_id);
    }
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
    return n;
}

static void write_line(const request *r, bool whole, double total)
{
    char sentence[SENTENCE_SIZE];
    log_field fields[MAX_FIELDS];
    bool is_for_people = log_is_for_people();

    fill_fields(r, whole, total, fields);
    if (is_for_people)
        write_sentence(r, whole, total, sentence, sizeof sentence);
    log_write_as(level_of(r), "request", is_for_people ? sentence : NULL, fields);
}

/* The stage that took most of the time; NULL where none is known. */
static const char *slowest_stage(const request *r)
{
    size_t slowest = 0;

    for (size_t i = 1; i < STAGE_TOTAL; i++)
        if (r->stages[i] > r->stages[slowest])
            slowest = i;
    return r->stages[slowest] > 0 ? metrics_stage_name((metrics_stage)slowest) : NULL;
}

/* The same again, with what may explain it. */
static void write_slow_line(const request *r, bool whole, double total)
{
    char answer[SENTENCE_SIZE], sentence[2 * SENTENCE_SIZE + REQUEST_SHAPES_SIZE];
    log_field fields[MAX_FIELDS];
    const char *stage = slowest_stage(r);
    size_t n = fill_fields(r, whole, total, fields);

    if (stage != NULL)
        fields[n++] = LOG_TEXT("slowest_stage", stage);
    if (r->shapes[0] != '\0')
        fields[n++] = LOG_TEXT("shapes", r->shapes);
    fields[n] = LOG_END;
    write_sentence(r, whole, total, answer, sizeof answer);
    snprintf(sentence, sizeof sentence, "slow request: %s%s%s%s%s", answer,
             stage != NULL ? ", most of it in " : "", stage != NULL ? stage : "",
             r->shapes[0] != '\0' ? ": " : "", r->shapes);
    log_write_as(LOG_WARNING, "slow request", sentence, fields);
}

void access_log_write(const request *r, bool whole)
{
    double total = clock_to_seconds(clock_now() - r->line_at);

    double limit = r->context->service->config->slow_request;

    count(r, whole, total);
    if (limit > 0 && total > limit)
        write_slow_line(r, whole, total);
    if (r->context->service->config->log_requests && log_enabled(level_of(r)))
        write_line(r, whole, total);
}
