/* The descriptors that a service manager hands over, from 3 on. */
#include "net/activation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 3
#define MOST 64
#define NAME_SIZE 256 /* systemd's own limit */

/* How many there are: those of this process, which may have started over meanwhile. */
static int count_handed_over(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    long given = count != NULL ? strtol(count, NULL, 10) : 0;

    if (pid == NULL || strtol(pid, NULL, 10) != getpid() || given < 0)
        return 0;
    return given > MOST ? MOST : (int)given;
}

/* The name in that place of LISTEN_FDNAMES; "" where there is none. */
static void find_name(int place, char name[NAME_SIZE])
{
    const char *names = getenv("LISTEN_FDNAMES");

    for (; place > 0 && names != NULL; place--) {
        names = strchr(names, ':');
        names += names != NULL;
    }
    snprintf(name, NAME_SIZE, "%.*s", names != NULL ? (int)strcspn(names, ":") : 0,
             names != NULL ? names : "");
}

static bool is_listening(int fd)
{
    int type = 0, listens = 0;
    socklen_t type_size = sizeof type, listens_size = sizeof listens;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && listens;
}

/* Where a socket of that name belongs; count: nowhere. */
static size_t place_of(const char *name, const char *const *names, const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return fds[i] < 0 ? i : count;
    for (size_t i = 0; i < count; i++)
        if (fds[i] < 0)
            return i;
    return count;
}

bool activation_take(const char *const *names, int *fds, size_t count, char *message,
                     size_t message_size)
{
    int given = count_handed_over();

    for (size_t i = 0; i < count; i++)
        fds[i] = -1;
    for (int i = 0; i < given; i++) {
        char name[NAME_SIZE];
        size_t place;
        int fd = FIRST + i;
        find_name(i, name);
        place = place_of(name, names, fds, count);
        if (place == count || !is_listening(fd)) {
            snprintf(message, message_size,
                     "descriptor %d (\"%s\"): expected a listening stream socket, at most one for "
                     "each listener, found %s",
                     fd, name, place == count ? "one more" : "something else");
            return false;
        }
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        fds[place] = fd;
    }
    return true;
}
