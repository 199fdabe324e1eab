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

static int open_one(const struct addrinfo *at, bool both)
{
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, off = 0;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (both && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) ||
        bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* both: an IPv6 socket takes IPv4 too. -1: errno says why, or message where it is not empty. */
static int open_host(const char *host, const char *port, bool both, char *message,
                     size_t message_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int fd = -1, reason = getaddrinfo(host, port, &hints, &found);
    if (reason != 0) {
        snprintf(message, message_size, "cannot find %s: %s", host, gai_strerror(reason));
        return -1;
    }
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = open_one(at, both);
    reason = errno;
    freeaddrinfo(found);
    errno = reason;
    return fd;
}

/* A kernel may be without IPv6, or have been told to do without. */
static int open_all(const char *port, char *message, size_t message_size)
{
    int fd = open_host("::", port, true, message, message_size);
    bool lacks_ipv6 = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
    return fd < 0 && lacks_ipv6 ? open_host("0.0.0.0", port, false, message, message_size) : fd;
}

int listener_open(const char *address_text, char *message, size_t message_size)
{
    address parts;
    if (!address_split(address_text, &parts)) {
        snprintf(message, message_size, "\"%s\" is not HOST:PORT", address_text);
        return -1;
    }
    message[0] = '\0';
    int fd = strcmp(parts.host, ADDRESS_ALL) == 0
                 ? open_all(parts.port, message, message_size)
                 : open_host(parts.host, parts.port, false, message, message_size);
    if (fd < 0 && message[0] == '\0') {
        snprintf(message, message_size, "cannot listen on %s: %s", address_text,
                 strerrordesc_np(errno));
    }
    return fd;
}

/* An IPv4 peer of a socket that takes both is shown as what it is. */
static bool find_ipv4(const struct sockaddr *socket_address, struct in_addr *host, in_port_t *port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (socket_address->sa_family == AF_INET) {
        memcpy(&v4, socket_address, sizeof v4);
        *host = v4.sin_addr;
        *port = v4.sin_port;
        return true;
    }
    if (socket_address->sa_family != AF_INET6)
        return false;
    memcpy(&v6, socket_address, sizeof v6);
    memcpy(host, v6.sin6_addr.s6_addr + 12, sizeof *host);
    *port = v6.sin6_port;
    return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
}

void listener_format(const struct sockaddr *socket_address, char text[LISTENER_ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;
    in_port_t port;
    if (socket_address && find_ipv4(socket_address, &v4, &port)) {
        inet_ntop(AF_INET, &v4, host, sizeof host);
        snprintf(text, LISTENER_ADDRESS_SIZE, "%s:%u", host, (unsigned)ntohs(port));
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

/* 127.0.0.0/8 and ::1. */
static bool is_loopback(const struct sockaddr *own)
{
    struct in_addr v4;
    struct sockaddr_in6 v6;
    in_port_t port;
    if (find_ipv4(own, &v4, &port))
        return ntohl(v4.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
    memcpy(&v6, own, sizeof v6);
    return own->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool listener_is_local(int fd)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    return getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
           is_loopback((struct sockaddr *)&own);
}
