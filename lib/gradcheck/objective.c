/* The objectives that are differentiated: the request's network, or a network of one layer for each
 * independent layer, with every number widened to double. States that the parameters can give are
 * left out, so that a change of the parameters reaches everything above them. Nothing is worked out
 * here. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/real.h"
#include "core/size.h"
#include "gradcheck/state.h"
#include "gradcheck/tensors.h"

/* A tensor in double: the same one where it is so already. False: no memory. */
static bool widen(grad_check *check, grad_tensor *tensor)
{
    size_t count = grad_tensor_count(tensor);
    double *wide;

    if (tensor->data == NULL || check->batch.datatype == GRAD_FP64)
        return true;
    wide = grad_check_take(check, count, sizeof *wide);
    if (wide == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        wide[i] = grad_real_at(GRAD_FP32, tensor->data, i);
    tensor->data = wide;
    return true;
}

/* The parameters of an activation as the request's datatype has them. */
static void round_parameters(const grad_check *check, grad_activation *f)
{
    for (size_t i = 0; check->batch.datatype == GRAD_FP32 && i < GRAD_MAX_PARAMETERS; i++)
        f->parameters[i] = (float)f->parameters[i];
}

static bool widen_layer(grad_check *check, grad_layer *layer)
{
    grad_tensor *list[GRAD_LAYER_TENSORS];

    grad_layer_tensors(layer, list);
    round_parameters(check, &layer->activation);
    for (size_t i = 0; i < GRAD_LAYER_TENSORS; i++)
        if (!widen(check, list[i]))
            return false;
    return true;
}

/* The class to be ignored as a target of the request's datatype spells it. */
static void round_ignored(const grad_check *check, grad_loss *loss)
{
    const grad_loss_info *info = grad_loss_info_of(loss->kind);

    for (size_t i = 0; check->batch.datatype == GRAD_FP32 && i < info->parameter_count; i++)
        if (info->parameters[i].domain == GRAD_INTEGER)
            loss->parameters[i] = (float)loss->parameters[i];
}

static bool widen_network(grad_check *check, grad_network *network)
{
    grad_tensor *list[GRAD_NETWORK_TENSORS];

    round_ignored(check, &network->loss);

    grad_network_tensors(network, list);
    for (size_t i = 0; i < GRAD_NETWORK_TENSORS; i++)
        if (!widen(check, list[i]))
            return false;
    return true;
}

/* ---- Forward batches ------------------------------------------------------------------------- */

/* A layer of a network whose states are left to its parameters, where they can give them. */
static grad_layer without_states(const grad_layer *given, bool is_first)
{
    bool follows = grad_layer_has_grad_input(given);
    grad_layer layer = *given;

    if (follows)
        layer.pre_activation = (grad_tensor){0};
    if (follows || is_first)
        layer.input = (grad_tensor){0};
    return layer;
}

/* From f->given, and of a network f->network, whatever their datatype. */
static void derive(grad_objective *f, bool is_network, size_t layer_count, grad_datatype type)
{
    const grad_layer *first = &f->given[0];

    for (size_t i = 0; i < layer_count; i++)
        f->layers[i] = is_network ? without_states(&f->given[i], i == 0) : *first;
    if (is_network) {
        f->network.loss.reduction = GRAD_LOSS_NONE;
        f->network.input = first->input.data != NULL ? first->input : f->network.input;
    } else { /* a product keeps its z, which may be more than x Wᵀ + b */
        f->network = (grad_network){.input = first->input, .grad_output = first->grad_output};
        f->layers[0].input = f->layers[0].grad_output = (grad_tensor){0};
        if (grad_map_of(first) != GRAD_MAP_PRODUCT)
            f->layers[0].pre_activation = (grad_tensor){0};
    }
    f->batch = (grad_batch){.datatype = type,
                            .scale = 1,
                            .outputs = GRAD_OUTPUT_PREDICTIONS,
                            .non_finite = GRAD_ALLOW_NON_FINITE,
                            .no_notes = true,
                            .layer_count = layer_count,
                            .layers = f->layers,
                            .network = &f->network};
}

void grad_objective_draft(const grad_batch *batch, size_t layer, grad_layer *layers,
                          grad_objective *f)
{
    bool is_network = batch->network != NULL;

    *f = (grad_objective){.layers = layers, .given = batch->layers + layer};
    if (is_network)
        f->network = *batch->network;
    derive(f, is_network, is_network ? batch->layer_count : 1, batch->datatype);
}

/* The network itself, or a layer of its own. */
static bool make_objective(grad_check *check, size_t layer, grad_objective *f)
{
    const grad_batch *batch = &check->batch;
    size_t layer_count = batch->network != NULL ? batch->layer_count : 1;

    f->layers = grad_check_take(check, layer_count, sizeof *f->layers);
    f->given = grad_check_take(check, layer_count, sizeof *f->given);
    if (f->layers == NULL || f->given == NULL)
        return false;
    for (size_t i = 0; i < layer_count; i++) {
        f->given[i] = batch->layers[layer + i];
        if (!widen_layer(check, &f->given[i]))
            return false;
    }
    if (batch->network != NULL) {
        f->network = *batch->network;
        if (!widen_network(check, &f->network))
            return false;
    }
    derive(f, batch->network != NULL, layer_count, GRAD_FP64);
    return true;
}

grad_status grad_check_make_objectives(grad_check *check, grad_error *error)
{
    bool is_network = check->batch.network != NULL, made = true;

    check->objective_count = is_network ? 1 : check->batch.layer_count;
    check->objectives = grad_check_take(check, check->objective_count, sizeof *check->objectives);
    if (check->objectives == NULL)
        return grad_fail_memory(error, check->objective_count * sizeof *check->objectives);
    for (size_t i = 0; i < check->objective_count && made; i++)
        made = make_objective(check, i, &check->objectives[i]);
    return made ? GRAD_OK : grad_fail_memory(error, sizeof(double));
}

bool grad_objective_moves_state(const grad_layer *layer, grad_output_kind output)
{
    return grad_map_of(layer) == GRAD_MAP_PRODUCT && layer->pre_activation.data != NULL &&
           output != GRAD_SLOPE_DELTA;
}
