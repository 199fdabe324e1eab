/* How much memory this process may use before the kernel ends it. */
#ifndef GRADIENTD_MEMORY_H
#define GRADIENTD_MEMORY_H

#include <stddef.h>

/* Bytes of physical memory or of the control groups' limit, whichever are fewer. */
size_t memory_available(void);

/* The same on a machine whose /proc and /sys are below root, with that much physical memory. */
size_t memory_available_in(const char *root, size_t physical);

#endif
