/* The pool of workers: runs jobs that are cut into stages of independent tiles. All workers take
 * tiles of the oldest job first, so a large job alone has every worker, and a stage's stragglers
 * leave the others free for the next job. Knows nothing of HTTP or gradients. */
#ifndef GRADIENTD_POOL_H
#define GRADIENTD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pool pool;

/* What begin_stage returns behind a job's last stage. */
#define POOL_NO_STAGE SIZE_MAX

/* What a job does. Called on worker threads without any lock of the pool; context is the job's. */
typedef struct pool_job_kind {
    /* Called once a stage, by one thread, when it begins (all earlier tiles are complete). Returns
     * the stage's tiles; 0 skips it; POOL_NO_STAGE where there is none, which completes the job. */
    size_t (*begin_stage)(void *context, size_t stage);
    void (*run_tile)(void *context, size_t stage, size_t tile);
    /* Called once: when the job is complete, or (expired) when its deadline passed before its first
     * stage began. The pool does not touch the job afterwards, so it may be freed or queued
     * again. */
    void (*done)(void *context, bool expired);
} pool_job_kind;

/* A job, inside the caller's own object; fields below the line are the pool's. */
typedef struct pool_job {
    const pool_job_kind *kind;
    void *context;
    int64_t start_deadline; /* CLOCK_MONOTONIC nanoseconds; 0: none */
    /* ---- */
    struct pool_job *next;
    size_t stage;
    size_t tile_count;
    size_t next_tile;
    size_t tiles_left;
} pool_job;

/* A pool of that many threads (at least 1), which inherit the caller's signal mask. NULL: no memory
 * or no threads. The caller owns it. */
pool *pool_create(size_t workers, size_t queue_depth);

/* Queues a job. False: queue_depth jobs are waiting already. Thread-safe.
 *
 * Deadlines are looked at here and whenever a worker looks for work, which is after every tile: a
 * job that expires while all workers are busy is done (expired) when the first of them ends its
 * tile. An idle worker leaves no job waiting. */
bool pool_submit(pool *p, pool_job *job);

/* Jobs that wait for their first stage, and those being run. Thread-safe. */
size_t pool_waiting(pool *p);
size_t pool_running(pool *p);

/* Completes what was submitted (or lets it expire), ends the threads and frees the pool. Nothing
 * may be submitted any more, not even by a job's done. NULL is fine. */
void pool_destroy(pool *p);

#endif
