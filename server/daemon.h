/* The daemon as a whole: what is started in which order, and how it ends. */
#ifndef GRADIENTD_DAEMON_H
#define GRADIENTD_DAEMON_H

#include "http/event_loops.h"

typedef struct gradientd {
    service service;
    event_loops *loops[ROLE_COUNT];
    acceptor *acceptors[ROLE_COUNT];
    char addresses[ROLE_COUNT][LISTENER_ADDRESS_SIZE]; /* "": no such listener */
    bool is_local[ROLE_COUNT];                         /* only this machine reaches it */
} gradientd;

/* Opens the listeners and starts all threads; the configuration must be resolved and outlive the
 * daemon. When it returns true requests are answered. Otherwise nothing is left running and message
 * has the reason. */
bool daemon_start(gradientd *d, const config *c, char *message, size_t message_size);

/* Not ready from now on: closes the listener of the service, and lets responses end their
 * connections. The admin listener stays. */
void daemon_drain(gradientd *d);

/* Draining, whether all requests are answered and all connections closed. Once linger is true,
 * connections that are between two requests are closed; until then their peers may learn of the end
 * from a response. */
bool daemon_is_drained(gradientd *d, bool linger);

/* Ends everything. Requests that are still open are cut off; false where a worker does not come
 * back within a second, and nothing was freed then. */
bool daemon_stop(gradientd *d);

#endif
