/* A request's computation, without HTTP: what it holds, the memory of each phase, and its stages,
 * run inline or by the workers. What differs between endpoints is in their kinds. */
#ifndef GRADIENTD_COMPUTATION_H
#define GRADIENTD_COMPUTATION_H

#include "body/body.h"
#include "gradient_network.h"
#include "work/budget.h"
#include "work/pool.h"

#include <stdatomic.h>

typedef struct computation computation;

/* What differs between the kinds of computation. All functions are called by one thread at a time,
 * except tile and print, which run for different tiles and segments at once. */
typedef struct computation_kind {
    /* Reads the complete document: sets c->batch, and c->request where there is one. */
    grad_status (*read)(computation *c, grad_error *error);
    /* Bytes that plan takes. */
    size_t (*plan_memory)(const computation *c);
    /* Asks the limits and all else of the batch: sets c->measure, and c->plan of a run. */
    grad_status (*plan)(computation *c, const grad_limits *limits, grad_error *error);
    /* Upper bound of the memory that printing the response takes. */
    size_t (*print_bound)(const computation *c);
    /* Expected seconds on one thread to compute and print; the document is read already. */
    double (*cost)(const computation *c);
    grad_status (*create)(computation *c, grad_error *error);
    size_t (*stage_count)(const computation *c);
    size_t (*tile_count)(const computation *c, size_t stage);
    void (*tile)(computation *c, size_t stage, size_t tile);
    /* After the last tile: prepares the response, in c->segment_count segments. */
    grad_status (*finish)(computation *c, grad_error *error);
    grad_status (*print)(computation *c, size_t segment, grad_error *error);
    grad_request_kind request; /* of those that read one */
} computation_kind;

extern const computation_kind compute_gradients, compute_backprop, compute_check, compute_inference;

/* When things happened, clock_now; 0: they have not. */
typedef struct computation_times {
    int64_t queued, begun, computed, printed;
} computation_times;

/* A request's computation, created when its headers were admitted. */
struct computation {
    pool_job job;
    const computation_kind *kind;
    reservation memory;
    const payload_kind *wanted; /* what the response is to be; NULL: what the document says */
    const char *content_type;   /* of the response */
    size_t expected;            /* bytes of the body, as it was declared; 0: not known */
    body *body;
    grad_batch *batch;           /* the body's */
    grad_check_request *request; /* of a check; the body's */
    grad_measure measure;
    grad_plan *plan;   /* of all but a check, until the run takes it */
    grad_run *run;     /* of all but a check */
    grad_check *check; /* of a check */
    const grad_check_report *report;
    size_t stage_count;                /* of the run or the check, once it was created */
    size_t segment_count;              /* of the printed response, */
    grad_encoder *encoder;             /* which this holds, */
    grad_text text;                    /* or (of a check, or compressed) this does */
    const body_compressor *compressor; /* NULL: the response goes as it is */
    bool must_compress;                /* however small it is */
    void *compression;                 /* the compressor's state */
    grad_text compressed;              /* what came of it by now */
    bool is_compressed;                /* text is what came of it */
    size_t document_length; /* of the response, where bytes of tensors follow it; else 0 */
    int64_t deadline;       /* for the response's first byte, clock_now */
    double decode_seconds;
    computation_times times;
    double cost;            /* expected seconds on one thread, known once the document is read */
    bool awaits_memory;     /* in the line, its body read */
    pool *pool;             /* that has the job; NULL: none has */
    pool_end end;           /* of the job */
    _Atomic bool late;      /* the request's own deadline passed */
    _Atomic bool cancelled; /* nobody waits for it any more */
    _Atomic bool failed;    /* set by the first that fails, who then writes error */
    grad_error error;
    void (*done)(void *context); /* called on a worker when the job is over; it is not touched
                                    afterwards */
    void *done_context;
};

/* The phases of a computation, by what it is about to do. Each needs memory of its own. */
typedef enum memory_phase {
    MEMORY_TO_EXPECT,  /* the headers are there */
    MEMORY_TO_RECEIVE, /* the body comes */
    MEMORY_TO_READ,    /* it is whole */
    MEMORY_TO_PLAN,    /* its batch was read */
    MEMORY_TO_COMPUTE, /* and planned; this includes the printing */
    MEMORY_TO_RESPOND  /* all is printed; nothing else is kept */
} memory_phase;

/* Bytes that the computation needs in that phase, with all that it holds then. Before it computes
 * this is never less than it has reserved. SIZE_MAX: more than can be counted. */
size_t computation_memory(const computation *c, memory_phase phase);

/* Expected seconds on one thread to compute, print and compress. */
double computation_cost(const computation *c);

/* Creates, computes, prints and compresses on this thread. */
void computation_run_inline(computation *c);

/* Whether it will probably take so long that others should not wait for it. */
bool computation_is_long(const computation *c);

/* Submits it to the pool, which calls done; cost decides whether it is a long job. start_deadline
 * is that of pool_job. False: the queue is full. */
bool computation_submit(computation *c, pool *workers, int64_t start_deadline);

/* Stops it, wherever the pool has it: done is called, soon or before this returns, unless it has
 * been called. The computation must outlive the call. Any thread. */
void computation_cancel(computation *c, pool *workers);

/* The printed response's c->segment_count segments, one at least. Those of an encoder are its own;
 * of a text one is made in *own. */
const grad_segment *computation_segments(const computation *c, grad_segment *own);

/* Frees everything except the printed response. */
void computation_drop_inputs(computation *c);

/* Frees everything and releases the reservation. NULL is fine. */
void computation_destroy(computation *c);

#endif
