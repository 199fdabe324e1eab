/* Between requests and the line: what a request costs, whose it is, and what its peer is told when
 * it may not wait. */
#include "http/turn.h"

#include "platform/clock.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

/* What a request costs beside the bytes of its body, as bytes: of 1.3 KB six thousand are served
 * while eighty of 616 KB are. */
#define COST_OF_REQUEST 8192
/* A body of unknown length is taken for one that is large. */
#define COST_OF_UNKNOWN ((uint64_t)256 << 10)
/* Larger bodies wait for their memory, */
#define SMALL_BODY ((uint64_t)32 << 10)
/* and those above this among themselves, for as long as queue-timeout: they take long anyway. */
#define LARGE_BODY ((uint64_t)4 << 20)

static line *line_of(const request *r)
{
    return r->context->service->line;
}

static bool has_unknown_length(const request *r)
{
    return r->declared == 0 && r->headers.transfer_encoding != NULL;
}

/* Whose it is: the bearer's of its token, else its address'. */
static uint64_t peer_of(const request *r)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325); /* FNV-1a, with its offset and prime */

    if (r->token == NULL)
        return r->connection->peer_key;
    for (const char *c = r->token; *c; c++)
        key = (key ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    return key;
}

static line_class class_of(const request *r, uint64_t length)
{
    if (r->route->handler->takes_long)
        return LINE_LONG;
    return length <= SMALL_BODY ? LINE_SMALL : length <= LARGE_BODY ? LINE_LARGE : LINE_HUGE;
}

/* ---- The answers ----------------------------------------------------------------------------- */

/* Whole seconds, as Retry-After has them. */
static unsigned seconds_to_wait(double wait)
{
    return wait > 1 ? (unsigned)ceil(wait) : 1;
}

static outcome reject_overload(request *r)
{
    const config *limits = r->context->service->config;
    bool is_huge = r->ticket.which == LINE_HUGE;
    char detail[GRAD_DETAIL_SIZE];

    snprintf(detail, sizeof detail,
             "expected a wait of at most %s, %.3g s, found %.3g s of work ahead; try again",
             is_huge ? "queue-timeout" : "max-wait",
             is_huge ? limits->queue_timeout : limits->max_wait, r->ticket.wait);
    r->retry_after = seconds_to_wait(r->ticket.wait);
    metrics_count_rejection(REJECT_OVERLOADED);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "overloaded", detail);
}

static outcome reject(request *r, metrics_rejection reason, const char *code, const char *detail)
{
    metrics_count_rejection(reason);
    return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, code, detail);
}

static outcome act_on(request *r, line_answer given)
{
    switch (given) {
    case LINE_TURN:
        return OUTCOME_MORE;
    case LINE_WAIT:
        return OUTCOME_SUSPENDED;
    case LINE_OVERLOADED:
        return reject_overload(r);
    case LINE_FULL:
        return reject(r, REJECT_QUEUE_FULL, "queue_full",
                      "queue-depth requests wait already; try again");
    case LINE_EXPIRED:
        return reject(r, REJECT_QUEUE_TIMEOUT, "queue_timeout",
                      "the request did not get its turn within queue-timeout; try again");
    case LINE_GONE: /* nobody reads it: the connection is closed before */
    case LINE_CLOSED:
        return reject(r, REJECT_DRAINING, "draining",
                      "the daemon is stopping; try again elsewhere");
    case LINE_NO_MEMORY:
        break;
    }
    return reject(r, REJECT_MEMORY, "out_of_memory",
                  "no memory for a place in the line; try again");
}

/* ---- A place --------------------------------------------------------------------------------- */

static void on_turn(line_ticket *t)
{
    request_resume((request *)(void *)((char *)t - offsetof(request, ticket)));
}

outcome turn_take(request *r)
{
    const config *limits = r->context->service->config;
    uint64_t length = has_unknown_length(r) ? COST_OF_UNKNOWN : r->expected;
    int64_t now = clock_now();
    line_terms terms = {.max_wait = limits->max_wait,
                        .deadline = now + clock_from_seconds(limits->queue_timeout)};

    if (!r->route->handler->takes_body)
        return OUTCOME_MORE;
    r->ticket = (line_ticket){.peer = peer_of(r),
                              .which = class_of(r, length),
                              .cost = COST_OF_REQUEST + (double)length,
                              .memory = (size_t)length,
                              .on_turn = on_turn};
    if (r->ticket.which == LINE_HUGE)
        terms.max_wait = limits->queue_timeout;
    /* One that waits may be answered by now, on another thread: it finds out when it arms. */
    return act_on(r, line_enter(line_of(r), &r->ticket, &terms, now));
}

outcome turn_answer(request *r)
{
    return act_on(r, r->ticket.answer);
}

void turn_work(request *r)
{
    if (r->ticket.owner != NULL)
        line_work(line_of(r), &r->ticket, clock_now());
}

void turn_rest(request *r)
{
    bool is_whole = r->received == r->declared && !has_unknown_length(r);

    if (r->ticket.owner != NULL && !is_whole && !connection_has_unread(r->connection))
        line_rest(line_of(r), &r->ticket, clock_now());
}

void turn_leave(request *r)
{
    uint64_t length = r->decoded > r->received ? r->decoded : r->received;

    if (r->ticket.owner != NULL)
        line_leave(line_of(r), &r->ticket, COST_OF_REQUEST + (double)length, clock_now());
}
