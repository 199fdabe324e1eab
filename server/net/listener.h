/* Listening sockets: from HOST:PORT to a descriptor, back to the address that was chosen, and the
 * thread that accepts connections and hands them on. Above the limit it answers 503 itself. */
#ifndef GRADIENTD_LISTENER_H
#define GRADIENTD_LISTENER_H

#include "net/lingering.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LISTENER_ADDRESS_SIZE 128

/* Opens a listening socket at that address; port 0 takes a free one. "*:8080" is all of IPv6 and
 * IPv4, or all of IPv4 where the kernel has no IPv6. Returns the descriptor, which
 * the caller closes, or -1 with the reason in message. */
int listener_open(const char *address, char *message, size_t message_size);

/* The same at that path, of that mode and owner ("": whoever runs the process). A socket's file
 * that nobody listens at is replaced. */
int listener_open_unix(const char *path, size_t mode, const char *owner, char *message,
                       size_t message_size);

/* "127.0.0.1:8080" or "[::1]:8080" of the socket's own address; "unix:/path", cut off where it is
 * longer. */
void listener_address(int fd, char text[LISTENER_ADDRESS_SIZE]);

/* Whether it is a Unix socket. */
bool listener_is_unix(int fd);

/* Removes the file of such a socket, where this process may. */
void listener_remove_file(int fd);

/* Whether that address is the loopback's, so that nobody else reaches it. */
bool listener_is_local(int fd);

/* Any address as text; "unknown" where it is of no kind known here. */
void listener_format(const struct sockaddr *socket_address, char text[LISTENER_ADDRESS_SIZE]);

/* The same number for all connections of one peer, and hardly ever for two: its IPv4 address, or
 * the first 64 bits of its IPv6 address, which one site has for itself (RFC 6177). 0 for others. */
uint64_t listener_peer_key(const struct sockaddr *socket_address);

/* ---- Accepting ------------------------------------------------------------------------------- */

typedef struct acceptor acceptor;

/* Receives connections. take owns the descriptor from then on, even if it returns false; only the
 * acceptor's thread calls it. */
typedef struct acceptor_target {
    void *context;
    size_t (*load)(void *context); /* connections taken and not closed yet */
    /* Those of that peer; NULL: nobody is limited. */
    size_t (*load_of_peer)(void *context, const struct sockaddr *peer);
    /* Ends one of them that does nothing, so that another may be taken in its place. False: all are
     * busy. NULL: none gives way. */
    bool (*make_room)(void *context);
    bool (*take)(void *context, int fd, const struct sockaddr *peer, socklen_t size);
    /* Whether what that peer (listener_peer_key) would send is refused anyway: saying so before
     * reading it costs a part of the time. NULL: never. */
    bool (*refuses)(void *context, uint64_t peer);
    size_t peer_limit; /* max-peer-connections */
    bool is_shared;    /* others hold the listening socket too: it is left as it is */
    bool speaks_tls;   /* one above the limit is closed without a word, which it could not read */
} acceptor_target;

/* Takes over the listening descriptor. The target and what lingers must outlive the acceptor. NULL:
 * no memory or no thread; the descriptor is closed then. */
acceptor *acceptor_start(int listening_fd, acceptor_target target, size_t max_connections,
                         lingering *rejected);

/* Accepts what the kernel has completed, closes the listener and ends the thread. NULL is fine. */
void acceptor_stop(acceptor *a);

#endif
