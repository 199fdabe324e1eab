/* Opening of listening sockets, and addresses as text. */
#include "net/listener.h"

#include "config/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Connections that the kernel may hold before they are accepted; it caps this at somaxconn. */
#define BACKLOG 1024

static int open_one(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

int listener_open(const char *address_text, char *message, size_t message_size)
{
    address parts;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    if (!address_split(address_text, &parts)) {
        snprintf(message, message_size, "\"%s\" is not HOST:PORT", address_text);
        return -1;
    }
    int reason = getaddrinfo(parts.host, parts.port, &hints, &found);
    if (reason != 0) {
        snprintf(message, message_size, "cannot find %s: %s", address_text, gai_strerror(reason));
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = open_one(at);
    if (fd < 0) {
        snprintf(message, message_size, "cannot listen on %s: %s", address_text,
                 strerrordesc_np(errno));
    }
    freeaddrinfo(found);
    return fd;
}

void listener_format(const struct sockaddr *socket_address, char text[LISTENER_ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    if (socket_address && socket_address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, socket_address, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        snprintf(text, LISTENER_ADDRESS_SIZE, "%s:%u", host, (unsigned)ntohs(v4.sin_port));
    } else if (socket_address && socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, socket_address, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
        snprintf(text, LISTENER_ADDRESS_SIZE, "[%s]:%u", host, (unsigned)ntohs(v6.sin6_port));
    } else {
        snprintf(text, LISTENER_ADDRESS_SIZE, "unknown");
    }
}

void listener_address(int fd, char text[LISTENER_ADDRESS_SIZE])
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    bool known = getsockname(fd, (struct sockaddr *)&own, &size) == 0;
    listener_format(known ? (struct sockaddr *)&own : NULL, text);
}
