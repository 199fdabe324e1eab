/* The sizes of layers, and what of a layer is answered: both follow from its tensors alone. */
#ifndef GRAD_MODEL_SIZES_H
#define GRAD_MODEL_SIZES_H

#include "gradient_network.h"

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

/* What a layer is answered with: GRAD_OUTPUT_* bits, the default resolved. In a network never
 * GRAD_OUTPUT_GRAD_INPUT. */
unsigned grad_layer_outputs(const grad_batch *batch, size_t layer);

/* Whether the network's grad_input is asked for; whether its predictions are. */
bool grad_network_wants_grad_input(const grad_batch *batch);
bool grad_network_wants_predictions(const grad_batch *batch);

/* The first layer with a backward pass; layer_count: none has. */
size_t grad_first_backward(const grad_batch *batch);

#endif
