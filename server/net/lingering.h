/* Lingering close (RFC 9112, section 9.6): a socket that is closed with bytes unread, or to which
 * bytes still come, is reset, and the reset may overtake the response. Connections that were
 * answered before their request was read come here instead: a thread of its own reads and discards
 * until the peer closes, for a bounded time, size and number of them. They count as closed. */
#ifndef GRADIENTD_LINGERING_H
#define GRADIENTD_LINGERING_H

#include "config/config.h"

/* At once, or as many as lingering_start was given if they are fewer. One more ends the one that
 * has been here longest. */
#define LINGERING_MAX 1024

typedef struct lingering lingering;

/* linger_timeout and linger_size of limits are each connection's bounds; limits must outlive it.
 * most: at least 1. NULL: no memory, descriptors or thread. */
lingering *lingering_start(const config *limits, size_t most);

/* Ends the writing side of a connected socket, whose response is in the kernel's hands, and keeps
 * the descriptor, which must be non-blocking. Any thread; never waits. */
void lingering_take(lingering *l, int fd);

/* How many there are. */
size_t lingering_count(lingering *l);

/* Gives those that are left half a second, closes them and ends the thread. Nobody may take any
 * more. NULL is fine. */
void lingering_stop(lingering *l);

#endif
