/* What a run is made of: the state of each layer, the program, the answer. */
#ifndef GRAD_PLAN_STATE_H
#define GRAD_PLAN_STATE_H

#include "kernels/activations.h"
#include "model/kind.h"
#include "plan/flow.h"
#include "plan/program.h"

#define GRAD_NO_PART SIZE_MAX

/* A layer while it is worked out. Arrays are whole; those that the flow does not have are NULL. */
typedef struct grad_layer_state {
    grad_layer_sizes sizes;
    grad_flow flow;
    unsigned outputs; /* GRAD_OUTPUT_* bits of its answer */
    const void *x;    /* [B,K] */
    const void *z;    /* [B,N] */
    const void *y;    /* [B,N] */
    void *own_z;      /* z, y where the run works them out */
    void *own_y;
    void *dy; /* ∂L/∂y [B,N] */
    void *gy; /* ∂L/∂f(z) [B,N]: dy behind the dropout; dy where there is none, or δ on its way */
    void *dz;                            /* δ [B,N] */
    void *dx;                            /* ∂L/∂x [B,K] */
    void *scratch;                       /* its kind's own */
    size_t last_part[GRAD_OUTPUT_COUNT]; /* the part that finishes each output, or GRAD_NO_PART */
    size_t clip_part[GRAD_OUTPUT_COUNT];
    size_t zeros_part; /* the part that counts f' = 0, or GRAD_NO_PART */
    double factor;     /* what GRAD_PART_FINISH multiplies the deltas with */
} grad_layer_state;

struct grad_run {
    void *allocation; /* what free() takes: malloc aligns to less than a cache line */
    const grad_batch *batch;
    grad_scope scope;
    grad_program program;
    grad_layer_state *layers;
    grad_layer_result *results;
    grad_error *errors; /* of each layer; NULL but for continue_on_error */
    bool *failed;       /* likewise */
    grad_reply reply;
    void *loss_gradient; /* [B,N] of the last layer */
    double *loss_sums;   /* [B] */
    grad_loss_view loss;
    struct grad_notes *notes; /* NULL: there is nothing to note; else free()d with the run */
};

/* Whether the deltas are finished by a stage of their own. */
bool grad_batch_has_clip(const grad_batch *batch);
bool grad_batch_has_norm_clip(const grad_batch *batch);
bool grad_batch_has_decay(const grad_batch *batch);

/* What the parts that work out deltas multiply with: all there is, unless a later stage scales. */
double grad_batch_delta_factor(const grad_batch *batch, size_t B);

/* Fills in sizes and flow of each layer (all else zero), which need no memory of the run. */
void grad_states_prepare(const grad_scope *scope, grad_layer_state *states);

/* The walk over the batch that counts or writes everything from the layers' arrays on; run is NULL
 * while counting. */
void grad_layout_walk(grad_builder *b, const grad_scope *scope, grad_layer_state *states,
                      grad_run *run);

/* Computes a block of a part; *note is its tile's, or a scratch one. Index: the part's kind. */
typedef void grad_part_function(grad_run *run, const grad_part *part, grad_block block,
                                grad_note *note);

grad_part_function grad_part_prepare, grad_part_forward, grad_part_output,
    grad_part_loss; /* forward.c */
grad_part_function grad_part_zeros, grad_part_join, grad_part_delta, grad_part_answer,
    grad_part_join_input;                                               /* backward.c */
grad_part_function grad_part_clip, grad_part_factors, grad_part_finish; /* finish.c */

/* An output of a layer as it is answered; a network's grad_input is that of its first layer. */
grad_tensor *grad_run_output(grad_run *run, size_t layer, grad_output_kind output);

/* f of a layer. */
grad_function grad_layer_function(const grad_run *run, size_t layer);

/* A layer as its kind's operations see it. */
grad_layer_view grad_run_view(const grad_run *run, size_t layer);

/* Under reject, whether the answer is finite: the first number that is not is told, of the whole or
 * (continue_on_error) of its layer. (judge.c) */
grad_status grad_judge_reply(grad_run *run, grad_error *error);

/* Answers a layer that failed with its name and its error. (judge.c) */
void grad_judge_failed(grad_run *run, size_t layer);

/* Whether the loss is finite; where it is not, which sample made it so, and why. (judge_loss.c) */
grad_status grad_judge_loss(const grad_run *run, grad_error *error);

/* Fills in the notes of the reply. Errors: GRAD_OUT_OF_MEMORY. (notes.c) */
grad_status grad_note_reply(grad_run *run, grad_error *error);

/* After the last tile: verdicts, statistics, reports and notes. */
grad_status grad_finish_reply(grad_run *run, grad_error *error);

#endif
