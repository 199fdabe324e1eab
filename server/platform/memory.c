/* Memory by what is built in and by the control groups: version 2's memory.max is bytes or "max",
 * version 1's memory.limit_in_bytes a number beyond all memory where there is no limit. */
#include "platform/memory.h"

#include "platform/cgroup.h"

#include <stdint.h>
#include <unistd.h>

static double limit_version_2(const char *root, const char *folder)
{
    return cgroup_read_number(root, folder, "/memory.max");
}

static double limit_version_1(const char *root, const char *folder)
{
    return cgroup_read_number(root, folder, "/memory.limit_in_bytes");
}

size_t memory_available_in(const char *root, size_t physical)
{
    double limit = cgroup_least_limit(root, "memory", limit_version_1, limit_version_2);
    return limit >= 0 && limit < (double)physical ? (size_t)limit : physical;
}

size_t memory_available(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    size_t physical = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
    return memory_available_in("", physical);
}
