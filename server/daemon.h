/* The daemon as a whole: what is started in which order, and how it ends. */
#ifndef GRADIENTD_DAEMON_H
#define GRADIENTD_DAEMON_H

#include "http/event_loops.h"

typedef struct gradientd {
    service service;
    int listeners[ROLE_COUNT];  /* until there are acceptors; negative: none */
    bool is_shared[ROLE_COUNT]; /* the service manager has the listener too, and keeps it */
    event_loops *loops[ROLE_COUNT];
    acceptor *acceptors[ROLE_COUNT];
    char addresses[ROLE_COUNT][LISTENER_ADDRESS_SIZE]; /* "": no such listener */
    bool is_local[ROLE_COUNT];                         /* only this machine reaches it */
} gradientd;

/* Lowers max-connections, with a warning, to what the descriptors of the process allow, where it is
 * the default in loaded. False: it was set, and does not fit; message has the arithmetic. */
bool daemon_fit_descriptors(const config *loaded, config *c, char *message, size_t message_size);

/* Takes what only a process with all its rights gets: opens the listeners. The configuration must
 * be resolved and outlive the daemon. False: nothing is left open, and message has the reason. */
bool daemon_open(gradientd *d, const config *c, char *message, size_t message_size);

/* Starts all threads of a daemon that was opened. True: it accepts requests. False: nothing is left
 * running, and message has the reason. */
bool daemon_start(gradientd *d, char *message, size_t message_size);

/* Makes the daemon not ready, and lets responses end their connections. */
void daemon_end_readiness(gradientd *d);

/* Closes the listener of the service, or leaves it to those who have it too. The admin listener
 * stays. */
void daemon_drain(gradientd *d);

/* While draining: whether all requests are answered and all connections closed. With linger,
 * connections between two requests are closed; before that their peers may learn of the end from a
 * response. */
bool daemon_is_drained(gradientd *d, bool linger);

/* Ends everything and cuts off open requests. False: a worker did not return within a second, and
 * nothing was freed. */
bool daemon_stop(gradientd *d);

#endif
