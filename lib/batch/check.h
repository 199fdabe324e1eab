/* Every question asked of a batch before anything is computed. After these, kernels trust. */
#ifndef GRAD_BATCH_CHECK_H
#define GRAD_BATCH_CHECK_H

#include "gradient.h"

/* B samples, K inputs, N outputs of a checked layer. */
typedef struct grad_layer_sizes {
    size_t B, K, N;
} grad_layer_sizes;

grad_layer_sizes grad_layer_sizes_of(const grad_layer *layer);

/* The GRAD_OUTPUT_* bits that hold for this layer, the default resolved. */
unsigned grad_layer_outputs(const grad_batch *batch, const grad_layer *layer);

/* Options, presence, ranks, shapes, parameters; reads no element. max_layers 0: no cap. */
grad_status grad_check_shapes(const grad_batch *batch, size_t max_layers, grad_error *error);

/* Under reject, that every element is finite. The shapes have been checked. */
grad_status grad_check_finite(const grad_batch *batch, grad_error *error);

/* Fills in an error about layers/<layer>/<member>, whose text is that path, the formatted text and
 * the layer's name where it has one. */
grad_status grad_fail_layer(grad_error *error, const grad_batch *batch, size_t layer,
                            const char *code, const char *member, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Fills in an error about element index of that tensor of that layer. */
grad_status grad_fail_element(grad_error *error, const grad_batch *batch, size_t layer,
                              const char *member, const grad_tensor *tensor, size_t index);

#endif
