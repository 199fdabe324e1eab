/* A plan: all that follows from a batch before there is memory for its numbers. Which arrays each
 * layer has and where they lie in the block of a run; and the work, as stages of operations, each
 * an array cut into tiles. Worked out once, by one walk over the batch; a run only takes the
 * memory. */
#ifndef GRAD_PLAN_PLAN_H
#define GRAD_PLAN_PLAN_H

#include "gradient_network.h"
#include "kernels/losses.h"
#include "model/sizes.h"
#include "model/tiles.h"

/* ---- Dataflow -------------------------------------------------------------------------------- */

/* What is to be done for one layer, and which of its arrays are one and the same. Decided from the
 * batch alone. */
typedef struct grad_dataflow {
    bool computes_z; /* else it is given, or is x */
    bool computes_y; /* else nobody asks for it, or it is z */
    bool y_is_z;
    bool has_backward;
    bool fused;        /* the loss gives δ at once; there is no ∂L/∂y */
    bool dz_is_dy;     /* nothing is between them */
    bool dz_over_dy;   /* δ is written over ∂L/∂y */
    bool keeps_gy;     /* prelu behind dropout: the gradient between the two has memory */
    bool needs_dx;     /* ∂L/∂x is worked out */
    bool dx_is_answer; /* into the answer; else into memory of the run */
    bool adds_to_dy;   /* residual connections bring more of ∂L/∂y */
} grad_dataflow;

/* ---- Operations ------------------------------------------------------------------------------ */

typedef enum grad_op_kind {
    GRAD_OP_PREPARE,    /* what its kind works out before all else */
    GRAD_OP_FORWARD,    /* z */
    GRAD_OP_OUTPUT,     /* y */
    GRAD_OP_LOSS,       /* value, and ∂L/∂y or δ of the last layer */
    GRAD_OP_DEAD,       /* counts f' = 0 where no δ is worked out */
    GRAD_OP_JOIN,       /* ∂L/∂y += those of residual connections */
    GRAD_OP_DELTA,      /* δ */
    GRAD_OP_ANSWER,     /* the output of a layer that op.output names */
    GRAD_OP_JOIN_INPUT, /* ∂L/∂x of the network += those of residual connections */
    GRAD_OP_CLIP,       /* a delta by value, and its norm */
    GRAD_OP_FACTORS,    /* of clipping by norms, all layers */
    GRAD_OP_FINISH,     /* a delta's factor, decay and scale; an output's statistics */
    GRAD_OP_KIND_COUNT
} grad_op_kind;

#define GRAD_NO_OP SIZE_MAX
#define GRAD_NO_PARTIALS SIZE_MAX

typedef struct grad_op {
    grad_op_kind kind;
    grad_output_kind output;
    size_t layer;
    grad_grid grid;
    size_t first_tile;    /* its number within the stage */
    size_t first_partial; /* its tiles' first, or GRAD_NO_PARTIALS */
} grad_op;

/* Operations that are independent of each other. */
typedef struct grad_stage {
    size_t first_op, op_count;
    size_t tile_count;
} grad_stage;

/* ---- The plan -------------------------------------------------------------------------------- */

#define GRAD_NOWHERE SIZE_MAX
#define GRAD_RUN_ALIGNMENT ((size_t)64) /* of the block, and of every array in it */

/* A layer: its arrays by where they begin in the block of the run, GRAD_NOWHERE where they have no
 * memory of their own. */
typedef struct grad_layer_plan {
    grad_layer_sizes sizes;
    grad_dataflow flow;
    unsigned outputs; /* GRAD_OUTPUT_* bits of its answer */
    size_t z, y, scratch, gy, dz, dx;
    size_t answers[GRAD_OUTPUT_COUNT];
    size_t last_op[GRAD_OUTPUT_COUNT]; /* what finishes each output, or GRAD_NO_OP */
    size_t clip_op[GRAD_OUTPUT_COUNT];
    size_t dead_op; /* what counts f' = 0, or GRAD_NO_OP */
} grad_layer_plan;

struct grad_plan {
    const grad_batch *batch;
    size_t first_backward; /* the first layer with a backward pass; layer_count: none has */
    grad_loss_kind fusion; /* of the last layer's activation with the loss */
    grad_layer_plan *layers;
    grad_op *ops;
    grad_stage *stages;
    grad_error *errors; /* of each layer; NULL but for continue_on_error */
    bool *failed;       /* likewise */
    size_t op_count, stage_count, partial_count;
    size_t states, results, partials; /* where these begin in the block */
    size_t losses, loss_sums, loss_gradient;
    size_t block; /* its bytes */
    grad_measure measure;
};

/* While it is worked out. */
typedef struct grad_planner {
    grad_plan *plan;
    const grad_batch *batch;
    bool overflow;
    grad_stage open;
} grad_planner;

/* Whether a layer's own values are wrong, so that it has no part in the run. */
static inline bool grad_plan_has_failed(const grad_plan *plan, size_t layer)
{
    return plan->failed != NULL && plan->failed[layer];
}

static inline bool grad_batch_has_loss(const grad_batch *batch)
{
    return batch->network != NULL && batch->network->loss.kind != GRAD_LOSS_ABSENT;
}

static inline bool grad_layer_has_output(const grad_layer_plan *layer, grad_output_kind output)
{
    return (layer->outputs & (1U << output)) != 0;
}

/* Whether layer's output, or (GRAD_RESIDUAL_INPUT) the network's input, is added to a later one. */
bool grad_is_residual_source(const grad_batch *batch, size_t residual);

/* The loss that is one function with the last layer's activation, or GRAD_LOSS_ABSENT. */
grad_loss_kind grad_batch_fusion(const grad_batch *batch);

/* How numbers flow through that layer; first_backward, fusion and failed of the plan are known. */
grad_dataflow grad_dataflow_of(const grad_plan *plan, size_t layer);

/* The shape of an answer, without numbers: of a layer's output, with the samples' axes in front
 * where it is one a sample; of the losses, where they are answered (else of rank 0); of the
 * predictions. */
grad_tensor grad_plan_output_shape(const grad_plan *plan, size_t layer, grad_output_kind output);
grad_tensor grad_plan_losses_shape(const grad_plan *plan);
grad_tensor grad_plan_predictions_shape(const grad_plan *plan);

/* Lays count elements of that size, zero or more, into the block; returns where. */
size_t grad_planner_take(grad_planner *p, size_t count, size_t size);

/* Sizes, dataflow and place of every array. */
void grad_planner_lay_out(grad_planner *p);

/* The work. */
void grad_planner_add_stages(grad_planner *p);

/* ---- What finishes deltas -------------------------------------------------------------------- */

/* Whether they are clipped; whether by norms; whether the weights decay. */
bool grad_batch_has_clip(const grad_batch *batch);
bool grad_batch_has_norm_clip(const grad_batch *batch);
bool grad_batch_has_decay(const grad_batch *batch);

/* Whether a stage behind the ones that work out the answers touches them again. */
bool grad_batch_is_finished_later(const grad_batch *batch);

#endif
