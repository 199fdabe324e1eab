/* The canned 503 of connections above the limit. */
#include "net/refusals.h"

#include "net/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_SECONDS 1

static const char body[] =
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"detail\":\"expected at most max-connections open connections, found one more\","
    "\"code\":\"too_many_connections\"}";

static void remove_at(refusals *r, size_t i)
{
    close(r->fds[i]);
    r->count--;
    memmove(&r->fds[i], &r->fds[i + 1], (r->count - i) * sizeof r->fds[0]);
    memmove(&r->until[i], &r->until[i + 1], (r->count - i) * sizeof r->until[0]);
}

void refusals_add(refusals *r, int fd)
{
    char answer[512];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 503 Service Unavailable\r\n"
                          "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                          "Retry-After: 1\r\nConnection: close\r\n\r\n%s",
                          sizeof body - 1, body);
    if (r->count == REFUSALS_MAX)
        remove_at(r, 0);
    /* A fresh socket's buffer takes this whole, or the peer has gone. */
    send(fd, answer, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    r->fds[r->count] = fd;
    r->until[r->count] = clock_now() + (int64_t)LINGER_SECONDS * NS_PER_SECOND;
    r->count++;
}

/* Whether the peer has closed or gone. Reads a bounded amount. */
static bool is_over(int fd)
{
    char unread[4096];
    ssize_t got = 1;
    for (int i = 0; i < 16 && got > 0; i++) {
        got = recv(fd, unread, sizeof unread, MSG_DONTWAIT);
        if (got == 0)
            return true;
    }
    return false;
}

void refusals_sweep(refusals *r)
{
    int64_t now = clock_now();
    for (size_t i = r->count; i-- > 0;)
        if (now > r->until[i] || is_over(r->fds[i]))
            remove_at(r, i);
}

void refusals_close(refusals *r)
{
    while (r->count > 0)
        remove_at(r, r->count - 1);
}
