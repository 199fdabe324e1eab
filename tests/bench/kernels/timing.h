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

/* One sample lasts at least so long: the kernel's account of a thread's time has steps. */
#define SAMPLE_SECONDS 2e-3

static inline double time_calls(void (*work)(void *), void *context, long calls)
{
    double begin = thread_seconds();
    for (long i = 0; i < calls; i++)
        work(context);
    return thread_seconds() - begin;
}

/* Seconds of one call of work, the best of at least three samples, repeated for that long. One that
 * seems to take half of what it must was cut by a step of that account, and is none. */
static inline double time_best(void (*work)(void *), void *context, double seconds)
{
    long calls = 1;
    while (time_calls(work, context, calls) < SAMPLE_SECONDS)
        calls *= 2;
    double best = 1e9, begin = thread_seconds();
    for (int i = 0; i < 3 || thread_seconds() - begin < seconds; i++) {
        double sample = time_calls(work, context, calls), taken = sample / (double)calls;
        best = sample > SAMPLE_SECONDS / 2 && taken < best ? taken : best;
    }
    return best;
}

#endif
