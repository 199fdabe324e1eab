/* Replies: the headers that every one carries, and problems as application/problem+json. */
#include "http/request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_MAX 16384
#define RETRY_AFTER_SECONDS "1"

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

/* Server-Timing: milliseconds of each stage that there was. */
static void add_timing(const request *r, struct MHD_Response *response)
{
    char text[256];
    int length = 0;
    for (size_t i = 0; i < STAGE_TOTAL; i++) {
        if (r->stages[i] >= 0) {
            long us = lround(r->stages[i] * 1e6);
            length += snprintf(text + length, sizeof text - (size_t)length, "%s%s;dur=%ld.%03ld",
                               length > 0 ? ", " : "", metrics_stage_name((metrics_stage)i),
                               us / 1000, us % 1000);
        }
    }
    if (length > 0)
        add_header(response, "Server-Timing", text);
}

static void add_headers(const request *r, const char *content_type, struct MHD_Response *response)
{
    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    add_header(response, MHD_HTTP_HEADER_SERVER, "gradientd");
    add_header(response, "X-Request-Id", r->id);
    add_timing(r, response);
    if (r->status == MHD_HTTP_SERVICE_UNAVAILABLE)
        add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER_SECONDS);
    if (r->status == MHD_HTTP_METHOD_NOT_ALLOWED && r->route)
        add_header(response, MHD_HTTP_HEADER_ALLOW, r->route->methods);
    if (r->closes || (r->in_flight && atomic_load(&r->context->service->draining)))
        add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* The title of a status, as RFC 9110 spells it; libmicrohttpd's words differ between versions. */
static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Internal Server Error";
}

void request_answer(request *r, int http_status, const char *content_type,
                    struct MHD_Response *response, size_t size)
{
    if (!response) {
        request_refuse_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory",
                            "no memory for the answer; try again");
        return;
    }
    r->status = http_status;
    add_headers(r, content_type, response);
    connection_enter(r->connection, PHASE_REPLY);
    r->state = REQUEST_ANSWERED;
    r->replied = MHD_queue_response(r->mhd, (unsigned)http_status, response) == MHD_YES;
    r->reply_size = strcmp(r->method, "HEAD") == 0 ? 0 : size;
    MHD_destroy_response(response);
}

void request_answer_text(request *r, int http_status, const char *content_type, grad_text *text)
{
    if (grad_text_status(text, NULL) != GRAD_OK) {
        grad_text_free(text);
        request_refuse_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory",
                            "no memory for the answer; try again");
        return;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(text->length, text->data, free);
    if (!response)
        grad_text_free(text);
    request_answer(r, http_status, content_type, response, text->length);
}

bool reply_send_problem(request *r)
{
    grad_problem problem = {.http_status = r->status, .error = r->error};
    grad_text text;
    snprintf(problem.title, sizeof problem.title, "%s", title_of(r->status));
    snprintf(problem.request_id, sizeof problem.request_id, "%s", r->id);
    grad_text_init(&text, PROBLEM_MAX);
    grad_problem_write(&problem, &text);
    if (grad_text_status(&text, NULL) != GRAD_OK) {
        grad_text_free(&text);
        return false;
    }
    request_answer_text(r, r->status, "application/problem+json", &text);
    return r->replied;
}
