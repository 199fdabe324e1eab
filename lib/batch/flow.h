/* How numbers flow through a batch: what sizes a layer has, which of its arrays are given, which
 * are worked out, and which are one and the same. Decided from the batch alone, so that sizing a
 * run and laying it out agree. No memory and no arithmetic on elements lives here. */
#ifndef GRAD_BATCH_FLOW_H
#define GRAD_BATCH_FLOW_H

#include "gradient_network.h"
#include "kernels/losses.h"

/* The axes in front of a tensor's last one: each of their places is a sample. [B,K] has one, a
 * sequence [B,T,K] two, a vector none: it is one sample. */
typedef struct grad_sample_axes {
    size_t count;
    size_t lengths[GRAD_MAX_RANK - 1];
} grad_sample_axes;

/* B samples, K inputs, N outputs of a layer. */
typedef struct grad_layer_sizes {
    size_t B, K, N;
    grad_sample_axes axes; /* of the samples as they were given, B in all */
} grad_layer_sizes;

/* The last axis, and how many rows of it there are in all the others (1 for a vector). */
size_t grad_tensor_columns(const grad_tensor *tensor);
size_t grad_tensor_rows(const grad_tensor *tensor);

/* All axes but the last. */
grad_sample_axes grad_tensor_sample_axes(const grad_tensor *tensor);

/* x of a layer as the batch gives it; absent where the layer before it gives it. */
const grad_tensor *grad_layer_input(const grad_batch *batch, size_t layer);

/* The sizes of a layer that has been checked as far as its ranks; before: those of the layer before
 * it, which is looked at only in a network, from the second layer on. */
grad_layer_sizes grad_layer_sizes_of(const grad_batch *batch, size_t layer,
                                     const grad_layer_sizes *before);

bool grad_layer_is_norm(const grad_layer *layer);

/* z is worked out by the run, into memory of its own. */
bool grad_layer_computes_z(const grad_layer *layer);

/* Moments come from given running values. */
bool grad_layer_is_inference(const grad_layer *layer);

/* The parameters' deltas that a layer has, GRAD_OUTPUT_* bits. */
unsigned grad_layer_deltas(const grad_layer *layer);

/* What a layer is answered with: GRAD_OUTPUT_* bits, the default resolved. In a network never
 * GRAD_OUTPUT_GRAD_INPUT. */
unsigned grad_layer_outputs(const grad_batch *batch, size_t layer);

/* Whether the network's grad_input is asked for; whether its predictions are. */
bool grad_network_wants_grad_input(const grad_batch *batch);
bool grad_network_wants_predictions(const grad_batch *batch);

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
