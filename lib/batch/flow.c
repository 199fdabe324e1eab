/* How numbers flow through a batch. All rules are local to a layer and its neighbours: at worst an
 * array is worked out that nobody asks for, where states are given that make it unnecessary. */
#include "batch/flow.h"

#include <stdint.h>

#include "core/size.h"

#define ALL_DELTAS                                                                                 \
    (GRAD_OUTPUT_WEIGHT_DELTA | GRAD_OUTPUT_BIAS_DELTA | GRAD_OUTPUT_SLOPE_DELTA |                 \
     GRAD_OUTPUT_GAIN_DELTA | GRAD_OUTPUT_SHIFT_DELTA)

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
    const grad_layer *l = &batch->layers[layer];
    const grad_tensor *x = grad_layer_input(batch, layer);
    grad_layer_sizes sizes;

    if (x->data != NULL)
        sizes = (grad_layer_sizes){grad_tensor_rows(x), grad_tensor_columns(x), 0,
                                   grad_tensor_sample_axes(x)};
    else
        sizes = (grad_layer_sizes){before->B, before->N, 0, before->axes};
    if (l->pre_activation.data != NULL)
        sizes.N = grad_tensor_columns(&l->pre_activation);
    else
        sizes.N = l->kind == GRAD_DENSE ? grad_tensor_rows(&l->weight) : sizes.K;
    return sizes;
}

bool grad_layer_is_norm(const grad_layer *layer)
{
    return layer->kind == GRAD_LAYER_NORM || layer->kind == GRAD_BATCH_NORM;
}

bool grad_layer_computes_z(const grad_layer *layer)
{
    return layer->pre_activation.data == NULL && layer->kind != GRAD_ELEMENTS;
}

bool grad_layer_is_inference(const grad_layer *layer)
{
    return layer->kind == GRAD_BATCH_NORM && layer->running_mean.data != NULL;
}

unsigned grad_layer_deltas(const grad_layer *layer)
{
    unsigned deltas = 0;

    if (layer->kind == GRAD_DENSE)
        deltas |= GRAD_OUTPUT_WEIGHT_DELTA | GRAD_OUTPUT_BIAS_DELTA;
    if (layer->gain.data != NULL)
        deltas |= GRAD_OUTPUT_GAIN_DELTA;
    if (layer->shift.data != NULL)
        deltas |= GRAD_OUTPUT_SHIFT_DELTA;
    if (layer->activation.kind == GRAD_PRELU)
        deltas |= GRAD_OUTPUT_SLOPE_DELTA;
    return deltas;
}

/* Whether ∂L/∂x can be worked out. */
static bool has_grad_input(const grad_layer *layer)
{
    return layer->kind != GRAD_DENSE || layer->weight.data != NULL;
}

unsigned grad_layer_outputs(const grad_batch *batch, size_t layer)
{
    const grad_layer *l = &batch->layers[layer];
    unsigned available = grad_layer_deltas(l);

    if (batch->network == NULL && has_grad_input(l))
        available |= GRAD_OUTPUT_GRAD_INPUT;
    return batch->outputs == 0 ? available : batch->outputs & available;
}

bool grad_network_wants_grad_input(const grad_batch *batch)
{
    if (batch->network == NULL)
        return false;
    return batch->outputs == 0 ? has_grad_input(&batch->layers[0])
                               : (batch->outputs & GRAD_OUTPUT_GRAD_INPUT) != 0;
}

bool grad_network_wants_predictions(const grad_batch *batch)
{
    return batch->network != NULL && (batch->outputs & GRAD_OUTPUT_PREDICTIONS) != 0;
}

static size_t first_backward(const grad_batch *batch)
{
    size_t layer = 0;

    if (batch->network == NULL || grad_network_wants_grad_input(batch))
        return 0;
    while (layer < batch->layer_count && (grad_layer_outputs(batch, layer) & ALL_DELTAS) == 0)
        layer++;
    return layer;
}

static grad_loss_kind fusion_of(const grad_batch *batch)
{
    const grad_layer *last = &batch->layers[batch->layer_count - 1];

    if (batch->network == NULL || batch->network->loss.kind == GRAD_LOSS_ABSENT ||
        last->dropout_mask.data != NULL || last->residual != GRAD_RESIDUAL_NONE)
        return GRAD_LOSS_ABSENT;
    return grad_loss_fusion_of(last->activation.kind, batch->network->loss.kind);
}

grad_scope grad_scope_of(const grad_batch *batch, const bool *failed)
{
    return (grad_scope){batch, first_backward(batch), fusion_of(batch), failed};
}

bool grad_is_residual_source(const grad_batch *batch, size_t residual)
{
    if (batch->network == NULL)
        return false;
    for (size_t i = 0; i < batch->layer_count; i++)
        if (batch->layers[i].residual == residual)
            return true;
    return false;
}

/* Whether anyone reads the output of that layer. */
static bool is_y_read(const grad_scope *scope, size_t layer)
{
    const grad_batch *batch = scope->batch;

    if (batch->network == NULL)
        return false;
    if (layer + 1 < batch->layer_count)
        return batch->layers[layer + 1].input.data == NULL ||
               grad_is_residual_source(batch, GRAD_RESIDUAL_OF(layer));
    return grad_network_wants_predictions(batch) ||
           (batch->network->loss.kind != GRAD_LOSS_ABSENT && scope->fusion == GRAD_LOSS_ABSENT);
}

/* Whether ∂L/∂y of the layer lies in memory that a run may write over. */
static bool may_overwrite_dy(const grad_scope *scope, size_t layer)
{
    const grad_batch *batch = scope->batch;
    bool is_given = batch->network == NULL || (layer + 1 == batch->layer_count &&
                                               batch->network->loss.kind == GRAD_LOSS_ABSENT);

    return (!is_given || batch->overwrite_grad_output) &&
           batch->layers[layer].residual == GRAD_RESIDUAL_NONE &&
           batch->layers[layer].activation.kind != GRAD_PRELU; /* its slope's delta reads it */
}

static bool needs_dx(const grad_scope *scope, size_t layer)
{
    const grad_batch *batch = scope->batch;

    if (batch->network == NULL)
        return (grad_layer_outputs(batch, layer) & GRAD_OUTPUT_GRAD_INPUT) != 0;
    return layer == 0 ? grad_network_wants_grad_input(batch) : layer > scope->first_backward;
}

grad_flow grad_flow_of(const grad_scope *scope, size_t layer)
{
    const grad_batch *batch = scope->batch;
    const grad_layer *l = &batch->layers[layer];
    bool is_last = layer + 1 == batch->layer_count;
    bool is_plain = l->activation.kind == GRAD_IDENTITY && l->dropout_mask.data == NULL;
    grad_flow flow = {0};

    if (scope->failed != NULL && scope->failed[layer])
        return flow;
    flow.y_is_z = is_plain && l->residual == GRAD_RESIDUAL_NONE &&
                  !(is_last && grad_network_wants_predictions(batch));
    flow.computes_z = grad_layer_computes_z(l);
    flow.computes_y = !flow.y_is_z && is_y_read(scope, layer);
    flow.has_backward = layer >= scope->first_backward;
    if (!flow.has_backward)
        return flow;
    flow.fused = is_last && scope->fusion != GRAD_LOSS_ABSENT;
    flow.adds_to_dy = !is_last && grad_is_residual_source(batch, GRAD_RESIDUAL_OF(layer));
    flow.dz_is_dy = is_plain || flow.fused;
    flow.keeps_gy = l->activation.kind == GRAD_PRELU && l->dropout_mask.data != NULL;
    flow.dz_over_dy = !flow.dz_is_dy && may_overwrite_dy(scope, layer);
    flow.needs_dx = needs_dx(scope, layer);
    flow.dx_is_answer = batch->network == NULL || layer == 0;
    return flow;
}
