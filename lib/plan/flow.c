/* How numbers flow through a batch. All rules are local to a layer and its neighbours: at worst an
 * array is worked out that nobody asks for, where states are given that make it unnecessary. */
#include "plan/flow.h"

#include "model/kind.h"

bool grad_layer_computes_z(const grad_layer *layer)
{
    return layer->pre_activation.data == NULL && grad_kind_of(layer)->forward.run != NULL;
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
    return (grad_scope){batch, grad_first_backward(batch), fusion_of(batch), failed};
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
