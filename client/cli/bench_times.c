/* A histogram of times: linear within a power of two, logarithmic over them, as G. Tene's
 * HdrHistogram has it. A bucket is 1 µs wide up to 2 ms, and at most 1/1024 of its value above. */
#include "cli/bench.h"

#include <math.h>
#include <stdlib.h>

#define HALF_BITS 10
#define HALF ((uint64_t)1 << HALF_BITS) /* buckets a power of two */
#define LONGEST ((uint64_t)3600 * 1000000)
#define BUCKETS 24576
#define TICKS_A_HALVING 5

struct bench_times {
    _Atomic uint64_t count, sum, max; /* sum and max in microseconds */
    _Atomic uint64_t buckets[BUCKETS];
};

bench_times *bench_times_create(void)
{
    return calloc(1, sizeof(bench_times));
}

void bench_times_destroy(bench_times *times)
{
    free(times);
}

static size_t bucket_of(uint64_t us)
{
    unsigned shift = us < 2 * HALF ? 0 : 63 - (unsigned)__builtin_clzll(us) - HALF_BITS;

    return (size_t)(shift * HALF + (us >> shift));
}

/* The longest time in microseconds that falls into it. */
static uint64_t end_of(size_t bucket)
{
    unsigned shift = bucket < 2 * HALF ? 0 : (unsigned)(bucket / HALF) - 1;

    return ((bucket - shift * HALF + 1) << shift) - 1;
}

static void raise_max(bench_times *times, uint64_t us)
{
    uint64_t max = atomic_load_explicit(&times->max, memory_order_relaxed);

    while (us > max && !atomic_compare_exchange_weak(&times->max, &max, us))
        ;
}

void bench_times_add(bench_times *times, double seconds)
{
    double us = seconds * 1e6;
    uint64_t whole = us < 0 ? 0 : us > (double)LONGEST ? LONGEST : (uint64_t)us;

    atomic_fetch_add_explicit(&times->buckets[bucket_of(whole)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&times->sum, whole, memory_order_relaxed);
    raise_max(times, whole);
    atomic_fetch_add_explicit(&times->count, 1, memory_order_relaxed);
}

void bench_times_merge(bench_times *times, const bench_times *other)
{
    for (size_t i = 0; i < BUCKETS; i++)
        times->buckets[i] += other->buckets[i];
    times->sum += other->sum;
    times->count += other->count;
    raise_max(times, other->max);
}

uint64_t bench_times_count(const bench_times *times)
{
    return times->count;
}

/* The bucket in which that one of the times lies, counted from the shortest, which is 1. */
static size_t find_bucket(const bench_times *times, uint64_t rank, uint64_t *up_to)
{
    size_t bucket = 0;

    for (*up_to = times->buckets[0]; *up_to < rank && bucket + 1 < BUCKETS;)
        *up_to += times->buckets[++bucket];
    return bucket;
}

static uint64_t rank_of(const bench_times *times, double share)
{
    double rank = ceil(share * (double)times->count);

    return rank < 1 ? 1 : rank > (double)times->count ? times->count : (uint64_t)rank;
}

static double seconds_of(const bench_times *times, size_t bucket)
{
    uint64_t end = end_of(bucket), max = times->max;

    return 1e-6 * (double)(end < max ? end : max);
}

double bench_times_percentile(const bench_times *times, double share)
{
    uint64_t up_to;

    if (times->count == 0)
        return NAN;
    return seconds_of(times, find_bucket(times, rank_of(times, share), &up_to));
}

double bench_times_max(const bench_times *times)
{
    return times->count == 0 ? NAN : 1e-6 * (double)times->max;
}

double bench_times_mean(const bench_times *times)
{
    return 1e-6 * (double)times->sum / (double)times->count;
}

static double deviation(const bench_times *times)
{
    double mean = bench_times_mean(times), sum = 0;

    for (size_t i = 0; i < BUCKETS; i++)
        sum += (double)times->buckets[i] * pow(1e-6 * (double)end_of(i) - mean, 2);
    return sqrt(sum / (double)times->count);
}

/* Five steps for each halving of the share that is longer. */
static double next_share(double share)
{
    double halvings = floor(log2(1 / (1 - share))) + 1;

    return share + 1 / (TICKS_A_HALVING * exp2(halvings));
}

static void print_percentiles(const bench_times *times, grad_text *text)
{
    uint64_t up_to = 0;

    for (double share = 0; up_to < times->count; share = next_share(share)) {
        size_t bucket = find_bucket(times, rank_of(times, share), &up_to);
        if (up_to == times->count)
            break;
        grad_text_printf(text, "%12.3f %1.12f %10llu %14.2f\n", 1e3 * seconds_of(times, bucket),
                         share, (unsigned long long)up_to, 1 / (1 - share));
    }
    grad_text_printf(text, "%12.3f %1.12f %10llu\n", 1e3 * bench_times_max(times), 1.0,
                     (unsigned long long)times->count);
}

void bench_times_print(const bench_times *times, grad_text *text)
{
    grad_text_printf(text, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                     "1/(1-Percentile)");
    if (times->count > 0)
        print_percentiles(times, text);
    grad_text_printf(text, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
                     times->count > 0 ? 1e3 * bench_times_mean(times) : 0,
                     times->count > 0 ? 1e3 * deviation(times) : 0);
    grad_text_printf(text, "#[Max     = %12.3f, Total count    = %12llu]\n",
                     times->count > 0 ? 1e3 * bench_times_max(times) : 0,
                     (unsigned long long)times->count);
    grad_text_printf(text, "#[Buckets = %12d, SubBuckets     = %12d]\n", BUCKETS / (int)HALF - 1,
                     2 * (int)HALF);
}
