/* The canned 503 of connections above the limit. */
#include "net/refusals.h"

#include <stdio.h>
#include <sys/socket.h>

static const char body[] =
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"detail\":\"expected at most max-connections open connections, found one more\","
    "\"code\":\"too_many_connections\"}";

void refusals_answer(int fd)
{
    char answer[512];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 503 Service Unavailable\r\n"
                          "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                          "Retry-After: 1\r\nConnection: close\r\n\r\n%s",
                          sizeof body - 1, body);
    /* A fresh socket's buffer takes this whole, or the peer has gone. */
    send(fd, answer, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
