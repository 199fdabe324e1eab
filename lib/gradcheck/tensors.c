/* Lists of tensors, and the shapes of gradients, which follow gradient.h's comments on each. */
#include "gradcheck/tensors.h"

#include <string.h>

void grad_layer_tensors(grad_layer *layer, grad_tensor *list[GRAD_LAYER_TENSORS])
{
    grad_tensor *const tensors[GRAD_LAYER_TENSORS] = {
        &layer->input,        &layer->pre_activation,
        &layer->grad_output,  &layer->weight,
        &layer->bias,         &layer->slope,
        &layer->gain,         &layer->shift,
        &layer->running_mean, &layer->running_variance,
        &layer->dropout_mask};

    memcpy(list, tensors, sizeof tensors);
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
    extent.N = extent.K;
    if (l->kind == GRAD_DENSE)
        extent.N = l->weight.data != NULL ? l->weight.shape[0] : columns(&l->pre_activation);
    return extent;
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

    switch (output) {
    case GRAD_WEIGHT_DELTA:
    case GRAD_BIAS_DELTA:
        return l->kind == GRAD_DENSE;
    case GRAD_GRAD_INPUT:
        return (batch->network == NULL || layer == 0) &&
               (l->kind != GRAD_DENSE || l->weight.data != NULL);
    case GRAD_SLOPE_DELTA:
        return l->activation.kind == GRAD_PRELU;
    case GRAD_GAIN_DELTA:
        return l->gain.data != NULL;
    default:
        return l->shift.data != NULL;
    }
}

grad_tensor grad_extent_gradient(const grad_batch *batch, size_t layer, const grad_extent *extent,
                                 grad_output_kind output)
{
    const grad_tensor *slope = &batch->layers[layer].slope;
    unsigned outputs = batch->outputs;

    if (!has_gradient(batch, layer, output) || (outputs != 0 && (outputs & 1U << output) == 0))
        return (grad_tensor){0};
    if (output == GRAD_WEIGHT_DELTA)
        return (grad_tensor){.rank = 2, .shape = {extent->N, extent->K}};
    if (output == GRAD_GRAD_INPUT)
        return grad_extent_state(extent, extent->K);
    if (output == GRAD_SLOPE_DELTA)
        return (grad_tensor){.rank = 1, .shape = {slope->data == NULL ? 1 : slope->shape[0]}};
    return (grad_tensor){.rank = 1, .shape = {extent->N}};
}
