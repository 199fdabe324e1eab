/* POST /v1/gradients, /v1/backprop and /v1/check: what their files share. compute.c speaks with the
 * client and the budget; computation.c runs the stages, inline or on the workers; compute_kinds.c
 * is what the three differ in. The last two know no HTTP. */
#ifndef GRADIENTD_COMPUTE_H
#define GRADIENTD_COMPUTE_H

#include "gradient_network.h"
#include "gradient_wire.h"
#include "work/budget.h"
#include "work/pool.h"

#include <stdatomic.h>

typedef struct work work;

/* What one kind of request does where another does something else. All are called by one thread at
 * a time but tile and print, which must bear several for different tiles and segments. */
typedef struct compute_kind {
    /* The document is whole: sets w->batch, and w->request where there is one. */
    grad_status (*read)(work *w, grad_error *error);
    grad_status (*measure)(work *w, const grad_limits *limits, grad_error *error);
    /* Upper bound of the memory that printing the answer takes. */
    size_t (*print_bound)(const work *w);
    /* What all is expected to take, in seconds on one thread: computing and printing; the reading
     * is done. */
    double (*cost)(const work *w);
    grad_status (*create)(work *w, grad_error *error);
    size_t (*stage_count)(const work *w);
    size_t (*tile_count)(const work *w, size_t stage);
    void (*tile)(work *w, size_t stage, size_t tile);
    /* After the last tile: makes the answer ready to be printed, in w->segment_count segments. */
    grad_status (*finish)(work *w, grad_error *error);
    grad_status (*print)(work *w, size_t segment, grad_error *error);
    grad_request_kind request; /* of those that read one */
} compute_kind;

extern const compute_kind compute_gradients, compute_backprop, compute_check;

/* When things happened, clock_now; 0: they have not. */
typedef struct work_times {
    int64_t queued, begun, computed, printed;
} work_times;

/* A request's computation. Made when its headers were admitted. */
struct work {
    pool_job job;
    const compute_kind *kind;
    budget *memory;
    size_t leased;
    grad_decoder *decoder;
    grad_batch *batch;           /* the decoder's */
    grad_check_request *request; /* of a check; the decoder's */
    grad_measure measure;
    grad_run *run;     /* of all but a check */
    grad_check *check; /* of a check */
    const grad_check_report *report;
    size_t stage_count;    /* of the run or the check, once it was created */
    size_t segment_count;  /* of the printed answer */
    grad_encoder *encoder; /* holds it, */
    grad_text text;        /* or (of a check) this does */
    int64_t deadline;      /* for the reply's first byte, clock_now */
    double decode_seconds;
    work_times times;
    bool expired;        /* the job's deadline came before a worker */
    _Atomic bool late;   /* the request's own deadline passed */
    _Atomic bool failed; /* set by the first that fails, who then writes error */
    grad_error error;
    void (*done)(void *context); /* called on a worker when the job is over; work is not touched
                                    afterwards */
    void *done_context;
};

/* Everything on this thread. */
void work_run_inline(work *w);

/* Hands the work to the pool, which calls done. start_deadline as pool_job's. False: the queue is
 * full. */
bool work_submit(work *w, pool *workers, int64_t start_deadline);

/* The printed answer's w->segment_count segments, one at least. Those of an encoder are its own;
 * of a text one is made in *own. */
const grad_segment *work_segments(const work *w, grad_segment *own);

/* Frees all that the printed answer needs no longer. */
void work_drop_inputs(work *w);

/* Frees all and returns the lease. NULL is fine. */
void work_destroy(work *w);

#endif
