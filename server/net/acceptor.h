/* The thread that accepts connections of one listener and hands them on; above the limit it answers
 * 503 itself. */
#ifndef GRADIENTD_ACCEPTOR_H
#define GRADIENTD_ACCEPTOR_H

#include "net/lingering.h"

#include <sys/socket.h>

typedef struct acceptor acceptor;

/* Where connections go. take owns the descriptor from then on, also where it returns false; it is
 * called by the acceptor's thread alone. */
typedef struct acceptor_target {
    void *context;
    size_t (*load)(void *context); /* connections taken and not closed yet */
    bool (*take)(void *context, int fd, const struct sockaddr *peer, socklen_t size);
} acceptor_target;

/* Takes over the listening descriptor. The target and what lingers must outlive the acceptor. NULL:
 * no memory or no thread; the descriptor is closed then. */
acceptor *acceptor_start(int listening_fd, acceptor_target target, size_t max_connections,
                         lingering *rejected);

/* Accepts what the kernel has completed already, closes the listener and ends the thread. NULL is
 * fine. */
void acceptor_stop(acceptor *a);

#endif
