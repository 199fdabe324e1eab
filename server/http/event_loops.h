/* Event loops: threads that own sockets and speak HTTP by libmicrohttpd, one daemon of one loop
 * each. They have no listening socket: an acceptor hands them connections. */
#ifndef GRADIENTD_EVENT_LOOPS_H
#define GRADIENTD_EVENT_LOOPS_H

#include "http/service.h"
#include "net/listener.h"

typedef struct event_loops event_loops;

/* Starts count loops for the requests of that listener, of Unix sockets or others. memory is the
 * buffer of each connection, half of which takes a piece of a body. NULL: no memory or no threads.
 */
event_loops *event_loops_start(service *s, service_role role, bool is_unix, size_t count,
                               size_t memory);

/* For an acceptor: hands each connection to the loop that has the fewest. */
acceptor_target event_loops_target(event_loops *loops);

/* Connections handed over and not closed yet. */
size_t event_loops_load(event_loops *loops);

/* Ends the loops and closes their connections. No request may be suspended. NULL is fine. */
void event_loops_stop(event_loops *loops);

#endif
