/* How the benchmarks in C measure: CPU time of this thread, the best of repetitions that fill a
 * given time, because the machine's other work can only make a run slower. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <time.h>

static inline double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seconds of one call of work, the best of at least three, repeated for that long. */
static inline double time_best(void (*work)(void *), void *context, double seconds)
{
    double best = 1e9, begin = thread_seconds();
    for (int i = 0; i < 3 || thread_seconds() - begin < seconds; i++) {
        double before = thread_seconds();
        work(context);
        double taken = thread_seconds() - before;
        best = taken < best ? taken : best;
    }
    return best;
}

#endif
