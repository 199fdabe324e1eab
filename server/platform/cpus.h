/* How many CPUs this process may use. OpenBLAS and nproc do not know of quotas; this does. */
#ifndef GRADIENTD_CPUS_H
#define GRADIENTD_CPUS_H

#include <stddef.h>

/* CPUs of the affinity mask or of the control groups' quota, rounded up, whichever are fewer; at
 * least 1. */
size_t cpus_usable(void);

/* The same on a machine whose /proc and /sys are below root, with an affinity of that many. */
size_t cpus_usable_in(const char *root, size_t affinity);

#endif
