/* The tensors that layers and networks hold, as lists; and the sizes that follow from them. The
 * batch they belong to has been measured. Internal to gradcheck/. */
#ifndef GRAD_GRADCHECK_TENSORS_H
#define GRAD_GRADCHECK_TENSORS_H

#include "gradient_network.h"

#define GRAD_LAYER_TENSORS 11
#define GRAD_LAYER_REALS 10 /* the first so many of them are any numbers: all but the mask */
#define GRAD_NETWORK_TENSORS 8
#define GRAD_NETWORK_REALS                                                                         \
    2 /* input and grad_output: what belongs to a loss has rules of its own */

void grad_layer_tensors(grad_layer *layer, grad_tensor *list[GRAD_LAYER_TENSORS]);
void grad_network_tensors(grad_network *network, grad_tensor *list[GRAD_NETWORK_TENSORS]);

/* B samples, K inputs, N outputs of a layer; and the shape of its input, all of whose axes but the
 * last are those of the samples. */
typedef struct grad_extent {
    size_t B, K, N;
    grad_tensor input; /* without numbers */
} grad_extent;

/* Of a layer, given that of the layer before it (which only a network's later layers look at). */
grad_extent grad_extent_of(const grad_batch *batch, size_t layer, const grad_extent *before);

/* What makes z of x in that layer. */
grad_layer_map grad_map_of(const grad_layer *layer);

/* A tensor without numbers, of so many columns for each of the samples. */
grad_tensor grad_extent_state(const grad_extent *extent, size_t columns);

/* The gradient of that output as the batch is answered: its shape, without numbers; of rank 0 where
 * there is none. The grad_input of a network is its first layer's. */
grad_tensor grad_extent_gradient(const grad_batch *batch, size_t layer, const grad_extent *extent,
                                 grad_output_kind output);

#endif
