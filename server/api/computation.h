/* A request's computation, without HTTP: what it holds, how much memory that takes in each phase,
 * and its stages, run inline or on the workers. What endpoints do differently is their kind's. */
#ifndef GRADIENTD_COMPUTATION_H
#define GRADIENTD_COMPUTATION_H

#include "body/body.h"
#include "gradient_network.h"
#include "work/budget.h"
#include "work/pool.h"

#include <stdatomic.h>

typedef struct computation computation;

/* What one kind of request does where another does something else. All are called by one thread at
 * a time but tile and print, which must bear several for different tiles and segments. */
typedef struct computation_kind {
    /* The document is whole: sets c->batch, and c->request where there is one. */
    grad_status (*read)(computation *c, grad_error *error);
    grad_status (*measure)(computation *c, const grad_limits *limits, grad_error *error);
    /* Upper bound of the memory that printing the response takes. */
    size_t (*print_bound)(const computation *c);
    /* What all is expected to take, in seconds on one thread: computing and printing; the reading
     * is done. */
    double (*cost)(const computation *c);
    grad_status (*create)(computation *c, grad_error *error);
    size_t (*stage_count)(const computation *c);
    size_t (*tile_count)(const computation *c, size_t stage);
    void (*tile)(computation *c, size_t stage, size_t tile);
    /* After the last tile: makes the response ready to be printed, in c->segment_count segments. */
    grad_status (*finish)(computation *c, grad_error *error);
    grad_status (*print)(computation *c, size_t segment, grad_error *error);
    grad_request_kind request; /* of those that read one */
} computation_kind;

extern const computation_kind compute_gradients, compute_backprop, compute_check;

/* When things happened, clock_now; 0: they have not. */
typedef struct computation_times {
    int64_t queued, begun, computed, printed;
} computation_times;

/* A request's computation. Made when its headers were admitted. */
struct computation {
    pool_job job;
    const computation_kind *kind;
    reservation memory;
    size_t expected; /* bytes of the body, as it was declared; 0: not known */
    body *body;
    grad_batch *batch;           /* the body's */
    grad_check_request *request; /* of a check; the body's */
    grad_measure measure;
    grad_run *run;     /* of all but a check */
    grad_check *check; /* of a check */
    const grad_check_report *report;
    size_t stage_count;    /* of the run or the check, once it was created */
    size_t segment_count;  /* of the printed response, */
    grad_encoder *encoder; /* which this holds, */
    grad_text text;        /* or (of a check) this does */
    int64_t deadline;      /* for the response's first byte, clock_now */
    double decode_seconds;
    computation_times times;
    bool expired;        /* the job's deadline came before a worker */
    _Atomic bool late;   /* the request's own deadline passed */
    _Atomic bool failed; /* set by the first that fails, who then writes error */
    grad_error error;
    void (*done)(void *context); /* called on a worker when the job is over; it is not touched
                                    afterwards */
    void *done_context;
};

/* What a computation is about to do; each phase needs memory of its own. */
typedef enum memory_phase {
    MEMORY_TO_EXPECT,  /* the headers are there */
    MEMORY_TO_RECEIVE, /* the body comes */
    MEMORY_TO_READ,    /* it is whole */
    MEMORY_TO_COMPUTE, /* its batch was measured; this includes the printing */
    MEMORY_TO_RESPOND  /* all is printed; nothing else is kept */
} memory_phase;

/* Bytes that the computation needs in that phase: all that it holds then. Until it computes never
 * less than it has reserved. SIZE_MAX: more than can be counted. */
size_t computation_memory(const computation *c, memory_phase phase);

/* Everything on this thread. */
void computation_run_inline(computation *c);

/* Hands it to the pool, which calls done. start_deadline as pool_job's. False: the queue is
 * full. */
bool computation_submit(computation *c, pool *workers, int64_t start_deadline);

/* The printed response's c->segment_count segments, one at least. Those of an encoder are its own;
 * of a text one is made in *own. */
const grad_segment *computation_segments(const computation *c, grad_segment *own);

/* Frees all that the printed response needs no longer. */
void computation_drop_inputs(computation *c);

/* Frees all and gives back what is reserved. NULL is fine. */
void computation_destroy(computation *c);

#endif
