/* The protocol of sd_notify(3): a few datagrams, for which libsystemd would be much. */
#include "platform/notify.h"

#include "platform/clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager = -1;

/* A path, or @ and the name of an abstract socket. */
void notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t length = path != NULL ? strlen(path) : 0;
    socklen_t size;

    if (length < 2 || length >= sizeof at.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(at.sun_path, path, length);
    if (path[0] == '@')
        at.sun_path[0] = '\0';
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (manager >= 0 && connect(manager, (struct sockaddr *)&at, size) != 0) {
        close(manager);
        manager = -1;
    }
}

static void tell(const char *text)
{
    if (manager >= 0)
        send(manager, text, strlen(text), MSG_NOSIGNAL);
}

static void tell_state(const char *state, const char *status)
{
    char text[512];

    snprintf(text, sizeof text, "%s\nSTATUS=%s", state, status);
    tell(text);
}

void notify_ready(const char *status)
{
    tell_state("READY=1", status);
}

void notify_reloading(void)
{
    char text[128];

    snprintf(text, sizeof text,
             "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reading the configuration",
             clock_now() / 1000);
    tell(text);
}

void notify_stopping(const char *status)
{
    tell_state("STOPPING=1", status);
}
