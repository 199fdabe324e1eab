/* Lists of tensors, and the shapes of gradients. */
#include "gradcheck/tensors.h"

#include <stdint.h>
#include <string.h>

void grad_layer_tensors(grad_layer *layer, grad_tensor *list[GRAD_LAYER_TENSORS])
{
    size_t count = 0;

    list[count++] = &layer->input;
    list[count++] = &layer->pre_activation;
    list[count++] = &layer->grad_output;
    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++)
        list[count++] = (grad_tensor *)(uintptr_t)grad_layer_slot(layer, slot);
    list[count] = &layer->dropout_mask;
}

void grad_network_tensors(grad_network *network, grad_tensor *list[GRAD_NETWORK_TENSORS])
{
    grad_loss *loss = &network->loss;
    grad_tensor *const tensors[GRAD_NETWORK_TENSORS] = {
        &network->input,     &network->grad_output, &loss->target,   &loss->sample_weight,
        &loss->class_weight, &loss->pos_weight,     &loss->variance, &loss->other};

    memcpy(list, tensors, sizeof tensors);
}

static size_t columns(const grad_tensor *tensor)
{
    return tensor->shape[tensor->rank - 1];
}

grad_extent grad_extent_of(const grad_batch *batch, size_t layer, const grad_extent *before)
{
    const grad_layer *l = &batch->layers[layer];
    const grad_tensor *x = &l->input;
    grad_extent extent = {before->B, before->N, 0, before->input};

    if (x->data == NULL && batch->network != NULL && layer == 0)
        x = &batch->network->input;
    if (x->data != NULL)
        extent = (grad_extent){grad_tensor_count(x) / columns(x), columns(x), 0, *x};
    extent.input.data = NULL;
    extent.N = grad_layer_columns(l, extent.K);
    return extent;
}

grad_layer_map grad_map_of(const grad_layer *layer)
{
    return grad_layer_info_of(layer->kind)->map;
}

grad_tensor grad_extent_state(const grad_extent *extent, size_t columns)
{
    grad_tensor state = extent->input;

    state.shape[state.rank - 1] = columns;
    return state;
}

static bool has_gradient(const grad_batch *batch, size_t layer, grad_output_kind output)
{
    const grad_layer *l = &batch->layers[layer];

    if (output == GRAD_GRAD_INPUT)
        return (batch->network == NULL || layer == 0) && grad_layer_has_grad_input(l);
    return (grad_layer_deltas(l) & 1U << output) != 0;
}

grad_tensor grad_extent_gradient(const grad_batch *batch, size_t layer, const grad_extent *extent,
                                 grad_output_kind output)
{
    unsigned outputs = batch->outputs;

    if (!has_gradient(batch, layer, output) || (outputs != 0 && (outputs & 1U << output) == 0))
        return (grad_tensor){0};
    if (output == GRAD_GRAD_INPUT)
        return grad_extent_state(extent, extent->K);
    return grad_layer_output_shape(&batch->layers[layer], extent->K, extent->N, output);
}
