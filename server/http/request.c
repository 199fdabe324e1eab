/* A request's life: libmicrohttpd calls first without data, then with each piece of the body, then
 * once more without; a suspended request once again when it is resumed. */
#include "http/request.h"

#include "http/library_answers.h"
#include "http/request_id.h"
#include "platform/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A refused body without a declared length is read this far beyond the limit, since some clients
 * read no answer before; beyond that it is given early and the connection lingers. */
#define DISCARD_BEYOND_LIMIT ((uint64_t)16 << 20)

/* ---- Beginning and end ----------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

/* The path within a request's target. It may be an absolute URI (RFC 9112, section 3.2.2), whose
 * scheme and authority say nothing here: whoever reached this listener meant it. */
static const char *path_of(const char *target)
{
    static const char scheme[] = "http://";
    if (strncasecmp(target, scheme, sizeof scheme - 1) != 0)
        return target;
    const char *authority = target + sizeof scheme - 1;
    const char *path = authority + strcspn(authority, "/?");
    return path > authority && *path == '/' ? path : target;
}

void request_begin(request *r)
{
    r->error = (grad_error)GRAD_ERROR_INIT;
    r->line_at = clock_now();
    for (size_t i = 0; i < STAGE_TOTAL; i++)
        r->stages[i] = -1;
    request_id_make(r->id);
}

void *request_on_line(void *context, const char *uri, struct MHD_Connection *mhd)
{
    request *r = calloc(1, sizeof *r);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!r || !info || !info->socket_context) {
        free(r);
        return NULL;
    }
    r->context = context;
    r->mhd = mhd;
    r->connection = info->socket_context;
    r->uri = uri;
    r->uri_length = strlen(uri);
    request_begin(r);
    const char *path = path_of(uri);
    size_t length = strcspn(path, "?");
    copy_text(r->path, length < sizeof r->path ? length + 1 : sizeof r->path, path);
    library_answers_add(r);
    connection_enter(r->connection, PHASE_HEADERS);
    return r;
}

/* What libmicrohttpd has answered by itself where no answer of ours could be put in its place. 0:
 * nothing. */
static int status_of_library(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
    return info ? (int)info->http_status : 0;
}

static void complete(request *r, bool whole)
{
    library_answers_remove(r);
    if (!r->replied) {
        r->status = status_of_library(r->mhd);
        r->error.code[0] = '\0';
        whole = r->status != 0;
    }
    access_log_write(r, whole);
    if (r->begun && r->route->handler->release)
        r->route->handler->release(r);
    if (r->in_flight)
        atomic_fetch_sub(&r->context->service->in_flight, 1);
    if (r->whole)
        connection_enter(r->connection, PHASE_IDLE);
    free(r);
}

void request_on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)mhd;
    request *r = *slot;
    if (!r)
        return;
    *slot = NULL;
    complete(r, r->sent || how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

void request_on_closed(const connection *c, request_context *context)
{
    request *r = context->open;
    while (r && r->connection != c)
        r = r->next_open;
    if (r)
        complete(r, r->sent);
}

/* ---- Refusing -------------------------------------------------------------------------------- */

void request_reject(request *r, int http_status, const grad_error *error)
{
    if (r->status != 0)
        return;
    r->status = http_status;
    r->error = *error;
    r->state = REQUEST_DISCARDING;
    r->discard_limit = r->declared > 0 ? r->declared : r->received + DISCARD_BEYOND_LIMIT;
    r->discard_until = clock_now() + clock_from_seconds(r->context->service->config->body_timeout);
}

void request_reject_limit(request *r, int http_status, const char *code, const char *detail,
                          const char *limit_name, uint64_t limit)
{
    grad_error error = GRAD_ERROR_INIT;
    copy_text(error.code, sizeof error.code, code);
    copy_text(error.detail, sizeof error.detail, detail);
    if (limit_name) {
        copy_text(error.limit_name, sizeof error.limit_name, limit_name);
        error.limit = limit;
    }
    request_reject(r, http_status, &error);
}

void request_reject_with(request *r, int http_status, const char *code, const char *detail)
{
    request_reject_limit(r, http_status, code, detail, NULL, 0);
}

int request_status_of(grad_status status)
{
    switch (status) {
    case GRAD_MALFORMED:
        return MHD_HTTP_BAD_REQUEST;
    case GRAD_INVALID:
        return MHD_HTTP_UNPROCESSABLE_CONTENT;
    case GRAD_TOO_LARGE:
        return MHD_HTTP_CONTENT_TOO_LARGE;
    case GRAD_OUT_OF_MEMORY:
    case GRAD_OK:
        break;
    }
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* ---- The body's limit ------------------------------------------------------------------------ */

static bool takes_body(const request *r)
{
    return r->route && r->route->handler->takes_body;
}

uint64_t request_body_limit(const request *r)
{
    return takes_body(r) ? r->context->service->config->max_body : MAX_IGNORED_BODY;
}

const char *request_body_limit_name(const request *r)
{
    return takes_body(r) ? "max_body" : "max_ignored_body";
}

/* ---- The calls ------------------------------------------------------------------------------- */

static enum MHD_Result first_call(request *r, const char *method, const char *version)
{
    service *s = r->context->service;
    if (r->context->role == ROLE_SERVICE) {
        atomic_fetch_add(&s->in_flight, 1);
        r->in_flight = true;
    }
    r->state = REQUEST_RECEIVING;
    s->admit(r, method, version);
    if (r->replied)
        return MHD_YES;
    connection_enter(r->connection, PHASE_BODY);
    return r->status == 0 || r->state == REQUEST_DISCARDING ? MHD_YES : MHD_NO;
}

static void reject_growth(request *r)
{
    metrics_count_rejection(REJECT_BODY_TOO_LARGE);
    request_reject_limit(r, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large",
                         "the body is longer than its limit", request_body_limit_name(r),
                         request_body_limit(r));
}

/* A body that grows over its limit is found out here; a declared length was judged before. */
static enum MHD_Result take_piece(request *r, const char *bytes, size_t length)
{
    connection_received(r->connection, length);
    r->received += length;
    if (r->state == REQUEST_RECEIVING && r->received > request_body_limit(r))
        reject_growth(r);
    if (r->state == REQUEST_DISCARDING) {
        if (r->received <= r->discard_limit && clock_now() <= r->discard_until)
            return MHD_YES;
        reply_send_early(r);
        return MHD_NO;
    }
    if (r->route->handler->push)
        r->route->handler->push(r, bytes, length);
    return MHD_YES;
}

static enum MHD_Result last_call(request *r)
{
    const handler *h = r->route ? r->route->handler : NULL;
    bool resumed = r->suspended;
    r->whole = true;
    r->suspended = false;
    connection_enter(r->connection, PHASE_WORK);
    if (!resumed)
        r->stages[STAGE_RECEIVE] = clock_to_seconds(clock_now() - r->line_at);
    if (r->state == REQUEST_RECEIVING)
        (resumed ? h->resume : h->finish)(r);
    if (r->replied || r->suspended)
        return MHD_YES;
    return reply_send_problem(r) ? MHD_YES : MHD_NO;
}

enum MHD_Result request_on_call(void *context, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **slot)
{
    (void)context;
    (void)mhd;
    (void)url; /* with its escapes undone: two spellings of a path are two paths here */
    request *r = *slot;
    if (!r)
        return MHD_NO;
    if (r->state == REQUEST_NEW)
        return first_call(r, method, version);
    if (*upload_size > 0) {
        size_t length = *upload_size;
        *upload_size = 0;
        return take_piece(r, upload, length);
    }
    return last_call(r);
}

void request_suspend(request *r)
{
    r->suspended = true;
    MHD_suspend_connection(r->mhd);
}

void request_resume(request *r)
{
    MHD_resume_connection(r->mhd);
}
