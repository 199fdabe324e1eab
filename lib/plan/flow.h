/* How numbers flow through a batch: which of a layer's arrays are given, which are worked out, and
 * which are one and the same. Decided from the batch alone, so that sizing a
 * run and laying it out agree. No memory and no arithmetic on elements lives here. */
#ifndef GRAD_BATCH_FLOW_H
#define GRAD_BATCH_FLOW_H

#include "gradient_network.h"
#include "kernels/losses.h"
#include "model/sizes.h"

/* z is worked out by the run, into memory of its own. */
bool grad_layer_computes_z(const grad_layer *layer);

/* Facts of a whole batch that its layers' flow depends on. */
typedef struct grad_scope {
    const grad_batch *batch;
    size_t first_backward; /* the first layer with a backward pass; layer_count: none has */
    grad_loss_kind fusion; /* of the last layer's activation with the loss */
    const bool *failed;    /* of each layer; NULL: none has */
} grad_scope;

grad_scope grad_scope_of(const grad_batch *batch, const bool *failed);

/* What is to be done for one layer, and where its arrays lie. */
typedef struct grad_flow {
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
} grad_flow;

grad_flow grad_flow_of(const grad_scope *scope, size_t layer);

/* Whether layer's output, or (GRAD_RESIDUAL_INPUT) the network's input, is added to a later one. */
bool grad_is_residual_source(const grad_batch *batch, size_t residual);

#endif
