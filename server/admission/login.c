/* Tokens and quotas. */
#include "admission/login.h"

#include "access/access.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "platform/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* RFC 6750, section 2.1: what a token may be made of. */
#define TOKEN_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/"
#define REALM "Bearer realm=\"gradientd\""

static bool is_open(const request *r)
{
    return r->context->service->access == NULL || r->context->role != ROLE_SERVICE ||
           r->route->metric == ROUTE_HEALTH || r->route == r->context->service->routes->options;
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* At most a line a second, which says how many there were since the last one. */
static void log_failure(const request *r, metrics_login reason)
{
    static _Atomic int64_t logged_at = INT64_MIN / 2;
    static _Atomic uint64_t unlogged;
    int64_t now = clock_now(), last = atomic_load(&logged_at);

    atomic_fetch_add(&unlogged, 1);
    if (now - last < NS_PER_SECOND || !atomic_compare_exchange_strong(&logged_at, &last, now))
        return;
    log_write(LOG_WARNING, "login failed",
              (log_field[]){LOG_TEXT("reason", metrics_login_name(reason)),
                            LOG_TEXT("peer", r->connection->peer), LOG_TEXT("request_id", r->id),
                            LOG_NUMBER("count", atomic_exchange(&unlogged, 0)), LOG_END});
}

static outcome reject(request *r, metrics_login reason)
{
    static const struct {
        int status;
        const char *code, *detail, *challenge;
    } rows[] = {
        [LOGIN_MISSING] = {.status = MHD_HTTP_UNAUTHORIZED,
                           .code = "unauthorized",
                           .detail = "expected an Authorization: Bearer with a token, found none",
                           .challenge = REALM},
        [LOGIN_MALFORMED] = {.status = MHD_HTTP_BAD_REQUEST,
                             .code = "bad_authorization",
                             .detail = "expected Bearer, a blank and a token in Authorization, "
                                       "found another text",
                             .challenge = REALM ", error=\"invalid_request\""},
        [LOGIN_UNKNOWN] = {.status = MHD_HTTP_UNAUTHORIZED,
                           .code = "invalid_token",
                           .detail = "expected a token that is valid, found another one",
                           .challenge = REALM ", error=\"invalid_token\""},
        [LOGIN_EXPIRED] = {.status = MHD_HTTP_UNAUTHORIZED,
                           .code = "invalid_token",
                           .detail = "expected a token that is valid, found one that has expired",
                           .challenge = REALM ", error=\"invalid_token\", "
                                              "error_description=\"the token has expired\""},
    };

    metrics_count_login(reason);
    log_failure(r, reason);
    r->challenge = rows[reason].challenge;
    r->must_hold = reason != LOGIN_MISSING; /* that is no try */
    return request_reject_with(r, rows[reason].status, rows[reason].code, rows[reason].detail);
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

/* The token in an Authorization, or NULL, and then *reason says why there is none. */
static const char *find_token(const char *authorization, size_t *length, metrics_login *reason)
{
    static const char scheme[] = "Bearer";
    const char *at = authorization;
    size_t bytes;

    *reason = LOGIN_MISSING;
    if (at == NULL || strncasecmp(at, scheme, sizeof scheme - 1) != 0)
        return NULL;
    at += sizeof scheme - 1;
    *reason = LOGIN_MALFORMED;
    if (*at != ' ')
        return NULL;
    at += strspn(at, " ");
    bytes = strspn(at, TOKEN_BYTES);
    *length = bytes + strspn(at + bytes, "=");
    return bytes > 0 && at[*length + strspn(at + *length, " \t")] == '\0' ? at : NULL;
}

outcome login_step(request *r)
{
    struct timespec now;
    metrics_login reason;
    size_t length = 0;
    const char *token;

    if (is_open(r))
        return OUTCOME_MORE;
    token = find_token(r->headers.authorization, &length, &reason);
    if (token == NULL)
        return reject(r, reason);
    clock_gettime(CLOCK_REALTIME, &now);
    switch (access_find(r->context->service->access, token, length, now.tv_sec, &r->account)) {
    case ACCESS_UNKNOWN:
        return reject(r, LOGIN_UNKNOWN);
    case ACCESS_EXPIRED:
        r->token = account_name(r->account);
        return reject(r, LOGIN_EXPIRED);
    case ACCESS_GRANTED:
        break;
    }
    r->token = account_name(r->account);
    return OUTCOME_MORE;
}

/* ---- Quotas ---------------------------------------------------------------------------------- */

outcome quota_step(request *r)
{
    const quota_view *broken;
    char detail[GRAD_DETAIL_SIZE];

    if (r->account == NULL)
        return OUTCOME_MORE;
    if (account_enter(r->account, r->declared, clock_now(), &r->quota)) {
        r->entered = true;
        return OUTCOME_MORE;
    }
    broken = r->quota.broken;
    metrics_count_rejection(REJECT_QUOTA);
    if (broken->window > 0)
        snprintf(detail, sizeof detail,
                 "expected at most %" PRIu64 " %s in %" PRIu64 " s of the token %s, found more",
                 broken->amount, broken->unit != NULL ? "bytes" : "requests", broken->window,
                 r->token);
    else
        snprintf(detail, sizeof detail,
                 "expected at most %" PRIu64 " requests at once of the token %s, found one more",
                 broken->amount, r->token);
    return request_reject_limit(r, MHD_HTTP_TOO_MANY_REQUESTS, "quota_exceeded", detail,
                                broken->name, broken->amount);
}
