/* What the kernel says of this process, out of /proc. Figures only; their names in the metrics are
 * given elsewhere. */
#include "platform/process.h"

#include "platform/files.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double process_parse_start(const char *stat)
{
    /* Field 2, the command, is in parentheses and may hold anything, parentheses too. */
    const char *at = strrchr(stat, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    char *end;
    double ticks = at ? strtod(at, &end) : -1;
    return at && end > at + 1 ? ticks : -1;
}

double process_parse_boot(const char *stat)
{
    const char *line = strstr(stat, "\nbtime ");
    return line ? strtod(line + strlen("\nbtime "), NULL) : -1;
}

static double start_time(void)
{
    char *self = files_read("/proc/self/stat");
    char *machine = files_read("/proc/stat");
    double ticks = self ? process_parse_start(self) : -1;
    double boot = machine ? process_parse_boot(machine) : -1;
    free(self);
    free(machine);
    return ticks < 0 || boot < 0 ? -1 : boot + ticks / (double)sysconf(_SC_CLK_TCK);
}

static double resident_memory(void)
{
    char *text = files_read("/proc/self/statm");
    unsigned long pages = 0;
    bool found = text && sscanf(text, "%*u %lu", &pages) == 1;
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

static double open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return -1;
    double count = -1; /* the folder's own descriptor */
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

void process_read(process_figures *figures)
{
    figures->start_time = start_time();
    figures->resident_memory = resident_memory();
    figures->cpu_seconds = cpu_seconds();
    figures->open_files = open_files();
}
