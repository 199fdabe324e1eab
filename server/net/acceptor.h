/* The thread that accepts connections of one listener and hands them to event loops; above the
 * limit it answers 503 itself. */
#ifndef GRADIENTD_ACCEPTOR_H
#define GRADIENTD_ACCEPTOR_H

#include "net/event_loops.h"
#include "net/lingering.h"

typedef struct acceptor acceptor;

/* Takes over the listening descriptor. The loops and what lingers must outlive
 * the acceptor. NULL: no memory or no
 * thread; the descriptor is closed then. */
acceptor *acceptor_start(int listening_fd, event_loops *loops, size_t max_connections,
                         lingering *refused);

/* Accepts what the kernel has completed already, closes the listener and ends the thread. NULL is
 * fine. */
void acceptor_stop(acceptor *a);

#endif
