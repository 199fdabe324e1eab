/* The life of a request: libmicrohttpd calls first without data, then with each piece of the body,
 * then once more without; and once again after a suspended request is resumed. */
#include "http/request.h"

#include "http/holding.h"
#include "http/response.h"
#include "http/turn.h"
#include "platform/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

/* Of a rejected body without a declared length this much is read beyond the limit, since some
 * clients read no response before; then the response is sent early, and the connection lingers. */
#define DISCARD_BEYOND_LIMIT ((uint64_t)16 << 20)

/* ---- Identities ------------------------------------------------------------------------------ */

/* A counter from a random beginning, mixed by a bijection so that neighbours look unlike: the
 * finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014). */
static _Atomic uint64_t counter;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void seed(void)
{
    uint64_t beginning;

    if (getrandom(&beginning, sizeof beginning, GRND_NONBLOCK) != (ssize_t)sizeof beginning) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        beginning = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    }
    atomic_store(&counter, beginning);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Four bits a digit. */
enum { OWN_ID_LENGTH = 16 };

void request_id_make(char id[GRAD_REQUEST_ID_SIZE])
{
    uint64_t rest;

    pthread_once(&seeded, seed);
    rest = mix(atomic_fetch_add(&counter, 1));
    id[OWN_ID_LENGTH] = '\0';
    for (size_t i = OWN_ID_LENGTH; i-- > 0; rest >>= 4)
        id[i] = "0123456789abcdef"[rest & 15];
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);

    memcpy(to, from, length);
    to[length] = '\0';
}

/* The path in a request's target, which may be an absolute URI (RFC 9112, section 3.2.2). Its
 * scheme and authority do not matter: the request reached this listener. */
static const char *path_of(const char *target)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *authority = NULL;
    const char *path;

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
            authority = target + strlen(schemes[i]);
    if (authority == NULL)
        return target;
    path = authority + strcspn(authority, "/?");
    return path > authority && *path == '/' ? path : target;
}

void request_begin(request *r)
{
    r->error = (grad_error)GRAD_ERROR_INIT;
    r->wanted_digest = DIGEST_NONE;
    r->line_at = clock_now();
    for (size_t i = 0; i < STAGE_TOTAL; i++)
        r->stages[i] = -1;
    request_id_make(r->id);
}

size_t request_max_headers(const request *r)
{
    return r->context->role == ROLE_SERVICE ? SERVICE_MAX_HEADERS : ADMIN_MAX_HEADERS;
}

/* libmicrohttpd 0.9.75 notes the parameters of a query next, and may leave a request with very many
 * of them unanswered: it gets none of so many, which admission then finds to be too large. */
static void drop_huge_query(request *r)
{
#if MHD_VERSION < 0x01000000
    char *query = strchr((char *)(uintptr_t)r->uri, '?');
    size_t notes = 0;

    for (const char *at = query; at != NULL; at = strchr(at + 1, '&'))
        notes += HEADER_NOTE_SIZE;
    if (query == NULL || r->uri_length + notes <= request_max_headers(r))
        return;
    r->header_room = notes;
    query[1] = '\0';
#else
    (void)r;
#endif
}

void *request_on_line(void *context, const char *uri, struct MHD_Connection *mhd)
{
    request *r = calloc(1, sizeof *r);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const char *path;
    size_t length;

    if (r == NULL || info == NULL || info->socket_context == NULL) {
        free(r);
        return NULL;
    }
    r->context = context;
    r->mhd = mhd;
    r->connection = info->socket_context;
    r->uri = uri;
    r->uri_length = strlen(uri);
    request_begin(r);
    path = path_of(uri);
    length = strcspn(path, "?");
    copy_text(r->path, length < sizeof r->path ? length + 1 : sizeof r->path, path);
    drop_huge_query(r);
    library_responses_add(r);
    connection_enter(r->connection, PHASE_HEADERS);
    return r;
}

/* The status of a response of libmicrohttpd's own that we could not replace. 0: there is none. */
static int status_of_library(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

    return info != NULL ? (int)info->http_status : 0;
}

static void release(request *r)
{
    if (r->must_release && r->route->handler->release != NULL)
        r->route->handler->release(r);
    r->must_release = false;
    turn_leave(r);
}

/* A body whose length was not known before counts now. */
static void leave_account(request *r)
{
    if (r->entered)
        account_leave(r->account, r->declared == 0 ? r->received : 0, clock_now());
    account_release(r->account);
}

/* Once the request is back: by a call, or because libmicrohttpd closes the connection at once. */
static void stop_watching(request *r)
{
    if (r->watched && watcher_unwatch(r->context->service->watcher, &r->connection->watch)) {
        r->gone = true;
        metrics_count_rejection(REJECT_CLIENT_GONE);
        release(r);
    }
    r->watched = false;
}

static void complete(request *r, bool whole)
{
    library_responses_remove(r);
    stop_watching(r);
    if (!r->responded) {
        r->status = status_of_library(r->mhd);
        r->error.code[0] = '\0';
        whole = r->status != 0;
    }
    access_log_write(r, whole);
    release(r);
    atomic_store(&r->connection->held, 0);
    leave_account(r);
    if (r->in_flight)
        atomic_fetch_sub(&r->context->service->in_flight, 1);
    if (r->whole)
        connection_enter(r->connection, PHASE_IDLE);
    digest_free(r->digest);
    free(r);
}

void request_on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_RequestTerminationCode how)
{
    request *r = *slot;

    (void)context;
    (void)mhd;
    if (r == NULL)
        return;
    *slot = NULL;
    complete(r, r->sent || how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

void request_on_closed(const connection *c, request_context *context)
{
    request *r = context->open;

    while (r != NULL && r->connection != c)
        r = r->next_open;
    if (r != NULL)
        complete(r, r->sent);
}

/* ---- Rejecting ------------------------------------------------------------------------------- */

outcome request_reject(request *r, int http_status, const grad_error *error)
{
    if (r->status != 0)
        return OUTCOME_REJECTED;
    r->status = http_status;
    r->error = *error;
    r->state = REQUEST_DISCARDING;
    r->discard_limit = r->declared > 0 ? r->declared : r->received + DISCARD_BEYOND_LIMIT;
    r->discard_until = clock_now() + clock_from_seconds(r->context->service->config->body_timeout);
    return OUTCOME_REJECTED;
}

outcome request_reject_limit(request *r, int http_status, const char *code, const char *detail,
                             const char *limit_name, uint64_t limit)
{
    grad_error error = GRAD_ERROR_INIT;

    copy_text(error.code, sizeof error.code, code);
    copy_text(error.detail, sizeof error.detail, detail);
    if (limit_name != NULL) {
        copy_text(error.limit_name, sizeof error.limit_name, limit_name);
        error.limit = limit;
    }
    return request_reject(r, http_status, &error);
}

outcome request_reject_with(request *r, int http_status, const char *code, const char *detail)
{
    return request_reject_limit(r, http_status, code, detail, NULL, 0);
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
    return r->route != NULL && r->route->handler->takes_body;
}

uint64_t request_body_limit(const request *r)
{
    return takes_body(r) ? r->context->service->config->max_body : MAX_IGNORED_BODY;
}

const char *request_body_limit_name(const request *r)
{
    return takes_body(r) ? "max_body" : "max_ignored_body";
}

/* ---- Reading the headers --------------------------------------------------------------------- */

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_length, const char *value, size_t value_length)
{
    (void)kind;
    headers_add(context, name, name_length, value != NULL ? value : "",
                value != NULL ? value_length : 0);
    return MHD_YES;
}

static void read_headers(request *r, const char *method, const char *version)
{
    const char *end = NULL;
    const union MHD_ConnectionInfo *info;

    headers_begin(&r->headers, version);
#if MHD_VERSION < 0x01000000
    info = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    end = method + info->header_size;
    headers_expect_lines(&r->headers, version + strlen(version) + 2);
    if (r->uri + r->uri_length + 1 != version)
        r->headers.fault = "expected a request line without NUL, found one";
#else
    (void)method;
    (void)info;
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

    return (info != NULL ? info->header_size : 0) + (cookies != NULL ? strlen(cookies) : 0) +
           (size_t)notes * HEADER_NOTE_SIZE;
}

static void identify(request *r, const char *method, const char *version)
{
    copy_text(r->method, sizeof r->method, method);
    read_headers(r, method, version);
    r->header_room += room_taken(r);
    if (r->headers.request_id != NULL && headers_is_request_id(r->headers.request_id))
        copy_text(r->id, sizeof r->id, r->headers.request_id);
    if (r->headers.traceparent != NULL &&
        headers_read_traceparent(r->headers.traceparent, &r->trace))
        request_id_make(r->span_id);
    if (r->headers.want_content_digest != NULL)
        r->wanted_digest = digest_wanted(r->headers.want_content_digest);
    headers_have_body(&r->headers, &r->declared);
    r->expected = r->declared;
    cors_read(r);
}

/* ---- The calls ------------------------------------------------------------------------------- */

/* Whether a rejection is sent before the body is read, which ends the connection. It is not if
 * reading is cheaper than a new connection. */
static bool responds_at_once(const request *r)
{
    bool asks_first =
        r->headers.expect != NULL && strcasecmp(r->headers.expect, "100-continue") == 0;

    return r->closes || asks_first || r->headers.transfer_encoding != NULL ||
           r->declared > MAX_IGNORED_BODY;
}

/* Counts first: whoever waits for the count may then stop the event loops, which may have no
 * suspended connection. False: the daemon is stopping. */
static bool count_suspended(request *r)
{
    service *s = r->context->service;

    atomic_fetch_add(&s->suspended, 1);
    if (!atomic_load(&s->stopping))
        return true;
    atomic_fetch_sub(&s->suspended, 1);
    return false;
}

static outcome reject_stopping(request *r)
{
    metrics_count_rejection(REJECT_DRAINING);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "draining",
                               "the daemon is stopping; try again elsewhere");
}

/* Holds back the response of a rejection that is to be; false: it is to be sent now. The call that
 * comes when the connection is resumed sends it. */
static bool hold(request *r)
{
    if (!r->must_hold || r->held || !count_suspended(r))
        return false;
    r->held = true;
    connection_enter(r->connection, PHASE_WORK);
    MHD_suspend_connection(r->mhd);
    holding_take(r->context->service->holding, r);
    return true;
}

/* False: the connection must close. */
static bool send_rejection(request *r)
{
    return hold(r) || response_send_problem(r);
}

/* Begins with the body, or with reading away the one of a rejected request. */
static enum MHD_Result begin_body(request *r, outcome admitted)
{
    bool rejected;

    if (admitted == OUTCOME_MORE && r->route->handler->on_headers != NULL) {
        r->must_release = true;
        admitted = r->route->handler->on_headers(r);
    }
    rejected = admitted == OUTCOME_REJECTED;
    if (rejected)
        release(r);
    if (rejected && responds_at_once(r))
        return send_rejection(r) ? MHD_YES : MHD_NO;
    connection_enter(r->connection, PHASE_BODY);
    turn_rest(r);
    return MHD_YES;
}

/* On the watcher's thread. */
static void on_gone(void *context)
{
    request *r = context;

    if (r->state == REQUEST_WAITING)
        line_cancel(r->context->service->line, &r->ticket);
    else
        r->route->handler->on_gone(r);
}

/* Where there is no memory to watch the peer, its request goes on without. */
static void watch_peer(request *r)
{
    connection *c = r->connection;

    r->watched = watcher_watch(r->context->service->watcher, &c->watch, c->fd, on_gone, r);
}

/* Leaves the connection, which is counted, to the line; its peer waits for us. */
static enum MHD_Result wait_in_line(request *r)
{
    r->state = REQUEST_WAITING;
    r->suspended = true;
    connection_enter(r->connection, PHASE_WORK);
    MHD_suspend_connection(r->mhd);
    if (line_arm(r->context->service->line, &r->ticket))
        request_resume(r);
    else
        watch_peer(r);
    return MHD_YES;
}

static void greet(request *r)
{
    if (!r->connection->greeted)
        atomic_fetch_sub(&r->context->service->newcomers, 1);
    r->connection->greeted = true;
}

static outcome take_turn(request *r)
{
    outcome taken;

    if (!count_suspended(r))
        return reject_stopping(r);
    taken = turn_take(r);
    if (taken != OUTCOME_SUSPENDED)
        atomic_fetch_sub(&r->context->service->suspended, 1);
    return taken;
}

static enum MHD_Result on_headers(request *r, const char *method, const char *version)
{
    outcome admitted;

    if (r->context->role == ROLE_SERVICE) {
        atomic_fetch_add(&r->context->service->in_flight, 1);
        r->in_flight = true;
        greet(r);
    }
    r->state = REQUEST_RECEIVING;
    identify(r, method, version);
    admitted = r->context->service->admit(r);
    if (admitted == OUTCOME_MORE)
        admitted = take_turn(r);
    return admitted == OUTCOME_SUSPENDED ? wait_in_line(r) : begin_body(r, admitted);
}

/* libmicrohttpd calls once more as it did first. */
static enum MHD_Result on_turn(request *r)
{
    stop_watching(r); /* before the state changes, which on_gone asks for */
    if (r->gone)
        return MHD_NO;
    r->state = REQUEST_RECEIVING;
    r->suspended = false;
    r->waited = clock_to_seconds(clock_now() - r->line_at);
    return begin_body(r, turn_answer(r));
}

static outcome reject_growth(request *r)
{
    metrics_count_rejection(REJECT_BODY_TOO_LARGE);
    return request_reject_limit(r, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large",
                                "the body is longer than its limit", request_body_limit_name(r),
                                request_body_limit(r));
}

/* Rejects a body that grows over its limit; a declared length was checked before. */
static outcome receive(request *r, const char *bytes, size_t length)
{
    if (r->received > request_body_limit(r))
        return reject_growth(r);
    digest_add(r->digest, bytes, length);
    return r->route->handler->on_body != NULL ? r->route->handler->on_body(r, bytes, length)
                                              : OUTCOME_MORE;
}

static enum MHD_Result on_body(request *r, const char *bytes, size_t length)
{
    connection_received(r->connection, length);
    r->received += length;
    if (r->state == REQUEST_RECEIVING) {
        turn_work(r);
        if (receive(r, bytes, length) == OUTCOME_REJECTED)
            release(r);
        turn_rest(r);
        return MHD_YES;
    }
    if (r->received <= r->discard_limit && clock_now() <= r->discard_until)
        return MHD_YES;
    response_send_early(r);
    return MHD_NO;
}

static outcome suspend(request *r)
{
    outcome handed_over;

    if (!count_suspended(r))
        return reject_stopping(r);
    r->suspended = true;
    MHD_suspend_connection(r->mhd);
    handed_over = r->route->handler->on_suspended(r);
    if (handed_over == OUTCOME_REJECTED)
        request_resume(r);
    else
        watch_peer(r);
    return handed_over;
}

/* The connection is resumed before the count falls. */
void request_resume(request *r)
{
    service *s = r->context->service;

    MHD_resume_connection(r->mhd);
    atomic_fetch_sub(&s->suspended, 1);
}

/* 400: what came is not what was sent. */
static outcome check_digest(request *r)
{
    char detail[GRAD_DETAIL_SIZE];

    if (r->digest == NULL || digest_matches(r->digest, detail, sizeof detail))
        return OUTCOME_MORE;
    return request_reject_with(r, MHD_HTTP_BAD_REQUEST, "digest_mismatch", detail);
}

static outcome respond(request *r, bool resumed)
{
    const handler *h = r->route->handler;
    outcome happened = resumed ? OUTCOME_MORE : check_digest(r);

    if (happened == OUTCOME_MORE)
        happened = resumed ? h->on_resume(r) : h->on_end(r);

    if (happened == OUTCOME_SUSPENDED)
        happened = suspend(r);
    if (happened == OUTCOME_REJECTED)
        release(r);
    return happened;
}

static enum MHD_Result on_end(request *r)
{
    bool resumed = r->suspended, sent;
    outcome happened;

    r->whole = true;
    r->suspended = false;
    connection_enter(r->connection, PHASE_WORK);
    stop_watching(r);
    if (r->gone)
        return MHD_NO;
    turn_work(r);
    if (!resumed)
        r->stages[STAGE_RECEIVE] = clock_to_seconds(clock_now() - r->line_at) - r->waited;
    happened = r->state == REQUEST_RECEIVING ? respond(r, resumed) : OUTCOME_REJECTED;
    if (r->suspended)
        return MHD_YES;
    sent = happened == OUTCOME_DONE ? response_send(r) : send_rejection(r);
    turn_leave(r);
    return sent ? MHD_YES : MHD_NO;
}

enum MHD_Result request_on_call(void *context, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **slot)
{
    request *r = *slot;

    (void)context;
    (void)mhd;
    (void)url; /* with its escapes undone: two spellings of a path are two paths here */
    if (r == NULL)
        return MHD_NO;
    if (r->held)
        return response_send_problem(r) ? MHD_YES : MHD_NO;
    if (r->state == REQUEST_NEW)
        return on_headers(r, method, version);
    if (r->state == REQUEST_WAITING)
        return on_turn(r);
    if (*upload_size > 0) {
        size_t length = *upload_size;
        *upload_size = 0;
        return on_body(r, upload, length);
    }
    return on_end(r);
}

void request_log_number(request *r, const char *name, double value)
{
    for (size_t i = 0; i < REQUEST_NUMBERS; i++) {
        if (r->numbers[i].name == NULL) {
            r->numbers[i] = (request_number){name, value};
            return;
        }
    }
}
