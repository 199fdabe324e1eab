/* A run: the memory of a plan, the answer, and what is done in a tile. */
#ifndef GRAD_PLAN_RUN_H
#define GRAD_PLAN_RUN_H

#include "kernels/activations.h"
#include "model/kind.h"
#include "plan/plan.h"

/* A layer while it is worked out. Arrays are whole; those that the dataflow does not have are
 * NULL. */
typedef struct grad_layer_state {
    const void *x; /* [B,K] */
    const void *z; /* [B,N] */
    const void *y; /* [B,N] */
    void *own_z;   /* z, y where the run works them out */
    void *own_y;
    void *dy; /* ∂L/∂y [B,N] */
    void *gy; /* ∂L/∂f(z) [B,N]: dy behind the dropout; dy where there is none, or δ on its way */
    void *dz;      /* δ [B,N] */
    void *dx;      /* ∂L/∂x [B,K] */
    void *scratch; /* its kind's own */
    double factor; /* what GRAD_OP_FINISH multiplies the deltas with */
} grad_layer_state;

#define GRAD_FINITE SIZE_MAX

/* What a tile found out, for those who add it up: each is written by its tile alone. */
typedef struct grad_partial {
    size_t bad; /* the first element of the whole array that is not finite, or GRAD_FINITE */
    size_t clipped;
    size_t zeros;
    grad_statistics statistics;
} grad_partial;

struct grad_run {
    void *allocation; /* what free() takes: malloc aligns to less than a cache line */
    char *block;
    grad_plan *plan;
    const grad_batch *batch;
    grad_layer_state *layers;
    grad_layer_result *results;
    grad_partial *partials;
    grad_reply reply;
    void *loss_gradient; /* [B,N] of the last layer */
    double *loss_sums;   /* [B] */
    grad_loss_view loss;
    struct grad_notes *notes; /* NULL: there is nothing to note; else free()d with the run */
};

/* Computes a block of an operation; *partial is its tile's, or a scratch one. Index: its kind. */
typedef void grad_op_function(grad_run *run, const grad_op *op, grad_block block,
                              grad_partial *partial);

/* What works arrays out. */
grad_op_function grad_op_prepare, grad_op_forward, grad_op_output, grad_op_loss, grad_op_dead,
    grad_op_join, grad_op_delta, grad_op_answer, grad_op_join_input;
/* What is done to deltas at the end. */
grad_op_function grad_op_clip, grad_op_factors, grad_op_finish;

/* An output of a layer as it is answered; a network's grad_input is that of its first layer. */
grad_tensor *grad_run_output(grad_run *run, size_t layer, grad_output_kind output);

/* f of a layer. */
grad_function grad_layer_function(const grad_run *run, size_t layer);

/* What the operations that work out deltas multiply with: all there is, unless a later stage
 * scales. */
double grad_batch_delta_factor(const grad_batch *batch, size_t B);

/* Under reject, whether the answer is finite: the first number that is not is told, of the whole or
 * (continue_on_error) of its layer. */
grad_status grad_check_finite(grad_run *run, grad_error *error);

/* Answers a layer that failed with its name and its error. */
void grad_answer_failed(grad_run *run, size_t layer);

/* Fills in the notes of the reply. Errors: GRAD_OUT_OF_MEMORY. */
grad_status grad_note_reply(grad_run *run, grad_error *error);

/* After the last tile: verdicts, statistics, reports and notes. */
grad_status grad_finish_reply(grad_run *run, grad_error *error);

#endif
