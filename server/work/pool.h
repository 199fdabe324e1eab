/* The pool of workers: runs jobs that are cut into stages of independent tiles. All workers take
 * tiles of the oldest job first, so a large job alone has every worker, and a stage's stragglers
 * leave the others free for the next job. Knows nothing of HTTP or gradients. */
#ifndef GRADIENTD_POOL_H
#define GRADIENTD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pool pool;

/* What a job does. Called on worker threads; context is the job's. */
typedef struct pool_job_kind {
    size_t stage_count;
    /* Called once, by one thread, when the stage begins (all earlier tiles are complete). Returns
     * the stage's tiles; 0 skips it. */
    size_t (*begin_stage)(void *context, size_t stage);
    void (*run_tile)(void *context, size_t stage, size_t tile);
    /* Called once when the job is complete, or when its deadline passed before its first tile
     * (expired), or when the pool is stopped. The pool does not touch the job afterwards. */
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
    bool started;
} pool_job;

pool *pool_create(size_t workers, size_t queue_depth);

/* Queues a job. False: queue_depth jobs are waiting already. Thread-safe. */
bool pool_submit(pool *p, pool_job *job);

/* Jobs that wait for their first tile, and those being run. Thread-safe. */
size_t pool_waiting(pool *p);
size_t pool_running(pool *p);

/* Completes what was submitted, ends the threads and frees the pool. */
void pool_destroy(pool *p);

#endif
