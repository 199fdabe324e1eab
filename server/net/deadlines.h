/* Which deadline a connection has run past: a pure function of what is known about it, so that it
 * can be tested without sockets. Who asks, and what is done about it, is connections.h. */
#ifndef GRADIENTD_DEADLINES_H
#define GRADIENTD_DEADLINES_H

#include "config/config.h"

#include <stdint.h>

/* Where a connection is between two requests. */
typedef enum connection_phase {
    PHASE_NEW,     /* accepted, no request line yet */
    PHASE_HEADERS, /* a request line has come, not all headers */
    PHASE_BODY,
    PHASE_WORK,  /* the request is whole, the response is being made: the daemon's own deadlines */
    PHASE_REPLY, /* the response is on its way */
    PHASE_IDLE   /* between two requests */
} connection_phase;

/* How far it is. Times are clock_now's. */
typedef struct connection_progress {
    connection_phase phase;
    int64_t began;    /* of the phase; PHASE_HEADERS of a first request: since it was accepted */
    int64_t last;     /* when the peer last sent or took bytes in this phase */
    uint64_t bytes;   /* sent or taken by the peer in this phase */
    uint64_t request; /* counts the connection's requests */
} connection_progress;

typedef enum connection_verdict {
    VERDICT_FINE,
    VERDICT_IDLE,
    VERDICT_SLOW_HEADER,
    VERDICT_SLOW_BODY,
    VERDICT_SLOW_READER
} connection_verdict;

connection_verdict deadlines_judge(const connection_progress *progress, const config *limits,
                                   int64_t now);

/* How often the deadlines of that configuration should be looked at, in nanoseconds. */
int64_t deadlines_interval(const config *limits);

#endif
