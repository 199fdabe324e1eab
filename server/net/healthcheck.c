/* A client of one request, on a plain socket. */
#include "net/healthcheck.h"

#include "config/address.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_SECONDS 3

static bool fail(char *message, size_t size, const char *what, const char *why)
{
    snprintf(message, size, "%s: %s", what, why);
    return false;
}

static void to_loopback(address *where)
{
    if (strcmp(where->host, "0.0.0.0") == 0 || strcmp(where->host, ADDRESS_ALL) == 0)
        snprintf(where->host, sizeof where->host, "127.0.0.1");
    else if (strcmp(where->host, "::") == 0)
        snprintf(where->host, sizeof where->host, "::1");
}

static int connect_one(const struct addrinfo *at)
{
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
                    connect(fd, at->ai_addr, at->ai_addrlen) != 0)) {
        int reason = errno;
        close(fd);
        errno = reason;
        fd = -1;
    }
    return fd;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const struct addrinfo only = {.ai_family = AF_UNIX,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_addr = (struct sockaddr *)&at,
                                  .ai_addrlen = sizeof at};

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    return connect_one(&only);
}

static int connect_to(const address *where)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int fd = -1;

    if (getaddrinfo(where->host, where->port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_one(at);
    freeaddrinfo(found);
    return fd;
}

/* Whether the response's first line says 200. */
static bool ask(int fd)
{
    static const char question[] =
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200 ";
    char response[sizeof expected - 1];
    size_t length = 0;

    if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof question - 1))
        return false;
    while (length < sizeof response) {
        ssize_t got = recv(fd, response + length, sizeof response - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
    }
    return memcmp(response, expected, sizeof response) == 0;
}

bool healthcheck(const config *c, char *message, size_t message_size)
{
    const char *text = c->admin_listen[0] != '\0' ? c->admin_listen : c->listen;
    address where;
    bool alive;
    int fd;

    if (c->admin_listen[0] == '\0' && c->tls_certificate[0] != '\0')
        return fail(message, message_size, text, "the service speaks TLS: set admin-listen");
    if (address_unix_path(text) != NULL) {
        fd = connect_unix(address_unix_path(text));
    } else {
        if (!address_split(text, &where))
            return fail(message, message_size, text, "not HOST:PORT");
        to_loopback(&where);
        fd = connect_to(&where);
    }
    if (fd < 0)
        return fail(message, message_size, text, strerrordesc_np(errno));
    alive = ask(fd);
    close(fd);
    return alive || fail(message, message_size, text, "no 200 from GET /livez");
}
