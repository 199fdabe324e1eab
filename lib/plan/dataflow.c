/* How numbers flow through a batch: which of a layer's arrays are given, which are worked out, and
 * which are one and the same. All rules are local to a layer and its neighbours: at worst an
 * array is worked out that nobody asks for, where states are given that make it unnecessary. */
#include "plan/plan.h"

#include "model/kind.h"

static bool computes_z(const grad_layer *layer)
{
    return layer->pre_activation.data == NULL && grad_kind_of(layer)->forward.run != NULL;
}

grad_loss_kind grad_batch_fusion(const grad_batch *batch)
{
    const grad_layer *last = &batch->layers[batch->layer_count - 1];

    if (!grad_batch_has_loss(batch) || last->dropout_mask.data != NULL ||
        last->residual != GRAD_RESIDUAL_NONE)
        return GRAD_LOSS_ABSENT;
    return grad_loss_fusion_of(last->activation.kind, batch->network->loss.kind);
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
static bool is_y_read(const grad_plan *plan, size_t layer)
{
    const grad_batch *batch = plan->batch;

    if (batch->network == NULL)
        return false;
    if (layer + 1 < batch->layer_count)
        return batch->layers[layer + 1].input.data == NULL ||
               grad_is_residual_source(batch, GRAD_RESIDUAL_OF(layer));
    return grad_network_wants_predictions(batch) ||
           (batch->network->loss.kind != GRAD_LOSS_ABSENT && plan->fusion == GRAD_LOSS_ABSENT);
}

/* Whether ∂L/∂y of the layer lies in memory that a run may write over. */
static bool may_overwrite_dy(const grad_plan *plan, size_t layer)
{
    const grad_batch *batch = plan->batch;
    bool is_given = batch->network == NULL || (layer + 1 == batch->layer_count &&
                                               batch->network->loss.kind == GRAD_LOSS_ABSENT);

    return (!is_given || batch->overwrite_grad_output) &&
           batch->layers[layer].residual == GRAD_RESIDUAL_NONE &&
           batch->layers[layer].activation.kind != GRAD_PRELU; /* its slope's delta reads it */
}

static bool needs_dx(const grad_plan *plan, size_t layer)
{
    const grad_batch *batch = plan->batch;

    if (batch->network == NULL)
        return (grad_layer_outputs(batch, layer) & GRAD_OUTPUT_GRAD_INPUT) != 0;
    return layer == 0 ? grad_network_wants_grad_input(batch) : layer > plan->first_backward;
}

grad_dataflow grad_dataflow_of(const grad_plan *plan, size_t layer)
{
    const grad_batch *batch = plan->batch;
    const grad_layer *l = &batch->layers[layer];
    bool is_last = layer + 1 == batch->layer_count;
    bool is_plain = l->activation.kind == GRAD_IDENTITY && l->dropout_mask.data == NULL;
    grad_dataflow flow = {0};

    if (grad_plan_has_failed(plan, layer))
        return flow;
    flow.y_is_z = is_plain && l->residual == GRAD_RESIDUAL_NONE &&
                  !(is_last && grad_network_wants_predictions(batch));
    flow.computes_z = computes_z(l);
    flow.computes_y = !flow.y_is_z && is_y_read(plan, layer);
    flow.has_backward = layer >= plan->first_backward;
    if (!flow.has_backward)
        return flow;
    flow.fused = is_last && plan->fusion != GRAD_LOSS_ABSENT;
    flow.adds_to_dy = !is_last && grad_is_residual_source(batch, GRAD_RESIDUAL_OF(layer));
    flow.dz_is_dy = is_plain || flow.fused;
    flow.keeps_gy = l->activation.kind == GRAD_PRELU && l->dropout_mask.data != NULL;
    flow.dz_over_dy = !flow.dz_is_dy && may_overwrite_dy(plan, layer);
    flow.needs_dx = needs_dx(plan, layer);
    flow.dx_is_answer = batch->network == NULL || layer == 0;
    return flow;
}
