/* POST /v1/gradients: what its two files share. gradients.c speaks with the client and the budget;
 * gradients_work.c computes and prints, inline or on the workers, and knows no HTTP. */
#ifndef GRADIENTD_GRADIENTS_H
#define GRADIENTD_GRADIENTS_H

#include "gradient_wire.h"
#include "work/budget.h"
#include "work/pool.h"

#include <stdatomic.h>

/* When things happened, clock_now; 0: they have not. */
typedef struct work_times {
    int64_t queued, begun, computed, printed;
} work_times;

/* A request's computation. Made by work_create when its headers were admitted. */
typedef struct work {
    pool_job job;
    budget *memory;
    size_t leased;
    grad_decoder *decoder;
    grad_batch *batch; /* the decoder's */
    grad_measure measure;
    grad_run *run;
    grad_encoder *encoder;
    int64_t deadline; /* for the reply's first byte, clock_now */
    double decode_seconds;
    work_times times;
    bool expired;        /* the job's deadline came before a worker */
    bool late;           /* the request's own deadline passed */
    _Atomic bool failed; /* set by the first that fails, who then writes error */
    grad_error error;
    void (*done)(void *context); /* called on a worker when the job is over; work is not touched
                                    afterwards */
    void *done_context;
} work;

/* What a computation of that size is expected to take, in seconds on one thread: computing and
 * printing; the reading is done. */
double work_cost(const grad_batch *batch, const grad_measure *measure);

/* Everything on this thread. */
void work_run_inline(work *w);

/* Hands the work to the pool, which calls done. start_deadline as pool_job's. False: the queue is
 * full. */
bool work_submit(work *w, pool *workers, int64_t start_deadline);

/* Frees decoder and run, which the printed reply needs no longer. */
void work_drop_inputs(work *w);

/* Frees all and returns the lease. NULL is fine. */
void work_destroy(work *w);

#endif
