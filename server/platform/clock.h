/* The clock of every deadline and duration in the daemon. Wall-clock time is the log's alone. */
#ifndef GRADIENTD_CLOCK_H
#define GRADIENTD_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND 1000000000

/* CLOCK_MONOTONIC in nanoseconds. */
static inline int64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static inline int64_t clock_from_seconds(double seconds)
{
    return (int64_t)(seconds * 1e9);
}

static inline double clock_to_seconds(int64_t ns)
{
    return (double)ns / 1e9; /* the quotient is rounded once: 2.124e-06, not …0003e-06 */
}

#endif
