/* Responses: the headers that every one carries, and problems as application/problem+json. */
#include "http/response.h"

#include "config/address.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PROBLEM_TYPE "application/problem+json"
#define PROBLEM_MAX 16384
#define DIGESTED_MAX ((size_t)4 << 20) /* some 10 ms of SHA-256 */

#define READABLE                                                                                   \
    "Accept, Accept-Encoding, Allow, Content-Digest, RateLimit, RateLimit-Policy, Retry-After, "   \
    "Inference-Header-Content-Length, Server-Timing, "                                             \
    "WWW-Authenticate, X-Request-Id, traceresponse"
/* A page may name itself, its content and its trace; a proxy may ask for authorization. */
#define SENDABLE                                                                                   \
    "Authorization, Content-Digest, Content-Encoding, Content-Type, "                              \
    "Inference-Header-Content-Length, Want-Content-Digest, "                                       \
    "X-Request-Id, traceparent, tracestate"
/* Two hours, the most that Chromium keeps it. */
#define MAX_AGE "7200"

/* ---- Pages of other origins ------------------------------------------------------------------ */

/* "": nobody. */
static const char *allowed_of(const request *r)
{
    return r->context->role == ROLE_SERVICE ? r->context->service->config->allow_origin : "";
}

static bool allows_all(const request *r)
{
    return strcmp(allowed_of(r), "*") == 0;
}

void cors_read(request *r)
{
    const headers *h = &r->headers;

    if (h->origin == NULL || !origins_hold(allowed_of(r), h->origin) ||
        strlen(h->origin) >= sizeof r->origin)
        return;
    snprintf(r->origin, sizeof r->origin, "%s", h->origin);
    r->preflight = h->requested_method != NULL && strcmp(r->method, MHD_HTTP_METHOD_OPTIONS) == 0;
}

static void add_cors_headers(const request *r, struct MHD_Response *response)
{
    if (allowed_of(r)[0] == '\0')
        return;
    if (!allows_all(r))
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Origin");
    if (!allows_all(r) && r->origin[0] == '\0')
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin",
                            allows_all(r) ? "*" : r->origin);
    if (r->preflight) {
        MHD_add_response_header(response, "Access-Control-Allow-Methods", r->methods);
        MHD_add_response_header(response, "Access-Control-Allow-Headers", SENDABLE);
        MHD_add_response_header(response, "Access-Control-Max-Age", MAX_AGE);
    } else {
        MHD_add_response_header(response, "Access-Control-Expose-Headers", READABLE);
    }
}

/* ---- Headers of every response --------------------------------------------------------------- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

/* Server-Timing: milliseconds of each stage that there was. */
static void add_timing(const request *r, struct MHD_Response *response)
{
    char value[256];
    grad_text text;

    grad_text_init_in(&text, value, sizeof value);
    for (size_t i = 0; i < STAGE_TOTAL; i++) {
        if (r->stages[i] >= 0) {
            unsigned long us = (unsigned long)lround(r->stages[i] * 1e6);

            grad_text_put(&text, text.length > 0 ? ", " : "");
            grad_text_put(&text, metrics_stage_name((metrics_stage)i));
            grad_text_put(&text, ";dur=");
            grad_text_unsigned(&text, us / 1000);
            grad_text_thousandths(&text, (unsigned)(us % 1000));
        }
    }
    if (text.length > 0)
        add_header(response, "Server-Timing", value);
}

/* What is left of the quotas of its token, as draft-ietf-httpapi-ratelimit-headers-11 says it: a
 * list of policies, and one of what each has left. */
static void add_quotas(const request *r, struct MHD_Response *response)
{
    char left[256];
    size_t length = 0;

    if (r->quota.count == 0)
        return;
    for (size_t i = 0; i < r->quota.count; i++) {
        const quota_view *v = &r->quota.views[i];
        const char *comma = i > 0 ? ", " : "";
        char *at = left + length;
        size_t room = sizeof left - length;
        length += (size_t)(v->window > 0 ? snprintf(at, room, "%s\"%s\";r=%" PRIu64 ";t=%" PRIu64,
                                                    comma, v->name, v->remaining, v->reset)
                                         : snprintf(at, room, "%s\"%s\";r=%" PRIu64, comma, v->name,
                                                    v->remaining));
    }
    add_header(response, "RateLimit-Policy", r->quota.policies);
    add_header(response, "RateLimit", left);
}

/* When to come again, where a later try may do better. */
static void add_retry_after(const request *r, struct MHD_Response *response)
{
    bool is_busy = r->status == MHD_HTTP_SERVICE_UNAVAILABLE;
    uint64_t later = is_busy ? r->retry_after : r->quota.retry_after;
    char seconds[24];

    if (!is_busy && r->status != MHD_HTTP_TOO_MANY_REQUESTS)
        return;
    snprintf(seconds, sizeof seconds, "%" PRIu64, later > 0 ? later : 1);
    add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
}

/* What the request was in its trace, of which we sample nothing (W3C Trace Context, the draft of
 * traceresponse). */
static void add_trace(const request *r, struct MHD_Response *response)
{
    char value[TRACE_ID_SIZE + GRAD_REQUEST_ID_SIZE + 8];

    if (r->trace.trace_id[0] == '\0')
        return;
    snprintf(value, sizeof value, "00-%s-%.16s-00", r->trace.trace_id, r->span_id);
    add_header(response, "traceresponse", value);
}

static void add_headers(const request *r, const char *content_type, struct MHD_Response *response)
{
    if (content_type != NULL)
        add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (r->response.content_encoding != NULL)
        add_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, r->response.content_encoding);
    if (r->response.varies)
        add_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    add_header(response, MHD_HTTP_HEADER_SERVER, "gradientd");
    add_header(response, "X-Request-Id", r->id);
    add_trace(r, response);
    add_timing(r, response);
    add_retry_after(r, response);
    add_quotas(r, response);
    if (r->challenge != NULL)
        add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, r->challenge);
    if (r->accept[0]) /* RFC 9110, section 12.5.3 */
        add_header(response, MHD_HTTP_HEADER_ACCEPT, r->accept);
    if (r->accept_encoding[0])
        add_header(response, MHD_HTTP_HEADER_ACCEPT_ENCODING, r->accept_encoding);
    if (r->methods != NULL)
        add_header(response, MHD_HTTP_HEADER_ALLOW, r->methods);
    add_cors_headers(r, response);
    if (r->closes || (r->in_flight && atomic_load(&r->context->service->draining)))
        add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* Where the document ends and the bytes of its tensors begin. */
static void add_document_length(const http_response *response, struct MHD_Response *wrapped)
{
    char text[24];

    if (response->document_length == 0)
        return;
    snprintf(text, sizeof text, "%zu", response->document_length);
    add_header(wrapped, "Inference-Header-Content-Length", text);
}

/* Of what is wanted and not so large that others would wait for it. */
static void add_digest(const request *r, size_t size, struct MHD_Response *response)
{
    char text[DIGEST_TEXT_SIZE];

    if (r->wanted_digest != DIGEST_NONE && size <= DIGESTED_MAX &&
        strcmp(r->method, MHD_HTTP_METHOD_HEAD) != 0 &&
        digest_write(r->wanted_digest, r->response.segments, r->response.segment_count, text))
        add_header(response, "Content-Digest", text);
}

/* The title of a status, as RFC 9110 spells it; libmicrohttpd's words differ between versions. */
static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Internal Server Error";
}

/* ---- Answers that libmicrohttpd takes -------------------------------------------------------- */

outcome request_respond(request *r, int http_status, const http_response *response)
{
    r->status = http_status;
    r->response = *response;
    return OUTCOME_DONE;
}

outcome request_respond_text(request *r, int http_status, const char *content_type, grad_text *text)
{
    http_response response;

    if (grad_text_status(text, NULL) != GRAD_OK) {
        grad_text_free(text);
        return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory",
                                   "no memory for the answer; try again");
    }
    response = (http_response){.content_type = content_type,
                               .segments = &r->segment,
                               .segment_count = 1,
                               .free = free,
                               .context = text->data};
    r->segment = (grad_segment){.text = text->data, .length = text->length};
    return request_respond(r, http_status, &response);
}

/* One segment is sent in one packet with the headers; several are sent from where they lie.
 * libmicrohttpd owns what the response holds from then on, unless this returns NULL. */
static struct MHD_Response *wrap(const http_response *response)
{
    size_t count = response->segment_count;
    struct MHD_IoVec *vector;
    struct MHD_Response *wrapped;

    if (count == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (count == 1) {
        /* libmicrohttpd takes a pointer to what it may not change as void *. */
        union {
            const char *text;
            void *data;
        } bytes = {.text = response->segments[0].text};
        return MHD_create_response_from_buffer_with_free_callback_cls(
            response->segments[0].length, bytes.data, response->free, response->context);
    }
    vector = calloc(count, sizeof *vector);
    wrapped = NULL;
    for (size_t i = 0; vector != NULL && i < count; i++)
        vector[i] = (struct MHD_IoVec){.iov_base = response->segments[i].text,
                                       .iov_len = response->segments[i].length};
    if (vector != NULL)
        wrapped = MHD_create_response_from_iovec(vector, (unsigned)count, response->free,
                                                 response->context);
    free(vector);
    return wrapped;
}

static size_t size_of(const http_response *response)
{
    size_t size = 0;

    for (size_t i = 0; i < response->segment_count; i++)
        size += response->segments[i].length;
    return size;
}

/* False: no memory, and what the response held is freed; or libmicrohttpd does not take it. */
static bool queue(request *r)
{
    const http_response *response = &r->response;
    size_t size = size_of(response);
    struct MHD_Response *wrapped = wrap(response);

    if (wrapped == NULL) {
        if (response->free != NULL)
            response->free(response->context);
        return false;
    }
    add_headers(r, response->content_type, wrapped);
    add_document_length(response, wrapped);
    add_digest(r, size, wrapped);
    connection_enter(r->connection, PHASE_REPLY);
    r->state = REQUEST_ANSWERED;
    r->responded = MHD_queue_response(r->mhd, (unsigned)r->status, wrapped) == MHD_YES;
    r->response_size = strcmp(r->method, "HEAD") == 0 ? 0 : size;
    tls_expect_body(r->connection->tls, r->responded && r->response_size > 0);
    MHD_destroy_response(wrapped);
    return r->responded;
}

bool response_send(request *r)
{
    if (queue(r) || r->state == REQUEST_ANSWERED)
        return r->responded;
    r->status = 0;
    request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out_of_memory",
                        "no memory for the answer; try again");
    return response_send_problem(r);
}

/* Whether clients of the Open Inference Protocol ask there, for what there is or is not. */
static bool is_inference_path(const char *path)
{
    return strncmp(path, "/v2", 3) == 0 && (path[3] == '\0' || path[3] == '/');
}

static bool write_problem(const request *r, grad_text *text)
{
    grad_problem problem = {.http_status = r->status, .error = r->error};

    snprintf(problem.title, sizeof problem.title, "%s", title_of(r->status));
    snprintf(problem.request_id, sizeof problem.request_id, "%s", r->id);
    grad_text_init(text, PROBLEM_MAX);
    if (is_inference_path(r->path))
        grad_problem_write_inference(&problem, text);
    else
        grad_problem_write(&problem, text);
    if (grad_text_status(text, NULL) == GRAD_OK)
        return true;
    grad_text_free(text);
    return false;
}

bool response_send_problem(request *r)
{
    grad_text text;

    if (!write_problem(r, &text))
        return false;
    request_respond_text(r, r->status, PROBLEM_TYPE, &text);
    return queue(r);
}

/* ---- Answers that libmicrohttpd does not take ------------------------------------------------ */

static enum MHD_Result print_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    grad_text_printf(context, "%s: %s\r\n", name, value);
    return MHD_YES;
}

/* The headers are those of any response, taken from one that is never sent. */
static bool print_response(const request *r, const grad_text *problem, grad_text *text)
{
    struct MHD_Response *model = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

    if (model == NULL)
        return false;
    add_headers(r, PROBLEM_TYPE, model);
    grad_text_init(text, 2 * PROBLEM_MAX);
    grad_text_printf(text, "HTTP/1.1 %d %s\r\n", r->status, title_of(r->status));
    MHD_get_response_headers(model, print_header, text);
    grad_text_printf(text, "Content-Length: %zu\r\n\r\n", problem->length);
    grad_text_add(text, problem->data, problem->length);
    MHD_destroy_response(model);
    if (grad_text_status(text, NULL) == GRAD_OK)
        return true;
    grad_text_free(text);
    return false;
}

bool response_print_problem(request *r, grad_text *text)
{
    grad_text problem;
    bool printed;

    if (!write_problem(r, &problem))
        return false;
    printed = print_response(r, &problem, text);
    r->response_size = problem.length;
    grad_text_free(&problem);
    return printed;
}

static bool send_whole(const request *r, const grad_text *text)
{
    const int fd = r->connection->fd;

    if (r->connection->tls != NULL)
        return tls_send_whole(tls_session(r->connection->tls), text->data, text->length);
    return send(fd, text->data, text->length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)text->length;
}

/* When a body arrives, earlier responses and 100 Continue have left libmicrohttpd: what is sent
 * here follows them. */
void response_send_early(request *r)
{
    grad_text text;

    r->closes = true;
    if (!response_print_problem(r, &text))
        return;
    r->sent = r->responded = send_whole(r, &text);
    grad_text_free(&text);
}
