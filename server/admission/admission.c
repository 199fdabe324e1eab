/* Everything that the headers alone can decide, in this order: is the framing sound, is
 * there such a path, does it take the method, is the body short enough. What one path asks besides
 * (a media type, memory) is asked by its handler's begin. */
#include "admission/admission.h"

#include "http/cors.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What libmicrohttpd notes in a connection's buffer of each header, cookie and query parameter,
 * besides their text. */
#define NOTE_SIZE ((size_t)64)

/* ---- Framing --------------------------------------------------------------------------------- */

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_length, const char *value, size_t value_length)
{
    (void)kind;
    headers_add(context, name, name_length, value ? value : "", value ? value_length : 0);
    return MHD_YES;
}

static void read_headers(request *r, const char *method, const char *version)
{
    const char *end = NULL;
    headers_begin(&r->headers, version);
#if MHD_VERSION < 0x01000000
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    end = method + info->header_size;
    headers_expect_lines(&r->headers, version + strlen(version) + 2);
    if (r->uri + r->uri_length + 1 != version)
        r->headers.fault = "expected a request line without NUL, found one";
#else
    (void)method;
#endif
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, add_header, &r->headers);
    headers_end(&r->headers, end);
}

/* Of the connection's buffer. Cookies are there twice. */
static size_t room_taken(const request *r)
{
    const int kinds = MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *cookies = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Cookie");
    int notes = MHD_get_connection_values(r->mhd, (enum MHD_ValueKind)kinds, NULL, NULL);
    return (info ? info->header_size : 0) + (cookies ? strlen(cookies) : 0) +
           (size_t)notes * NOTE_SIZE;
}

/* Whether there is room left for the reply's headers; else the work would be for nothing. */
static bool check_room(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    size_t limit = r->context->role == ROLE_SERVICE ? SERVICE_MAX_HEADERS : ADMIN_MAX_HEADERS;
    size_t taken = room_taken(r);
    if (taken <= limit)
        return true;
    snprintf(detail, sizeof detail,
             "expected headers that take at most %zu bytes, with %zu for each of them, found %zu",
             limit, NOTE_SIZE, taken);
    r->closes = true;
    request_reject_limit(r, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", detail,
                         "max_headers", limit);
    return false;
}

/* ---- The steps ------------------------------------------------------------------------------- */

static void reject_path(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    routes_explain(r->context->service->routes, r->context->role, r->path, detail, sizeof detail);
    request_reject_with(r, MHD_HTTP_NOT_FOUND, "unknown_path", detail);
}

static void reject_method(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    r->methods = r->route->methods;
    snprintf(detail, sizeof detail, "expected %s, found %s", r->methods, r->method);
    request_reject_with(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", detail);
}

static void reject_length(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    uint64_t limit = request_body_limit(r);
    metrics_count_rejection(REJECT_BODY_TOO_LARGE);
    snprintf(detail, sizeof detail, "expected a body of at most %llu bytes, found %llu",
             (unsigned long long)limit, (unsigned long long)r->declared);
    request_reject_limit(r, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large", detail,
                         request_body_limit_name(r), limit);
}

/* Which methods a path takes may be asked of any that there is, or of all (RFC 9110, section
 * 9.3.7). A preflight is granted for any: then the page may read what is wrong with its request. */
static void admit_options(request *r, route_found found)
{
    if (found == ROUTE_UNKNOWN_PATH && strcmp(r->path, "*") != 0 && !r->preflight) {
        reject_path(r);
        return;
    }
    r->methods = r->route ? r->route->methods : "GET, HEAD, POST, OPTIONS";
    r->route = r->context->service->routes->options;
    if (r->declared > request_body_limit(r))
        reject_length(r);
}

static void climb_steps(request *r, const char *method)
{
    route_found found =
        routes_find(r->context->service->routes, r->context->role, method, r->path, &r->route);
    if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        admit_options(r, found);
        return;
    }
    if (found == ROUTE_UNKNOWN_PATH) {
        reject_path(r);
        return;
    }
    if (found == ROUTE_WRONG_METHOD) {
        reject_method(r);
        return;
    }
    if (r->declared > request_body_limit(r)) {
        reject_length(r);
        return;
    }
    admission_read_query(r);
    if (r->status == 0 && r->route->handler->begin) {
        r->begun = true;
        r->route->handler->begin(r);
    }
}

/* A refusal goes out before the body is read, which ends the connection, unless reading it is
 * cheaper than a new connection. */
static bool answers_at_once(const request *r)
{
    bool asks_first = r->headers.expect && strcasecmp(r->headers.expect, "100-continue") == 0;
    return asks_first || r->headers.transfer_encoding || r->declared > MAX_IGNORED_BODY;
}

void admission_run(request *r, const char *method, const char *version)
{
    snprintf(r->method, sizeof r->method, "%s", method);
    read_headers(r, method, version);
    if (r->headers.request_id && headers_is_request_id(r->headers.request_id))
        snprintf(r->id, sizeof r->id, "%s", r->headers.request_id);
    headers_have_body(&r->headers, &r->declared);
    cors_read(r);
    if (r->headers.fault) {
        r->closes = true;
        metrics_count_rejection(REJECT_BAD_FRAMING);
        request_reject_with(r, MHD_HTTP_BAD_REQUEST, "bad_framing", r->headers.fault);
    } else if (check_room(r)) {
        climb_steps(r, method);
    }
    if (r->status != 0 && (r->closes || answers_at_once(r)) && !reply_send_problem(r))
        r->state = REQUEST_ANSWERED;
}
