/* What the kernel says of this process: memory, CPU, descriptors, start. Only reads. */
#ifndef GRADIENTD_PROCESS_H
#define GRADIENTD_PROCESS_H

#include <stddef.h>

/* A figure that could not be had is negative. */
typedef struct process_figures {
    double start_time;      /* seconds since 1970 */
    double resident_memory; /* bytes */
    double cpu_seconds;     /* user and system, all threads */
    double open_files;      /* descriptors */
} process_figures;

void process_read(process_figures *figures);

/* The process' start in clock ticks after boot, from the text of /proc/self/stat (proc(5), field
 * 22); negative where the text is not that. */
double process_parse_start(const char *stat);

/* The machine's boot in seconds since 1970, from the text of /proc/stat; negative where absent. */
double process_parse_boot(const char *stat);

#endif
