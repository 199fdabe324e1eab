/* Affinity by sched_getaffinity(2), limits by cgroups(7), figures of the process by proc(5). */
#include "platform/resources.h"

#include "platform/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- Control groups -------------------------------------------------------------------------- */

/* Reads the limit of one group, whose folder is root and folder joined; INFINITY for none. */
typedef double cgroup_reader(const char *root, const char *folder);

/* A decimal number at the start of a file; INFINITY where it has none ("max", no file). */
static double read_number(const char *root, const char *folder, const char *file)
{
    char *text = files_read_in(root, folder, file);
    char *end;
    double number = text != NULL ? strtod(text, &end) : INFINITY;

    if (text != NULL && end == text)
        number = INFINITY;
    free(text);
    return number;
}

/* The least limit of mount/path, its parent, and so on up to mount. */
static double walk_up(const char *root, const char *mount, const char *path, cgroup_reader *read)
{
    char folder[PATH_MAX];
    int length = snprintf(folder, sizeof folder, "%s%s", mount, path);
    double least;

    if (length < 0 || (size_t)length >= sizeof folder)
        return INFINITY;
    least = INFINITY;
    for (;;) {
        char *slash;
        least = fmin(least, read(root, folder));
        slash = strrchr(folder, '/');
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
    char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    double least;

    if (path == NULL)
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
    least = walk_up(root, mount, path, version_1);
    snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controller);
    return fmin(least, walk_up(root, mount, path, version_1));
}

/* The least limit of this process' group and all groups above it that can be seen, by
 * root/proc/self/cgroup and root/sys/fs/cgroup; INFINITY for none. controller is version 1's name
 * of it, "cpu" or "memory". root is "" on a real machine. A container may see its own group at the
 * mount's root while /proc names the path on the host: walking up from a folder that does not exist
 * ends at the one that does. */
static double least_limit(const char *root, const char *controller, cgroup_reader *version_1,
                          cgroup_reader *version_2)
{
    char *text = files_read_in(root, "/proc/self", "/cgroup");
    double least = INFINITY;
    char *rest;

    for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        least = fmin(least, line_limit(root, line, controller, version_1, version_2));
    free(text);
    return least;
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* "quota period" or "max period" in microseconds. */
static double quota_version_2(const char *root, const char *folder)
{
    char *text = files_read_in(root, folder, "/cpu.max");
    double quota, period;
    double cpus = INFINITY;

    if (text != NULL && sscanf(text, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0)
        cpus = quota / period;
    free(text);
    return cpus;
}

/* A file for each, the quota -1 for none. */
static double quota_version_1(const char *root, const char *folder)
{
    double quota = read_number(root, folder, "/cpu.cfs_quota_us");
    double period = read_number(root, folder, "/cpu.cfs_period_us");

    return quota > 0 && period > 0 && isfinite(quota) && isfinite(period) ? quota / period
                                                                          : INFINITY;
}

size_t cpus_usable_in(const char *root, size_t affinity)
{
    double quota = ceil(least_limit(root, "cpu", quota_version_1, quota_version_2));
    size_t cpus = quota < (double)affinity ? (size_t)quota : affinity;

    return cpus > 0 ? cpus : 1;
}

/* The kernel refuses a mask that is smaller than its own, so ask with larger ones. */
static size_t affinity_count(void)
{
    long online;

    for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *mask = CPU_ALLOC((size_t)cpus);
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int count;
        if (mask == NULL)
            break;
        count = sched_getaffinity(0, size, mask) == 0 ? CPU_COUNT_S(size, mask) : 0;
        CPU_FREE(mask);
        if (count > 0)
            return (size_t)count;
    }
    online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

size_t cpus_usable(void)
{
    return cpus_usable_in("", affinity_count());
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static double limit_version_2(const char *root, const char *folder)
{
    return read_number(root, folder, "/memory.max");
}

/* A number beyond all memory where there is no limit. */
static double limit_version_1(const char *root, const char *folder)
{
    return read_number(root, folder, "/memory.limit_in_bytes");
}

size_t memory_available_in(const char *root, size_t physical)
{
    double limit = least_limit(root, "memory", limit_version_1, limit_version_2);

    return limit >= 0 && limit < (double)physical ? (size_t)limit : physical;
}

size_t memory_available(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    size_t physical = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;

    return memory_available_in("", physical);
}

/* ---- This process ---------------------------------------------------------------------------- */

double process_parse_start(const char *stat)
{
    /* Field 2, the command, is in parentheses and may hold anything, parentheses too. */
    const char *at = strrchr(stat, ')');
    char *end;
    double ticks;

    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    ticks = at != NULL ? strtod(at, &end) : -1;
    return at != NULL && end > at + 1 ? ticks : -1;
}

double process_parse_boot(const char *stat)
{
    const char *line = strstr(stat, "\nbtime ");

    return line != NULL ? strtod(line + strlen("\nbtime "), NULL) : -1;
}

static double start_time(void)
{
    char *self = files_read("/proc/self/stat");
    char *machine = files_read("/proc/stat");
    double ticks = self != NULL ? process_parse_start(self) : -1;
    double boot = machine != NULL ? process_parse_boot(machine) : -1;

    free(self);
    free(machine);
    return ticks < 0 || boot < 0 ? -1 : boot + ticks / (double)sysconf(_SC_CLK_TCK);
}

static double resident_memory(void)
{
    char *text = files_read("/proc/self/statm");
    unsigned long pages = 0;
    bool found = text != NULL && sscanf(text, "%*u %lu", &pages) == 1;

    free(text);
    return found ? (double)pages * (double)sysconf(_SC_PAGESIZE) : -1;
}

static double cpu_seconds(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return -1;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The folder of the process's descriptors, opened while that is allowed; one reader at a time, as
 * they share its position. */
static int own_descriptors = -1;
static pthread_mutex_t reading_descriptors = PTHREAD_MUTEX_INITIALIZER;

void process_keep_descriptors(void)
{
    own_descriptors = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static double count_descriptors(void)
{
    int copy = own_descriptors >= 0 ? fcntl(own_descriptors, F_DUPFD_CLOEXEC, 0) : -1;
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
    double count = -1; /* the copy */

    if (folder == NULL) {
        if (copy >= 0)
            close(copy);
        return -1;
    }
    rewinddir(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static double open_files(void)
{
    double count;

    pthread_mutex_lock(&reading_descriptors);
    count = count_descriptors();
    pthread_mutex_unlock(&reading_descriptors);
    return count;
}

size_t descriptors_allowed(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return (size_t)files.rlim_cur;
}

process_figures process_read(void)
{
    return (process_figures){.start_time = start_time(),
                             .resident_memory = resident_memory(),
                             .cpu_seconds = cpu_seconds(),
                             .open_files = open_files(),
                             .most_files = (double)descriptors_allowed()};
}
