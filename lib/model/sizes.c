/* Sizes and outputs of layers. */
#include "model/sizes.h"

#include <stdint.h>

#include "core/size.h"

size_t grad_tensor_rows(const grad_tensor *tensor)
{
    size_t rows = 1;

    for (size_t axis = 0; axis + 1 < tensor->rank; axis++)
        if (!grad_size_mul(rows, tensor->shape[axis], &rows))
            return SIZE_MAX; /* no memory holds them: larger than any cap */
    return rows;
}

size_t grad_tensor_columns(const grad_tensor *tensor)
{
    return tensor->shape[tensor->rank - 1];
}

grad_sample_axes grad_tensor_sample_axes(const grad_tensor *tensor)
{
    grad_sample_axes axes = {.count = tensor->rank - 1};

    for (size_t axis = 0; axis < axes.count; axis++)
        axes.lengths[axis] = tensor->shape[axis];
    return axes;
}

const grad_tensor *grad_layer_input(const grad_batch *batch, size_t layer)
{
    const grad_tensor *own = &batch->layers[layer].input;

    return own->data == NULL && batch->network != NULL && layer == 0 ? &batch->network->input : own;
}

grad_layer_sizes grad_layer_sizes_of(const grad_batch *batch, size_t layer,
                                     const grad_layer_sizes *before)
{
    const grad_tensor *x = grad_layer_input(batch, layer);
    grad_layer_sizes sizes;

    if (x->data != NULL)
        sizes = (grad_layer_sizes){grad_tensor_rows(x), grad_tensor_columns(x), 0,
                                   grad_tensor_sample_axes(x)};
    else
        sizes = (grad_layer_sizes){before->B, before->N, 0, before->axes};
    sizes.N = grad_layer_columns(&batch->layers[layer], sizes.K);
    return sizes;
}

unsigned grad_layer_outputs(const grad_batch *batch, size_t layer)
{
    const grad_layer *l = &batch->layers[layer];
    unsigned available = grad_layer_deltas(l);

    if (batch->network == NULL && grad_layer_has_grad_input(l))
        available |= GRAD_OUTPUT_GRAD_INPUT;
    return batch->outputs == 0 ? available : batch->outputs & available;
}

bool grad_network_wants_grad_input(const grad_batch *batch)
{
    if (batch->network == NULL)
        return false;
    return batch->outputs == 0 ? grad_layer_has_grad_input(&batch->layers[0])
                               : (batch->outputs & GRAD_OUTPUT_GRAD_INPUT) != 0;
}

bool grad_network_wants_predictions(const grad_batch *batch)
{
    return batch->network != NULL && (batch->outputs & GRAD_OUTPUT_PREDICTIONS) != 0;
}

size_t grad_first_backward(const grad_batch *batch)
{
    size_t layer = 0;

    if (batch->network == NULL || grad_network_wants_grad_input(batch))
        return 0;
    while (layer < batch->layer_count && grad_layer_outputs(batch, layer) == 0)
        layer++;
    return layer;
}
