/* CPUs by affinity (sched_getaffinity(2)) and by the CFS quota: version 2's cpu.max holds "quota
 * period" or "max period" in microseconds, version 1 has a file for each and -1 for none. */
#include "platform/cpus.h"

#include "platform/cgroup.h"
#include "platform/files.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static double quota_version_2(const char *root, const char *folder)
{
    char *text = files_read_in(root, folder, "/cpu.max");
    double quota, period;
    double cpus = INFINITY;
    if (text && sscanf(text, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0)
        cpus = quota / period;
    free(text);
    return cpus;
}

static double quota_version_1(const char *root, const char *folder)
{
    double quota = cgroup_read_number(root, folder, "/cpu.cfs_quota_us");
    double period = cgroup_read_number(root, folder, "/cpu.cfs_period_us");
    return quota > 0 && period > 0 && isfinite(quota) && isfinite(period) ? quota / period
                                                                          : INFINITY;
}

size_t cpus_usable_in(const char *root, size_t affinity)
{
    double quota = ceil(cgroup_least_limit(root, "cpu", quota_version_1, quota_version_2));
    size_t cpus = quota < (double)affinity ? (size_t)quota : affinity;
    return cpus > 0 ? cpus : 1;
}

/* The kernel refuses a mask that is smaller than its own, so ask with larger ones. */
static size_t affinity_count(void)
{
    for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *mask = CPU_ALLOC((size_t)cpus);
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        if (!mask)
            break;
        int count = sched_getaffinity(0, size, mask) == 0 ? CPU_COUNT_S(size, mask) : 0;
        CPU_FREE(mask);
        if (count > 0)
            return (size_t)count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

size_t cpus_usable(void)
{
    return cpus_usable_in("", affinity_count());
}
