/* Listening sockets: from HOST:PORT to a descriptor, and back to the address that was chosen. What
 * is accepted, and by whom, is acceptor.h. */
#ifndef GRADIENTD_LISTENER_H
#define GRADIENTD_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define LISTENER_ADDRESS_SIZE 64

/* Opens a listening socket at that address; port 0 takes a free one. "*:8080" is all of IPv6 and
 * IPv4, or all of IPv4 where the kernel has no IPv6. Returns the descriptor, which
 * the caller closes, or -1 with the reason in message. */
int listener_open(const char *address, char *message, size_t message_size);

/* "127.0.0.1:8080" or "[::1]:8080" of the socket's own address. */
void listener_address(int fd, char text[LISTENER_ADDRESS_SIZE]);

/* Whether that address is the loopback's, so that nobody else reaches it. */
bool listener_is_local(int fd);

/* Any address as text; "unknown" where it is neither IPv4 nor IPv6. */
void listener_format(const struct sockaddr *socket_address, char text[LISTENER_ADDRESS_SIZE]);

#endif
