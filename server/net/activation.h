/* Listening sockets that a service manager has opened and hands over (sd_listen_fds(3)): it keeps
 * them over a restart, so that no connection is refused meanwhile. */
#ifndef GRADIENTD_ACTIVATION_H
#define GRADIENTD_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

/* Takes the sockets handed over, by the environment's LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
 * fds[i] becomes the one that is called names[i], or else the first of the others that has no
 * place yet; -1 where there is none. False, and the reason in message: one is no listening stream
 * socket, or nobody wants it. */
bool activation_take(const char *const *names, int *fds, size_t count, char *message,
                     size_t message_size);

#endif
