/* `gradient bench`: requests of known right answers, sent as fast as they are answered or by a
 * plan, and how long each took. */
#ifndef GRADIENT_CLI_BENCH_H
#define GRADIENT_CLI_BENCH_H

#include "cli/cli.h"

#include <stdatomic.h>
#include <stdint.h>

/* ---- Times ----------------------------------------------------------------------------------- */

/* How often each time was seen: microseconds up to an hour, in a histogram whose buckets are at
 * most a thousandth of their value wide, as HdrHistogram's of three digits are. Thread-safe. */
typedef struct bench_times bench_times;

/* NULL: no memory. */
bench_times *bench_times_create(void);
void bench_times_destroy(bench_times *times);

void bench_times_add(bench_times *times, double seconds);

/* Adds all that other counted. */
void bench_times_merge(bench_times *times, const bench_times *other);

uint64_t bench_times_count(const bench_times *times);

/* Seconds, at the upper end of a bucket: that share (0 to 1) of the times were no longer. NAN where
 * there are none. */
double bench_times_percentile(const bench_times *times, double share);

/* The longest, to the microsecond; and the mean. NAN where there are none. */
double bench_times_max(const bench_times *times);
double bench_times_mean(const bench_times *times);

/* Adds the distribution in milliseconds, in HdrHistogram's text form of percentiles, which its
 * plotters read. */
void bench_times_print(const bench_times *times, grad_text *text);

/* ---- What is sent ---------------------------------------------------------------------------- */

/* One kind of request: the bytes of the request and those of the right answer. */
typedef struct bench_body {
    grad_text text;
    size_t document_length; /* where the bytes of tensors follow it; 0: all is the document */
} bench_body;

typedef struct bench_item {
    bench_layer layer;
    bench_body request;
    bench_body answer; /* this process's own; then the service's first */
} bench_item;

typedef struct bench_mix {
    bench_item items[OPTIONS_MAX_LAYERS];
    size_t count;
    unsigned weights; /* of all items together */
} bench_mix;

/* Makes requests of random numbers, the same at each run, and their answers. Errors: those of
 * encoding and computing. The mix is the caller's to free, however it went. */
grad_status bench_mix_create(const options *o, bench_mix *mix, grad_error *error);
void bench_mix_free(bench_mix *mix);

/* The item of the request of that number: each as often as its weight says, evenly spread. */
size_t bench_mix_pick(const bench_mix *mix, uint64_t number);

typedef enum bench_verdict { BENCH_SAME_BYTES, BENCH_SAME_NUMBERS, BENCH_WRONG } bench_verdict;

/* Holds the service's first answer against this process's own: other processors may round
 * differently, so numbers within a ten-thousandth of the largest of their tensor are right too, and
 * what comes later must have the bytes of that answer. */
bench_verdict bench_item_accept(bench_item *item, const bench_body *answer);

/* ---- The run --------------------------------------------------------------------------------- */

/* What came of the requests of one item. Times are those from the planned sending where there is a
 * rate, else from the real one. */
typedef struct bench_count {
    bench_times *answers;    /* 200, with the right bytes */
    bench_times *refusals;   /* 429 and 503 */
    _Atomic uint64_t wrong;  /* 200, with other bytes */
    _Atomic uint64_t failed; /* any other status, or no answer */
} bench_count;

typedef struct bench_result {
    double seconds; /* that were measured */
    bench_count items[OPTIONS_MAX_LAYERS];
    bench_count all;
    char failure[GRAD_DETAIL_SIZE + 32]; /* the first of the failures, in words; "": none */
} bench_result;

/* Has every item answered once, warms up and measures; SIGINT ends it early. Says on standard error
 * how far it is. Returns the exit code of a failure that it has told of; the result is the
 * caller's to free, however it went. */
int bench_run(const options *o, bench_mix *mix, bench_result *result);
void bench_result_free(bench_result *result);

#endif
