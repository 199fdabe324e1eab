/* CPUs and memory that this process may use, by affinity and control groups (versions 1 and 2), and
 * what it uses of them. */
#ifndef GRADIENTD_RESOURCES_H
#define GRADIENTD_RESOURCES_H

#include <stddef.h>

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* CPUs of the affinity mask or of the control groups' quota, rounded up, whichever are fewer; at
 * least 1. OpenBLAS and nproc ignore quotas. */
size_t cpus_usable(void);

/* The same on a machine whose /proc and /sys are below root, with an affinity of that many. */
size_t cpus_usable_in(const char *root, size_t affinity);

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Bytes of physical memory or of the control groups' limit, whichever are fewer. */
size_t memory_available(void);

/* The same on a machine whose /proc and /sys are below root, with that much physical memory. */
size_t memory_available_in(const char *root, size_t physical);

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* How many this process may have open; SIZE_MAX: no limit. */
size_t descriptors_allowed(void);

/* ---- This process ---------------------------------------------------------------------------- */

/* A negative figure is unknown. */
typedef struct process_figures {
    double start_time;      /* seconds since 1970 */
    double resident_memory; /* bytes */
    double cpu_seconds;     /* user and system, all threads */
    double open_files;      /* descriptors, */
    double most_files;      /* and how many there may be */
} process_figures;

process_figures process_read(void);

/* Opens what the number of descriptors is read from; without it that figure is unknown. Once,
 * before the process gives up the right to (sandbox.h). */
void process_keep_descriptors(void);

/* The process' start in clock ticks after boot, from the text of /proc/self/stat (proc(5), field
 * 22); negative where the text is not that. */
double process_parse_start(const char *stat);

/* The machine's boot in seconds since 1970, from the text of /proc/stat; negative where absent. */
double process_parse_boot(const char *stat);

#endif
