/* Listening sockets with a place in the file system: who may write to the file may connect. */
#include "net/listener.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* As many as the kernel may hold for listeners of other kinds. */
#define BACKLOG 1024
#define NAME_SIZE 64
#define NOBODY ((unsigned)-1) /* chown leaves it as it is */

/* ---- The owner ------------------------------------------------------------------------------- */

static bool read_number(const char *text, unsigned *number)
{
    size_t digits = strspn(text, "0123456789");

    *number = (unsigned)strtoul(text, NULL, 10);
    return digits > 0 && digits < 10 && text[digits] == '\0';
}

static bool find_user(const char *name, unsigned *user)
{
    const struct passwd *found;

    if (name[0] == '\0' || read_number(name, user))
        return true;
    found = getpwnam(name);
    *user = found != NULL ? found->pw_uid : NOBODY;
    return found != NULL;
}

static bool find_group(const char *name, unsigned *group)
{
    const struct group *found;

    if (name[0] == '\0' || read_number(name, group))
        return true;
    found = getgrnam(name);
    *group = found != NULL ? found->gr_gid : NOBODY;
    return found != NULL;
}

/* USER, :GROUP or USER:GROUP. */
static bool find_owner(const char *owner, unsigned *user, unsigned *group)
{
    const char *colon = strchrnul(owner, ':');
    char name[NAME_SIZE];

    *user = *group = NOBODY;
    snprintf(name, sizeof name, "%.*s", (int)(colon - owner), owner);
    if (!find_user(name, user))
        return false;
    return *colon == '\0' || find_group(colon + 1, group);
}

/* ---- The socket ------------------------------------------------------------------------------ */

static int fail(char *message, size_t size, const char *path, const char *reason)
{
    snprintf(message, size, "cannot listen on unix:%s: %s", path, reason);
    return -1;
}

/* Whether a connection finds nobody: the file was left by one who is gone. */
static bool is_stale(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return refused;
}

static bool bind_to(int fd, const struct sockaddr_un *at)
{
    struct stat there;

    if (bind(fd, (const struct sockaddr *)at, sizeof *at) == 0)
        return true;
    if (errno != EADDRINUSE)
        return false;
    if (lstat(at->sun_path, &there) != 0 || !S_ISSOCK(there.st_mode) || !is_stale(at)) {
        errno = EADDRINUSE;
        return false;
    }
    return unlink(at->sun_path) == 0 && bind(fd, (const struct sockaddr *)at, sizeof *at) == 0;
}

/* Whoever connects before it listens is refused: nobody comes in by the mode it begins with. */
static bool prepare(int fd, const struct sockaddr_un *at, size_t mode, unsigned user,
                    unsigned group)
{
    return bind_to(fd, at) && chmod(at->sun_path, (mode_t)mode) == 0 &&
           ((user == NOBODY && group == NOBODY) || lchown(at->sun_path, user, group) == 0) &&
           listen(fd, BACKLOG) == 0;
}

int listener_open_unix(const char *path, size_t mode, const char *owner, char *message,
                       size_t message_size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    unsigned user, group;
    int fd;

    if (!find_owner(owner, &user, &group))
        return fail(message, message_size, path, "unix-owner names nobody here");
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && prepare(fd, &at, mode, user, group))
        return fd;
    fail(message, message_size, path, strerrordesc_np(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Not the file of another who has taken the place meanwhile. */
void listener_remove_file(int fd)
{
    struct sockaddr_un at = {.sun_family = AF_UNSPEC};
    socklen_t size = sizeof at;

    if (getsockname(fd, (struct sockaddr *)&at, &size) == 0 && at.sun_family == AF_UNIX &&
        at.sun_path[0] == '/')
        unlink(at.sun_path);
}
