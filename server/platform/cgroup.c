/* Control groups: from /proc/self/cgroup to the folders below /sys/fs/cgroup (cgroups(7)). A
 * container may see its own group at the mount's root while /proc names the path on the host;
 * walking up from a folder that does not exist ends at the one that does. */
#include "platform/cgroup.h"

#include "platform/files.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double cgroup_read_number(const char *root, const char *folder, const char *file)
{
    char *text = files_read_in(root, folder, file);
    char *end;
    double number = text ? strtod(text, &end) : INFINITY;
    if (text && end == text)
        number = INFINITY;
    free(text);
    return number;
}

/* The least limit of mount/path, its parent, and so on up to mount. */
static double walk_up(const char *root, const char *mount, const char *path, cgroup_reader *read)
{
    char folder[PATH_MAX];
    int length = snprintf(folder, sizeof folder, "%s%s", mount, path);
    if (length < 0 || (size_t)length >= sizeof folder)
        return INFINITY;
    double least = INFINITY;
    for (;;) {
        least = fmin(least, read(root, folder));
        char *slash = strrchr(folder, '/');
        if (slash < folder + strlen(mount))
            return least;
        *slash = '\0';
    }
}

/* Whether controllers, "cpu,cpuacct", has that one. */
static bool has_controller(const char *controllers, const char *requested)
{
    size_t length = strlen(requested);
    for (const char *at = controllers; *at; at += *at == ',') {
        size_t next = strcspn(at, ",");
        if (next == length && strncmp(at, requested, length) == 0)
            return true;
        at += next;
    }
    return false;
}

/* One line, "hierarchy:controllers:path"; version 2's is "0::path". */
static double line_limit(const char *root, char *line, const char *controller,
                         cgroup_reader *version_1, cgroup_reader *version_2)
{
    char mount[128];
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return INFINITY;
    *controllers++ = '\0';
    *path++ = '\0';
    if (strcmp(line, "0") == 0 && controllers[0] == '\0') {
        return fmin(walk_up(root, "/sys/fs/cgroup", path, version_2),
                    walk_up(root, "/sys/fs/cgroup/unified", path, version_2));
    }
    if (!has_controller(controllers, controller))
        return INFINITY;
    /* Mounted under the list of its controllers, usually with a link from each of them. */
    snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controllers);
    double least = walk_up(root, mount, path, version_1);
    snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controller);
    return fmin(least, walk_up(root, mount, path, version_1));
}

double cgroup_least_limit(const char *root, const char *controller, cgroup_reader *version_1,
                          cgroup_reader *version_2)
{
    char *text = files_read_in(root, "/proc/self", "/cgroup");
    double least = INFINITY;
    char *rest;
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        least = fmin(least, line_limit(root, line, controller, version_1, version_2));
    free(text);
    return least;
}
