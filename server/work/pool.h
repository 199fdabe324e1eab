/* The pool of workers: runs jobs that are cut into stages of independent tiles. Jobs take turns,
 * tile by tile: a large job alone has every worker, and beside others its share. Long jobs get the
 * smaller share, and never the last worker. Knows nothing of HTTP or gradients. */
#ifndef GRADIENTD_POOL_H
#define GRADIENTD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pool pool;

/* What begin_stage returns behind a job's last stage. */
#define POOL_NO_STAGE SIZE_MAX

/* While short jobs have work, they get so many times the time that long ones get. */
#define POOL_SHORT_SHARE 3

/* Jobs of each length that take turns at once, for each worker; others wait. */
#define POOL_TURNS 4

typedef enum pool_end {
    POOL_COMPLETE,
    POOL_EXPIRED,  /* its deadline passed before its first stage began */
    POOL_CANCELLED /* by pool_cancel; some of its tiles may have run */
} pool_end;

/* What a job does. Called without any lock of the pool; context is the job's. */
typedef struct pool_job_kind {
    /* Called once a stage, by one worker, when it begins (all earlier tiles are complete). Returns
     * the stage's tiles; 0 skips it; POOL_NO_STAGE where there is none, which completes the job. */
    size_t (*begin_stage)(void *context, size_t stage);
    void (*run_tile)(void *context, size_t stage, size_t tile);
    /* Called once, when the job has ended: by a worker, or by who cancels it. The pool does not
     * touch the job afterwards, so it may be freed or queued again; only pool_cancel may still ask
     * for a job that has not been freed. */
    void (*done)(void *context, pool_end how);
} pool_job_kind;

/* Where a job is. */
typedef enum pool_job_state {
    POOL_JOB_OUTSIDE, /* not submitted, or ended */
    POOL_JOB_WAITING,
    POOL_JOB_ACTIVE
} pool_job_state;

/* A job, inside the caller's own object; fields below the line are the pool's. */
typedef struct pool_job {
    const pool_job_kind *kind;
    void *context;
    int64_t start_deadline; /* CLOCK_MONOTONIC nanoseconds; 0: none */
    bool is_long;           /* it may take long: see POOL_SHORT_SHARE and pool_yield */
    /* ---- */
    struct pool_job *next, *previous;
    pool_job_state state;
    bool is_beginning; /* a worker is in begin_stage */
    bool is_cancelled;
    size_t stage;
    size_t tile_count;
    size_t next_tile;
    size_t tiles_left; /* not complete, or not to be */
} pool_job;

/* A pool of that many threads (at least 1), which inherit the caller's signal mask. NULL: no memory
 * or no threads. The caller owns it. */
pool *pool_create(size_t workers, size_t queue_depth);

/* Queues a job. False: queue_depth jobs are waiting already, or half as many long ones for another
 * long one. Thread-safe.
 *
 * Deadlines are looked at here and whenever a worker looks for work, which is after every tile: a
 * job that expires while all workers are busy is done (POOL_EXPIRED) when the first of them ends
 * its tile. An idle worker leaves no job waiting. */
bool pool_submit(pool *p, pool_job *job);

/* Ends a job early: one that waits, or of which no tile runs, is done (POOL_CANCELLED) before this
 * returns; of one that runs no further tile or stage begins, and the last worker to leave it calls
 * done. Without effect on a job that has ended, or is not submitted yet. The job must not be freed
 * meanwhile: who frees it has to know that nobody cancels it any more. Thread-safe. */
void pool_cancel(pool *p, pool_job *job);

/* Called within a tile of a long job, as often as is convenient: does the work of short jobs whose
 * turn it is, on this worker, before it returns. */
void pool_yield(pool *p);

/* Jobs that wait for their first stage, and those being run. Thread-safe. */
size_t pool_waiting(pool *p);
size_t pool_running(pool *p);

/* Completes what was submitted (or lets it expire), ends the threads and frees the pool. Nothing
 * may be submitted or cancelled any more, not even by a job's done. NULL is fine. */
void pool_destroy(pool *p);

#endif
