/* The daemon's counters, and their text for Prometheus. All functions are thread-safe and none
 * blocks. */
#ifndef GRADIENTD_METRICS_H
#define GRADIENTD_METRICS_H

#include "gradient_wire.h"

typedef enum metrics_route {
    ROUTE_GRADIENTS,
    ROUTE_BACKPROP,
    ROUTE_CHECK,
    ROUTE_INFERENCE,
    ROUTE_INFO,
    ROUTE_MODEL, /* what the Open Inference Protocol's clients ask before */
    ROUTE_HEALTH,
    ROUTE_METRICS,
    ROUTE_OTHER,
    ROUTE_COUNT
} metrics_route;

typedef enum metrics_stage {
    STAGE_RECEIVE, /* first byte of the headers to the last of the body */
    STAGE_DECODE,  /* CPU inside the decoder */
    STAGE_QUEUE,
    STAGE_COMPUTE,
    STAGE_ENCODE,
    STAGE_TOTAL, /* headers to reply complete */
    STAGE_COUNT
} metrics_stage;

typedef enum metrics_rejection {
    REJECT_BODY_TOO_LARGE,
    REJECT_RESULT_TOO_LARGE,
    REJECT_MEMORY,     /* 503: other requests hold the budget */
    REJECT_OVERLOADED, /* 503: it would wait for longer than max-wait */
    REJECT_QUEUE_FULL, /* 503 */
    REJECT_QUEUE_TIMEOUT,
    REJECT_CONNECTIONS,      /* 503 at accept, */
    REJECT_PEER_CONNECTIONS, /* of one peer, */
    REJECT_DESCRIPTORS,      /* because there were none */
    REJECT_DRAINING,         /* 503 */
    REJECT_DEADLINE,         /* 504 */
    REJECT_SLOW_HEADER,
    REJECT_SLOW_BODY,
    REJECT_SLOW_READER,
    REJECT_BAD_FRAMING, /* 400 on the headers */
    REJECT_CLIENT_GONE, /* its work was stopped */
    REJECT_QUOTA,       /* 429: of the token */
    REJECT_TLS_HANDSHAKE,
    REJECT_TLS_CLIENT, /* by its certificate */
    REJECT_HOST,       /* 421: of a name that is not ours */
    REJECT_COUNT
} metrics_rejection;

/* Why a request without a good token was refused. */
typedef enum metrics_login {
    LOGIN_MISSING, /* no token */
    LOGIN_MALFORMED,
    LOGIN_UNKNOWN, /* wrong, or revoked */
    LOGIN_EXPIRED,
    LOGIN_COUNT
} metrics_login;

/* How the discarding of a request's rest ended. All but the first may have lost the response. */
typedef enum metrics_lingering_end {
    LINGERING_PEER_CLOSED,
    LINGERING_TOO_LONG,
    LINGERING_TOO_LARGE,
    LINGERING_CROWDED_OUT,
    LINGERING_END_COUNT
} metrics_lingering_end;

/* http_status 0: the connection ended before a response. */
void metrics_count_request(metrics_route route, int http_status);
void metrics_count_bytes(size_t received, size_t sent);
void metrics_observe_stage(metrics_stage stage, double seconds);
void metrics_count_rejection(metrics_rejection reason);
void metrics_count_login(metrics_login reason);
void metrics_count_lingering(metrics_lingering_end how);
void metrics_count_lost_line(void); /* of the log */
const char *metrics_rejection_name(metrics_rejection reason);
const char *metrics_login_name(metrics_login reason);
const char *metrics_route_name(metrics_route route);
const char *metrics_stage_name(metrics_stage stage);

/* What is read when it is asked for, not counted. */
typedef struct metrics_gauges {
    size_t connections;
    size_t lingering; /* answered before their request ended; not among the connections */
    size_t in_flight; /* requests between their headers and the end of their response */
    size_t queue_waiting;
    size_t queue_depth;
    size_t workers;
    size_t workers_busy_jobs;
    size_t memory_reserved;
    size_t memory_budget;
    size_t memory_unsent; /* of responses in the kernel */
    bool draining;
    double expected_wait;    /* seconds */
    double tls_seconds_left; /* until the certificate expires; NAN: there is none */
} metrics_gauges;

/* A family of the exposition. */
typedef struct metrics_family {
    const char *name;   /* "gradientd_requests_total" */
    const char *type;   /* "counter" */
    const char *labels; /* "route, status", or "" */
    const char *help;
    const char *advice; /* what to do when it moves */
} metrics_family;

/* The families in the order of the exposition; NULL behind the last. */
const metrics_family *metrics_family_at(size_t index);

/* Adds the whole exposition, text format 0.0.4, each family with HELP and TYPE. */
void metrics_write(const metrics_gauges *gauges, grad_text *text);

#endif
